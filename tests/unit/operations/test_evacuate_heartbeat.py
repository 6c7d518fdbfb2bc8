# SPDX-License-Identifier: Apache-2.0

"""Nothing may be heard of a host whose servers are built anew elsewhere."""

import datetime
import typing as ty

from osc_hostmaint import mark as marks
from osc_hostmaint import model
from tests import unit
from tests.unit import builders
from tests.unit.operations import base
from tests.unit.operations import evacuate_base

Code = evacuate_base.Code


class HeartbeatTestCase(evacuate_base.EvacuateTestCase):
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
    """The host is heard of, or it is not."""

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
        result = self.evacuate()
        self.assertRegex(
            result.errors['cmp01'],
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

    def kill(self, *_args: ty.Any, **_kwargs: ty.Any) -> None:
        raise KeyboardInterrupt

    def test_killed_before_the_mark(self) -> None:
        self.gateway.disable.side_effect = self.kill
        self.interrupted(fenced=True)
        self.assertTrue(self.cloud.hosts['cmp01'].forced_down)
        self.gateway.disable.side_effect = self.disable
        self.assert_evacuated()
        self.assertTrue(marks.parse(self.reason()))
