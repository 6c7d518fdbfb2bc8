# SPDX-License-Identifier: Apache-2.0

"""A host that is powered off is heard of no more."""

import dataclasses
import functools
import typing as ty
from unittest import mock

from osc_hostmaint import model
from osc_hostmaint.engine import heartbeat
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import timing
from tests import unit
from tests.unit import builders
from tests.unit.simulation import timeline

START = timeline.START


class HeartbeatCheckTest(unit.TestCase):
    def setUp(self) -> None:
        self.timeline = timeline.Timeline()
        self.clock = timeline.VirtualClock(self.timeline)
        self.listener = builders.Listener()
        self.interrupt = mock.Mock(requested=False)
        self.gateway = mock.create_autospec(ports.Gateway, instance=True)
        self.gateway.services.side_effect = lambda: [*self.hosts.values()]
        self.hosts: dict[str, model.Service] = {}
        for host in ('cmp01', 'cmp02', 'cmp09'):
            self.change(host, up=False, forced_down=True, age=3)

    def change(self, host: str, *, age: float = 0, **changes: ty.Any) -> None:
        """Let a service be changed, or heard of."""
        before = self.hosts.get(host) or builders.service(host=host)
        changes['updated_at'] = timeline.utc(self.clock.now() - age)
        self.hosts[host] = dataclasses.replace(before, **changes)

    def later(self, seconds: float, **changes: ty.Any) -> None:
        change = functools.partial(self.change, 'cmp01', **changes)
        self.timeline.after(seconds, change)

    def check(self, *hosts: str, **services: model.Service) -> ty.Any:
        services |= {host: self.hosts[host] for host in hosts}
        return heartbeat.check(
            self.gateway, self.clock, self.listener, self.interrupt, services
        )

    def test_all_at_once(self) -> None:
        """However long Nova has taken one for dead."""
        self.change('cmp01', age=1)
        self.change('cmp02', age=86400)
        heard = self.check('cmp01', 'cmp02')
        self.assertEqual({'cmp01', 'cmp02'}, set(heard.silent))
        self.assertEqual(START + timing.SILENCE_SECONDS, self.clock.now())
        ((hosts, words),) = self.listener.troubles
        self.assertEqual('cmp01, cmp02', hosts)
        self.assertIn('20 s to make sure that no heartbeats arrive', words)

    def test_somebody_changes_it(self) -> None:
        """That is no sign of life; it is waited as long again."""
        self.later(9, disabled_reason='disk')
        heard = self.check('cmp01')
        self.assertEqual('disk', heard.silent['cmp01'].disabled_reason)
        self.assertEqual(START + 20 + timing.SILENCE_SECONDS, self.clock.now())

    @unit.cases(
        [(9, {'disabled_reason': 'disk'}), (29, {})],
        [(9, {'forced_down': False, 'up': True})],
    )
    def test_it_is_alive(self, changes: ty.Any) -> None:
        for seconds, values in changes:
            self.later(seconds, **values)
        self.assertEqual(['cmp01'], [*self.check('cmp01').alive])

    def test_it_is_deleted(self) -> None:
        self.timeline.after(9, lambda: self.hosts.pop('cmp01'))
        heard = self.check('cmp01', 'cmp02')
        self.assertEqual(['cmp02'], [*heard.silent])
        words = 'no longer a compute service on cmp01'
        self.assertIn(words, heard.alive['cmp01'])

    def test_it_was_deleted(self) -> None:
        heard = self.check(cmp01=self.hosts.pop('cmp01'))
        self.assertEqual(({}, ['cmp01']), (heard.silent, [*heard.alive]))
        self.assertEqual(START, self.clock.now())
        self.assertEqual([], self.listener.troubles)
