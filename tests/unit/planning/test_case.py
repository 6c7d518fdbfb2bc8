#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What is known of one server: tries, refusals, what was given up."""

import unittest

import ddt

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
Kind = memories.Kind
LIVE = model.Move.LIVE
COLD = model.Move.COLD


def failed(number, kind=base.LIVE, first=7):
    """Return records of so many failed moves."""
    return [base.record('error', first + n, type=kind) for n in range(number)]


@ddt.ddt
class TestTries(unittest.TestCase):
    """How often a migration was tried, and whether that is enough."""

    @ddt.data(
        # records of this run, requests that were taken; tries
        (0, 0, 0),
        (1, 0, 1),
        (2, 1, 2),
        # A request may have been lost, and left no record.
        (1, 2, 2),
    )
    @ddt.unpack
    def test_tries(self, records, taken, expected):
        case = base.case(*failed(records), track=base.asked(taken=taken))

        self.assertEqual(expected, case.tries(LIVE))
        self.assertEqual(0, case.tries(COLD))

    @ddt.data(
        # failed in earlier runs, in this one, --retries; enough
        (0, 0, 0, False),
        (0, 1, 0, True),
        (0, 1, 1, False),
        (0, 2, 1, True),
        (0, 2, 2, False),
        (0, 3, 2, True),
        # A killed run does not get all its attempts back ...
        (1, 1, 2, False),
        (1, 2, 2, True),
        (2, 1, 2, True),
        # ... but each run has one: what was wrong may have been mended.
        (1, 0, 0, False),
        (9, 0, 2, False),
        (9, 1, 2, True),
    )
    @ddt.unpack
    def test_exhausted(self, earlier, tries, retries, expected):
        case = base.case(
            *failed(tries),
            earlier=failed(earlier, first=-10),
            retries=retries,
        )

        self.assertIs(expected, case.exhausted(LIVE))
        self.assertFalse(case.exhausted(COLD))

    def test_each_kind_of_migration_has_its_own_tries(self):
        case = base.case(
            *failed(3),
            *failed(1, base.COLD, first=20),
            earlier=failed(1, base.COLD, first=-10),
        )

        self.assertTrue(case.exhausted(LIVE))
        self.assertFalse(case.exhausted(COLD))

    @ddt.data(model.Move.SHELVE, model.Move.RESIZE)
    def test_what_leaves_no_record_is_not_counted_here(self, move):
        case = base.case(*failed(9), retries=0)

        self.assertEqual(0, case.tries(move))
        self.assertFalse(case.exhausted(move))


@ddt.ddt
class TestRefusals(unittest.TestCase):
    @ddt.data(
        # refusals in a row, --retries, asking again is no use; for good
        (0, 0, False, False),
        (1, 2, False, False),
        (2, 2, False, False),
        (3, 2, False, True),
        (1, 0, False, True),
        (1, 2, True, True),
    )
    @ddt.unpack
    def test_for_good(self, times, retries, final, expected):
        track = builders.track()
        if times:
            track = base.refused(times=times, final=final)
        case = base.case(track=track, retries=retries)

        self.assertIs(expected, case.refused_for_good(Kind.LIVE_MIGRATE))
        self.assertFalse(case.refused_for_good(Kind.COLD_MIGRATE))


@ddt.ddt
class TestGaveUp(unittest.TestCase):
    """Its live migration was aborted, and there is to be no other."""

    ABORTED = base.asked(Kind.ABORT, record_id=7, why='stalled')

    @ddt.data(
        # how the record ended; given up
        ('cancelled', 'stalled'),
        ('failed', 'stalled'),
        ('error', 'stalled'),
        # It came too late, or has not come yet.
        ('completed', ''),
        ('running', ''),
    )
    @ddt.unpack
    def test_record(self, status, expected):
        case = base.case(base.record(status), track=self.ABORTED)

        self.assertEqual(expected, case.gave_up)

    def test_another_record_is_another_matter(self):
        case = base.case(base.record('cancelled', 8), track=self.ABORTED)

        self.assertEqual('', case.gave_up)

    def test_it_stays_given_up_after_another_move(self):
        case = base.case(
            base.record('cancelled'),
            base.record('error', 8, type=base.COLD),
            track=self.ABORTED,
        )

        self.assertEqual('stalled', case.gave_up)

    def test_aborted_only_to_be_tried_again(self):
        """The destination had died."""
        track = base.asked(Kind.ABORT, record_id=7, why='')

        self.assertEqual(
            '', base.case(base.record('cancelled'), track=track).gave_up
        )

    def test_somebody_else_has_aborted_it(self):
        self.assertEqual('', base.case(base.record('cancelled')).gave_up)


class TestNoLive(unittest.TestCase):
    """Why it can't be live-migrated, as far as is known."""

    def test_nothing_speaks_against_it(self):
        self.assertEqual('', base.case().no_live)

    def test_refused(self):
        track = base.refused(final=True)

        self.assertEqual(base.REFUSAL, base.case(track=track).no_live)

    def test_refused_but_not_for_good(self):
        self.assertEqual('', base.case(track=base.refused()).no_live)

    def test_failed_too_often(self):
        failures = {7: 'old', 8: 'older', 9: base.FAILURE}
        case = base.case(*failed(3), failures=failures)

        self.assertEqual(base.FAILURE, case.no_live)

    def test_the_failure_of_another_kind_of_move_is_not_told(self):
        case = base.case(
            *failed(1),
            *failed(1, base.COLD, first=8),
            failures={7: base.FAILURE, 8: 'No space left'},
            retries=0,
        )

        self.assertEqual(base.FAILURE, case.no_live)

    def test_failed_and_nova_keeps_no_reason(self):
        case = base.case(*failed(1), failures={7: ''}, retries=0)

        self.assertEqual('its live migration failed', case.no_live)

    def test_lost_too_often(self):
        case = base.case(track=base.asked(taken=3))

        self.assertEqual('its live migration failed', case.no_live)

    def test_aborted(self):
        track = base.asked(Kind.ABORT, record_id=7, why='stalled')
        case = base.case(base.record('cancelled'), track=track)

        self.assertEqual('stalled', case.no_live)


@ddt.ddt
class TestResumed(unittest.TestCase):
    """It is suspended, but for us."""

    ACTIVE = builders.server()

    @ddt.data(
        (base.asked(Kind.RESUME, base.SUSPENDED), True),
        (builders.track(base.SUSPENDED, found_resumed=True), True),
        (builders.track(base.SUSPENDED), False),
        (base.refused(Kind.RESUME, before=base.SUSPENDED), False),
        # Its owner has done something else with it since.
        (base.asked(Kind.RESUME, ACTIVE), False),
        (base.asked(Kind.RESUME, builders.server(status='SHUTOFF')), False),
    )
    @ddt.unpack
    def test_resumed(self, track, expected):
        case = base.case(track=track)

        self.assertIs(expected, case.resumed)
        self.assertIs(expected, case.terms.resumed)


@ddt.ddt
class TestOverdue(unittest.TestCase):
    """Why what is under way is not awaited any longer."""

    @ddt.data(
        # --server-timeout, seconds under way, in a queue that is stuck
        (60.0, 59.9, None, False),
        (60.0, 60.0, None, True),
        (60.0, None, 59.9, False),
        (60.0, None, 60.0, True),
        (60.0, 1.0, 60.0, False),
        (60.0, None, None, False),
        (None, 1e6, None, False),
    )
    @ddt.unpack
    def test_overdue(self, limit, under_way, stuck, expected):
        track = builders.track(
            under_way_since=None if under_way is None else NOW - under_way,
            stuck_since=None if stuck is None else NOW - stuck,
        )
        case = base.case(
            track=track, policy=policies.Policy(server_timeout=limit)
        )
        words = 'it took longer than 60 s (--server-timeout)'

        self.assertEqual(words if expected else '', case.overdue)


class TestTerms(unittest.TestCase):
    def test_what_counts_beside_the_state(self):
        policy = policies.Policy(running=policies.Running.COLD)
        track = base.asked(Kind.SHELVE, track=base.refused(final=True))
        terms = base.case(track=track, policy=policy).terms

        self.assertEqual(policy, terms.policy)
        self.assertEqual(base.REFUSAL, terms.no_live)
        self.assertTrue(terms.shelving)
        self.assertFalse(base.case().terms.shelving)


@ddt.ddt
class TestErrandSince(unittest.TestCase):
    @ddt.data(
        (base.asked(Kind.CONFIRM, asked_at=NOW - 5), True),
        (base.asked(Kind.CONFIRM, asked_at=NOW - 15), False),
        (base.refused(Kind.CONFIRM, refused_at=NOW - 5), True),
        (base.refused(Kind.CONFIRM, refused_at=NOW - 15), False),
        (
            base.refused(Kind.CONFIRM, asked_at=NOW - 15, refused_at=NOW - 5),
            True,
        ),
        (builders.track(), False),
    )
    @ddt.unpack
    def test_errand(self, track, counts):
        found = base.case(track=track).errand_since(Kind.CONFIRM, NOW - 10)

        expected = track.errand(Kind.CONFIRM) if counts else memories.NO_ERRAND
        self.assertEqual(expected, found)


class TestViewSince(unittest.TestCase):
    def test_view(self):
        case = base.case(view=builders.server(seen_at=NOW - 5))

        self.assertIsNone(case.view_since(NOW - 4.9))
        self.assertEqual(case.view, case.view_since(NOW - 5))
        self.assertIsNone(base.case(view=base.LEFT).view_since(0.0))
