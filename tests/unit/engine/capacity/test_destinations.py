# SPDX-License-Identifier: Apache-2.0

"""Where moves are to go and which have to wait: what is asked and counted."""

from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.engine import destinations_base
from tests.unit.planning import clouds

record = destinations_base.record


class TestLooks(destinations_base.DestinationsTestCase):
    """How often Placement is asked for its numbers."""

    def test_first_starts_use_the_dry_run_snapshot(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(2))
        self.assertEqual(['a', 'b'], self.go_all('vm00', 'vm01'))
        self.assertEqual([], self.asked)

    def test_placement_is_asked_every_second_start(self) -> None:
        self.given(clouds.hosts('a', 'b', 'c', 'd'), clouds.demands(9))
        counts = []
        for number in range(9):
            self.go(f'vm{number:02}')
            counts.append(len(self.asked))
        self.assertEqual([0, 0, 1, 1, 2, 2, 3, 3, 4], counts)
        self.assertEqual({'allocation_candidates'}, set(self.asked))

    def test_unknown_server_is_left_to_the_scheduler(self) -> None:
        """It was not there at the beginning, or holds nothing."""
        self.given(
            clouds.hosts('a', 'b'),
            [*clouds.demands(1), clouds.demand('weightless', {})],
        )
        for server_id in ('weightless', 'new', 'weightless', 'new'):
            self.assertEqual('', self.go(server_id))
        self.assertEqual([], self.asked)

    def test_placement_outage_keeps_the_last_snapshot(self) -> None:
        """What is known is still a good guess."""
        self.given(clouds.hosts('a', 'b'), clouds.demands(6))
        self.go_all('vm00', 'vm01')
        self.cloud.trouble = exceptions.Unavailable('Placement: no answer')
        self.assertEqual(
            ['a', 'b', 'a', 'b'], self.go_all('vm02', 'vm03', 'vm04', 'vm05')
        )
        self.assertEqual(2, len(self.asked), 'not for every start')
        self.assertEqual([], self.listener.troubles)

    def test_placement_refusal_leaves_it_to_the_scheduler(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(9))
        self.go_all('vm00', 'vm01')
        for trouble in (
            exceptions.NotPermitted('Placement: policy says no'),
            exceptions.ApiTooOld('Placement is too old'),
        ):
            self.cloud.trouble = trouble
            found = self.go_all(*(f'vm{n:02}' for n in range(2, 9)))
            self.assertEqual([''] * 7, found)
        self.assertEqual(['allocation_candidates'], self.asked)
        ((_host, told),) = self.listener.troubles
        self.assertIn('left to the scheduler: Placement: policy says', told)

    def test_refused_request_leaves_its_servers_to_the_scheduler(self) -> None:
        large = [clouds.demand(f'large{n}', clouds.HALF) for n in range(3)]
        self.given(clouds.hosts('a', 'b'), [*large, *clouds.demands(3)])
        refused = snapshots.AllocationCandidates({}, (), refused='no trait')
        with mock.patch.object(
            self.cloud, 'allocation_candidates', return_value=refused
        ):
            self.go_all('large0', 'large1', 'vm00')
        self.assertEqual('', self.go('large1'))
        self.assertEqual(['b', 'b'], self.go_all('vm01', 'vm02'))
        self.assertEqual(['allocation_candidates'], self.asked)

    def test_placement_never_answered(self) -> None:
        """It was told already, and is not asked again."""
        self.given(clouds.hosts('a', 'b'), clouds.demands(5), known=False)
        self.cloud.trouble = exceptions.NotPermitted('policy')
        found = self.go_all(*(f'vm{n:02}' for n in range(5)))
        self.assertEqual([''] * 5, found)
        self.assertEqual([], self.asked)
        self.assertEqual([], self.listener.troubles)


class TestRoom(destinations_base.DestinationsTestCase):
    """What has begun to move counts, and once only."""

    def test_moves_not_in_placement_yet_are_added(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(9))
        # Placement shows nothing of it, however often it is asked.
        found = self.go_all(*(f'vm{n:02}' for n in range(9)))
        self.assertEqual(['a', 'b'] * 4 + [''], found)

    def test_moves_in_placement_count_once(self) -> None:
        for seconds in (0, 1):
            with self.subTest(seconds):
                self.given(clouds.hosts('a', 'b'), clouds.demands(3))
                self.go('vm00')
                self.cloud.take('a')
                self.note(record('vm00', 'a'))
                self.go('vm01')
                self.clock.sleep(seconds)
                # One each, which the look shows for one of them.
                self.assertEqual('a', self.go('vm02'))
                self.assertEqual(['allocation_candidates'], self.asked)

    def test_moves_after_the_snapshot_are_added(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(4))
        self.go_all('vm00', 'vm01')
        self.go('vm02')
        self.clock.sleep(1)
        for number, host in enumerate('aba'):
            self.note(record(f'vm{number:02}', host))
        # The numbers are of before: a has two, b has one.
        self.assertEqual('b', self.go('vm03'))
        self.assertEqual(['allocation_candidates'], self.asked)

    def test_hosts_missing_in_the_newest_answer_are_kept(self) -> None:
        """It is for large servers, and they have room for small ones only."""
        small, large = clouds.QUARTER, clouds.HALF
        self.given(
            [clouds.filled('a', 0.6), clouds.filled('b', 0.5)],
            [
                *(clouds.demand(f'small{n}', small) for n in range(2)),
                *(clouds.demand(f'large{n}', large) for n in range(2)),
            ],
        )
        self.assertEqual('a', self.go('small0', host='a', spread=False))
        self.cloud.take('a', small)
        self.note(record('small0', 'a'))
        self.clock.sleep(1)
        self.assertEqual('b', self.go('large0'))
        self.clock.sleep(1)
        self.assertEqual('', self.go('large1'))
        self.assertEqual(['allocation_candidates'], self.asked)
        # What went to a is not in the answer, as a is not.
        self.assertEqual('', self.go('small1'))

    def test_failed_move_frees_its_capacity(self) -> None:
        for status in ('error', 'failed', 'cancelled'):
            self.given(clouds.hosts('a', 'b'), clouds.demands(2))
            self.go('vm00')
            self.note(record('vm00', 'a'))
            self.note(record('vm00', 'a', status))
            self.assertEqual('a', self.go('vm01'))

    def test_refused_or_lost_move_frees_its_capacity(self) -> None:
        """Lost on its way to Nova, or its server was deleted."""
        self.given(clouds.hosts('a', 'b'), clouds.demands(3))
        self.direct('vm00')
        self.destinations.drop('vm00')
        self.assertEqual('a', self.go('vm01'))
        self.note(over={'vm01'})
        self.assertEqual('a', self.go('vm02'))

    def test_older_record_is_ignored(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(2))
        self.assertEqual('a', self.go('vm00', highest=7))
        self.note(record('vm00', 'z', 'error', record_id=7))
        self.assertEqual('b', self.go('vm01'), 'the move to a goes on')

    def test_hosts_share_what_is_known(self) -> None:
        self.given(
            clouds.hosts('a', 'b'),
            [clouds.demand('vm00'), clouds.demand('vm01', source='src2')],
        )
        self.assertEqual('a', self.go('vm00'))
        self.assertEqual('b', self.go('vm01', source='src2'))
        # What one host's list does not show may be on the other's.
        self.note(source='src2')
        self.note(over={'vm01'})
        self.assertIn('vm01', self.destinations.moves.sent)


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
        self.assertEqual(['migrations_in_flight'], self.asked)
        self.clock.sleep(timing.OTHERS_MOVES_RECHECK_SECONDS)
        self.go('vm02')
        self.assertEqual(2, self.asked.count('migrations_in_flight'))

    def test_failed_list_keeps_the_last_answer(self) -> None:
        self.given(clouds.hosts('a', 'b'), clouds.demands(3), bound=1)
        self.others(record('x', 'a', source='far'))
        self.go('vm00')
        self.note(record('vm00', 'b', 'completed'))
        self.clock.sleep(timing.OTHERS_MOVES_RECHECK_SECONDS)
        self.cloud.trouble = exceptions.Unavailable('Nova: no answer')
        self.assertEqual(['b', None], self.go_all('vm01', 'vm02'))
        self.assertEqual(2, self.asked.count('migrations_in_flight'))

    def test_stale_moves_of_others_do_not_count(self) -> None:
        """A compute service that died leaves such records behind."""
        lost = record('y', None, source='far', ago=2 * 86400)
        self.given(clouds.hosts('a'), clouds.demands(1), bound=1)
        self.others(record('x', 'a', source='far', ago=2 * 86400), lost)
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
