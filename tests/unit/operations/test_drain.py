# SPDX-License-Identifier: Apache-2.0

"""What a drain does, and what it would do, behind the public API."""

import datetime
import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.host import decision as decisions
from tests.unit import builders
from tests.unit.operations import base

Code = exceptions.ExitCode


class DrainTest(base.DrainTestCase):
    def test_all_are_set_before_anything_moves(self) -> None:
        result = self.maintenance.drain(['cmp02', 'cmp01'], reason='kernel')
        self.assertIs(Code.DONE, result.exit_code)
        self.assertEqual({}, result.errors)
        self.assertEqual(
            {
                ('vm1', 'cmp01', base.ELSEWHERE, decisions.Result.MOVED),
                ('vm2', 'cmp02', base.ELSEWHERE, decisions.Result.MOVED),
            },
            {
                (r.server_id, r.host, r.destination, r.result)
                for r in result.rows
            },
        )
        for host in ('cmp01', 'cmp02'):
            mark = marks.parse(self.reason(host))
            assert mark
            self.assertEqual('kernel', mark.reason)
        self.assertEqual(
            ['disable'] * 2 + ['live_migrate'] * 2,
            [what for what, _whom in self.changes()],
        )

    def test_host_of_somebody_else(self) -> None:
        self.given_broken()
        result = self.maintenance.drain(['cmp01', 'cmp02'])
        self._assert_only_cmp02(result, 'broken fan.*--force')
        self.assertEqual('broken fan', self.reason('cmp01'))

    def test_what_is_left_out_is_said_before_anything_moves(self) -> None:
        """The command may take hours, and its errors come in the end."""
        self.given_broken()
        told = []

        def move(*_args: ty.Any) -> None:
            told.extend(self.listener.troubles)
            raise exceptions.NotPermitted('no')

        self.gateway.live_migrate.side_effect = move
        self.maintenance.drain(['cmp01', 'cmp02'], report=self.listener)
        ((host, words),) = told
        self.assertEqual('cmp01', host)
        self.assertIn('broken fan', words)

    def test_host_that_nova_does_not_disable(self) -> None:
        def disable(service: model.Service, reason: str) -> model.Service:
            if service.host == 'cmp01':
                raise exceptions.Unavailable('Nova: PUT x: no answer')
            return self.cloud.disable(service, reason)

        self.gateway.disable.side_effect = disable
        result = self.maintenance.drain(['cmp01', 'cmp02'])
        self._assert_only_cmp02(result, 'PUT x: no answer')
        # Not even once more: it may have been carried out.
        self.assertEqual(2, self.gateway.disable.call_count)

    def _assert_only_cmp02(self, result: ty.Any, error: str) -> None:
        self.assertIs(Code.FAILED, result.exit_code)
        self.assertEqual(['cmp01'], list(result.errors))
        self.assertRegex(result.errors['cmp01'], error)
        self.assertEqual(
            [('vm2', decisions.Result.MOVED)],
            [(r.server_id, r.result) for r in result.rows],
        )
        self.assertEqual('cmp01', self.cloud.places['vm1'])

    def test_no_host_can_be_set(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        result = self.maintenance.drain(['cmp01'])
        self.assertIs(Code.FAILED, result.exit_code)
        self.assertEqual(['cmp01'], list(result.errors))
        self.assertEqual((), result.rows)
        self.assert_untouched()

    def test_interrupted_before_all_are_set(self) -> None:
        """An operator who has named the wrong hosts, say."""
        interrupt, report = interrupts.Interrupt(), mock.Mock()

        def disable(service: model.Service, reason: str) -> model.Service:
            interrupt.requested = True
            return self.cloud.disable(service, reason)

        self.gateway.disable.side_effect = disable
        result = self.maintenance.drain(
            ['cmp01', 'cmp02'], interrupt=interrupt, report=report
        )
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        self.assertEqual(((), {}), (result.rows, result.errors))
        self.assertEqual([('disable', 'cmp01')], self.changes())
        event = report.publish.call_args.args[0]
        self.assertEqual('cmp01', event.host)
        self.assertIn('in maintenance, but nothing was moved', event.reason)

    def test_interrupted_before_any_is_set(self) -> None:
        interrupt, report = interrupts.Interrupt(), mock.Mock()
        interrupt.requested = True
        result = self.maintenance.drain(
            ['cmp01', 'cmp02'], interrupt=interrupt, report=report
        )
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        self.assert_untouched()
        event = report.publish.call_args.args[0]
        self.assertEqual('cmp01, cmp02', event.host)
        self.assertIn('interrupted: nothing was changed', event.reason)

    def test_interrupted_twice_while_one_is_set(self) -> None:
        """Nova hangs: whether it took the request is not known."""
        interrupt = interrupts.Interrupt()

        def disable(service: model.Service, reason: str) -> model.Service:
            if service.host == 'cmp01':
                return self.cloud.disable(service, reason)
            interrupt.requested = True
            raise KeyboardInterrupt

        self.gateway.disable.side_effect = disable
        result = self.maintenance.drain(
            ['cmp01', 'cmp02'], interrupt=interrupt, report=self.listener
        )
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        self.assertEqual({'cmp02'}, {*result.errors})
        self.assertIn('may be in maintenance', result.errors['cmp02'])
        host, words = self.listener.troubles[-1]
        self.assertEqual('cmp01', host)
        self.assertIn('in maintenance, but nothing was moved', words)

    def test_interrupted_while_the_only_one_is_set(self) -> None:
        interrupt = interrupts.Interrupt()

        def disable(*_args: ty.Any) -> None:
            interrupt.requested = True
            raise exceptions.Unavailable('no answer')

        self.gateway.disable.side_effect = disable
        result = self.maintenance.drain(
            ['cmp01'], interrupt=interrupt, report=self.listener
        )
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        ((_host, words),) = self.listener.troubles
        self.assertNotIn('nothing was changed', words)

    def test_interrupted_before_anything_is_moved(self) -> None:
        interrupt = interrupts.Interrupt()
        groups = self.gateway.groups

        def ask() -> list[ty.Any]:
            interrupt.requested = True
            return []

        groups.side_effect = ask
        result = self.maintenance.drain(['cmp01'], interrupt=interrupt)
        groups.assert_called_once()
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        self.assertEqual([('disable', 'cmp01')], self.changes())
        self.gateway.unconfirmed.assert_not_called()

    def test_interrupted_while_hosts_are_looked_at(self) -> None:
        interrupt = interrupts.Interrupt()

        def servers(host: str) -> list[model.Server]:
            interrupt.requested = True
            return self.cloud.servers(host)

        self.gateway.servers.side_effect = servers
        result = self.maintenance.drain(
            ['cmp01', 'cmp02'], interrupt=interrupt, report=self.listener
        )
        self.gateway.servers.assert_called_once()
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        ((hosts, words),) = self.listener.troubles
        self.assertEqual('cmp01, cmp02', hosts)
        self.assertIn('in maintenance, but nothing was moved', words)

    def test_not_permitted(self) -> None:
        self.gateway.disable.side_effect = exceptions.NotPermitted('no')
        with self.assertRaises(exceptions.NotPermitted):
            self.maintenance.drain(['cmp01', 'cmp02'])
        # Nothing is half set, and the second is not even tried.
        self.gateway.disable.assert_called_once()
        self.gateway.live_migrate.assert_not_called()
        self.assertTrue(all(s.enabled for s in self.cloud.services()))

    def test_not_permitted_to_look(self) -> None:
        self.gateway.services.side_effect = exceptions.NotPermitted('no')
        with self.assertRaises(exceptions.NotPermitted):
            self.maintenance.drain(['cmp01'])
        self.assert_untouched()

    def test_until_needs_a_time_zone(self) -> None:
        naive = datetime.datetime(2999, 1, 1)  # noqa: DTZ001
        with self.assertRaisesRegex(ValueError, 'until needs a time zone'):
            self.maintenance.drain(['cmp01'], until=naive)
        self.assert_untouched()

    def test_timeout(self) -> None:
        self.gateway.live_migrate.side_effect = lambda *_: None
        result = self.maintenance.drain(['cmp01'], timeout=30)
        self.assertIs(Code.TIMEOUT, result.exit_code)
        self.assertEqual(['vm1'], [r.server_id for r in result.rows])

    def test_timeout_before_all_are_set(self) -> None:
        """With many hosts that takes a while, which counts."""
        self.gateway.live_migrate.side_effect = lambda *_: None
        disable = self.cloud.disable

        def slow(service: model.Service, reason: str) -> model.Service:
            self.clock.sleep(20)
            return disable(service, reason)

        self.gateway.disable.side_effect = slow
        began_at = self.clock.now()
        result = self.maintenance.drain(['cmp01', 'cmp02'], timeout=45)
        self.assertIs(Code.TIMEOUT, result.exit_code)
        self.assertEqual(2, len(result.rows))
        self.assertLess(self.clock.now() - began_at, 46)

    def test_timeout_ends_the_setting(self) -> None:
        disable = self.cloud.disable

        def slow(service: model.Service, reason: str) -> model.Service:
            self.clock.sleep(20)
            return disable(service, reason)

        self.gateway.disable.side_effect = slow
        result = self.maintenance.drain(
            ['cmp01', 'cmp02'], timeout=15, report=self.listener
        )
        self.assertIs(Code.TIMEOUT, result.exit_code)
        self.assertEqual(((), {}), (result.rows, result.errors))
        self.assertTrue(self.cloud.hosts['cmp02'].enabled)
        host, words = self.listener.troubles[-1]
        self.assertEqual('cmp01', host)
        self.assertIn('--timeout passed: in maintenance, but', words)

    def test_timeout_while_hosts_are_looked_at(self) -> None:
        def servers(host: str) -> list[model.Server]:
            self.clock.sleep(20)
            return self.cloud.servers(host)

        self.gateway.servers.side_effect = servers
        result = self.maintenance.drain(
            ['cmp01', 'cmp02'], timeout=15, report=self.listener
        )
        self.gateway.servers.assert_called_once()
        self.assertIs(Code.TIMEOUT, result.exit_code)
        hosts, words = self.listener.troubles[-1]
        self.assertEqual('cmp01, cmp02', hosts)
        self.assertIn('--timeout passed: in maintenance, but', words)


Fits = forecast.Fits


class PreviewTest(base.DrainTestCase):
    def test_several_hosts(self) -> None:
        preview = self.maintenance.preview(['cmp01', 'cmp02'])
        self.assertEqual(
            [
                ('vm1', 'cmp01', 'live migration', Fits.YES, 1),
                ('vm2', 'cmp02', 'live migration', Fits.YES, 1),
            ],
            [
                (r.server_id, r.host, r.move, r.fits, r.candidates)
                for r in preview.rows
            ],
        )
        self.assertTrue(preview.done)
        self.assertEqual(1024, preview.memory_mb)
        self.assertEqual({}, preview.errors)
        self.assertEqual((), preview.notes)
        self.assert_changed_nothing()

    def test_what_does_not_fit(self) -> None:
        self.cloud.room = {'cmp02': 1, base.ELSEWHERE: 0}
        preview = self.maintenance.preview(['cmp01'])
        (row,) = preview.rows
        self.assertEqual((Fits.NO, 0), (row.fits, row.candidates))
        self.assertIn('without room', row.reason)
        self.assertFalse(preview.done)
        self.assertEqual(('vm1',), preview.capacity_forecast.misfits)
        self.assert_changed_nothing()

    def test_a_host_of_somebody_else(self) -> None:
        self.given_broken()
        preview = self.maintenance.preview(['cmp01', 'cmp02'])
        self.assertEqual(['cmp01'], list(preview.errors))
        self.assertRegex(preview.errors['cmp01'], 'broken fan.*--force')
        self.assertEqual(['vm2'], [row.server_id for row in preview.rows])
        self.assertFalse(preview.done)
        self.assert_changed_nothing()

    def test_a_host_of_somebody_else_forced(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        self.assertTrue(self.maintenance.preview(['cmp01'], force=True).done)
        self.assertEqual('broken fan', self.reason())
        self.assert_changed_nothing()

    def test_without_placement(self) -> None:
        for error in builders.NO_CAPACITY:
            for asked in (
                self.gateway.allocations,
                self.gateway.allocation_candidates,
            ):
                with self.subTest(type(error)):
                    before, asked.side_effect = asked.side_effect, error
                    preview = self.maintenance.preview(['cmp01'])
                    asked.side_effect = before
                    self.assertFalse(preview.done)
                    (row,) = preview.rows
                    words = f'capacity is not known: {error}'
                    self.assertEqual(
                        (Fits.UNKNOWN, None, words),
                        (row.fits, row.candidates, row.reason),
                    )
                    self.assertEqual((words,), preview.notes)

    def test_without_nova(self) -> None:
        for error in (exceptions.Unavailable, exceptions.NotPermitted):
            self.gateway.servers.side_effect = error('Nova says no')
            with self.assertRaises(error):
                self.maintenance.preview(['cmp01'])
