# SPDX-License-Identifier: Apache-2.0

"""What can be done with a server that lies on the host, state by state.

An ordered list of small rules: the first that has a verdict gives it. Which
state allows which move follows Nova's API (nova/compute/api.py, the
``check_instance_state`` decorators of live_migrate, resize, resume, shelve
and shelve_offload).

Reasons are data for scripts as much as text for people, so they are not
translated.
"""

import collections.abc
import dataclasses
import enum

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories


class Answer(enum.Enum):
    """What a verdict says."""

    MOVE = enum.auto()
    WAIT = enum.auto()
    BLOCKED = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a server, and why."""

    answer: Answer
    #: Only with MOVE.
    move: model.Move | None = None
    #: With MOVE: what is to be asked of Nova first.
    ask: memories.Kind | None = None
    #: Of an evacuation: it is to stay stopped.
    stopped: bool = False
    #: With BLOCKED: what is wrong, and what the operator can do.
    reason: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What counts beside the server's state."""

    policy: policies.Policy = dataclasses.field(
        default_factory=policies.Policy
    )
    #: Why it can't be live-migrated; '' while that is not known.
    no_live: str = ''
    #: We resumed it, and it is to be suspended again.
    resumed: bool = False
    #: We shelved it.
    shelving: bool = False
    #: It was off before its state was lost, and is to be off again.
    off: bool = False


Rule = collections.abc.Callable[[model.Server, Terms], Verdict | None]

#: Statuses that only a server on its way between two hosts has.
MOVING_STATUSES = frozenset({'MIGRATING', 'RESIZE', 'REVERT_RESIZE'})
_BUSY_STATUSES = frozenset({'BUILD', 'REBUILD', 'REBOOT', 'HARD_REBOOT'})

_WAYS_OUT = {
    'RESCUE': 'a server in rescue can not be moved: end that (openstack '
    'server unrescue {id}) and run this again',
    'ERROR': 'in ERROR: find out why (openstack server show {id}); then '
    'repair it, reset it (openstack server set --state active {id}) or '
    'delete it, and run this again',
    'SOFT_DELETED': 'deleted by its owner, can still be restored, and lies '
    'on the host until then: restore it (openstack server restore {id}) or '
    'delete it for good (openstack server delete --force {id})',
}


def _move(move: model.Move, ask: memories.Kind, reason: str = '') -> Verdict:
    return Verdict(Answer.MOVE, move=move, ask=ask, reason=reason)


def _blocked(reason: str) -> Verdict:
    return Verdict(Answer.BLOCKED, reason=reason)


_LIVE = _move(model.Move.LIVE, memories.Kind.LIVE_MIGRATE)
_COLD = _move(model.Move.COLD, memories.Kind.COLD_MIGRATE)


def _moving(server: model.Server, _terms: Terms) -> Verdict | None:
    if server.status in MOVING_STATUSES:
        return Verdict(Answer.WAIT, reason='already moving')
    return None


def _excluded(server: model.Server, terms: Terms) -> Verdict | None:
    if server.id in terms.policy.exclude:
        where = 'where it is' if terms.policy.home else 'here'
        return _blocked(f'left {where} (--exclude)')
    return None


def _broken(server: model.Server, _terms: Terms) -> Verdict | None:
    # Before _busy: a server in ERROR may keep its task state for ever.
    if server.status == 'ERROR':
        return _blocked(_WAYS_OUT[server.status].format(id=server.id))
    return None


def _busy(server: model.Server, _terms: Terms) -> Verdict | None:
    if server.task_state:
        return Verdict(Answer.WAIT, reason=f'busy: {server.task_state}')
    if server.status in _BUSY_STATUSES:
        return Verdict(Answer.WAIT, reason=f'busy: {server.status}')
    return None


def _resumed(server: model.Server, terms: Terms) -> Verdict | None:
    # Whatever --running says: a restart would lose what was suspended.
    if terms.resumed and server.status == 'ACTIVE':
        return _LIVE
    return None


def _active(server: model.Server, terms: Terms) -> Verdict | None:
    if server.status != 'ACTIVE':
        return None
    match terms.policy.running:
        case policies.Running.LEAVE:
            return _blocked(
                'left running here (--running leave): use --running live'
            )
        case policies.Running.COLD:
            return _COLD
        case policies.Running.LIVE_OR_COLD if terms.no_live:
            return dataclasses.replace(_COLD, reason=terms.no_live)
        case _:
            return _LIVE


def _paused(server: model.Server, terms: Terms) -> Verdict | None:
    if server.status != 'PAUSED':
        return None
    unpause = f'unpause it (openstack server unpause {server.id})'
    match terms.policy.running:
        case policies.Running.LEAVE:
            return _blocked(
                'left paused here (--running leave): use --running live'
            )
        case policies.Running.COLD:
            return _blocked(
                'a paused server can not be cold-migrated: use '
                f'--running live, or {unpause} and run this again'
            )
        case policies.Running.LIVE_OR_COLD if terms.no_live:
            return _blocked(
                f'{terms.no_live}; a paused server can not be cold-migrated: '
                f'{unpause} and run this again'
            )
        case _:
            return _LIVE


def _stopped(server: model.Server, terms: Terms) -> Verdict | None:
    if server.status != 'SHUTOFF':
        return None
    if terms.policy.stopped is policies.Stopped.LEAVE:
        return _blocked(
            'left stopped here (--stopped leave): use --stopped cold'
        )
    return _COLD


def _suspended(server: model.Server, terms: Terms) -> Verdict | None:
    if server.status != 'SUSPENDED':
        return None
    match terms.policy.suspended:
        case policies.Suspended.RESUME:
            return _move(model.Move.LIVE, memories.Kind.RESUME)
        case policies.Suspended.SHELVE:
            return _move(model.Move.SHELVE, memories.Kind.SHELVE)
        case policies.Suspended.LEAVE:
            # What is shelved has no home.
            shelve = '' if terms.policy.home else ', or --suspended shelve'
            return _blocked(
                'a suspended server can be neither live- nor cold-migrated: '
                f'use --suspended resume, which suspends it again{shelve}; or '
                f'resume it (openstack server resume {server.id}) and run '
                'this again'
            )


def _shelved(server: model.Server, terms: Terms) -> Verdict | None:
    if server.status != 'SHELVED':
        return None
    leave = terms.policy.shelved is policies.Shelved.LEAVE
    if leave and not terms.shelving:
        return _blocked(
            'left shelved here (--shelved leave): use --shelved '
            'offload, or offload it (openstack server shelve --offload '
            f'{server.id})'
        )
    return _move(model.Move.SHELVE, memories.Kind.OFFLOAD)


def _offloaded(server: model.Server, _terms: Terms) -> Verdict | None:
    # Nova sets the status first, and clears the host after that
    # (nova/compute/manager.py: _shelve_offload_instance).
    if server.status == 'SHELVED_OFFLOADED':
        return Verdict(Answer.WAIT, reason='offloaded; it leaves the host')
    return None


def _resized(server: model.Server, terms: Terms) -> Verdict | None:
    if server.status != 'VERIFY_RESIZE':
        return None
    if terms.policy.resized is policies.Resized.CONFIRM:
        return _move(model.Move.RESIZE, memories.Kind.CONFIRM)
    return _blocked(
        'waits for its owner to confirm or revert a resize: use '
        '--resized confirm, or openstack server resize confirm '
        f'{server.id}, or revert'
    )


def _stuck(server: model.Server, _terms: Terms) -> Verdict | None:
    way_out = _WAYS_OUT.get(server.status)
    return _blocked(way_out.format(id=server.id)) if way_out else None


def _unknown(server: model.Server, _terms: Terms) -> Verdict:
    return _blocked(
        f'no way is known to move a server in status {server.status}: look '
        f'at it (openstack server show {server.id}), move it by hand and '
        'run this again'
    )


RULES: tuple[Rule, ...] = (
    _moving,
    _excluded,
    _broken,
    _busy,
    _resumed,
    _active,
    _paused,
    _stopped,
    _suspended,
    _shelved,
    _offloaded,
    _resized,
    _stuck,
    _unknown,
)


#: States that Nova evacuates from (nova/compute/api.py: evacuate).
EVACUABLE = frozenset({'active', 'stopped', 'error'})
_RESET = '(openstack server set --state active {id})'
_REBUILT = (
    f'to have it rebuilt and started, reset it {_RESET} and run this again'
)
_DEAD_ENDS = {
    'paused': f'what it had in its memory is lost with the host; {_REBUILT}',
    'suspended': 'what it had in its memory is on the disk of the host, and '
    'can be resumed if that comes back; to have it rebuilt, reset it '
    f'{_RESET} and run this again, which gives that up',
    'rescued': f'wait for the host to come back; or, {_REBUILT}',
    'building': 'it was being built when the host died: delete it, so that '
    'its owner can make it anew (openstack server delete {id})',
    'resized': 'its owner has not confirmed its resize: confirm or revert '
    'that once the host is back',
    'soft-delete': 'deleted by its owner, and can be restored once the host '
    'is back',
}


def _rebuilding(server: model.Server, _terms: Terms) -> Verdict | None:
    # Nova would begin a second time, and build it twice
    # (nova/compute/api.py: evacuate looks at no task state).
    if server.status == 'REBUILD':
        return Verdict(Answer.WAIT, reason='busy: REBUILD')
    return None


def _cut_off(server: model.Server, _terms: Terms) -> Verdict | None:
    if server.status not in MOVING_STATUSES:
        return None
    reset = _RESET.format(id=server.id)
    return _blocked(
        f'in the middle of a move ({server.status}) when the host died: make '
        f'sure that it runs nowhere else; then reset it {reset} and run this '
        'again'
    )


def _deleting(server: model.Server, _terms: Terms) -> Verdict | None:
    if server.task_state in ('deleting', 'soft-deleting'):
        return _blocked(
            'its owner deleted it, and the host died before that was done: '
            'it goes when nova-compute is started there'
        )
    return None


def _rebuildable(server: model.Server, terms: Terms) -> Verdict | None:
    if server.vm_state not in EVACUABLE:
        return None
    stopped = server.vm_state != 'stopped' and (
        terms.off or terms.policy.leave_stopped
    )
    # From ERROR Nova brings it up running, whatever it is asked for
    # (nova/compute/manager.py: _do_rebuild_instance).
    reset = stopped and server.vm_state == 'error'
    return Verdict(
        Answer.MOVE,
        move=model.Move.EVACUATION,
        ask=memories.Kind.RESET if reset else memories.Kind.EVACUATE,
        stopped=stopped,
    )


def _not_rebuildable(server: model.Server, _terms: Terms) -> Verdict:
    ways = _DEAD_ENDS.get(server.vm_state, 'wait for the host to come back')
    return _blocked(
        f"Cannot 'evacuate' instance {server.id} while it is in vm_state "
        f'{server.vm_state}: {ways.format(id=server.id)}'
    )


EVACUATION_RULES: tuple[Rule, ...] = (
    _rebuilding,
    _excluded,
    _cut_off,
    _deleting,
    _rebuildable,
    _not_rebuildable,
)
_DEFAULT = Terms()


def judge(server: model.Server, terms: Terms = _DEFAULT) -> Verdict:
    """Return what is to be done with a server that lies on the host."""
    rules = EVACUATION_RULES if terms.policy.evacuate else RULES
    verdicts = (rule(server, terms) for rule in rules)
    return next(verdict for verdict in verdicts if verdict)
