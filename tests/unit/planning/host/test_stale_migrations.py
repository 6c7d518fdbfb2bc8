# SPDX-License-Identifier: Apache-2.0

"""Records of moves that nothing carries out any more."""

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import stale_migrations
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
PATIENCE = timing.EFFECT_WAIT_SECONDS
EVACUATION = requested.operation(policies.Policy(evacuate=True))
HELD = timing.EVACUATION_WAIT_SECONDS


def kept(**observed):
    seen, is_cut_off = builders.observation(**observed), EVACUATION.is_cut_off
    return set(stale_migrations.drop_stale(seen, is_cut_off).migrations)


class TestDropStale(unit.TestCase):
    """Of any host."""

    def test_superseded_record_is_dropped(self):
        """An older record that never ended is not a second move."""
        records = [
            builders.migration(1, 'queued'),
            builders.migration(2, 'completed'),
        ]
        seen = builders.observation([base.HERE], records)
        self.assertEqual(
            {2: records[1]}, dict(stale_migrations.drop_stale(seen).migrations)
        )


class TestEvacuations(unit.TestCase):
    """One that is dropped too soon is built twice."""

    def left(self, waited, changed, ahead=0.0, began=True, down='', **view):
        """Tell whether a record is left out.

        :param waited: seconds since its status was seen first.
        :param changed: seconds since its server changed, by Nova's clock.
        :param ahead: what our clock is known to show more.
        :param began: its destination is at it, or was.
        :param down: another host, whose compute service is down.
        """
        record = builders.evacuation(
            status='pre-migrating' if began else 'accepted',
            seen_at=NOW - waited,
        )
        server = builders.server(
            updated_at=builders.cloud_time(-changed), **view
        )
        if ahead is not None:
            ahead += NOW - builders.SINCE.timestamp()
        return not kept(
            servers=[server],
            migrations=[record],
            ahead=ahead,
            down=frozenset({down}),
        )

    @unit.cases(
        # since its status was seen, since its server changed; is it left out
        # What our clock may show more, at the most, is not known, or a day:
        # nothing may have changed for a minute or a day.
        (HELD - 1, 3600, False, None),
        (HELD, 3600, True, None),
        (HELD - 1, 3600, False, 86400.0),
        (HELD, 3600, True, 86400.0),
        # Nova needs time to notice that its destination died.
        (HELD - 1, PATIENCE, False),
        (HELD - 1, timing.REBUILT_WAIT_SECONDS, True),
    )
    def test_when_it_is_left_out(self, waited, changed, expected, ahead=0.0):
        self.assertIs(expected, self.left(waited, changed, ahead))

    @unit.cases(('cmp09', True), (builders.DEST, False))
    def test_where_its_destination_died_when_it_was_built(self, down, left):
        """Its guest may run there."""
        self.assertIs(left, self.left(HELD, HELD, down=down))

    @unit.cases((HELD - 1, {1, 2}), (HELD, {2}))
    def test_a_newer_one_failed_after_its_destination_died(
        self, waited, expected
    ):
        """Nova has taken the task away: it would be awaited for ever."""
        found = kept(
            servers=[builders.server(updated_at=builders.cloud_time(-3600))],
            migrations=[
                builders.evacuation(1, seen_at=NOW - waited),
                builders.evacuation(2, 'failed'),
            ],
            ahead=NOW - builders.SINCE.timestamp(),
            down=frozenset({builders.DEST}),
        )
        self.assertEqual(expected, found)

    @unit.cases(
        # since its record changed, the server; is it left out
        (PATIENCE, {}, True),
        (PATIENCE, {'status': 'SHUTOFF'}, True),
        (PATIENCE, {'status': 'ERROR'}, True),
        (PATIENCE - 1, {}, False),
        # It is not at rest there.
        (1e6, {'task_state': 'powering-off'}, False),
        (1e6, {'status': 'REBUILD'}, False),
    )
    def test_evacuated_server_rests_elsewhere(self, waited, view, expected):
        """Nova works in the name of the oldest that is accepted."""
        for began in (True, False):
            left = self.left(
                waited, 0, None, began, host=builders.DEST, **view
            )
            self.assertIs(expected, left)

    def test_a_move_of_another_kind_shows_that_it_is_over(self):
        """It came back to life, and was drained since."""
        records = [builders.evacuation(1), builders.migration(2, 'error')]
        self.assertEqual({2}, kept(visited=[base.THERE], migrations=records))
