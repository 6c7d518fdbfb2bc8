# SPDX-License-Identifier: Apache-2.0

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit import builders
from tests.unit.operations import base


class ShowTest(base.MaintenanceTestCase):
    def test_show(self) -> None:
        self.given(builders.service())
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02', 'vm3': 'cmp09'}
        away = {'source': 'cmp02', 'dest': 'cmp01'}
        self.cloud.records = [
            builders.migration(1),
            builders.migration(2, server_id='vm2', **away),
            builders.migration(3, 'completed'),
            # Its host died once, and it was forgotten.
            builders.migration(4, server_id='vm3'),
        ]
        self.cloud.tasks = {'vm1': 'migrating', 'vm2': 'migrating'}
        self.gateway.unconfirmed.side_effect = [
            [builders.migration(4, 'finished')]
        ]
        self.gateway.evacuated.side_effect = [
            [builders.migration(5, 'done'), builders.migration(6, 'done')]
        ]
        shown = self.maintenance.show('cmp01')
        self.assertEqual(
            ({'ACTIVE': 1}, 1, 1, 1, 2, 1, False),
            (
                shown.servers_by_status,
                shown.moving_out,
                shown.moving_in,
                shown.awaiting_confirm,
                shown.awaiting_cleanup,
                shown.allocations,
                shown.drained,
            ),
        )
        self.assert_untouched()

    def test_no_right_to_see_progress(self) -> None:
        self.given(builders.service())
        self.cloud.places = {'vm1': 'cmp01'}
        self.cloud.records = [builders.migration(1)]
        self.cloud.tasks = {'vm1': 'migrating'}
        self.gateway.progress.side_effect = exceptions.NotPermitted('no')
        (move,) = self.maintenance.show('cmp01').moves
        self.assertIsNone(move.progress)

    def test_drained(self) -> None:
        self.assertTrue(self.maintenance.show('cmp01').drained)
        # Evacuated, and not cleaned up.
        self.gateway.evacuated.return_value = [builders.migration(5, 'done')]
        self.assertFalse(self.maintenance.show('cmp01').drained)
        self.gateway.evacuated.assert_called_with('cmp01')


class ListTest(base.MaintenanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.given(
            builders.service(host='cmp03'),
            builders.service(host='cmp02', disabled_reason='broken fan'),
            builders.service(host='cmp01'),
            builders.service(host='cmp04', enabled=True),
        )
        self.cloud.places = {'vm1': 'cmp03', 'vm2': 'cmp03', 'vm3': 'cmp02'}

    def listed(self, *modes: model.Mode) -> list[tuple[str, int | None]]:
        found = self.maintenance.list(modes)
        return [(each.service.host, each.servers) for each in found]

    def test_maintenance(self) -> None:
        self.assertEqual(
            [('cmp01', 0), ('cmp03', 2)], self.listed(model.Mode.MAINTENANCE)
        )
        # As many requests as hosts are shown.
        self.assertEqual(2, self.gateway.server_count.call_count)
        # Once more as one is empty: its cell may have fallen silent.
        self.assertEqual(2, self.gateway.services.call_count)

    def test_all(self) -> None:
        self.assertEqual(
            [('cmp01', 0), ('cmp02', 1), ('cmp03', 2), ('cmp04', 0)],
            self.listed(*model.Mode),
        )

    def test_hypervisor_types(self) -> None:
        node = model.Hypervisor('rp', 'node-1', 'cmp04', type='ironic')
        self.cloud.hypervisor_of = {'cmp04': node}

        def types() -> list[str | None]:
            found = self.maintenance.list(
                {model.Mode.OPERATIONAL}, hypervisor_types=True
            )
            return [each.hypervisor_type for each in found]

        self.assertEqual(['ironic'], types())
        error = exceptions.NotPermitted('no')
        self.gateway.hypervisor_details.side_effect = error
        self.assertEqual([None], types())

    def test_failure_is_not_zero_servers(self) -> None:
        self.gateway.server_count.side_effect = exceptions.Unavailable('x')
        with self.assertRaises(exceptions.Unavailable):
            self.listed(*model.Mode)

    def test_nothing_to_list(self) -> None:
        self.given(builders.service(enabled=True))
        self.assertEqual([], self.listed(model.Mode.MAINTENANCE))
