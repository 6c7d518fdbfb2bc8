#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""A host that is powered off is heard of no more."""

import dataclasses
import datetime
import typing as ty
import unittest
from unittest import mock

from osc_hostmaint import model
from osc_hostmaint import report as reports
from osc_hostmaint.engine import fence
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import timing
from tests.unit import builders

#: Of Nova's clock, when the process's shows 0.
EPOCH = datetime.datetime(2026, 11, 21, 8, 0, 0, tzinfo=datetime.UTC)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        #: What happens at which time.
        self.events: list[tuple[float, ty.Callable[[], object]]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        for event in [e for e in self.events if e[0] <= self.time]:
            self.events.remove(event)
            event[1]()


class Reporter(reports.Silence):
    """Keeps what it is told of troubles."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def trouble(self, host: str, text: str) -> None:
        self.told.append((host, text))


class ListenTest(unittest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.reporter = Reporter()
        self.interrupt = mock.Mock(requested=False)
        self.gateway = mock.create_autospec(ports.Gateway, instance=True)
        self.gateway.now.side_effect = lambda: self.time(0)
        self.gateway.services.side_effect = lambda: [*self.hosts.values()]
        self.hosts: dict[str, model.Service] = {}
        for host in ('cmp01', 'cmp02', 'cmp09'):
            self.change(host, up=False, forced_down=True, age=3)

    def time(self, age: float) -> datetime.datetime:
        """Return Nova's time so many seconds ago."""
        passed = self.clock.time - age
        return EPOCH + datetime.timedelta(seconds=passed)

    def change(self, host: str, *, age: float = 0, **changes: ty.Any) -> None:
        """Let a service be changed, or heard of."""
        before = self.hosts.get(host) or builders.service(host=host)
        self.hosts[host] = dataclasses.replace(
            before, updated_at=self.time(age), **changes
        )

    def later(self, seconds: float, what: ty.Callable[[], object]) -> None:
        """Let something happen so many seconds from now."""
        self.clock.events.append((self.clock.time + seconds, what))

    def listen(self, *hosts: str, known: ty.Container[str] = ()) -> ty.Any:
        return fence.listen(
            self.gateway,
            self.clock,
            self.reporter,
            self.interrupt,
            {host: self.hosts[host] for host in hosts},
            known,
        )

    def test_the_usual_case(self) -> None:
        """The host died long ago: there is nothing to wait for."""
        heard = self.listen('cmp01', 'cmp02', known={'cmp01', 'cmp02'})
        self.assertEqual(['cmp01', 'cmp02'], [*heard.silent])
        self.assertEqual(({}, False), (heard.alive, heard.interrupted))
        self.assertEqual((1000.0, []), (self.clock.time, self.reporter.told))
        self.gateway.services.assert_not_called()

    def test_powered_off_a_moment_ago(self) -> None:
        heard = self.listen('cmp01')
        self.assertEqual({'cmp01': self.hosts['cmp01']}, heard.silent)
        self.assertEqual({}, heard.alive)
        # Its last sign of life is 3 s old.
        self.assertEqual(1017.0, self.clock.time)
        ((where, words),) = self.reporter.told
        self.assertEqual('cmp01', where)
        self.assertIn('20 s', words)

    def test_it_is_alive(self) -> None:
        self.later(9, lambda: self.change('cmp01'))
        heard = self.listen('cmp01')
        self.assertEqual({}, heard.silent)
        self.assertRegex(
            heard.alive['cmp01'], 'cmp01 still reports.*08:16:49Z.*not powered'
        )

    def test_one_of_two_is_alive(self) -> None:
        self.later(9, lambda: self.change('cmp02'))
        heard = self.listen('cmp01', 'cmp02')
        self.assertEqual(['cmp01'], [*heard.silent])
        self.assertEqual(['cmp02'], [*heard.alive])
        ((where, _words),) = self.reporter.told
        self.assertEqual('cmp01, cmp02', where)

    def test_only_one_has_to_be_waited_for(self) -> None:
        self.change('cmp01', age=1)
        heard = self.listen('cmp01', 'cmp02', known={'cmp02'})
        self.assertEqual({'cmp01', 'cmp02'}, set(heard.silent))
        self.assertEqual(['cmp01'], [h for h, _words in self.reporter.told])

    def test_somebody_changes_it(self) -> None:
        """That is no sign of life; it is waited as long again."""
        self.later(9, lambda: self.change('cmp01', disabled_reason='disk'))
        heard = self.listen('cmp01')
        self.assertEqual('disk', heard.silent['cmp01'].disabled_reason)
        self.assertEqual(1017 + timing.SILENCE_SECONDS, self.clock.time)

    def test_somebody_changes_it_and_it_is_alive(self) -> None:
        self.later(9, lambda: self.change('cmp01', disabled_reason='disk'))
        self.later(19, lambda: self.change('cmp01'))
        self.assertEqual(['cmp01'], [*self.listen('cmp01').alive])

    def test_it_is_up_again(self) -> None:
        self.later(9, lambda: self.change('cmp01', forced_down=False, up=True))
        self.assertEqual(['cmp01'], [*self.listen('cmp01').alive])

    def test_it_is_deleted(self) -> None:
        self.later(9, lambda: self.hosts.pop('cmp01'))
        heard = self.listen('cmp01', 'cmp02')
        self.assertEqual(['cmp02'], [*heard.silent])
        self.assertIn('no compute service on cmp01', heard.alive['cmp01'])

    def test_it_was_deleted(self) -> None:
        gone = {'cmp01': self.hosts.pop('cmp01')}
        heard = fence.listen(
            self.gateway,
            self.clock,
            self.reporter,
            self.interrupt,
            gone,
            (),
        )
        self.assertEqual(({}, ['cmp01']), (heard.silent, [*heard.alive]))
        self.assertEqual((1000.0, []), (self.clock.time, self.reporter.told))

    def test_the_user_wants_to_stop(self) -> None:
        def stop() -> None:
            self.interrupt.requested = True

        self.later(5, stop)
        heard = self.listen('cmp01', 'cmp02', known={'cmp02'})
        self.assertTrue(heard.interrupted)
        self.assertEqual(({}, ['cmp02']), (heard.alive, [*heard.silent]))
        # It was heeded at once.
        self.assertLessEqual(self.clock.time, 1006.0)

    def test_the_user_wants_to_stop_already(self) -> None:
        self.interrupt.requested = True
        self.assertTrue(self.listen('cmp01').interrupted)
        self.assertEqual(1000.0, self.clock.time)
