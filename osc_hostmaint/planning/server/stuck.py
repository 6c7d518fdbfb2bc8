# SPDX-License-Identifier: Apache-2.0

"""Servers that Nova began something with, and nothing works on any more.

A lost message or a nova-compute that died may leave a task state or a record
that never ends. Nova keeps no sign of life of what it does, only when it last
changed something. So times are compared that Nova itself has written.
"""

import datetime

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Code = codes.Code
Observation = model.Observation
Phase = server_status.Phase
Server = model.Server
ServerStatus = server_status.ServerStatus
Status = nova_states.Status
TaskState = nova_states.TaskState
_LIVE = model.MigrationType.LIVE


def judge(
    context: contexts.ServerContext, status: ServerStatus
) -> ServerStatus:
    """Return where a server stands, which is not awaited if it is stuck.

    :param status: where it stands if it is not.
    """
    awaited = status.phase in (Phase.BUSY, Phase.MOVING)
    return (awaited and assess(context)) or status


def assess(context: contexts.ServerContext) -> ServerStatus | None:
    """Return that nothing has happened to a server for long, or None."""
    seen, view = context.seen, context.view
    if view is None or view.deleted:
        return None
    open_ = _open(seen, view)
    if not (open_ or view.task_state or view.status in _UNDER_WAY):
        return None
    looked = view.seen_at
    live = bool(open_) and open_[-1].type == _LIVE
    since = context.remembered.under_way_since
    if live:
        # It may wait in Nova's queue, which does not count as under way.
        since = open_[-1].seen_at
    if is_long_unchanged(seen, view, looked if since is None else since):
        return ServerStatus(Phase.BLOCKED, describe(seen, view), Code.STUCK)
    limit = timing.STUCK_SECONDS
    if (
        since is None
        # Of those --on-stall says how long they are awaited.
        or live
        or context.policy.server_timeout is not None
        or min(looked, seen.migrations_at) - since < limit
        or (age := unchanged_for(seen, view, looked)) is None
        or age < limit
    ):
        return None
    reason = describe(seen, view)
    return ServerStatus(Phase.BLOCKED, reason, Code.STUCK, given_up=True)


def is_long_unchanged(seen: Observation, view: Server, came_at: float) -> bool:
    """Tell whether nothing had happened to a server for long when we came.

    :param view: of a server that Nova is doing something with.
    """
    age = unchanged_for(seen, view, came_at)
    return age is not None and age >= timing.FOUND_STUCK_SECONDS


def describe(seen: Observation, view: Server) -> str:
    """Return since when nothing has happened to a server, and what helps."""
    changed, age = (
        _last_change(seen, view),
        unchanged_for(seen, view, view.seen_at),
    )
    what = view.task_state or view.status
    if open_ := _open(seen, view):
        record = open_[-1]
        what += f' ({memories.move_of(record)} "{record.status}")'
    return (
        f'stuck in {what} for {_duration(age or 0.0)}, since '
        f'{changed:%Y-%m-%d %H:%M} UTC: {_way_out(seen, view)}'
    )


_UNDER_WAY = frozenset(
    {*nova_states.BUSY, *nova_states.MOVING, Status.SHELVED_OFFLOADED}
)


def _open(seen: Observation, view: Server) -> list[model.Migration]:
    """Return the records of a server that have not ended, oldest first."""
    records = sorted(seen.migrations.items())
    return [r for _id, r in records if r.server_id == view.id and r.in_flight]


def _last_change(seen: Observation, view: Server) -> datetime.datetime | None:
    """Return when something last happened to a server, by Nova's clock."""
    if view.updated_at is None:
        return None
    records = _open(seen, view)
    queued = next(
        (r for r in records if r.status in nova_states.NOT_BEGUN), None
    )
    if queued and queued.type == _LIVE:
        # It has its turn after those that were asked for before it.
        records += [
            r
            for r in seen.migrations.values()
            if r.type == _LIVE
            and r.source == queued.source
            and r.id < queued.id
        ]
    times = (r.updated_at or r.created_at for r in records)
    return max([view.updated_at, *times])


def unchanged_for(seen: Observation, view: Server, at: float) -> float | None:
    """Return for how many seconds nothing had happened at a time.

    :param at: by our clock.
    """
    changed, now = _last_change(seen, view), seen.nova_time_at(at)
    if changed is None or now is None:
        return None
    return (now - changed).total_seconds()


def _duration(seconds: float) -> str:
    """Return a duration that changes seldom, as each one is printed."""
    hours = int(seconds // 3600)
    if hours >= 48:
        return f'{hours // 24} days'
    least = timing.STUCK_SECONDS / 60
    return f'{hours} h' if hours else f'more than {least:.0f} min'


def _way_out(seen: Observation, view: Server) -> str:
    """Return what the operator can do."""
    host, delete = view.host, f'openstack server delete {view.id}'
    active = f'openstack server set --state active {view.id}'
    if view.vm_state != nova_states.VmState.ACTIVE:
        active += '; Nova then calls it ACTIVE, whatever its guest is'
    unless = (
        f'unless nova-compute on {host} is still working on it (check its log)'
    )
    if view.task_state in (TaskState.DELETING, TaskState.SOFT_DELETING):
        # The API ignores a second request (nova/compute/api.py: _delete).
        return (
            f'reset it (openstack server set --state error {view.id}), delete '
            f'it ({delete}) and run this again'
        )
    if view.status == Status.BUILD:
        return (
            f'delete it ({delete}) so that its owner can create it again, and '
            'run this again'
        )
    if view.status == Status.SHELVED_OFFLOADED:
        return f'check its events (openstack server event list {view.id})'
    if not seen.service.up and host == seen.host:
        dests = (r.dest for r in _open(seen, view) if r.dest)
        unless = (
            f'unless {next(dests, "another host")} is still building it, or '
            'is down (Nova then continues once it is back)'
        )
    if view.task_state == TaskState.MIGRATING:
        unless = f'if its guest runs on {host}'
    if view.task_state == TaskState.RESIZE_MIGRATING:
        # A reset would leave its guest off, and half of its disk elsewhere.
        return (
            'unless its disk is still being copied (check the log of '
            f'nova-compute on {host}), restart nova-compute there, which '
            'takes it back, and run this again'
        )
    restart = ''
    if view.task_state in nova_states.ENDED_BY_RESTART:
        restart = 'restart nova-compute there or '
    return f'{unless}, {restart}reset the server ({active}) and run this again'
