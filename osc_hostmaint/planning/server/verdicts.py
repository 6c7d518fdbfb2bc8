# SPDX-License-Identifier: Apache-2.0

"""What can be done with a server that is on the host, state by state.

An ordered list of small rules: the first that has a verdict gives it. A
verdict is WAITING with the move that comes next, BUSY until something else has
ended, or BLOCKED with what is wrong and what the operator can do. Which state
allows which move follows Nova's API (nova/compute/api.py, the
``check_instance_state`` decorators of live_migrate, resize, resume, shelve
and shelve_offload).

Reasons are data for scripts as much as text for people, so they are not
translated.
"""

from collections import abc
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

if ty.TYPE_CHECKING:
    from osc_hostmaint.planning import operation as operations

ActionKind = memories.ActionKind
Code = codes.Code
Phase = server_status.Phase
ServerStatus = server_status.ServerStatus


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What counts beside the server's state."""

    operation: 'operations.Operation'
    #: Why it can't be live-migrated; '' while that is not known.
    no_live: str = ''
    #: We resumed it, and it is to be suspended again.
    resumed: bool = False
    #: We shelved it.
    shelving: bool = False
    #: It was off before its state was lost, and is to be off again.
    was_stopped: bool = False

    @property
    def policy(self) -> policies.Policy:
        """What the operator asked for."""
        return self.operation.policy


Rule = abc.Callable[[model.Server, Terms], ServerStatus | None]


def blocked(code: Code, reason: str) -> ServerStatus:
    """Return that a server stays, and what is to be done first."""
    return ServerStatus(Phase.BLOCKED, reason, code)


def _move(move: model.Move, ask: ActionKind) -> ServerStatus:
    return ServerStatus(Phase.WAITING, move=move, ask=ask)


_LIVE = _move(model.Move.LIVE, ActionKind.LIVE_MIGRATE)
_COLD = _move(model.Move.COLD, ActionKind.COLD_MIGRATE)


def _moving(server: model.Server, _terms: Terms) -> ServerStatus | None:
    if server.status in nova_states.MOVING:
        return ServerStatus(Phase.BUSY, 'already moving', Code.MOVING)
    return None


def excluded(server: model.Server, terms: Terms) -> ServerStatus | None:
    if server.id in terms.policy.exclude:
        reason = f'left {terms.operation.stays} (--exclude)'
        return blocked(Code.EXCLUDED, reason)
    # What we have shelved is offloaded.
    if tenant_policy.leaves(terms.policy, server) and not terms.shelving:
        return blocked(
            Code.TENANT_POLICY,
            f'left {terms.operation.stays}, as its owner wants: ask them, or '
            'use --tenant-policy ignore',
        )
    return None


def _active(server: model.Server, terms: Terms) -> ServerStatus:
    match tenant_policy.running(terms.policy, server):
        case policies.Running.LEAVE:
            return blocked(
                Code.RUNNING,
                'left running here (--running leave): use --running live',
            )
        case policies.Running.COLD:
            return _COLD
        case policies.Running.LIVE_OR_COLD if terms.no_live:
            return dataclasses.replace(
                _COLD, reason=terms.no_live, code=Code.MOVE_FAILED
            )
        case _:
            return _LIVE


def _paused(server: model.Server, terms: Terms) -> ServerStatus:
    unpause = f'unpause it (openstack server unpause {server.id})'
    match tenant_policy.running(terms.policy, server):
        case policies.Running.LEAVE:
            return blocked(
                Code.PAUSED,
                'left paused here (--running leave): use --running live',
            )
        case policies.Running.COLD:
            return blocked(
                Code.PAUSED,
                'a paused server cannot be cold-migrated: use --running live, '
                f'or {unpause} and run this again',
            )
        case policies.Running.LIVE_OR_COLD if terms.no_live:
            return blocked(
                Code.PAUSED,
                f'{terms.no_live}; a paused server cannot be cold-migrated: '
                f'{unpause} and run this again',
            )
        case _:
            return _LIVE


def _stopped(_server: model.Server, terms: Terms) -> ServerStatus:
    if terms.policy.stopped is policies.Stopped.LEAVE:
        return blocked(
            Code.STOPPED,
            'left stopped here (--stopped leave): use --stopped cold',
        )
    return _COLD


def _suspended(server: model.Server, terms: Terms) -> ServerStatus:
    match terms.policy.suspended:
        case policies.Suspended.RESUME:
            return _move(model.Move.LIVE, ActionKind.RESUME)
        case policies.Suspended.SHELVE:
            return _move(model.Move.SHELVE, ActionKind.SHELVE)
        case policies.Suspended.LEAVE:
            empties = terms.operation.empties_host
            shelve = ', or --suspended shelve' if empties else ''
            return blocked(
                Code.SUSPENDED,
                'a suspended server cannot be migrated: use --suspended '
                f'resume, which suspends it again after the move{shelve}; or '
                f'resume it (openstack server resume {server.id}) and run '
                'this again',
            )


def _shelved(server: model.Server, terms: Terms) -> ServerStatus:
    leave = terms.policy.shelved is policies.Shelved.LEAVE
    if leave and not terms.shelving:
        return blocked(
            Code.SHELVED,
            'left shelved here (--shelved leave): use --shelved '
            'offload, or offload it (openstack server shelve --offload '
            f'{server.id})',
        )
    return _move(model.Move.SHELVE, ActionKind.OFFLOAD)


def _offloaded(_server: model.Server, _terms: Terms) -> ServerStatus:
    # Nova sets the status first, and clears the host after that
    # (nova/compute/manager.py: _shelve_offload_instance).
    reason = 'offloaded; it is leaving the host'
    return ServerStatus(Phase.BUSY, reason, Code.BUSY)


def _resized(server: model.Server, terms: Terms) -> ServerStatus:
    if terms.policy.resized is policies.Resized.CONFIRM:
        return _move(model.Move.RESIZE, ActionKind.CONFIRM)
    return blocked(
        Code.RESIZED,
        'its owner has not confirmed a resize: use --resized confirm, or '
        f'confirm it (openstack server resize confirm {server.id}) or revert '
        f'it (openstack server resize revert {server.id})',
    )


_NEVER_MOVED: dict[str, Code] = {
    nova_states.Status.RESCUE: Code.RESCUED,
    nova_states.Status.ERROR: Code.ERROR,
    nova_states.Status.SOFT_DELETED: Code.SOFT_DELETED,
}


def _unmovable(server: model.Server, _terms: Terms) -> ServerStatus:
    if why := nova_states.NEVER_MOVED.get(server.status):
        code = _NEVER_MOVED.get(server.status, Code.OTHER_STATE)
        return blocked(code, why.format(id=server.id))
    return blocked(
        Code.OTHER_STATE,
        f'this command cannot move a server in status {server.status}: check '
        f'it (openstack server show {server.id}), move it by hand and run '
        'this again',
    )


#: What depends on the policy, by the status at rest.
_BY_STATUS: dict[str, abc.Callable[[model.Server, Terms], ServerStatus]]
_BY_STATUS = {
    nova_states.Status.ACTIVE: _active,
    nova_states.Status.PAUSED: _paused,
    nova_states.Status.SHUTOFF: _stopped,
    nova_states.Status.SUSPENDED: _suspended,
    nova_states.Status.SHELVED: _shelved,
    nova_states.Status.SHELVED_OFFLOADED: _offloaded,
    nova_states.Status.VERIFY_RESIZE: _resized,
}


def _by_status(server: model.Server, terms: Terms) -> ServerStatus:
    # Before its task: a server in ERROR may keep that for ever.
    if server.status == nova_states.Status.ERROR:
        return _unmovable(server, terms)
    if server.task_state or server.status in nova_states.BUSY:
        reason = f'busy: {server.task_state or server.status}'
        return ServerStatus(Phase.BUSY, reason, Code.BUSY)
    # Whatever --running says: a restart would lose what was suspended.
    if terms.resumed and server.status == nova_states.Status.ACTIVE:
        return _LIVE
    return _BY_STATUS.get(server.status, _unmovable)(server, terms)


RULES: tuple[Rule, ...] = (_moving, excluded, _by_status)


def judge(server: model.Server, terms: Terms) -> ServerStatus:
    """Return what is to be done with a server that is on the host."""
    verdicts = (rule(server, terms) for rule in terms.operation.rules)
    return next(verdict for verdict in verdicts if verdict)
