# SPDX-License-Identifier: Apache-2.0

"""Ctrl-C, time-outs, and hosts that stop moves."""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
#: Whoever asked for it has had time enough to confirm it.
LONG_AGO = NOW - timing.CONFIRM_WAIT_SECONDS
ARRIVING = {'server_id': 'x', 'source': builders.DEST, 'dest': builders.HOST}
STOP = policies.Policy(stop=builders.INTERRUPTED)
ABANDON = policies.Policy(stop=builders.LATE, abandon=builders.LATE)
ENABLED = builders.service(enabled=True)
ActionKind = memories.ActionKind
LIVE = memories.ActionKind.LIVE_MIGRATE
MOVING = {'servers': [base.MIGRATING], 'migrations': [builders.migration()]}

UNKNOWN = 'outcome of its move is not known'


def asked(kind, task):
    """Return what is seen after a server was asked for something."""
    status = 'SUSPENDED' if task else 'ACTIVE'
    return {
        'memory': base.just_asked(kind),
        'servers': [builders.server(status=status, task_state=task)],
    }


def known(*statuses, **remembered):
    """Return what is seen of a server that only records show."""
    return {
        'memory': builders.memory(builders.server_memory(), **remembered),
        'migrations': [builders.migration(status=s) for s in statuses],
    }


def finished(**kwargs):
    return builders.migration(status='finished', type=base.COLD, **kwargs)


class TestStop(base.DecideTestCase):
    """Ctrl-C, once: nothing new, and what is under way is awaited."""

    @unit.cases(
        # what is seen; the result and the reason
        ({'servers': [base.HERE]}, 'blocked', 'interrupted'),
        # A retry is not begun, and its failure is told.
        (
            {
                'memory': builders.memory(builders.server_memory(attempts=1)),
                'servers': [base.HERE],
                'migrations': [builders.migration(status='error', seen_at=1)],
                'failures': {1: base.FAILURE},
            },
            'failed',
            f'{base.FAILURE}; interrupted',
        ),
        ({'servers': [builders.server(status='BUILD')]}, 'blocked', ''),
    )
    def test_nothing_new_is_started(self, observed, result, words):
        found = self.decide(policy=STOP, **observed)
        self.assertEqual((), found.actions)
        self.assert_row(found, result, words)
        self.assertFalse(found.drained)

    @unit.cases(
        # what is seen; the reason
        ({'memory': base.just_asked(), **MOVING}, ''),
        # It has left, and nobody has looked where it is.
        (known('completed'), ''),
        (
            {
                'memory': builders.memory(
                    builders.server_memory(least_of=1, least_remaining=9)
                ),
                'progress': {1: model.Progress(9, 9, NOW)},
                **MOVING,
            },
            'stalled',
        ),
    )
    def test_moves_are_awaited(self, observed, words):
        found = self.decide(policy=STOP, **observed)
        self.assertFalse(found.done)
        self.assert_row(found, None, words)

    def test_confirmations_are_still_asked_for(self):
        """The server has left already; only its disk has not."""
        found = self.decide(
            policy=STOP,
            visited=[base.VERIFY_THERE],
            migrations=[finished(seen_at=LONG_AGO)],
        )
        self.assertEqual({'vm1': ActionKind.CONFIRM}, self.asks(found))
        self.assertFalse(found.done)


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
                finished(record_id=2, server_id='cold'),
            ],
        )
        self.assertTrue(found.done)
        self.assertEqual((), found.actions)
        rows = {row.server_id: row for row in found.rows}
        for server_id, result, *words in (
            ('waits', 'blocked', 'late'),
            ('moves', 'moving', 'under way in Nova', 'late'),
            ('cold', 'moving', 'not confirmed', 'late'),
            ('blocked', 'blocked', 'suspended'),
        ):
            self.assertEqual(result, rows[server_id].result)
            for each in words:
                self.assertIn(each, rows[server_id].reason)

    @unit.cases(
        # what was asked for or how its record is, the result, the reason
        (asked(ActionKind.SHELVE, 'shelving'), 'moving', 'its shelve was'),
        (asked(LIVE, None), 'moving', 'its live migration was requested'),
        (asked(ActionKind.RESUME, 'resuming'), 'failed', 'its resume was'),
        (known('running'), 'moving', 'its move is still under way in Nova'),
        (known('completed'), 'moving', UNKNOWN),
        (known('failed'), 'failed', UNKNOWN),
        # Nobody moves anything off it: Nova is at nothing there.
        (
            {
                **known('running', down_since=NOW - 99),
                'policy': policies.Policy(),
                'service': builders.service(up=False),
            },
            'failed',
            'is down',
        ),
        (known(), 'failed', UNKNOWN),
    )
    def test_only_what_is_under_way_is_moving(self, observed, result, words):
        found = self.decide(**{'policy': ABANDON, **observed})
        self.assertTrue(self.assert_row(found, result, words).left)

    @unit.cases(
        # what is not checked yet, or open; is it drained
        ({}, True),
        ({'consumers': None}, False),
        ({'servers_at': NOW - 9, 'consumers_at': NOW - 9}, False),
        # One that arrives, or that nobody has looked at.
        ({'migrations': [builders.migration(2, **ARRIVING)]}, False),
        ({'migrations': [builders.migration(2, 'finished', 'x')]}, False),
    )
    def test_only_a_checked_host_is_drained(self, observed, drained):
        found = self.decide(
            policy=ABANDON,
            memory=base.just_asked(at=NOW - 5),
            visited=[base.THERE],
            **observed,
        )
        self.assertTrue(found.done)
        self.assertIs(drained, found.drained)
        self.assertEqual('', found.trouble)


class TestHost(base.DecideTestCase):
    """The host itself does not let moves go on."""

    @unit.cases(
        # options, servers; reasons
        (policies.Policy(), [base.HERE], ['put back into service']),
        # What was there before comes first.
        (STOP, [base.HERE], ['interrupted']),
        (policies.Policy(), [], []),
    )
    def test_host_was_put_back_into_service(self, policy, servers, reasons):
        found = self.decide(policy=policy, service=ENABLED, servers=servers)
        self.assertEqual((), found.actions)
        self.assertTrue(found.done)
        self.assertIn('put back into service', found.trouble)
        self.assertIn('openstack host maintenance set cmp01', found.trouble)
        self.assertFalse(found.drained)
        self.assertEqual(len(reasons), len(found.rows))
        for row, reason in zip(found.rows, reasons, strict=True):
            self.assertEqual('blocked', row.result)
            self.assertIn(reason, row.reason)
            self.assertEqual(
                policy is STOP, 'put back into service' not in row.reason
            )

    def test_moves_are_awaited_all_the_same(self):
        self.assertFalse(self.decide(service=ENABLED, **MOVING).done)

    def test_disabled_reason_changed_by_others(self):
        """Still disabled: moves go on, but nothing is ours to confirm."""
        found = self.decide(
            service=builders.service(disabled_reason='fan broken'),
            servers=[builders.server('vm2')],
            visited=[base.VERIFY_THERE],
            migrations=[finished()],
        )
        self.assertEqual({'vm2': LIVE}, self.asks(found))

    def down(self, seconds=timing.DOWN_GRACE_SECONDS, dead=False, **observed):
        return self.decide(
            service=builders.service(up=False),
            memory=builders.memory(down_since=NOW - seconds, dead=dead),
            **observed,
        )

    def test_its_service_misses_a_heartbeat(self):
        found = self.down(1, servers=[base.HERE])
        self.assertFalse(found.done)
        self.assertIn('come back (at most 30 s)', found.waiting_for)

    def test_its_service_stays_down(self):
        found = self.down(servers=[base.HERE])
        self.assertTrue(found.done)
        self.assertEqual((), found.actions)
        self.assert_row(found, 'blocked', 'is down', 'start nova-compute')
        self.assertEqual('', found.trouble)

    def test_it_died_midway(self):
        """What it holds of those that have left is looked at first."""
        found = self.down(
            servers=[base.HERE],
            consumers=None,
            migrations=[builders.migration(dest=builders.HOST, source='x')],
        )
        self.assertFalse(found.done)
        self.assertIs(decisions.Stage.FINAL_CHECK, found.stage)
        self.assertTrue(found.query.consumers)
        found = self.down(servers=[base.HERE], consumers=frozenset({'vm1'}))
        self.assertTrue(found.done)
        self.assertEqual('', found.trouble)

    @unit.cases([base.HERE], [])
    def test_it_was_down_before_and_is_unchecked(self, servers):
        found = self.down(dead=True, servers=servers, consumers=None)
        self.assert_over(found)
        self.assertIn('is down', found.trouble)

    def test_down_empty_and_checked_is_drained(self):
        self.assertTrue(self.down().drained)
