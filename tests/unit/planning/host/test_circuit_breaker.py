# SPDX-License-Identifier: Apache-2.0

"""Servers that fail one after another: ``--max-failures``."""

from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders

Phase = server_status.Phase
FAILED = server_status.ServerStatus(Phase.FAILED, 'it failed')
IN_ERROR = builders.server(status='ERROR', vm_state='error')
BACK = builders.server()


def record(status='error', dest='cmp02', **values):
    return builders.migration(status=status, dest=dest, **values)


def finished(*records, view=IN_ERROR, assessed=FAILED):
    return circuit_breaker.finished(view, records, assessed)


class TestFinished(unit.TestCase):
    @unit.cases(
        (IN_ERROR, [record()], True),
        (BACK, [record(dest='cmp02'), record(dest='cmp03')], True),
        # A server that failed twice on one destination.
        (BACK, [record(), record()], None),
        # It never got a destination.
        (IN_ERROR, [record(dest=None)], None),
        (BACK, [record(), record(dest='cmp03'), record(dest=None)], None),
        # It is under way, or nobody has moved it.
        (IN_ERROR, [record('running')], None),
        (IN_ERROR, [], None),
    )
    def test_what_failed(self, view, records, failed):
        found = finished(*records, view=view)
        self.assertEqual(failed, found and found.failed)

    @unit.cases(
        (Phase.MOVED, 'completed'),
        (Phase.MOVING, 'finished'),
        (Phase.MOVED, 'confirmed'),
    )
    def test_what_succeeded(self, phase, status):
        assessed = server_status.ServerStatus(phase)
        found = finished(record(), record(status), assessed=assessed)
        self.assertFalse(found.failed)

    def test_what_is_tried_again_is_open(self):
        for phase in (Phase.SETTLING, Phase.WAITING, Phase.BLOCKED):
            assessed = server_status.ServerStatus(phase, 'why')
            self.assertIsNone(finished(record(), assessed=assessed))


def end(server_id, number, *, failed=True, **values):
    return circuit_breaker.Finished(
        **{
            'server_id': server_id,
            'failed': failed,
            'move': 'live migration',
            'destinations': frozenset({'cmp02'}),
            'in_error': True,
            'ended_at': builders.cloud_time(builders.NOW + number),
            'record_id': number,
            **values,
        }
    )


class TestInARow(unit.TestCase):
    def test_a_success_in_between(self):
        first, second = end('a', 1), end('c', 3)
        for ends, expected in (
            ([], ()),
            ([second, first, end('b', 2, failed=False)], (second,)),
            ([second, first], (first, second)),
        ):
            self.assertEqual(expected, circuit_breaker.in_a_row(ends))

    def test_what_they_have_in_common(self):
        row = [end('a', 1), end('b', 2)]
        self.assertEqual(
            '2 servers failed to move one after another (a, b; each by live '
            'migration, each to cmp02, each is in ERROR now)',
            circuit_breaker.explanation(row),
        )
        row = [
            end('a', 1),
            end('b', 2, move='cold migration', in_error=False),
            end('c', 3, destinations=frozenset({'cmp03', 'cmp04'})),
            end('d', 4),
        ]
        self.assertEqual(
            '4 servers failed to move one after another (a, b, c and 1 more)',
            circuit_breaker.explanation(row),
        )
