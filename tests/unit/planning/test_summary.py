# SPDX-License-Identifier: Apache-2.0

"""A host at a glance."""

from osc_hostmaint.planning import summary
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders

Phase = server_status.Phase
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}


def move(*args, **kwargs):
    return summary.MoveInFlight(builders.migration(*args, **kwargs), 'web-1')


def summarize(**given):
    parts = ('servers', 'moves', 'unconfirmed', 'evacuated', 'consumers')
    given = dict.fromkeys((*parts, 'rows'), ()) | given
    return summary.summarize(builders.service(), **given)


class TestSummary(unit.TestCase):
    def test_counts(self):
        statuses = ('ACTIVE', 'SHUTOFF', 'MIGRATING', 'ACTIVE')
        found = summarize(
            servers=[builders.server(status=status) for status in statuses],
            moves=[
                move(1, 'running', 'vm3'),
                move(2, 'queued', 'vm4', **ARRIVING),
            ],
            unconfirmed=[builders.migration(5, 'finished', 'vm7')],
            evacuated=[builders.migration(8, 'done', 'vm8')],
            consumers={'vm1', 'vm2', 'uuid of migration 1'},
            rows=[
                builders.untouched(phase, server_id=str(phase))
                for phase in (Phase.WAITING, Phase.MOVED, Phase.BLOCKED)
            ],
        )

        self.assertEqual(
            (4, {'ACTIVE': 2, 'MIGRATING': 1, 'SHUTOFF': 1}, 1, 1, 1, 1, 3),
            (
                *(found.servers, found.servers_by_status),
                *(found.moving_out, found.moving_in),
                *(found.awaiting_confirm, found.awaiting_cleanup),
                found.allocations,
            ),
        )
        self.assertEqual(['blocked'], [r.server_id for r in found.blocked])

    def test_a_resize_on_the_same_host_leaves_and_is_not_counted_twice(self):
        found = summarize(moves=[move(dest=builders.HOST)])
        self.assertEqual((1, 0), (found.moving_out, found.moving_in))

    def test_drained_when_nothing_is_left_that_is_known(self):
        self.assertTrue(summarize().drained)
        self.assertIsNone(summarize(consumers=None).drained)
        left = summarize(servers=[builders.server()], consumers=None)
        self.assertIs(False, left.drained)

    @unit.cases(
        {'servers': [builders.server(status='SOFT_DELETED')]},
        {'moves': [move()]},
        {'moves': [move(**ARRIVING)]},
        {'unconfirmed': [builders.migration(status='finished')]},
        {'evacuated': [builders.migration(status='done')]},
        {'consumers': {'a server that was deleted'}},
    )
    def test_anything_left_is_not_drained(self, left):
        self.assertFalse(summarize(**left).drained)


class TestUnderWay(unit.TestCase):
    @unit.cases(
        # the record's status, the server's, its task, the answer
        ('running', 'MIGRATING', 'migrating', True),
        ('accepted', 'REBUILD', 'rebuilding', True),
        ('migrating', 'RESIZE', 'resize_migrating', True),
        ('confirming', 'VERIFY_RESIZE', None, True),
        ('teleporting', 'MIGRATING', 'migrating', True),
        ('completed', 'MIGRATING', 'migrating', False),
        ('error', 'ACTIVE', None, False),
        ('finished', 'VERIFY_RESIZE', None, False),
        # The host died, and was started again.
        ('running', 'ACTIVE', None, False),
        ('accepted', 'SHUTOFF', None, False),
        ('migrating', 'ERROR', None, False),
        ('running', 'DELETED', None, False),
    )
    def test_server_and_record(self, status, server, task, expected):
        self.assertIs(
            expected,
            summary.is_under_way(
                builders.migration(1, status),
                builders.server(status=server, task_state=task),
            ),
        )
