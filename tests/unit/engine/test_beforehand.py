# SPDX-License-Identifier: Apache-2.0

"""What is made sure of before something is asked for or changed."""

import dataclasses
import functools
import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import actions
from osc_hostmaint.engine import exclusion
from osc_hostmaint.engine import heartbeat
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.simulation import timeline


class TestResume(unit.TestCase):
    def setUp(self) -> None:
        self.gateway: ty.Any = mock.create_autospec(ports.Gateway)
        self.gateway.server.return_value = builders.server(status='SUSPENDED')
        self.action = memories.Action(
            memories.ActionKind.RESUME, 'vm1', vm_state='suspended'
        )

    def test_tagged_first(self) -> None:
        actions.prepare(self.gateway, self.action)
        actions.send(self.gateway, self.action)
        calls = [mock.call.tag('vm1'), mock.call.resume('vm1')]
        self.assertEqual(calls, self.gateway.mock_calls[1:])

    def test_resumed_by_its_owner_meanwhile(self) -> None:
        self.gateway.server.return_value = builders.server()
        with self.assertRaises(exceptions.RequestRefused):
            actions.prepare(self.gateway, self.action)
        self.gateway.tag.assert_not_called()


class TestEvacuation(unit.TestCase):
    """Nova refuses no second evacuation: it builds the server twice."""

    def setUp(self) -> None:
        self.gateway: ty.Any = mock.create_autospec(ports.Gateway)
        self.gateway.server.return_value = builders.server('vm1')

    def send(self, **values: ty.Any) -> None:
        action = memories.Action(memories.ActionKind.EVACUATE, 'vm1')
        action = dataclasses.replace(action, **values)
        actions.prepare(self.gateway, action)
        actions.send(self.gateway, action)

    def refused(self, words: str, **values: ty.Any) -> None:
        refused = exceptions.RequestRefused
        with self.assertRaisesRegex(refused, words) as caught:
            self.send(**values)
        self.assertFalse(caught.exception.final)
        self.gateway.evacuate.assert_not_called()

    def shows(self, **values: ty.Any) -> None:
        ask = self.gateway.server
        ask.return_value = dataclasses.replace(ask.return_value, **values)

    def test_looked_at_first(self) -> None:
        self.send(host='cmp02', stopped=True)
        self.assertEqual(
            [
                mock.call.server('vm1'),
                mock.call.evacuate('vm1', 'cmp02', stopped=True),
            ],
            self.gateway.mock_calls,
        )

    def test_changed_by_others_before_the_request(self) -> None:
        self.shows(status='REBUILD', task_state='rebuild_spawning')
        self.refused('vm1 is already being rebuilt')

    @unit.cases(
        # when that was decided, when it is sent
        ('active', 'stopped'),
        ('active', 'error'),
        ('error', 'active'),
        ('stopped', 'error'),
        ('stopped', 'active'),
    )
    def test_refused_when_the_state_has_changed(self, then, now) -> None:
        """Nova would start a server that is off, or not start one that is on.

        For instance, another run's evacuation of it has failed.
        """
        self.shows(vm_state=now)
        words = f'vm1 has changed from {then} to {now} in the meantime'
        self.refused(words, vm_state=then)
        self.send(vm_state=now)
        self.gateway.evacuate.assert_called_once_with('vm1', '', stopped=False)

    def test_failed_check_is_not_in_doubt(self) -> None:
        self.gateway.server.side_effect = exceptions.Unavailable('no answer')
        unavailable = exceptions.Unavailable
        with self.assertRaisesRegex(unavailable, 'no answer') as caught:
            self.send()
        self.assertFalse(caught.exception.in_doubt)
        self.gateway.evacuate.assert_not_called()

    def test_reset_is_refused_when_the_state_has_changed(self) -> None:
        self.send(kind=memories.ActionKind.RESET)
        self.gateway.reset.assert_called_once_with('vm1')
        self.shows(status='REBUILD', task_state='rebuild_spawning')
        words = 'vm1 is already being rebuilt'
        self.refused(words, kind=memories.ActionKind.RESET)
        self.gateway.reset.assert_called_once_with('vm1')

    def test_other_requests_are_not_checked_first(self) -> None:
        self.send(kind=memories.ActionKind.CONFIRM)
        self.assertEqual([mock.call.confirm('vm1')], self.gateway.mock_calls)


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


A, B, C, D = (f'00000000-0000-4000-8000-00000000000{x}' for x in 'abcd')
HOSTILE = '\x1b[2J\u202ehi\n'
SERVERS = {A: 'web', B: 'db', C: 'web', D: HOSTILE}
ELSEWHERE = '00000000-0000-4000-8000-0000000000ff'
MANY = {f'{n}': 'same' for n in range(1000)}


class TestResolve(unit.TestCase):
    @unit.cases(
        ([], []),
        ([A], [A]),
        ([A.upper()], [A]),
        (['db', 'db', B, C], [B, C]),
        ([HOSTILE], [D]),
    )
    def test_excluded_by_id_or_unique_name(self, wanted, ids):
        found = exclusion.resolve(wanted, SERVERS, 'on cmp01')
        self.assertEqual(frozenset(ids), found)

    @unit.cases(
        (
            ['db', 'dbx'],
            SERVERS,
            "no server on cmp01 has the id or the name 'dbx'",
        ),
        ([''], SERVERS, "the name ''"),
        ([HOSTILE + 'x'], SERVERS, r"'\x1b[2J\u202ehi\nx'"),
        # A tenant has named a server like another one's id.
        ([ELSEWHERE], {A: ELSEWHERE}, f"the name '{ELSEWHERE}'"),
        (
            ['web', 'x'],
            SERVERS,
            "2 servers on cmp01 have the name 'web': give the id instead "
            f"({A}, {C}); no server on cmp01 has the id or the name 'x'",
        ),
        (['same'], MANY, 'id instead (0, 1, 10, 100, 101 and others)'),
    )
    def test_unknown_or_ambiguous_exclusion_is_refused(
        self, wanted, servers, words
    ):
        with self.assertRaises(exceptions.Refused) as caught:
            exclusion.resolve(wanted, servers, 'on cmp01')
        self.assertIn(words, str(caught.exception))
        self.assertTrue(str(caught.exception).isprintable())
        self.assertTrue(str(caught.exception).startswith('--exclude: '))
        self.assertIn('. Nothing was changed: ', str(caught.exception))

    def test_moved_servers_are_listed_only_if_needed(self):
        asked = []

        def ask():
            asked.append(1)
            return {'x': 'web', 'y': 'gone'}

        self.assertEqual({B}, exclusion.resolve(['db'], SERVERS, '', ask))
        self.assertEqual([], asked)

        found = exclusion.resolve(['db', 'gone'], SERVERS, '', ask)
        self.assertEqual({B, 'y'}, found)
        self.assertEqual([1], asked)
