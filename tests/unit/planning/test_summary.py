# SPDX-License-Identifier: Apache-2.0

"""A host at a glance, and what would become of each server."""

from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import summary
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import clouds

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


Fits = forecast.Fits
LIVE, SHELVE = 'live migration', 'shelve offload'
BUSY = {'phase': Phase.BUSY, 'move': ''}


def decided(phase=Phase.WAITING, move=LIVE, **values) -> decisions.Row:
    return builders.untouched(phase, move=move, **values)


def row(fits: Fits | None = Fits.YES, why: str = '', **values) -> dry_runs.Row:
    """Return a row; without ``fits`` it needs no room."""
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
    @unit.cases(
        # what is known, the row; its move, whether it fits, and where; leaves
        (Fits.YES, {}, (LIVE, Fits.YES, 3), True),
        (Fits.NO, {}, (LIVE, Fits.NO, 3), False),
        (Fits.UNKNOWN, {}, (LIVE, Fits.UNKNOWN, 3), False),
        # It needs no room.
        (None, {'move': SHELVE}, (SHELVE, Fits.YES, None), True),
        # What stays does not move.
        (None, {'phase': Phase.BLOCKED}, ('', None, None), False),
        (None, {'phase': Phase.FAILED}, ('', None, None), False),
        # How it moves is not known while something goes on.
        (Fits.YES, BUSY, ('', Fits.UNKNOWN, 3), False),
        (Fits.NO, BUSY, ('', Fits.NO, 3), False),
        (Fits.UNKNOWN, BUSY, ('', Fits.UNKNOWN, 3), False),
    )
    def test_row(self, fits, values, expected, leaves):
        found = row(fits, reason='why', **values)
        self.assertEqual(
            (*expected, *('vm1', 'name of vm1', builders.HOST, 'ACTIVE')),
            (
                *(found.move, found.fits, found.candidates),
                *(found.server_id, found.name, found.host, found.status),
            ),
        )
        self.assertEqual('why', found.reason)
        self.assertIs(leaves, found.leaves)

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
        # What is left alone speaks against nothing, a host that fails does.
        skipped = row(None, phase=Phase.SKIPPED, move='')
        gone = row(None, phase=Phase.GONE, move='')
        # Resumed to be moved there, by a run that was killed since.
        there = row(None, phase=Phase.MOVING, move='', destination='cmp02')
        self.assertTrue(self.done(row(), skipped, gone, there))
        self.assertIsNone(there.fits)
        self.assertEqual(('', None), (skipped.move, skipped.fits))
        self.assertFalse(self.done(row(), errors={'cmp01': 'down'}))
