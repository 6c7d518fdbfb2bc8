# SPDX-License-Identifier: Apache-2.0

"""Cells that do not answer: nothing is known about their hosts and servers.

Nova silently leaves them out of its lists. So a server that a list does not
show has not left, and is not gone.
"""

from collections import abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Phase = server_status.Phase

CELL = contexts.SILENT
ONCE = 'run this again once it answers'
#: Of a server, in the end.
LEFT = f'{CELL}: {ONCE}'


def words(host: str) -> str:
    """Return the error of a host whose cell does not answer."""
    return (
        f'host {host}: {CELL}, so Nova knows nothing about the host and its '
        "servers. Find out why nova-api cannot reach the cell's database; "
        f'{ONCE}'
    )


def hint(hosts: abc.Collection[str]) -> str:
    """Return why requests may fail while cells do not answer, or ''."""
    if not hosts:
        return ''
    names = sorted(hosts)
    more = f' and {len(names) - 3} others' if len(names) > 4 else ''
    named = ', '.join(names[:3] if more else names)
    return (
        f'the cell of {named}{more} does not answer, so some '
        'requests to Nova fail (lists, if [api] '
        'list_records_by_skipping_down_cells is false)'
    )


def is_lost(seen: model.Observation) -> bool:
    """Tell whether Nova knows nothing about the host now."""
    return bool(seen.silent) or not seen.service.id


def answered(seen: model.Observation) -> bool:
    """Tell whether the host's cell answered after the servers were listed.

    Otherwise the list may lack servers.
    """
    return not is_lost(seen) and seen.service_at >= seen.servers_at


def given_up(
    seen: model.Observation, memory: memories.HostMemory
) -> frozenset[str]:
    """Return servers whose cells are not awaited any longer."""
    limit = timing.OUTAGE_LIMIT_SECONDS
    return frozenset(
        server_id
        for server_id, at in seen.unseen.items()
        if at - memory.unseen_since.get(server_id, at) >= limit
    )


def over(seen: model.Observation, memory: memories.HostMemory) -> str:
    """Return why a host is not awaited any longer, '' if it is."""
    limit = timing.DOWN_GRACE_SECONDS
    if seen.silent:
        limit = timing.OUTAGE_LIMIT_SECONDS
    since = memory.lost_since
    if since is None or seen.service_at - since < limit:
        return ''
    if seen.silent:
        return words(seen.silent)
    return (
        f'Nova no longer lists a compute service on {seen.host}: it was '
        f'deleted, or {CELL} (see openstack compute service list)'
    )


def hide(
    context: contexts.ServerContext, status: server_status.ServerStatus
) -> server_status.ServerStatus:
    """Return where a server stands, or that its cell does not answer.

    In that case nothing is requested and nothing is concluded.
    """
    seen = context.seen
    unseen_at = seen.unseen.get(context.server_id)
    due = unseen_at is None or is_due(seen, unseen_at, context.now)
    if status.phase in server_status.FINAL:
        return dataclasses.replace(status, visit=status.visit and due)
    hidden = server_status.ServerStatus(
        Phase.SETTLING,
        record=status.record,
        pending=status.pending,
        destination=status.destination,
    )
    if is_lost(seen):
        # None is started now.
        return status if status.phase is Phase.WAITING else hidden
    if unseen_at is None:
        return status
    since = context.unseen_since
    if since is not None and unseen_at - since >= timing.OUTAGE_LIMIT_SECONDS:
        return dataclasses.replace(
            hidden,
            phase=Phase.FAILED,
            reason=LEFT,
            code=codes.Code.CELL_DOWN,
            given_up=True,
        )
    return dataclasses.replace(hidden, visit=due)


def is_due(seen: model.Observation, unseen_at: float, now: float) -> bool:
    """Tell whether to look again at a server whose cell did not answer."""
    answers = not is_lost(seen) and seen.service_at > unseen_at
    return answers or now - unseen_at >= timing.UNLISTED_RECHECK_SECONDS


def wait(seen: model.Observation) -> server_status.Wait | None:
    """Return the wait for cells to answer, None if every one does."""
    limit = f'at most {timing.OUTAGE_LIMIT_SECONDS:.0f} s'
    if seen.silent:
        reason = f'the cell of {seen.silent} to answer ({limit})'
    elif seen.unseen:
        servers = ', '.join(sorted(seen.unseen))
        reason = f'the cells of servers to answer ({limit}): {servers}'
    else:
        return None
    return server_status.Wait(reason)
