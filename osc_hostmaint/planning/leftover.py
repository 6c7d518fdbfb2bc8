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

"""Allocations on the host that no server or migration there explains.

Mostly they belong to a server that is still being scheduled to the host, or
vanish a moment after a move. What stays is reported, with a way to clean up.
"""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import timing
from osc_hostmaint.planning import verdicts


def find(seen: model.Observation, policy: policies.Policy) -> frozenset[str]:
    """Return the consumers on the host that nothing there explains.

    A consumer is a server, or a migration that holds the source's share.
    """
    if policy.home:
        return frozenset()
    explained = set(seen.servers) | {
        r.uuid
        for r in seen.migrations.values()
        if r.source == seen.host and (r.in_flight or r.awaits_confirmation)
    }
    if policy.evacuate:
        # They hold it until nova-compute is started here, and cleans up.
        explained |= {
            r.server_id
            for r in seen.migrations.values()
            if r.source == seen.host
            and r.type == model.MigrationType.EVACUATION
            and (r.in_flight or r.ended_well)
        }
    return frozenset((seen.consumers or frozenset()) - explained)


def to_visit(
    seen: model.Observation,
    left: collections.abc.Iterable[str],
    now: float,
) -> frozenset[str]:
    """Return the consumers to be looked at as servers."""
    return frozenset(
        consumer
        for consumer in left
        if (view := seen.visited.get(consumer)) is None
        or (
            _coming(seen, view)
            and now - view.seen_at >= timing.ARRIVING_RECHECK_SECONDS
        )
    )


def waits(
    seen: model.Observation,
    left: collections.abc.Collection[str],
    policy: policies.Policy,
    memory: memories.Memory,
    now: float,
) -> bool:
    """Tell whether it is too early to call the leftovers leftovers."""
    if not left:
        return False
    views = [seen.visited.get(consumer) for consumer in left]
    if any(view is None for view in views):
        return True
    # Nobody arrives on a host that has died.
    coming = not policy.evacuate and any(
        view and _coming(seen, view) for view in views
    )
    limit = policy.server_timeout if coming else timing.LEFTOVERS_WAIT_SECONDS
    since = memory.leftover_since
    return since is None or limit is None or now - since < limit


def _coming(seen: model.Observation, view: model.Server) -> bool:
    return (
        view.status == 'BUILD'
        or view.status in verdicts.MOVING_STATUSES
        or view.host == seen.host
    )


def report(
    seen: model.Observation,
    left: collections.abc.Collection[str],
    rows: collections.abc.Iterable[decisions.Row],
) -> list[decisions.Row]:
    """Return the rows with what is left over told, one row a server."""
    told = [
        _told(row, _reason(seen, row.server_id))
        if row.server_id in left
        else row
        for row in rows
    ]
    known = {row.server_id for row in told}
    return told + [_row(seen, i) for i in sorted(left) if i not in known]


def _told(row: decisions.Row, reason: str) -> decisions.Row:
    if row.phase is standing.Phase.FAILED:
        return dataclasses.replace(row, reason=f'{row.reason}; {reason}')
    return dataclasses.replace(
        row, phase=standing.Phase.BLOCKED, reason=reason
    )


def _owner(seen: model.Observation, consumer: str) -> model.Server | None:
    view = seen.visited.get(consumer)
    return view if view and view.status != 'DELETED' else None


def _reason(seen: model.Observation, consumer: str) -> str:
    owner = _owner(seen, consumer)
    although = (
        f'it is on {owner.host or "no host"}'
        if owner
        else 'Nova knows no server of this id: it was deleted, or this is a '
        'migration'
    )
    return (
        f'Placement still holds an allocation of it on {seen.host}, although '
        f'{although}: look (openstack resource provider allocation show '
        f'{consumer}) and clean up (nova-manage placement audit)'
    )


def _row(seen: model.Observation, consumer: str) -> decisions.Row:
    owner = _owner(seen, consumer)
    return decisions.Row(
        server_id=consumer,
        name=owner.name if owner else '',
        host=seen.host,
        status=owner.status if owner else '',
        move='',
        destination=(owner.host or '') if owner else '',
        phase=standing.Phase.BLOCKED,
        reason=_reason(seen, consumer),
        attempts=0,
        seconds=None,
    )
