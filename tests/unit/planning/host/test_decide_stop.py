# SPDX-License-Identifier: Apache-2.0

"""Ctrl-C, time-outs, and a host that does not let moves go on."""

import dataclasses

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
#: Whoever asked for it has had time enough to confirm it.
LONG_AGO = NOW - timing.CONFIRM_WAIT_SECONDS
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}
STOP = policies.Policy(stop='interrupted')
ABANDON = policies.Policy(stop='time is up', abandon='time is up')
ActionKind = memories.ActionKind
LIVE = memories.ActionKind.LIVE_MIGRATE
CONFIRM = memories.ActionKind.CONFIRM


class TestStop(base.DecideTestCase):
    """Ctrl-C, once: nothing new, and what is under way is awaited."""

    def test_nothing_new_is_started(self):
        found = self.decide(policy=STOP, servers=[builders.server()])

        self.assertEqual((), found.actions)
        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)
        self.assertIn('interrupted', self.row(found).reason)
        self.assertFalse(found.drained)

    def test_moves_are_awaited(self):
        found = self.decide(
            policy=STOP,
            memory=base.just_asked(),
            servers=[builders.server(status='MIGRATING')],
            migrations=[builders.migration()],
        )

        self.assertFalse(found.done)
        self.assertIsNone(self.row(found).result)

    def test_confirmations_are_still_asked_for(self):
        """The server has left already; only its disk has not."""
        found = self.decide(
            policy=STOP,
            visited=[
                builders.server(status='VERIFY_RESIZE', host=builders.DEST)
            ],
            migrations=[
                builders.migration(
                    status='finished', type='migration', seen_at=LONG_AGO
                )
            ],
        )

        self.assertEqual({'vm1': CONFIRM}, self.asks(found))
        self.assertFalse(found.done)

    def test_a_retry_is_not_begun_and_its_failure_is_told(self):
        found = self.decide(
            policy=STOP,
            memory=builders.memory(builders.server_memory(attempts=1)),
            servers=[builders.server()],
            migrations=[builders.migration(1, 'error', seen_at=NOW - 1)],
            failures={1: 'No valid host was found'},
        )

        self.assertEqual((), found.actions)
        self.assertIs(decisions.Result.FAILED, self.row(found).result)
        self.assertIn('No valid host', self.row(found).reason)
        self.assertIn('interrupted', self.row(found).reason)

    def test_settling_server_is_awaited(self):
        """It has left, and nobody has looked where it is."""
        found = self.decide(
            policy=STOP,
            memory=builders.memory(builders.server_memory()),
            migrations=[builders.migration(1, 'completed')],
        )

        self.assertFalse(found.done)
        self.assertIsNone(self.row(found).result)

    def test_stalled_move_is_awaited(self):
        remembered = dataclasses.replace(
            builders.server_memory(), least_of=1, least_remaining=9
        )
        found = self.decide(
            policy=STOP,
            memory=builders.memory(remembered),
            servers=[builders.server(status='MIGRATING')],
            migrations=[builders.migration()],
            progress={1: model.Progress(9, 9, NOW)},
        )

        self.assertFalse(found.done)
        self.assertIsNone(self.row(found).result)
        self.assertIn('stalled', self.row(found).reason)

    def test_busy_server_is_not_awaited(self):
        found = self.decide(
            policy=STOP, servers=[builders.server(status='BUILD')]
        )

        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)


@ddt.ddt
class TestAbandon(base.DecideTestCase):
    """Ctrl-C twice, --timeout: a last decision, from what is known."""

    def test_done_and_every_row_has_a_result(self):
        found = self.decide(
            policy=ABANDON,
            servers=[
                builders.server('waits'),
                builders.server('moves', 'MIGRATING'),
                builders.server('blocked', 'SUSPENDED'),
            ],
            visited=[
                builders.server('cold', 'VERIFY_RESIZE', host=builders.DEST)
            ],
            migrations=[
                builders.migration(1, 'running', 'moves'),
                builders.migration(2, 'finished', 'cold', type='migration'),
            ],
        )

        self.assertTrue(found.done)
        self.assertEqual((), found.actions)
        rows = {row.server_id: row for row in found.rows}
        self.assertIs(decisions.Result.BLOCKED, rows['waits'].result)
        self.assertIs(decisions.Result.MOVING, rows['moves'].result)
        self.assertIn('under way in Nova', rows['moves'].reason)
        self.assertIs(decisions.Result.MOVING, rows['cold'].result)
        self.assertIn('not confirmed', rows['cold'].reason)
        self.assertIn('suspended', rows['blocked'].reason)
        for server_id in ('waits', 'moves', 'cold'):
            self.assertIn('time is up', rows[server_id].reason)

    @ddt.data(
        # what was asked for or how its record is, the result, the reason
        ({'task': 'shelving'}, 'moving', 'its shelve was requested'),
        ({'task': None}, 'moving', 'its live migration was requested'),
        ({'task': 'resuming'}, 'failed', 'its resume was requested'),
        (
            {'status': 'running'},
            'moving',
            'its move is still under way in Nova',
        ),
        (
            {'status': 'completed'},
            'moving',
            'outcome of its move is not known',
        ),
        ({'status': 'failed'}, 'failed', 'outcome of its move is not known'),
        # Nobody moves anything off it: Nova is at nothing there.
        ({'status': 'running', 'down': True}, 'failed', 'is down'),
        ({}, 'failed', 'outcome of its move is not known'),
    )
    @ddt.unpack
    def test_only_what_is_under_way_is_moving(self, given, result, words):
        asked, status = 'task' in given, given.get('status')
        task, down = given.get('task'), given.get('down', False)
        kind = {
            'shelving': ActionKind.SHELVE,
            'resuming': ActionKind.RESUME,
        }.get(task)
        state = 'SUSPENDED' if task else 'ACTIVE'
        view = builders.server(status=state, task_state=task)
        found = self.decide(
            policy=policies.Policy() if down else ABANDON,
            memory=base.just_asked(kind or ActionKind.LIVE_MIGRATE)
            if asked
            else builders.memory(
                builders.server_memory(), down_since=NOW - 99 if down else None
            ),
            service=builders.service(up=not down),
            servers=[view] if asked else [],
            migrations=[builders.migration(1, status)] if status else [],
        )

        row = self.row(found)
        self.assertEqual(result, row.result, row)
        self.assertIn(words, row.reason)
        self.assertTrue(row.left)

    def test_unchecked_host_is_not_drained(self):
        """No row is left, but the last checks were never made."""
        moved = builders.server(host=builders.DEST)
        for why, observed in {
            'allocations': {'consumers': None},
            'the list': {'servers_at': NOW - 9, 'consumers_at': NOW - 9},
            'somebody arrives': {
                'migrations': [
                    builders.migration(2, 'running', 'vm2', **ARRIVING),
                ],
            },
            'a stranger': {
                'migrations': [builders.migration(2, 'finished', 'vm2')],
            },
        }.items():
            with self.subTest(why):
                found = self.decide(
                    policy=ABANDON,
                    memory=base.just_asked(at=NOW - 5),
                    visited=[moved],
                    **observed,
                )

                self.assertTrue(found.done)
                self.assertFalse(found.drained)
                self.assertEqual('', found.trouble)

    def test_checked_host_is_drained(self):
        found = self.decide(
            policy=ABANDON,
            memory=base.just_asked(at=NOW - 5),
            visited=[builders.server(host=builders.DEST)],
        )

        self.assertTrue(found.drained)


class TestHost(base.DecideTestCase):
    """The host itself does not let moves go on."""

    def test_host_was_put_back_into_service(self):
        found = self.decide(
            service=builders.service(enabled=True),
            servers=[builders.server()],
        )

        self.assertEqual((), found.actions)
        self.assertTrue(found.done)
        self.assertIn('put back into service', found.trouble)
        self.assertIn('openstack host maintenance set cmp01', found.trouble)
        self.assertIs(decisions.Result.BLOCKED, self.row(found).result)
        self.assertFalse(found.drained)

    def test_empty_and_back_in_service_is_not_drained(self):
        found = self.decide(service=builders.service(enabled=True))

        self.assertTrue(found.done)
        self.assertFalse(found.drained)

    def test_stop_reason_comes_first(self):
        found = self.decide(
            policy=STOP,
            service=builders.service(enabled=True),
            servers=[builders.server()],
        )

        self.assertEqual('interrupted', self.row(found).reason)

    def test_moves_are_awaited_all_the_same(self):
        found = self.decide(
            service=builders.service(enabled=True),
            servers=[builders.server(status='MIGRATING')],
            migrations=[builders.migration()],
        )

        self.assertFalse(found.done)

    def test_disabled_reason_changed_by_others(self):
        """Still disabled: moves go on, but nothing is ours to confirm."""
        found = self.decide(
            service=builders.service(disabled_reason='fan broken'),
            servers=[builders.server('vm2')],
            visited=[
                builders.server(status='VERIFY_RESIZE', host=builders.DEST)
            ],
            migrations=[
                builders.migration(status='finished', type='migration')
            ],
        )

        self.assertEqual({'vm2': LIVE}, self.asks(found))

    def down(self, seconds, dead=False, **observed):
        return self.decide(
            service=builders.service(up=False),
            memory=builders.memory(down_since=NOW - seconds, dead=dead),
            **observed,
        )

    def test_its_service_misses_a_heartbeat(self):
        found = self.down(1, servers=[builders.server()])

        self.assertFalse(found.done)

    def test_its_service_stays_down(self):
        found = self.down(
            timing.DOWN_GRACE_SECONDS, servers=[builders.server()]
        )

        self.assertTrue(found.done)
        self.assertEqual((), found.actions)
        self.assertIn('is down', self.row(found).reason)
        self.assertIn('start nova-compute', self.row(found).reason)
        self.assertEqual('', found.trouble)

    def test_it_died_midway(self):
        """What it holds of those that have left is looked at first."""
        left = builders.server()
        found = self.down(
            timing.DOWN_GRACE_SECONDS,
            servers=[left],
            consumers=None,
            migrations=[builders.migration(dest=builders.HOST, source='x')],
        )

        self.assertFalse(found.done)
        self.assertIs(decisions.Stage.FINAL_CHECK, found.stage)
        self.assertTrue(found.query.consumers)
        found = self.down(
            timing.DOWN_GRACE_SECONDS,
            servers=[left],
            consumers=frozenset({'vm1'}),
        )
        self.assertTrue(found.done)
        self.assertEqual('', found.trouble)

    def test_it_was_down_before_and_servers_are_left(self):
        found = self.down(
            timing.DOWN_GRACE_SECONDS,
            dead=True,
            servers=[builders.server()],
            consumers=None,
        )

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIn('is down', found.trouble)

    def test_down_empty_and_checked_is_drained(self):
        self.assertTrue(self.down(timing.DOWN_GRACE_SECONDS).drained)

    def test_down_and_unchecked_is_unknown(self):
        found = self.down(timing.DOWN_GRACE_SECONDS, dead=True, consumers=None)

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIn('is down', found.trouble)
