# SPDX-License-Identifier: Apache-2.0

"""What comes before the servers of a dead host are built anew elsewhere."""

import datetime
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

Code = base.Code


class PowerCheckTest(base.EvacuateTestCase):
    def test_up(self) -> None:
        self.assert_left_alone(
            'is up.*without --evacuate.*60 s.*--fenced', confirm=self.fail
        )

    def test_up_and_fenced(self) -> None:
        result = self.evacuate(fenced=True, reason='PSU', confirm=self.fail)
        self.assertIs(Code.DONE, result.exit_code)
        self.assertEqual(
            [
                ('force_down', 'cmp01'),
                ('disable', 'cmp01'),
                ('evacuate', 'vm1'),
            ],
            self.changes(),
        )
        (row,) = result.rows
        self.assertEqual(
            ('evacuation', decisions.Result.MOVED), (row.move, row.result)
        )
        self.assertTrue(self.cloud.hosts['cmp01'].forced_down)
        mark = marks.parse(self.reason())
        assert mark
        self.assertEqual('PSU', mark.reason)

    @unit.cases(True, False)
    def test_already_forced_down(self, fenced: bool) -> None:
        """Whoever did that has vouched for it."""
        self.given(builders.dead())
        self.assert_evacuated(fenced=fenced, confirm=self.fail)
        self.assertEqual([('evacuate', 'vm1')], self.changes())

    def test_asked_and_sure(self) -> None:
        self.given_silent()
        self.cloud.local = {'vm1'}
        self.assert_evacuated(confirm=self.answer(yes=True))
        (question,) = self.questions
        self.assertRegex(
            question, ': 1 .1 of them lose.* Is cmp01 powered off\\?'
        )
        # It may not come back in the middle.
        self.assertEqual('force_down', self.changes()[0][0])

    def test_asked_and_not_sure(self) -> None:
        self.given_silent()
        self.assert_left_alone(
            'so nothing was changed on it', confirm=self.answer(yes=False)
        )

    def test_no_terminal_to_ask(self) -> None:
        self.given_silent()
        self.assert_left_alone('corrupts data.*--fenced')
        self.gateway.servers.assert_not_called()

    def test_host_comes_back_during_the_question(self) -> None:
        self.given_silent()

        def ask(_question: str) -> bool:
            self.cloud.hosts['cmp01'] = builders.service(enabled=True)
            return True

        self.assert_left_alone('come back', confirm=ask)

    def test_it_is_not_forced_down_any_more(self) -> None:
        """Somebody takes back his word while it is looked at."""

        def aggregates() -> list[ty.Any]:
            self.cloud.hosts['cmp01'] = builders.service(up=False)
            return []

        for fenced in (False, True):
            self.given(builders.dead())
            self.gateway.aggregates.side_effect = aggregates
            self.assert_left_alone('come back', fenced=fenced)

    def test_fenced_is_for_evacuations_only(self) -> None:
        with self.assertRaises(ValueError):
            self.evacuate(fenced=True, policy=policies.Policy())
        self.assertEqual([], self.asked())


class HostsTest(base.EvacuateTestCase):
    """Several hosts in one call."""

    def test_one_is_up(self) -> None:
        self.given(
            builders.service(host='cmp01', enabled=True),
            builders.dead(host='cmp02'),
        )
        result = self.evacuate('cmp01', 'cmp02')
        self.assertIs(Code.FAILED, result.exit_code)
        self.assertEqual(['cmp01'], [*result.errors])
        self.assertEqual([('evacuate', 'vm2')], self.changes())
        self.assertEqual(['vm2'], [row.server_id for row in result.rows])

    def test_all_are_forced_down_before_anything_moves(self) -> None:
        self.evacuate('cmp01', 'cmp02', fenced=True)
        self.assertEqual(
            ['force_down'] * 2 + ['disable'] * 2 + ['evacuate'] * 2,
            [what for what, _whom in self.changes()],
        )
        self.assertEqual({base.ELSEWHERE}, set(self.cloud.places.values()))

    def test_host_disabled_by_others(self) -> None:
        """Found out before it is forced down."""
        self.given_broken()
        result = self.evacuate('cmp01', 'cmp02', fenced=True)
        self.assertRegex(result.errors['cmp01'], 'broken fan.*--force')
        self.assertNotIn(('force_down', 'cmp01'), self.changes())
        self.assertEqual(base.ELSEWHERE, self.cloud.places['vm2'])

    def test_one_is_not_forced_down(self) -> None:
        def force_down(service: model.Service, *, down: bool) -> ty.Any:
            if service.host == 'cmp01':
                raise exceptions.Unavailable('Nova: PUT x: no answer')
            return self.cloud.force_down(service, down=down)

        self.gateway.force_down.side_effect = force_down
        result = self.evacuate('cmp01', 'cmp02', fenced=True)
        self.assertEqual({'cmp01': 'Nova: PUT x: no answer'}, result.errors)
        self.assertEqual('cmp01', self.cloud.places['vm1'])
        self.assertEqual(base.ELSEWHERE, self.cloud.places['vm2'])

    def test_one_is_not_marked(self) -> None:
        """It tells that it is forced down all the same."""
        self.gateway.disable.side_effect = exceptions.Unavailable('no answer')
        self.assertEqual(
            {'cmp01': 'no answer (cmp01 is forced down: run this again)'},
            self.evacuate(fenced=True).errors,
        )
        self.gateway.evacuate.assert_not_called()
        # As it says.
        self.gateway.disable.side_effect = self.cloud.disable
        self.assert_evacuated()

    def test_not_permitted(self) -> None:
        self.gateway.force_down.side_effect = exceptions.NotPermitted('no')
        with self.assertRaises(exceptions.NotPermitted):
            self.evacuate('cmp01', 'cmp02', fenced=True)
        self.gateway.force_down.assert_called_once()
        self.gateway.disable.assert_not_called()


class AheadTest(base.EvacuateTestCase):
    """What is looked at before anything is changed."""

    def test_what_does_not_fit(self) -> None:
        self.cloud.room = {'cmp02': 1, base.ELSEWHERE: 0}
        with self.assertRaises(exceptions.Refused) as caught:
            self.evacuate(fenced=True, confirm=self.fail)
        message = str(caught.exception)
        self.assertIn('Nothing was evacuated or changed on cmp01.', message)
        self.assertIn('1 of 1 servers do not fit', message)
        self.assertEqual([], self.changes())

    def test_local_disks_are_reported_before_the_question(self) -> None:
        self.given_silent()
        self.cloud.local = {'vm1'}

        def ask(_question: str) -> bool:
            words = 'what is on its local disk is lost, unless the hosts share'
            told = f'cmp01: name of vm1 (vm1): {words} it'
            self.assertEqual(told, self.told().splitlines()[0])
            return False

        self.evacuate(confirm=ask)

    def test_it_is_looked_at_again_if_that_took_long(self) -> None:
        self.given_silent()

        def ask(_question: str) -> bool:
            self.clock.sleep(600)
            return True

        self.assert_evacuated(confirm=ask)
        self.assertEqual(2, self.gateway.groups.call_count)


class PreviewTest(base.EvacuateTestCase):
    def preview(self, *hosts: str, **options: ty.Any) -> ty.Any:
        preview = self.maintenance.preview(
            hosts or ['cmp01'], **{'policy': base.EVACUATE, **options}
        )
        self.assert_changed_nothing()
        return preview

    def test_up(self) -> None:
        preview = self.preview()
        self.assertRegex(preview.errors['cmp01'], 'is up.*--fenced')
        self.assertEqual((), preview.rows)
        self.assertFalse(preview.done)

    @unit.cases(
        # the service, --fenced
        (builders.service(enabled=True), True),
        (builders.service(enabled=True, up=False), True),
        (builders.dead(), False),
    )
    def test_as_if_forced_down(self, service: model.Service, fenced: bool):
        self.given(service, builders.service(host='cmp02', enabled=True))
        self.cloud.local = {'vm1'}
        preview = self.preview(fenced=fenced)
        (row,) = preview.rows
        self.assertEqual(
            ('vm1', 'evacuation', True, True),
            (row.server_id, row.move, row.local_disk, row.leaves),
        )
        self.assertTrue(preview.done)
        self.assertEqual((), preview.notes)

    def test_without_evacuation_no_disk_is_at_stake(self) -> None:
        self.cloud.local = {'vm1'}
        (row,) = self.preview(policy=policies.Policy()).rows
        self.assertIsNone(row.local_disk)

    def test_host_without_confirmation_is_refused(self) -> None:
        """That is told, and what would happen is shown."""
        self.given_silent()
        preview = self.preview()
        self.assertEqual(['vm1'], [row.server_id for row in preview.rows])
        self.assertRegex(' '.join(preview.notes), 'cmp01.*--fenced')


class HeartbeatTestCase(base.EvacuateTestCase):
    def given(self, *services: model.Service) -> None:
        super().given(*services)
        #: When the host's next heartbeats come.
        self.beats: list[float] = []
        self.gateway.services.side_effect = self.services
        self.gateway.force_down.side_effect = self.force_down
        self.gateway.disable.side_effect = self.disable

    def touch(self, host: str) -> model.Service:
        """Let Nova note the time."""
        service = self.cloud.hosts[host]
        return self.cloud._change(service, updated_at=self.now())

    def services(self) -> list[model.Service]:
        while self.beats and self.beats[0] <= self.clock.now():
            del self.beats[0]
            self.touch('cmp01')
        return self.cloud.services()

    def force_down(self, service: model.Service, *, down: bool) -> ty.Any:
        self.cloud.force_down(service, down=down)
        return self.touch(service.host)

    def disable(self, service: model.Service, reason: str) -> ty.Any:
        self.cloud.disable(service, reason)
        return self.touch(service.host)


class HeartbeatTest(HeartbeatTestCase):
    @unit.cases(20, 3600, -3600)
    def test_alive_and_the_api_has_another_time(self, ahead: float) -> None:
        """A front end may have set its ``Date``: heartbeats look old, then."""
        self.gateway.now.side_effect = lambda: (
            self.now() + datetime.timedelta(seconds=ahead)
        )
        self.touch('cmp01')
        self.beats = [self.clock.now() + 6]
        result = self.evacuate(fenced=True)
        self.assertIn('still sends heartbeats', result.errors['cmp01'])
        self.gateway.evacuate.assert_not_called()

    def test_alive(self) -> None:
        self.beats = [self.clock.now() + 6]
        result = self.evacuate(fenced=True)
        self.assertIs(Code.FAILED, result.exit_code)
        self.assertRegex(
            result.errors['cmp01'],
            'still sends heartbeats .last at 2026.*evacuation refused.*'
            'no longer forced down, but stays in maintenance',
        )
        self.gateway.evacuate.assert_not_called()
        service = self.cloud.hosts['cmp01']
        self.assertEqual(
            (False, True, model.Mode.MAINTENANCE),
            (service.forced_down, service.up, service.mode),
        )

    def test_alive_but_forced_down_by_others(self) -> None:
        """Perhaps by a run of ours that was killed: nobody knows."""
        self.given(builders.dead())
        self.beats = [self.clock.now() + 6]
        self.assertRegex(
            self.evacuate().errors['cmp01'],
            'already forced down and stays so .*maintenance unset cmp01',
        )
        self.assertEqual([], self.changes())

    def test_alive_and_it_can_not_be_taken_back(self) -> None:
        self.beats = [self.clock.now() + 6]
        self.cloud.uncleaned = {'cmp01'}
        result = self.evacuate(fenced=True)
        self.assertRegex(
            result.errors['cmp01'], 'stays forced down: Unable to force up'
        )

    def test_one_of_two_is_alive(self) -> None:
        self.beats = [self.clock.now() + 6]
        result = self.evacuate('cmp01', 'cmp02', fenced=True)
        self.assertEqual(['cmp01'], [*result.errors])
        self.assertEqual(
            {'vm1': 'cmp01', 'vm2': base.ELSEWHERE}, self.cloud.places
        )
        # What is to be moved is another thing now.
        self.assertEqual(2, self.gateway.groups.call_count)


class InterruptedTest(HeartbeatTestCase):
    """At each step: nothing is lost, and a second run goes on."""

    def interrupted(self, **options: ty.Any) -> None:
        result = self.evacuate(**options)
        self.assertIs(Code.INTERRUPTED, result.exit_code)
        self.assertEqual(((), {}), (result.rows, result.errors))
        self.gateway.evacuate.assert_not_called()
        self.interrupt.requested = False

    def stop(self, *_args: ty.Any, **_kwargs: ty.Any) -> None:
        self.interrupt.requested = True

    def test_while_it_is_looked_at(self) -> None:
        self.gateway.aggregates.side_effect = lambda: self.stop() or []
        self.interrupted(fenced=True, confirm=self.fail)
        self.assertEqual([], self.changes())
        self.assertIn('cmp01: interrupted: nothing was changed', self.told())

    def test_while_somebody_is_asked(self) -> None:
        self.given_silent()

        def ask(_question: str) -> bool:
            raise KeyboardInterrupt

        self.interrupted(confirm=ask)
        self.assertEqual([], self.changes())
        self.assertIn('interrupted: nothing was changed', self.told())

    def test_while_it_is_waited(self) -> None:
        sleep = self.clock.sleep

        def wait(seconds: float) -> None:
            sleep(seconds)
            self.stop()

        self.clock.sleep = wait  # type: ignore[method-assign]
        self.interrupted(fenced=True)
        self.assertRegex(
            self.told(),
            'cmp01: interrupted: nothing was evacuated, but.*forced down and '
            'in maintenance.*same command again.*unset',
        )
        self.clock.sleep = sleep  # type: ignore[method-assign]
        self.assert_evacuated()

    def test_killed_before_the_mark(self) -> None:
        self.gateway.disable.side_effect = KeyboardInterrupt
        self.interrupted(fenced=True)
        self.assertTrue(self.cloud.hosts['cmp01'].forced_down)
        self.gateway.disable.side_effect = self.disable
        self.assert_evacuated()
        self.assertTrue(marks.parse(self.reason()))
