# SPDX-License-Identifier: Apache-2.0

"""Events of a run as CloudEvents 1.0.

``doc/source/user/events.rst`` and ``schema.json`` have what they contain.
"""

from collections import abc
import datetime
import json
import typing as ty
import uuid

from cloudevents.core.v1 import event as cloudevents

from osc_hostmaint import events
from osc_hostmaint import mark as marks
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.host import decision as decisions

CloudEvent = cloudevents.CloudEvent
Operation = events.Operation
Result = decisions.Result

#: What the types of all these events begin with.
PREFIX = 'osc-hostmaint.'
_BY_RESULT = {
    Result.MOVED: 'server.moved',
    Result.OFFLOADED: 'server.offloaded',
    Result.FAILED: 'server.failed',
    Result.BLOCKED: 'server.blocked',
}
#: Results whose code tells one event from another.
_TOLD_BY_CODE = (Result.FAILED, Result.BLOCKED)


class Writer:
    """Turns the events of one run into CloudEvents.

    The id of one says what has happened, not when it was seen: a run that
    continues another one, or that runs beside it, gives the same id to the
    same thing.
    """

    def __init__(self, source: str, operation: Operation):
        """:param source: the cloud's URI.

        :param operation: what the run moves servers for, if it does.
        """
        self._source = source
        self._operation = operation
        self._run = str(uuid.uuid4())
        self._count = 0
        #: By host, while its servers leave it.
        self._marks: dict[str, marks.Mark] = {}
        #: By host: its servers, and whether they are left there.
        self._left: dict[str, dict[str, bool]] = {}
        self._ids: set[str] = set()

    def write(self, event: events.Event) -> CloudEvent | None:
        """Return the CloudEvent for an event, None if there is none."""
        match event:
            case events.MaintenanceSet(mark=mark):
                self._marks[event.host] = mark
                data = {'mode': 'maintenance', **_owner(mark)}
                said = (mark.by, mark.reason)
                return self._new(event.host, 'maintenance.set', data, said)
            case events.MaintenanceUnset(mark=mark):
                data = {'mode': 'operational', **_owner(mark)}
                # Without a mark nothing says which maintenance is over.
                which = (_iso(mark.since) if mark else self._run,)
                return self._new(event.host, 'maintenance.unset', data, which)
            case events.DestinationExcluded():
                data = {'reason': event.reason}
                name, run = 'destination.excluded', (self._run,)
                return self._new(event.host, name, data, run)
            case events.HostStarted():
                return self._started(event)
            case events.HostEnded():
                return self._ended(event)
            case events.ServerEvent():
                return self._server(event)
        return None

    def _started(self, event: events.HostStarted) -> CloudEvent | None:
        self._note(event.host, event.rows)
        identity: abc.Collection[ty.Any] = ()
        if event.host not in self._marks:
            identity = sorted(
                (row.server_id, _left_at(row)) for row in event.rows
            )
        data = {'servers': event.total, **self._servers_left(event.host)}
        name = f'{self._operation}.started'
        return self._new(event.host, name, data, identity)

    def _ended(self, event: events.HostEnded) -> CloudEvent | None:
        self._note(event.host, event.rows)
        data = {
            'done': event.drained,
            'servers': event.total,
            **self._servers_left(event.host),
            'results': {str(k): n for k, n in sorted(event.results.items())},
            'reason': event.trouble,
        }
        ends = [
            (row.server_id, str(row.result), _migration(row) or _left_at(row))
            for row in event.rows
        ]
        identity = (event.drained, event.trouble, sorted(ends))
        name = f'{self._operation}.ended'
        return self._new(event.host, name, data, identity)

    def _server(self, event: events.ServerEvent) -> CloudEvent | None:
        row = event.row
        self._note(event.host, (row,))
        if isinstance(event, events.MoveDelayed):
            name = 'server.stalled' if row.code is codes.Code.STALLED else None
        elif isinstance(event, events.ResultExplained):
            name = None
        else:
            name = _BY_RESULT.get(row.result) if row.result else None
        if not name:
            return None
        data = {
            'operation': str(self._operation),
            'server_id': row.server_id,
            'name': row.name,
            'host': row.host,
            'status': row.status,
            'move': row.move,
            'destination': row.destination,
            'result': str(row.result or ''),
            'migration': _migration(row) or None,
            'code': str(row.code),
            'reason': row.reason,
            'attempts': row.attempts,
            'seconds': row.seconds and round(row.seconds, 1),
            **self._servers_left(event.host),
        }
        told = row.code if row.result in _TOLD_BY_CODE else ''
        identity = (row.server_id, _migration(row), told, _left_at(row))
        return self._new(event.host, name, data, identity)

    def _note(self, host: str, rows: abc.Iterable[decisions.Row]) -> None:
        left = self._left.setdefault(host, {})
        left.update({row.server_id: row.left for row in rows})

    def _servers_left(self, host: str) -> dict[str, int]:
        return {'servers_left': sum(self._left[host].values())}

    def _new(
        self,
        host: str,
        name: str,
        data: dict[str, ty.Any],
        identity: abc.Collection[ty.Any],
    ) -> CloudEvent | None:
        """Return an event, None if this run has told the same before.

        :param identity: tells it from others of its type, its host and the
            maintenance.
        """
        mark = self._marks.get(host)
        since = _iso(mark.since) if mark else ''
        key = json.dumps([self._source, host, since, name, *identity])
        id_ = str(uuid.uuid5(uuid.NAMESPACE_URL, key))
        if id_ in self._ids:
            return None
        self._ids.add(id_)
        self._count += 1
        return CloudEvent(
            {
                'specversion': '1.0',
                'id': id_,
                'source': self._source,
                'type': PREFIX + name,
                'subject': host,
                'time': datetime.datetime.now(datetime.UTC),
                'datacontenttype': 'application/json',
                'runid': self._run,
                # Sorted as text, as the extension wants it.
                'sequence': f'{self._count:08d}',
            },
            data,
        )


def _owner(mark: marks.Mark | None) -> dict[str, ty.Any]:
    return {
        'since': _iso(mark.since) if mark else None,
        'by': mark.by if mark else '',
        'reason': mark.reason if mark else '',
    }


def _iso(time: datetime.datetime | None) -> str:
    return marks.iso(time) if time else ''


def _left_at(row: decisions.Row) -> str:
    """Return when a server left that comes back, '' in a drain."""
    return _iso(row.left_at)


def _migration(row: decisions.Row) -> str:
    """Return the UUID of the migration that counts, '' if there is none."""
    return row.record.uuid if row.record else ''
