# SPDX-License-Identifier: Apache-2.0

"""What would become of each server."""

from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import clouds

Fits, Phase = forecast.Fits, server_status.Phase
LIVE = 'live migration'


def decided(phase=Phase.WAITING, move=LIVE, reason='') -> decisions.Row:
    """Return what a drain would begin with."""
    return builders.row(
        phase=phase, move=move, reason=reason, attempts=0, seconds=None
    )


def row(fits: Fits | None = Fits.YES, why: str = '', **values) -> dry_runs.Row:
    """Return a row.

    :param fits: None: it needs no room.
    """
    known = {'vm1': forecast.Fit(fits, 3, why)} if fits else {}
    demand = clouds.demand('vm1') if fits else None
    capacity_forecast = forecast.CapacityForecast(known, {})
    return dry_runs.row(decided(**values), demand, capacity_forecast)


class TestNeedsRoom(unit.TestCase):
    @unit.cases(
        (Phase.WAITING, LIVE, True),
        (Phase.WAITING, 'cold migration', True),
        (Phase.WAITING, 'shelve offload', False),
        (Phase.MOVING, LIVE, True),
        (Phase.SETTLING, 'cold migration', True),
        # To this host, perhaps.
        (Phase.SETTLING, 'resize', True),
        (Phase.BUSY, '', True),
        (Phase.BLOCKED, '', False),
        (Phase.FAILED, LIVE, False),
        (Phase.GONE, '', False),
        (Phase.MOVED, LIVE, False),
    )
    def test_rows_that_need_capacity(self, phase, move, needed):
        self.assertIs(needed, dry_runs.needs_room(decided(phase, move)))


class TestRow(unit.TestCase):
    def assert_row(self, expected, found):
        """:param expected: the move, whether it fits, and on how many hosts"""
        self.assertEqual(
            (*expected, *('vm1', 'name of vm1', builders.HOST, 'ACTIVE')),
            (
                *(found.move, found.fits, found.candidates),
                *(found.server_id, found.name, found.host, found.status),
            ),
        )

    @unit.cases((Fits.YES, True), (Fits.NO, False), (Fits.UNKNOWN, False))
    def test_what_moves_fits_or_not(self, fits, leaves):
        found = row(fits)
        self.assert_row((LIVE, fits, 3), found)
        self.assertIs(leaves, found.leaves)

    def test_what_needs_no_room_fits(self):
        found = row(None, move='shelve offload')
        self.assert_row(('shelve offload', Fits.YES, None), found)
        self.assertTrue(found.leaves)

    @unit.cases(Phase.BLOCKED, Phase.FAILED)
    def test_what_stays_does_not_move(self, phase):
        found = row(None, phase=phase, reason='it is suspended')
        self.assert_row(('', None, None), found)
        self.assertEqual('it is suspended', found.reason)
        self.assertFalse(found.leaves)

    @unit.cases(
        (Fits.YES, Fits.UNKNOWN),
        (Fits.NO, Fits.NO),
        (Fits.UNKNOWN, Fits.UNKNOWN),
    )
    def test_how_it_moves_is_not_known_while_something_goes_on(
        self, fits, told
    ):
        found = row(fits, phase=Phase.BUSY, move='', reason='rebooting')
        self.assert_row(('', told, 3), found)
        self.assertEqual('rebooting', found.reason)
        self.assertFalse(found.leaves)

    def test_both_reasons_are_told(self):
        found = row(Fits.NO, 'no room', reason='rebooting')
        self.assertEqual('no room; rebooting', found.reason)


class TestPreview(unit.TestCase):
    def done(self, *rows, **values):
        capacity_forecast = forecast.CapacityForecast({}, {})
        return dry_runs.Preview(rows, capacity_forecast, **values).done

    def test_all_must_leave(self):
        self.assertTrue(self.done())
        self.assertTrue(self.done(row(), row()))
        self.assertFalse(self.done(row(), row(Fits.UNKNOWN)))
        self.assertFalse(self.done(row(None, phase=Phase.BLOCKED)))

    def test_what_is_left_alone_speaks_against_nothing(self):
        skipped = row(None, phase=Phase.SKIPPED, move='')
        gone = row(None, phase=Phase.GONE, move='')
        self.assertTrue(self.done(row(), skipped, gone))
        self.assertEqual(('', None), (skipped.move, skipped.fits))

    def test_every_host_must_be_one_that_can_be_drained(self):
        self.assertFalse(self.done(row(), errors={'cmp01': 'down'}))
