# SPDX-License-Identifier: Apache-2.0

import datetime
import json
import uuid

from cloudevents.core.formats import json as formats

from osc_hostmaint import events
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit import test_schema

CLOUD = 'https://keystone.example.org/v3#RegionOne'
HOST = builders.HOST
Phase = server_status.Phase
Operation = events.Operation
MARK = builders.mark(reason='kernel CHG0042')
LATER = builders.mark(since=MARK.since + datetime.timedelta(hours=1))
RECORD = builders.migration(1, 'completed')


def row(phase=Phase.MOVED, reason='', **kwargs):
    return builders.untouched(phase, reason, **kwargs)


def server_event(kind, of):
    return kind(HOST, 1, 2, of)


def ended(*rows, drained=True, trouble=''):
    return events.HostEnded(HOST, 1, len(rows), rows, drained, trouble)


def started(*rows):
    return events.HostStarted(HOST, 0, len(rows), rows)


MOVED = server_event(events.MoveEnded, row(record=RECORD))


class WriterTestCase(unit.TestCase):
    def written(self, *seen, operation=Operation.DRAIN, cloud=CLOUD):
        """Return what a run writes of events."""
        writer = cloud_events.Writer(cloud, operation)
        found = [writer.write(event) for event in seen]
        return [
            json.loads(formats.JSONFormat().write(event))
            for event in found
            if event
        ]

    def one(self, *seen, **kwargs):
        *_others, last = self.written(*seen, **kwargs)
        return last

    def ids(self, *seen, **kwargs):
        return [event['id'] for event in self.written(*seen, **kwargs)]


class TestTypes(WriterTestCase):
    @unit.cases(
        (events.MoveEnded, row(), 'moved'),
        (events.MoveEnded, row(Phase.OFFLOADED), 'offloaded'),
        (events.MoveEnded, row(Phase.FAILED), 'failed'),
        (events.ServerBlocked, row(Phase.BLOCKED), 'blocked'),
        (
            events.MoveDelayed,
            row(Phase.MOVING, 'why', code=codes.Code.STALLED),
            'stalled',
        ),
        (events.MoveDelayed, row(Phase.MOVING, 'why'), None),
        (events.ResultExplained, row(Phase.FAILED, 'why'), None),
        (events.ServerDropped, row(Phase.GONE), None),
        (events.MoveNotAwaited, row(Phase.STILL_MOVING), None),
        (events.ServerChanged, row(Phase.MOVING), None),
        (events.RetryScheduled, row(Phase.SETTLING, 'full'), None),
    )
    def test_of_servers(self, kind, of, wanted):
        found = self.written(server_event(kind, of))
        types = [event['type'] for event in found]
        names = [f'osc-hostmaint.server.{wanted}'] if wanted else []
        self.assertEqual(names, types)

    @unit.cases(*Operation)
    def test_of_hosts(self, operation):
        found = self.written(
            started(row(Phase.WAITING)), ended(row()), operation=operation
        )
        self.assertEqual(
            [
                f'osc-hostmaint.{operation}.started',
                f'osc-hostmaint.{operation}.ended',
            ],
            [event['type'] for event in found],
        )

    def test_what_is_not_told(self):
        self.assertEqual(
            [],
            self.written(
                events.Notice(HOST, 'x'),
                events.Trouble(HOST, 'x'),
                events.Waiting(HOST, 0, 1, 'x'),
                events.LookEnded(HOST, 0, 1),
            ),
        )


class TestContents(WriterTestCase):
    def test_attributes(self):
        first, second = self.written(
            events.MaintenanceSet(HOST, MARK),
            events.DestinationExcluded('cmp02', 'two failed'),
        )
        self.assertEqual(
            ('1.0', CLOUD, HOST, 'application/json', '00000001'),
            tuple(
                first[name]
                for name in 'specversion source subject datacontenttype '
                'sequence'.split()
            ),
        )
        self.assertEqual('00000002', second['sequence'])
        self.assertEqual('cmp02', second['subject'])
        self.assertEqual(first['runid'], second['runid'])
        self.assertEqual(4, uuid.UUID(first['runid']).version)
        self.assertEqual(5, uuid.UUID(first['id']).version)
        time = datetime.datetime.fromisoformat(first['time'])
        self.assertEqual(datetime.timedelta(0), time.utcoffset())

    def test_sequence_has_no_gaps(self):
        """A gap is an event that was lost, not one that was not sent."""
        found = self.written(MOVED, MOVED, events.Notice(HOST, 'x'), ended())
        self.assertEqual(
            ['00000001', '00000002'], [event['sequence'] for event in found]
        )

    @unit.cases(
        (events.MaintenanceSet(HOST, MARK), 'event-maintenance'),
        (events.MaintenanceUnset(HOST, MARK), 'event-maintenance'),
        (started(row(Phase.WAITING)), 'event-started'),
        (ended(row()), 'event-ended'),
        (MOVED, 'event-server'),
        (events.DestinationExcluded(HOST, 'x'), 'event-destination'),
    )
    def test_are_those_of_the_schema(self, event, definition):
        found = self.one(event)
        self.assertEqual(
            list(test_schema.DEFS[definition]['properties']),
            list(found['data']),
        )
        self.assertEqual(
            list(test_schema.DEFS['event']['properties']), list(found)
        )
        (names,) = [
            each['properties']['type']['enum']
            for each in test_schema.DEFS['event']['oneOf']
            if each['properties'].get('data', {}).get('$ref')
            == f'#/$defs/{definition}'
        ]
        self.assertIn(found['type'], names)

    def test_maintenance(self):
        told = {
            'since': '2026-11-21T00:00:00Z',
            'by': MARK.by,
            'reason': 'kernel CHG0042',
        }
        mark = builders.mark(
            since=datetime.datetime(2026, 11, 21, tzinfo=datetime.UTC),
            reason='kernel CHG0042',
        )
        self.assertEqual(
            {'mode': 'maintenance', **told},
            self.one(events.MaintenanceSet(HOST, mark))['data'],
        )
        self.assertEqual(
            {'mode': 'operational', **told},
            self.one(events.MaintenanceUnset(HOST, mark))['data'],
        )
        self.assertEqual(
            {'mode': 'operational', 'since': None, 'by': '', 'reason': ''},
            self.one(events.MaintenanceUnset(HOST, None))['data'],
        )

    def test_names_of_servers_are_kept(self):
        name = '\x1b[2J"é\udcff'
        of = row(record=RECORD, name=name)
        found = self.one(server_event(events.MoveEnded, of))
        self.assertEqual(name, found['data']['name'])

    def test_servers_left(self):
        """They are counted from what is said of each server."""
        first, second = row(Phase.WAITING), row(Phase.WAITING, server_id='vm2')
        blocked = row(Phase.BLOCKED, 'suspended', server_id='vm2')
        found = self.written(
            started(first, second),
            server_event(events.ServerBlocked, blocked),
            MOVED,
            ended(row(record=RECORD), blocked, drained=False),
        )
        self.assertEqual(
            [2, 2, 1, 1], [each['data']['servers_left'] for each in found]
        )
        self.assertEqual(
            {'blocked': 1, 'moved': 1}, found[-1]['data']['results']
        )


class TestIds(WriterTestCase):
    """What a later run says again has the id that it had."""

    SET = events.MaintenanceSet(HOST, MARK)

    @unit.cases(
        SET,
        events.MaintenanceUnset(HOST, MARK),
        started(row(Phase.WAITING)),
        MOVED,
        server_event(events.MoveEnded, row(Phase.FAILED, record=RECORD)),
        server_event(events.ServerBlocked, row(Phase.BLOCKED)),
        ended(row(record=RECORD)),
    )
    def test_of_another_run(self, event):
        one, other = (self.ids(self.SET, event) for _run in range(2))
        self.assertEqual(one, other)
        # The same is not said twice by one run.
        self.assertEqual(one, self.ids(self.SET, event, event))

    def test_how_it_went_does_not_count(self):
        again = server_event(
            events.MoveEnded,
            row(
                record=RECORD,
                seconds=5.0,
                attempts=0,
                reason='again',
                code=codes.Code.SUSPENDED,
            ),
        )
        self.assertEqual(self.ids(self.SET, MOVED), self.ids(self.SET, again))

    @unit.cases(
        (SET, events.MaintenanceSet(HOST, LATER)),
        (SET, events.MaintenanceSet('cmp09', MARK)),
        (SET, events.MaintenanceUnset(HOST, MARK)),
        # Another reason is news.
        (SET, events.MaintenanceSet(HOST, builders.mark(reason='disk'))),
        (
            events.MaintenanceUnset(HOST, MARK),
            events.MaintenanceUnset(HOST, LATER),
        ),
        (
            MOVED,
            server_event(
                events.MoveEnded,
                row(record=builders.migration(2, 'completed', uuid='other')),
            ),
        ),
        (
            MOVED,
            server_event(
                events.MoveEnded, row(server_id='vm2', record=RECORD)
            ),
        ),
        (
            server_event(events.ServerBlocked, row(Phase.BLOCKED)),
            server_event(
                events.ServerBlocked,
                row(Phase.BLOCKED, code=codes.Code.SUSPENDED),
            ),
        ),
        (ended(row()), ended(row(), drained=False)),
        (ended(row()), ended(row(Phase.FAILED))),
        (ended(row(record=RECORD)), ended(row())),
    )
    def test_of_something_else(self, one, other):
        self.assertNotEqual(self.ids(one), self.ids(other))

    def test_of_another_cloud(self):
        self.assertNotEqual(
            self.ids(self.SET), self.ids(self.SET, cloud=f'{CLOUD}2')
        )

    def test_of_another_maintenance(self):
        """A drain begins anew with each."""
        begins = started(row(Phase.WAITING))
        self.assertNotEqual(
            self.ids(self.SET, begins)[1],
            self.ids(events.MaintenanceSet(HOST, LATER), begins)[1],
        )

    def test_of_another_restore(self):
        """It has no mark: when its servers left tells it from others."""
        at = builders.mark().since
        one, same, other = (
            self.ids(
                started(row(Phase.WAITING, left_at=left_at)),
                server_event(
                    events.ServerBlocked, row(Phase.BLOCKED, left_at=left_at)
                ),
                operation=Operation.RESTORE,
            )
            for left_at in (at, at, at + datetime.timedelta(days=1))
        )
        self.assertEqual(one, same)
        self.assertEqual(set(), {*one} & {*other})

    @unit.cases(
        events.MaintenanceUnset(HOST, None),
        events.DestinationExcluded(HOST, 'two failed'),
    )
    def test_what_happens_anew_in_each_run(self, event):
        self.assertNotEqual(self.ids(event), self.ids(event))
