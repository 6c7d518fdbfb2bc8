# SPDX-License-Identifier: Apache-2.0

"""What becomes of the mode of hosts, and how it is shown."""

import dataclasses
import datetime
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.operations import modes
from osc_hostmaint.operations import resumed
from osc_hostmaint.planning import timing
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

Refused = exceptions.Refused
#: It is changed, or that is undone.
DOWN = ('force_down', 'cmp01')


class SetTest(base.MaintenanceTestCase):
    @unit.cases((None, ''), ('kernel CHG0042', ': kernel CHG0042'))
    def test_operational(self, reason: str | None, words: str) -> None:
        service = self.maintenance.set('cmp01', reason=reason)
        self.assertIs(model.Mode.MAINTENANCE, service.mode)
        self.assertEqual(
            f'maintenance since 2026-11-21T08:00:00Z by bob{words}',
            self.reason(),
        )
        self.assertIsNone(self.reason('cmp02'))

    @unit.cases(None, 'kernel')
    def test_already_so(self, reason: str | None) -> None:
        self.given(builders.service())
        service = self.maintenance.set('cmp01', reason=reason)
        self.assertEqual(base.OLD_MARK, service.disabled_reason)
        self.assert_untouched()

    def test_host_disabled_by_others(self) -> None:
        self.given(builders.service(disabled_reason='broken \x1b[31m\u202e'))
        with self.assertRaisesRegex(
            Refused, 'cmp01 .*somebody else.*--force'
        ) as caught:
            self.maintenance.set('cmp01', reason='kernel')
        self.assertTrue(str(caught.exception).isprintable())
        self.assert_untouched()
        self.maintenance.set('cmp01', reason='kernel', force=True)
        self.assertEqual(
            'maintenance since 2026-11-21T08:00:00Z by bob: kernel',
            self.reason(),
        )

    @unit.cases('x' * 300, 'two\nlines', ' blank')
    def test_reason_that_does_not_fit(self, reason: str) -> None:
        with self.assertRaises(exceptions.InvalidMark):
            self.maintenance.set('cmp01', reason=reason)
        self.assert_untouched()


class UnsetTest(base.MaintenanceTestCase):
    def test_maintenance(self) -> None:
        self.given(builders.service())
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)

    def test_already_so(self) -> None:
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assert_untouched()
        self.gateway.migrations.assert_not_called()

    @unit.cases(
        ({'disabled_reason': 'broken fan'}, 'cmp01.*--force'),
        ({'up': False}, 'cmp01.*--force'),
        ({}, '1 server evacuated from cmp01'),
    )
    def test_refused_unless_forced(self, service: ty.Any, words: str) -> None:
        self.given(builders.service(**service))
        if not service:
            # They may still run.
            evacuated = [builders.migration(1, 'done')]
            self.gateway.evacuated.return_value = evacuated
        with self.assertRaisesRegex(Refused, words):
            self.maintenance.unset('cmp01')
        self.assert_untouched()
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)

    @unit.named_cases(
        ('running', 'running', {}, 'cmp01', True),
        ('completed', 'completed', {}, 'cmp01', False),
        ('arriving', 'running', {'source': 'cmp02', 'dest': 'cmp01'}, 'cmp01',
         False),
        # The host died in the middle of a move, and came back.
        ('cut_off', 'running', {}, 'cmp02', False),
    )  # fmt: skip
    def test_moves(self, status, record, host, refused):
        self.given(builders.service())
        self.cloud.places = {'vm1': host}
        self.cloud.tasks = {'vm1': 'migrating'} if host == 'cmp01' else {}
        self.cloud.records = [builders.migration(1, status, **record)]
        if refused:
            with self.assertRaisesRegex(Refused, '1 move is still'):
                self.maintenance.unset('cmp01')
            self.assert_untouched()
        self.maintenance.unset('cmp01', force=refused)
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)

    # Without our mark the newest moves off the host tell.
    @unit.cases({}, {'disabled_reason': 'theirs'})
    def test_servers_that_were_not_suspended_again(self, service) -> None:
        self.given(builders.service(**service))
        self.gateway.tagged.return_value = [
            builders.server('i1', 'SUSPENDED', name='\x1b', tagged=True),
            builders.server('i2', host='cmp02', tagged=True),
            builders.server('of others', host='cmp02', tagged=True),
            builders.server('drained', host='cmp03', tagged=True),
        ]
        self.cloud.hosts['cmp03'] = builders.service(host='cmp03')
        self.gateway.left.return_value = self.cloud.records = [
            builders.migration(1, 'completed', 'i2'),
            builders.migration(2, 'error', 'of others'),
            builders.migration(3, 'completed', 'drained'),
        ]
        self.cloud.places = {'i2': 'cmp02', 'of others': 'cmp02'}
        with self.assertLogs(resumed.LOG, 'WARNING') as logged:
            self.maintenance.unset('cmp01', force=bool(service))
        here, left = logged.output
        self.assertIn(r'\x1b (i1) on cmp01 is SUSPENDED', here)
        self.assertIn('now, remove the tag', here)
        self.assertIn('suspend it (openstack server suspend i2)', left)
        self.assertIn('--tag osc-hostmaint:resumed i2)', left)

    def test_hypervisor_down(self) -> None:
        self.given(builders.service())
        states = self.gateway.hypervisor_states
        states.side_effect = None
        states.return_value = {'node1': True, 'node2': False}
        with self.assertRaisesRegex(Refused, ' node2 of cmp01'):
            self.maintenance.unset('cmp01')
        self.assert_untouched()
        states.reset_mock()
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)
        states.assert_not_called()


class UnsetForcedDownTest(base.MaintenanceTestCase):
    """A host that was evacuated: forced down, and in maintenance."""

    def setUp(self) -> None:
        super().setUp()
        self.given(builders.dead())

    def waited(self) -> float:
        """Return how many seconds have been slept."""
        return self.clock.now() - base.Clock().now()

    @unit.cases(False, True)
    def test_it_is_taken_back_first(self, force: bool) -> None:
        self.assertTrue(self.maintenance.unset('cmp01', force=force).enabled)
        self.assertFalse(self.cloud.hosts['cmp01'].forced_down)
        self.assertTrue(self.cloud.hosts['cmp01'].up)
        self.assertEqual([DOWN, ('enable', 'cmp01')], self.changes())

    @unit.cases(False, True)
    def test_not_cleaned_up(self, force: bool) -> None:
        self.cloud.uncleaned = {'cmp01'}
        with self.assertRaisesRegex(
            Refused, 'Start nova-compute on cmp01.*unset cmp01 again.*`done`'
        ) as caught:
            self.maintenance.unset('cmp01', force=force)
        self.assertNotIn('--force', str(caught.exception))
        self.assertTrue(self.cloud.hosts['cmp01'].forced_down)
        self.assertEqual(base.OLD_MARK, self.reason())
        self.assertEqual([DOWN], self.changes())
        # As the message says.
        self.cloud.uncleaned = set()
        self.assertTrue(self.maintenance.unset('cmp01').enabled)

    def test_still_dead(self) -> None:
        self.cloud.dead = {'cmp01'}
        with self.assertRaisesRegex(
            Refused,
            'is down.*start nova-compute.*no longer forced down.*--force',
        ):
            self.maintenance.unset('cmp01')
        self.assertFalse(self.cloud.hosts['cmp01'].forced_down)
        self.assertEqual(base.OLD_MARK, self.reason())
        self.assertEqual([DOWN], self.changes())
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)

    def test_it_died_a_moment_ago(self) -> None:
        """Nova calls it up until service_down_time has passed."""
        self.given(builders.dead(updated_at=base.NOW))
        with (
            self.assertLogs(modes.LOG, 'WARNING') as logged,
            self.assertRaisesRegex(Refused, 'is down'),
        ):
            self.maintenance.unset('cmp01')
        self.assertEqual(1, len(logged.output))
        self.assertIn('cmp01: waiting for a heartbeat', logged.output[0])
        self.assertIn('at most 20 s', logged.output[0])
        self.assertEqual([DOWN], self.changes())
        self.assertGreaterEqual(self.waited(), timing.SILENCE_SECONDS)

    def test_a_heartbeat_is_awaited(self) -> None:
        self.given(builders.dead(updated_at=base.NOW))

        def look() -> list[model.Service]:
            beats = datetime.timedelta(seconds=self.waited() // 10 * 10)
            return [
                dataclasses.replace(s, updated_at=base.NOW + beats)
                for s in self.cloud.services()
            ]

        self.gateway.services.side_effect = look
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assertEqual([DOWN, ('enable', 'cmp01')], self.changes())
        self.assertLess(self.waited(), timing.SILENCE_SECONDS)

    def test_enabled(self) -> None:
        """Whoever forced it down takes that back."""
        self.given(builders.dead(enabled=True))
        self.assertTrue(self.maintenance.unset('cmp01').forced_down)
        self.assert_untouched()


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

    def test_older_than(self) -> None:
        """By Nova's clock, which shows 08:00."""
        recent = 'maintenance since 2026-11-21T07:00:00Z by bob'
        ahead = 'maintenance since 2026-11-21T08:00:01Z by bob'
        self.given(
            builders.service(host='cmp01'),
            builders.service(host='cmp02', disabled_reason=recent),
            builders.service(host='cmp03', disabled_reason=ahead),
            builders.service(host='cmp04', disabled_reason='broken fan'),
        )

        def ages(**older: int) -> dict[str, float]:
            found = self.maintenance.list(
                {model.Mode.MAINTENANCE},
                older_than=datetime.timedelta(**older) if older else None,
            )
            return {
                each.service.host: each.age.total_seconds() // 60
                for each in found
                if each.age is not None
            }

        since_yesterday = {'cmp01': 508.0}
        self.assertEqual(since_yesterday, ages(minutes=61))
        self.assertEqual(1, self.gateway.server_count.call_count)
        everywhere = {'cmp02': 60.0, 'cmp03': 0.0}
        self.assertEqual(since_yesterday | everywhere, ages())

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
        with self.assertLogs('osc_hostmaint', 'WARNING') as logged:
            self.assertEqual([None], types())
        self.assertIn(
            'types of hypervisors are not known: no', logged.output[0]
        )

    def test_filters_ignored(self) -> None:
        denied = exceptions.NotPermitted('no')
        self.gateway.check_filters.side_effect = denied
        with self.assertRaises(exceptions.NotPermitted):
            self.listed(*model.Mode)
        # Where there is no server, there is none of another host.
        self.cloud.places = {}
        self.assertEqual(4, len(self.listed(*model.Mode)))

    def test_failure_is_not_zero_servers(self) -> None:
        self.gateway.server_count.side_effect = exceptions.Unavailable('x')
        with self.assertRaises(exceptions.Unavailable):
            self.listed(*model.Mode)

    def test_nothing_to_list(self) -> None:
        self.given(builders.service(enabled=True))
        self.assertEqual([], self.listed(model.Mode.MAINTENANCE))
