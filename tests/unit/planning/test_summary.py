# SPDX-License-Identifier: Apache-2.0

"""A host at a glance."""

from osc_hostmaint.planning import summary
from tests import unit
from tests.unit import builders

ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}


def summarize(**given):
    parts = ('servers', 'moving', 'unconfirmed', 'evacuated', 'consumers')
    given = dict.fromkeys(parts, ()) | given
    return summary.summarize(builders.service(), **given)


class TestSummary(unit.TestCase):
    def test_counts(self):
        statuses = ('ACTIVE', 'SHUTOFF', 'MIGRATING', 'ACTIVE')
        found = summarize(
            servers=[builders.server(status=status) for status in statuses],
            moving=[
                builders.migration(1, 'running', 'vm3'),
                builders.migration(2, 'queued', 'vm4', **ARRIVING),
            ],
            unconfirmed=[builders.migration(5, 'finished', 'vm7')],
            evacuated=[builders.migration(8, 'done', 'vm8')],
            consumers={'vm1', 'vm2', 'uuid of migration 1'},
        )

        by_status = {'ACTIVE': 2, 'MIGRATING': 1, 'SHUTOFF': 1}
        self.assertEqual(
            summary.Summary(
                *(builders.service(), 4, by_status),
                moving_out=1,
                moving_in=1,
                awaiting_confirm=1,
                awaiting_cleanup=1,
                allocations=3,
            ),
            found,
        )

    def test_a_resize_on_the_same_host_leaves_and_is_not_counted_twice(self):
        found = summarize(moving=[builders.migration(dest=builders.HOST)])
        self.assertEqual((1, 0), (found.moving_out, found.moving_in))

    def test_drained_when_nothing_is_left_that_is_known(self):
        self.assertTrue(summarize().drained)
        self.assertIsNone(summarize(consumers=None).drained)
        left = summarize(servers=[builders.server()], consumers=None)
        self.assertIs(False, left.drained)

    @unit.cases(
        {'servers': [builders.server(status='SOFT_DELETED')]},
        {'moving': [builders.migration()]},
        {'moving': [builders.migration(**ARRIVING)]},
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
