# SPDX-License-Identifier: Apache-2.0

import dataclasses
import datetime
import typing as ty

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.operations import modes
from osc_hostmaint.planning import timing
from tests.unit import builders
from tests.unit.operations import base


@ddt.ddt
class SetTest(base.MaintenanceTestCase):
    @ddt.data((None, ''), ('kernel CHG0042', ': kernel CHG0042'))
    @ddt.unpack
    def test_operational(self, reason: str | None, words: str) -> None:
        service = self.maintenance.set('cmp01', reason=reason)
        self.assertIs(model.Mode.MAINTENANCE, service.mode)
        self.assertEqual(
            f'maintenance since 2026-11-21T08:00:00Z by bob{words}',
            self.reason(),
        )
        self.assertIsNone(self.reason('cmp02'))

    @ddt.data(None, 'kernel')
    def test_already_so(self, reason: str | None) -> None:
        self.given(builders.service())
        service = self.maintenance.set('cmp01', reason=reason)
        self.assertEqual(base.OLD_MARK, service.disabled_reason)
        self.assert_untouched()

    def test_new_reason_keeps_since_and_by_whom(self) -> None:
        self.given(builders.service())
        self.maintenance.set('cmp01', reason='disk')
        self.assertEqual(
            base.OLD_MARK.replace('kernel', 'disk'), self.reason()
        )

    def test_novas_own_reason_is_taken_over(self) -> None:
        self.given(
            builders.service(
                disabled_reason='AUTO: Connection to libvirt lost'
            )
        )
        self.maintenance.set('cmp01')
        self.assertEqual(
            'maintenance since 2026-11-21T08:00:00Z by bob', self.reason()
        )

    @ddt.data('broken fan', 'broken \x1b[31m\u202e', '', None)
    def test_host_disabled_by_others(self, theirs: str | None) -> None:
        self.given(builders.service(disabled_reason=theirs))
        with self.assertRaisesRegex(
            exceptions.Refused, 'cmp01 .*somebody else.*--force'
        ) as caught:
            self.maintenance.set('cmp01', reason='kernel')
        self.assertTrue(str(caught.exception).isprintable())
        self.assert_untouched()

    def test_host_disabled_by_others_with_force(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        self.maintenance.set('cmp01', reason='kernel', force=True)
        self.assertEqual(
            'maintenance since 2026-11-21T08:00:00Z by bob: kernel',
            self.reason(),
        )

    @ddt.data('x' * 300, 'two\nlines', ' blank')
    def test_reason_that_does_not_fit(self, reason: str) -> None:
        with self.assertRaises(exceptions.InvalidMark):
            self.maintenance.set('cmp01', reason=reason)
        self.assert_untouched()


@ddt.ddt
class UnsetTest(base.MaintenanceTestCase):
    def test_maintenance(self) -> None:
        self.given(builders.service())
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)

    def test_already_so(self) -> None:
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assert_untouched()
        self.gateway.migrations.assert_not_called()

    @ddt.unpack
    @ddt.named_data(
        ('somebody_elses', {'disabled_reason': 'broken fan'}, 'broken fan'),
        ('without_a_reason', {'disabled_reason': None}, 'somebody else'),
        ('novas_own', {'disabled_reason': 'AUTO: lost'}, 'AUTO: lost'),
        ('down', {'up': False}, 'down.*start nova-compute first'),
    )
    def test_refused_unless_forced(
        self, service: dict[str, ty.Any], words: str
    ) -> None:
        self.given(builders.service(**service))
        with self.assertRaisesRegex(
            exceptions.Refused, f'cmp01.*{words}|{words}.*cmp01'
        ) as caught:
            self.maintenance.unset('cmp01')
        self.assertIn('--force', str(caught.exception))
        self.assert_untouched()
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)

    @ddt.unpack
    @ddt.named_data(
        ('running', 'running', {}, True),
        ('unknown_status', 'teleporting', {}, True),
        ('completed', 'completed', {}, False),
        ('failed', 'error', {}, False),
        ('arriving', 'running', {'source': 'cmp02', 'dest': 'cmp01'}, False),
    )
    def test_moves(
        self, status: str, record: dict[str, ty.Any], refused: bool
    ) -> None:
        self.given(builders.service())
        self.cloud.places = {'vm1': 'cmp01'}
        self.cloud.tasks = {'vm1': 'migrating'}
        self.cloud.records = [builders.migration(1, status, **record)]
        if refused:
            with self.assertRaisesRegex(exceptions.Refused, '1 move is still'):
                self.maintenance.unset('cmp01')
            self.assert_untouched()
            self.maintenance.unset('cmp01', force=True)
        else:
            self.maintenance.unset('cmp01')
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)

    def test_a_record_that_nobody_is_at_any_more(self) -> None:
        """The host died in the middle of a move, and came back."""
        self.given(builders.service())
        self.cloud.places = {'vm1': 'cmp02'}
        self.cloud.records = [builders.migration(1, 'running')]
        self.assertTrue(self.maintenance.unset('cmp01').enabled)

    def test_hypervisor_down(self) -> None:
        self.given(builders.service())
        states = self.gateway.hypervisor_states
        states.side_effect = None
        states.return_value = {'node1': True, 'node2': False}
        with self.assertRaisesRegex(exceptions.Refused, ' node2 of cmp01'):
            self.maintenance.unset('cmp01')
        self.assert_untouched()
        states.reset_mock()
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)
        states.assert_not_called()

    def test_evacuated_servers_may_still_run(self) -> None:
        self.given(builders.service())
        self.gateway.evacuated.return_value = [builders.migration(1, 'done')]
        with self.assertRaisesRegex(
            exceptions.Refused, '1 server evacuated from cmp01'
        ):
            self.maintenance.unset('cmp01')
        self.assert_untouched()
        self.maintenance.unset('cmp01', force=True)
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)


@ddt.ddt
class UnsetForcedDownTest(base.MaintenanceTestCase):
    """A host that was evacuated: forced down, and in maintenance."""

    def setUp(self) -> None:
        super().setUp()
        self.given(builders.service(up=False, forced_down=True))

    def changes(self) -> list[str]:
        """Return what was changed, in order."""
        names = ('force_down', 'enable', 'disable')
        calls = self.gateway.method_calls
        return [call[0] for call in calls if call[0] in names]

    def waited(self) -> float:
        """Return how many seconds have been slept."""
        return self.clock.now() - base.Clock().now()

    @ddt.data(False, True)
    def test_it_is_taken_back_first(self, force: bool) -> None:
        service = self.maintenance.unset('cmp01', force=force)
        self.assertTrue(service.enabled)
        self.assertFalse(self.cloud.hosts['cmp01'].forced_down)
        self.assertTrue(self.cloud.hosts['cmp01'].up)
        self.assertEqual(['force_down', 'enable'], self.changes())

    @ddt.data(False, True)
    def test_not_cleaned_up(self, force: bool) -> None:
        self.cloud.uncleaned = {'cmp01'}
        with self.assertRaisesRegex(
            exceptions.Refused,
            'Start nova-compute on cmp01.*unset cmp01 again.*`done`',
        ) as caught:
            self.maintenance.unset('cmp01', force=force)
        self.assertNotIn('--force', str(caught.exception))
        self.assertTrue(self.cloud.hosts['cmp01'].forced_down)
        self.assertEqual(base.OLD_MARK, self.reason())
        self.assertEqual(['force_down'], self.changes())
        # As the message says.
        self.cloud.uncleaned = set()
        self.assertTrue(self.maintenance.unset('cmp01').enabled)

    def test_still_dead(self) -> None:
        self.cloud.dead = {'cmp01'}
        with self.assertRaisesRegex(
            exceptions.Refused,
            'is down.*start nova-compute.*no longer forced down.*--force',
        ):
            self.maintenance.unset('cmp01')
        self.assertFalse(self.cloud.hosts['cmp01'].forced_down)
        self.assertEqual(base.OLD_MARK, self.reason())
        self.assertEqual(['force_down'], self.changes())
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)

    def test_it_died_a_moment_ago(self) -> None:
        """Nova calls it up until service_down_time has passed."""
        self.given(
            builders.service(up=False, forced_down=True, updated_at=base.NOW)
        )
        with (
            self.assertLogs(modes.LOG, 'WARNING') as logged,
            self.assertRaisesRegex(exceptions.Refused, 'is down'),
        ):
            self.maintenance.unset('cmp01')
        self.assertEqual(1, len(logged.output))
        self.assertIn('cmp01: waiting for a heartbeat', logged.output[0])
        self.assertIn('at most 20 s', logged.output[0])
        self.assertEqual(['force_down'], self.changes())
        self.assertGreaterEqual(self.waited(), timing.SILENCE_SECONDS)

    def test_a_heartbeat_is_awaited(self) -> None:
        self.given(
            builders.service(up=False, forced_down=True, updated_at=base.NOW)
        )

        def look() -> list[model.Service]:
            beats = datetime.timedelta(seconds=self.waited() // 10 * 10)
            return [
                dataclasses.replace(s, updated_at=base.NOW + beats)
                for s in self.cloud.services()
            ]

        self.gateway.services.side_effect = look
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assertEqual(['force_down', 'enable'], self.changes())
        self.assertLess(self.waited(), timing.SILENCE_SECONDS)

    def test_enabled(self) -> None:
        """Whoever forced it down takes that back."""
        self.given(builders.service(enabled=True, up=False, forced_down=True))
        service = self.maintenance.unset('cmp01')
        self.assertTrue(service.forced_down)
        self.assert_untouched()
