# SPDX-License-Identifier: Apache-2.0

"""What moves tell about their destinations."""

from osc_hostmaint.planning.capacity import destination_history
from tests import unit
from tests.unit import builders

#: A server's host and status, as seen after its move has ended.
BACK = builders.server(status='SHUTOFF', seen_at=builders.NOW)
BROKEN = builders.server(status='ERROR', seen_at=builders.NOW)


def moves(*ends):
    """Return moves that ended one after another.

    :param ends: server, destination, and 'ok', 'failed', 'ruined' or
        'refused', of a cold migration but for those in capitals.
    """
    return [
        destination_history.EndedMove(
            builders.migration(
                number,
                'error' if end == 'refused' else 'failed',
                server_id,
                type='live-migration' if end.isupper() else 'migration',
                dest=None if end == 'refused' else dest,
                created_at=builders.cloud_time(builders.NOW + number),
            ),
            dest,
            completed=end.lower() == 'ok',
            harmed=end == 'ruined',
            unsure=server_id == 'unseen',
        )
        for number, (server_id, dest, end) in enumerate(ends, 1)
    ]


class TestEnded(unit.TestCase):
    @unit.cases('running', 'cancelled', 'reverted', 'accepted')
    def test_records_that_say_nothing(self, status):
        record = builders.migration(status=status)
        self.assertIsNone(destination_history.ended(record, None))

    def test_an_owners_resize_tells_nothing(self):
        record = builders.migration(status='error', type='resize')
        self.assertIsNone(destination_history.ended(record, None))

    @unit.cases(
        ('finished', None, True, False),
        ('confirmed', None, True, False),
        ('error', BACK, False, False),
        ('error', BROKEN, False, True),
        ('error', None, False, True),
    )
    def test_a_cold_migration(self, status, view, completed, harmed):
        record = builders.migration(
            status=status, type='migration', seen_at=builders.NOW - 1
        )
        found = destination_history.ended(record, view)
        self.assertEqual((completed, harmed), (found.completed, found.harmed))

    @unit.cases(('migration', False), ('evacuation', True))
    def test_a_move_that_another_one_followed(self, kind, harmed):
        """What is in ERROR now was not after it, or nothing had followed."""
        broken = builders.server(status='ERROR', host='cmp03')
        record = builders.migration(status='error', type=kind)
        found = destination_history.ended(record, broken, moved_again=True)
        self.assertIs(harmed, found.harmed)

    @unit.cases(True, False)
    def test_abandoned_record_is_judged_now(self, awaited):
        record = builders.migration(status='error', type='migration')
        found = destination_history.ended(record, None, awaited=awaited)
        self.assertTrue(found.harmed)
        self.assertIs(awaited, found.unsure)

    def test_the_host_that_was_asked_for(self):
        record = builders.migration(
            status='pre-migrating', type='migration', dest=None
        )
        self.assertIsNone(destination_history.ended(record, None, 'cmp03'))
        found = destination_history.ended(record, None, 'cmp03', given_up=True)
        self.assertEqual('cmp03', found.destination)
        self.assertTrue(found.harmed)


class TestLearn(unit.TestCase):
    def learn(self, *ends, **options):
        return destination_history.learn(moves(*ends), **options)

    def test_two_servers_that_failed_exclude_it(self):
        known = self.learn(
            ('vm1', 'a', 'FAILED'), ('vm1', 'a', 'FAILED'), ('vm1', 'b', 'OK')
        )
        self.assertEqual({}, known.excluded)
        known = self.learn(('vm1', 'a', 'FAILED'), ('vm2', 'a', 'failed'))
        self.assertEqual({'a': {'vm1', 'vm2'}}, known.excluded)

    def test_a_move_that_succeeded_in_between(self):
        known = self.learn(
            ('vm1', 'a', 'FAILED'), ('vm2', 'a', 'OK'), ('vm3', 'a', 'FAILED')
        )
        self.assertEqual({}, known.excluded)
        self.assertEqual({'a'}, set(known.suspect))

    def test_servers_failing_everywhere_are_ignored(self):
        ends = [(vm, d, 'FAILED') for vm in ('vm1', 'vm2') for d in 'abc']
        self.assertEqual({}, self.learn(*ends).excluded)
        self.assertEqual(
            {'a', 'b', 'c'}, self.learn(*ends).failed['vm1', 'live-migration']
        )
        # Those that arrived in the end were not to blame.
        known = self.learn(*ends, ('vm1', 'd', 'OK'), ('vm2', 'd', 'OK'))
        self.assertEqual({'a', 'b', 'c'}, set(known.excluded))

    def test_once_excluded_it_stays_so(self):
        before = {'a': frozenset({'vm1', 'vm2'})}
        known = self.learn(('vm1', 'a', 'OK'), excluded=before)
        self.assertEqual(before, known.excluded)

    def test_what_leaves_servers_in_error(self):
        ruined = ('vm1', 'a', 'ruined')
        self.assertEqual({'a'}, self.learn(ruined).harmful)
        self.assertEqual({'a'}, self.learn(ruined, ('x', 'a', 'OK')).harmful)
        known = self.learn(ruined, ('x', 'a', 'ok'))
        self.assertEqual(set(), known.harmful)
        self.assertEqual({'a'}, known.proven)
        self.assertEqual(set(), self.learn(('x', 'a', 'OK')).proven)
        self.assertEqual({'a'}, self.learn(('unseen', 'a', 'ruined')).unsure)
        self.assertIn('in ERROR', self.learn(ruined).against(risky=True)['a'])
        self.assertEqual({}, self.learn(ruined).against(risky=False))

    def test_scheduler_refusal_is_not_a_failure(self):
        known = self.learn(('vm1', 'a', 'refused'), ('vm2', 'a', 'refused'))
        self.assertEqual(({}, {}), (known.excluded, known.suspect))
        self.assertEqual({'a'}, known.failed['vm1', 'migration'])
