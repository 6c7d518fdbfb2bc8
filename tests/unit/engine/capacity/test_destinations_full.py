# SPDX-License-Identifier: Apache-2.0

"""Which moves have to wait: of the bound, and of groups that keep apart."""

from osc_hostmaint import exceptions
from osc_hostmaint.planning import timing
from tests import unit
from tests.unit.engine import destinations_base
from tests.unit.planning import clouds

record = destinations_base.record


class TestBound(destinations_base.DestinationsTestCase):
    """At most so many moves in flight to one destination."""

    @unit.cases('completed', 'finished', 'error')
    def test_ended_moves_do_not_count(self, status: str) -> None:
        self.given(clouds.hosts('a'), clouds.demands(3), bound=1)
        self.assertEqual(['a', None], self.go_all('vm00', 'vm01'))
        self.note(record('vm00', 'a'))
        self.assertIsNone(self.go('vm01'))
        self.note(record('vm00', 'a', status))
        self.assertEqual(['a', None], self.go_all('vm01', 'vm02'))

    def test_postponed_moves_do_not_count(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(2), bound=1)
        self.others(record('x', 'a'), record('y', 'b'))
        for _time in range(9):
            self.assertIsNone(self.go('vm00'))
        self.assertNotIn('allocation_candidates', self.asked)
        self.clock.sleep(timing.OTHERS_MOVES_RECHECK_SECONDS)
        self.others()
        self.assertEqual(['a', 'b'], self.go_all('vm00', 'vm01'))

    def test_other_moves_are_listed_periodically(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(9), bound=9)
        self.go_all('vm00', 'vm01')
        self.assertEqual(['flights'], self.asked)
        self.clock.sleep(timing.OTHERS_MOVES_RECHECK_SECONDS)
        self.go('vm02')
        self.assertEqual(2, self.asked.count('flights'))

    def test_failed_list_keeps_the_last_answer(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(3), bound=1)
        self.others(record('x', 'a', source='far'))
        self.go('vm00')
        self.note(record('vm00', 'b', 'completed'))
        self.clock.sleep(timing.OTHERS_MOVES_RECHECK_SECONDS)
        self.cloud.trouble = exceptions.Unavailable('Nova: no answer')
        self.assertEqual(['b', None], self.go_all('vm01', 'vm02'))
        self.assertEqual(2, self.asked.count('flights'))

    def test_stale_moves_of_others_do_not_count(self) -> None:
        """A compute service that died leaves such records behind."""
        old = record('x', 'a', source='far', ago=2 * 86400)
        lost = record('y', None, source='far', ago=2 * 86400)
        self.given(clouds.hosts('a'), clouds.demands(1), bound=1)
        self.others(old, lost)
        self.assertEqual('a', self.go('vm00'))

    def test_adopted_moves_count(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(3), bound=1)
        self.note(record('vm09', 'a'))
        self.assertEqual(['b', None], self.go_all('vm00', 'vm01'))
        self.note()
        self.assertEqual('a', self.go('vm01'))

    def test_host_that_is_observed_since(self) -> None:
        """Another run's move off it, in the last list, is over by now."""
        self.given(clouds.hosts('a'), clouds.demands(2), bound=1)
        self.others(record('vm00', 'a'))
        self.assertIsNone(self.go('vm01'))
        self.note(record('vm00', 'a', 'failed'))
        self.assertEqual({}, self.destinations.moves.under_way())
        self.assertEqual('a', self.go('vm01'))

    def test_scheduler_moves_count_for_every_host(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(3), bound=2)
        self.assertEqual('', self.go('new'))
        self.assertEqual(['a', 'b', None], self.go_all('vm00', 'vm01', 'vm02'))
        self.note(record('new', 'a'))
        self.assertEqual('b', self.go('vm02'))

    def test_the_scheduler_may_pick_a_host_that_is_full(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(1), bound=1)
        self.go('vm00')
        self.assertIsNone(self.go('new'))
        self.note(record('vm00', 'a', 'completed'))
        self.assertEqual('', self.go('new'))
        self.assertIsNone(self.go('newer'))

    def test_several_sources_share_it(self) -> None:
        wanted = [clouds.demand('vm00'), clouds.demand('vm01', source='src2')]
        self.given(clouds.hosts('a'), wanted, bound=1)
        self.assertEqual('a', self.go('vm00'))
        self.note(record('vm00', 'a'))
        self.note(source='src2')
        self.assertIsNone(self.go('vm01', source='src2'))
        # Nobody else's: it is ours, and counts once.
        self.given(clouds.hosts('a'), wanted, bound=2)
        self.go('vm00')
        self.others(record('vm00', 'a'))
        self.note(record('vm00', 'a'))
        self.assertEqual('a', self.go('vm01', source='src2'))

    def test_stale_record_does_not_block(self) -> None:
        """Its server lies idle on the host, and has for long."""
        self.given(clouds.hosts('a'), clouds.demands(1), bound=1)
        self.note(record('vm00', 'a', seen_at=0.0), idle={'vm00'})
        self.assertEqual('a', self.go('vm00'))


class TestGroups(destinations_base.DestinationsTestCase):
    """No two that keep apart are on their way to one host."""

    APART = clouds.group('anti-affinity', 'vm00', 'vm01')

    def together(self, *groups, hosts='abc', count=3, **options) -> None:
        self.given(
            clouds.hosts(*hosts),
            clouds.demands(count),
            groups=groups or (self.APART,),
            **options,
        )

    def test_anti_affinity_members_do_not_move_together(self) -> None:
        for spread in (False, True):
            with self.subTest(spread):
                self.together()
                self.assertEqual('', self.go('vm00', spread=False))
                self.assertIsNone(self.go('vm01', spread=spread))
                self.assertEqual('', self.go('vm02', spread=False))
                self.note(record('vm00', 'a'))
                expected = 'b' if spread else None
                self.assertEqual(expected, self.go('vm01', spread=spread))

    def test_arrived_group_member_does_not_block(self) -> None:
        for status in ('completed', 'finished'):
            self.together()
            self.go('vm00', spread=False)
            self.note(record('vm00', 'a', status))
            self.assertEqual('', self.go('vm01', spread=False))

    def test_failed_group_member_does_not_block(self) -> None:
        self.together()
        self.go('vm00', spread=False)
        self.note(record('vm00', None, 'error'))
        self.assertEqual('', self.go('vm01', spread=False))
        self.note(over={'vm01'})
        self.assertEqual('', self.go('vm00', spread=False))

    def test_a_destination_asked_for_by_the_user(self) -> None:
        """The second goes when Nova sees the first, and refuses it."""
        self.together()
        self.assertEqual('b', self.go('vm00', host='b', spread=False))
        self.assertIsNone(self.go('vm01', host='b', spread=False))
        self.assertEqual('b', self.go('vm02', host='b', spread=False))
        self.note(record('vm00', 'b', 'completed'))
        self.assertEqual('b', self.go('vm01', host='b', spread=False))

    def test_as_many_as_the_group_allows(self) -> None:
        two = clouds.group('anti-affinity', 'vm00', 'vm01', 'vm02', most=2)
        self.together(two)
        found = [self.go(f'vm{n:02}', host='b', spread=False) for n in (0, 1)]
        self.assertEqual(['b', 'b'], found)
        self.assertIsNone(self.go('vm02', host='b', spread=False))

    def test_adopted_moves(self) -> None:
        self.together()
        self.note(record('vm00', 'a'))
        self.assertEqual('b', self.go('vm01'))
        self.together()
        self.note(record('vm00', None))
        self.assertIsNone(self.go('vm01'))
        self.together()
        self.note(record('vm00', 'a'))
        self.assertIsNone(self.go('vm01', spread=False))

    def test_abandoned_group_member_still_blocks(self) -> None:
        """A live migration, say, off a host that died in its middle."""
        self.together()
        self.note(record('vm00', 'a'), over={'vm00'})
        self.assertEqual('b', self.go('vm01'))
        self.together(hosts='a')
        self.note(record('vm00', 'a'), over={'vm00'})
        self.assertEqual('', self.go('vm01'))

    def test_groups_count_where_placement_does_not_answer(self) -> None:
        self.together(known=False)
        self.assertEqual(['', None, ''], self.go_all('vm00', 'vm01', 'vm02'))
