# SPDX-License-Identifier: Apache-2.0

"""Small values to test with: say what matters, get the rest.

The host that is drained is ``cmp01``; it has been in maintenance since
``SINCE``. Times of the process are seconds; most tests look at ``NOW``.
"""

import dataclasses
import datetime
import typing as ty

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.evacuation import memory as evacuation_memory
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

HOST = 'cmp01'
DEST = 'cmp02'
NOW = 1000.0
INTERRUPTED = policies.Stop('interrupted', codes.Code.INTERRUPTED)
LATE = policies.Stop('late', codes.Code.TIMEOUT)
SINCE = datetime.datetime(2026, 11, 20, 23, 31, 7, tzinfo=datetime.UTC)

#: The state below a status, as Nova has them (nova/api/openstack/common.py).
VM_STATES = {
    'ACTIVE': 'active',
    'PAUSED': 'paused',
    'SHUTOFF': 'stopped',
    'SUSPENDED': 'suspended',
    'SHELVED': 'shelved',
    'SHELVED_OFFLOADED': 'shelved_offloaded',
    'RESCUE': 'rescued',
    'VERIFY_RESIZE': 'resized',
    'ERROR': 'error',
    'SOFT_DELETED': 'soft-delete',
    'DELETED': 'deleted',
    'BUILD': 'building',
}
#: Task states that a status comes with.
TASK_STATES = {
    'MIGRATING': 'migrating',
    'RESIZE': 'resize_migrating',
    'REVERT_RESIZE': 'resize_reverting',
}

#: What a host tells of a guest in a status; nothing where that depends.
POWER_STATES = {
    'ACTIVE': nova_states.PowerState.RUNNING,
    'PAUSED': nova_states.PowerState.PAUSED,
    'SHUTOFF': nova_states.PowerState.SHUTDOWN,
    'SUSPENDED': nova_states.PowerState.SHUTDOWN,
}


#: Of Placement, where it is not to be known who has room.
NO_CAPACITY = (
    exceptions.NotPermitted('Placement: policy says no'),
    exceptions.Unavailable('Placement: no answer'),
    exceptions.ApiTooOld('Placement is too old'),
)


def cloud_time(seconds: float) -> datetime.datetime:
    """Return a time of the cloud so long after the maintenance began."""
    return SINCE + datetime.timedelta(seconds=seconds)


def mark(**kwargs: ty.Any) -> marks.Mark:
    """Return the mark of the host that is drained."""
    mark = {'since': SINCE, 'by': 'alice', 'reason': 'kernel'}
    return marks.Mark(**mark | kwargs)


def service(**kwargs: ty.Any) -> model.Service:
    """Return the compute service of a host in maintenance."""
    enabled = kwargs.get('enabled', False)
    return model.Service(
        **{
            'id': '7d1c5b5e-0000-4000-8000-000000000001',
            'host': HOST,
            'zone': 'nova',
            'up': True,
            'enabled': enabled,
            'disabled_reason': None if enabled else marks.write(mark()),
            **kwargs,
        }
    )


def server(server_id='vm1', status='ACTIVE', **kwargs) -> model.Server:
    """Return a server on the host that is drained, seen just now."""
    host = None if status in ('SHELVED_OFFLOADED', 'DELETED') else HOST
    return model.Server(
        **{
            'id': server_id,
            'name': f'name of {server_id}',
            'status': status,
            'vm_state': VM_STATES.get(status, 'active'),
            'task_state': TASK_STATES.get(status),
            'host': host,
            'power_state': POWER_STATES.get(status),
            'addresses': ('10.0.0.5',),
            'memory_mb': 512,
            'seen_at': NOW,
            **kwargs,
        }
    )


def migration(record_id=1, status='running', server_id='vm1', **kwargs):
    """Return a record of a live migration off the host, of this run."""
    return model.Migration(
        **{
            'id': record_id,
            'uuid': f'uuid of migration {record_id}',
            'server_id': server_id,
            'type': model.MigrationType.LIVE,
            'status': status,
            'source': HOST,
            'dest': DEST,
            'created_at': cloud_time(60),
            'seen_at': NOW,
            **kwargs,
        }
    )


def evacuation(record_id=1, status='pre-migrating', server_id='vm1', **kwargs):
    kind = model.MigrationType.EVACUATION
    return migration(record_id, status, server_id, **{'type': kind, **kwargs})


def dead(**kwargs: ty.Any) -> model.Service:
    return service(**{'up': False, 'forced_down': True, **kwargs})


def observation(servers=(), migrations=(), visited=(), **kwargs):
    """Return a look at the host, everything as of just now."""
    return model.Observation(
        **{
            'host': HOST,
            'service': service(),
            'servers': {s.id: s for s in servers},
            'servers_at': NOW,
            'service_at': NOW,
            'visited': {s.id: s for s in visited},
            'migrations': {m.id: m for m in migrations},
            'migrations_at': NOW,
            'consumers': frozenset(),
            'consumers_at': NOW,
            **kwargs,
        }
    )


def server_memory(before=None, **kwargs) -> memories.ServerMemory:
    """Return what is remembered of a server: nothing but how it was."""
    return memories.ServerMemory(before=before or server(), **kwargs)


def remember(remembered, kind, request) -> memories.ServerMemory:
    """Return the track with what came of asking for one kind of thing."""
    changes: dict[str, ty.Any] = {
        'requests': {**remembered.requests, kind: request}
    }
    if kind in memories.RECORDED:
        changes['latest'] = kind
    return dataclasses.replace(remembered, **changes)


def memory(*servers, **kwargs) -> memories.HostMemory:
    """Return the memory of a run in the middle of it."""
    own = {
        field.name: kwargs.pop(field.name)
        for field in dataclasses.fields(evacuation_memory.EvacuationMemory)
        if field.name in kwargs
    }
    return memories.HostMemory(
        **{
            'servers': {t.before.id: t for t in servers},
            'history': frozenset(),
            'own': evacuation_memory.EvacuationMemory(**own) if own else None,
            **kwargs,
        }
    )


def row(server_id: str = 'vm1', **kwargs: ty.Any) -> decisions.Row:
    """Return what is reported of a server that was moved."""
    return decisions.Row(
        **{
            'server_id': server_id,
            'name': f'name of {server_id}',
            'host': HOST,
            'status': 'ACTIVE',
            'move': 'live migration',
            'destination': DEST,
            'phase': server_status.Phase.MOVED,
            'reason': '',
            'attempts': 1,
            'seconds': 4.2,
            **kwargs,
        }
    )


def untouched(phase=server_status.Phase.WAITING, reason='', **kwargs):
    """Return the row of a server that nothing has been done with yet."""
    values = {'destination': '', 'attempts': 0, 'seconds': None, **kwargs}
    return row(phase=phase, reason=reason, **values)


def decision(rows=(), **kwargs) -> decisions.Decision:
    """Return a decision that asks for nothing."""
    return decisions.Decision(
        **{
            'actions': (),
            'rows': tuple(rows),
            'query': decisions.Query(),
            'memory': memory(),
            'done': False,
            **kwargs,
        }
    )


def ended(*rows, host=HOST, **kwargs) -> events.HostEnded:
    """Return the end of a host that is drained."""
    return events.HostEnded(
        **{
            'host': host,
            'done': len(rows),
            'total': len(rows),
            'rows': rows,
            'drained': not any(row.left for row in rows),
            'trouble': '',
            **kwargs,
        }
    )


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []

    def publish(self, event: events.Event) -> None:
        self.events.append(event)

    @property
    def troubles(self) -> list[tuple[str, str]]:
        """The troubles: of which hosts, and the words."""
        return [
            (event.host, event.reason)
            for event in self.events
            if isinstance(event, events.Notice)
        ]
