# SPDX-License-Identifier: Apache-2.0

"""A host that is powered off is heard of no more."""

import dataclasses
import datetime
import typing as ty
import unittest
from unittest import mock

from osc_hostmaint import model
from osc_hostmaint.engine import heartbeat
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


class HeartbeatCheckTest(unittest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.listener = builders.Listener()
        self.interrupt = mock.Mock(requested=False)
        self.gateway = mock.create_autospec(ports.Gateway, instance=True)
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

    def check(self, *hosts: str) -> ty.Any:
        return heartbeat.check(
            self.gateway,
            self.clock,
            self.listener,
            self.interrupt,
            {host: self.hosts[host] for host in hosts},
        )

    def test_all_at_once(self) -> None:
        """However long Nova has taken one for dead."""
        self.change('cmp01', age=1)
        self.change('cmp02', age=86400)
        heard = self.check('cmp01', 'cmp02')
        self.assertEqual({'cmp01', 'cmp02'}, set(heard.silent))
        self.assertEqual(1000 + timing.SILENCE_SECONDS, self.clock.time)
        ((hosts, words),) = self.listener.troubles
        self.assertEqual('cmp01, cmp02', hosts)
        self.assertIn(
            'waiting 20 s to make sure that no heartbeats arrive', words
        )

    def test_somebody_changes_it(self) -> None:
        """That is no sign of life; it is waited as long again."""
        self.later(9, lambda: self.change('cmp01', disabled_reason='disk'))
        heard = self.check('cmp01')
        self.assertEqual('disk', heard.silent['cmp01'].disabled_reason)
        self.assertEqual(1020 + timing.SILENCE_SECONDS, self.clock.time)

    def test_somebody_changes_it_and_it_is_alive(self) -> None:
        self.later(9, lambda: self.change('cmp01', disabled_reason='disk'))
        self.later(29, lambda: self.change('cmp01'))
        self.assertEqual(['cmp01'], [*self.check('cmp01').alive])

    def test_it_is_up_again(self) -> None:
        self.later(9, lambda: self.change('cmp01', forced_down=False, up=True))
        self.assertEqual(['cmp01'], [*self.check('cmp01').alive])

    def test_it_is_deleted(self) -> None:
        self.later(9, lambda: self.hosts.pop('cmp01'))
        heard = self.check('cmp01', 'cmp02')
        self.assertEqual(['cmp02'], [*heard.silent])
        self.assertIn(
            'no longer a compute service on cmp01', heard.alive['cmp01']
        )

    def test_it_was_deleted(self) -> None:
        gone = {'cmp01': self.hosts.pop('cmp01')}
        heard = heartbeat.check(
            self.gateway,
            self.clock,
            self.listener,
            self.interrupt,
            gone,
        )
        self.assertEqual(({}, ['cmp01']), (heard.silent, [*heard.alive]))
        self.assertEqual(
            (1000.0, []), (self.clock.time, self.listener.troubles)
        )
