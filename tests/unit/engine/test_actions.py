# SPDX-License-Identifier: Apache-2.0

import dataclasses
import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint.engine import actions
from osc_hostmaint.engine import ports
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders


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
