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

"""What can be done with a server that lies on the host, state by state.

An ordered list of small rules: the first that has a verdict gives it. Which
state allows which move follows Nova's API (nova/compute/api.py, the
``check_instance_state`` decorators of live_migrate and resize).

Reasons are data for scripts as much as text for people, so they are not
translated.
"""

import collections.abc
import dataclasses
import enum

from osc_hostmaint import model


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
    #: With BLOCKED: what is wrong, and what the operator can do.
    reason: str = ''


Rule = collections.abc.Callable[[model.Server], Verdict | None]

#: Statuses that only a server on its way between two hosts has.
MOVING_STATUSES = frozenset({'MIGRATING', 'RESIZE', 'REVERT_RESIZE'})

_BLOCKED = {
    'SUSPENDED': 'a suspended server can be neither live- nor cold-migrated: '
    'resume it (openstack server resume {id}) and drain again',
    'SHELVED': 'shelved, and still on the host: offload it (openstack server '
    'shelve --offload {id})',
    'RESCUE': 'a server in rescue can not be moved: end that (openstack '
    'server unrescue {id}) and drain again',
    'VERIFY_RESIZE': 'waits for its owner to confirm or revert a resize: '
    'openstack server resize confirm {id}, or revert',
    'ERROR': 'in ERROR: find out why (openstack server show {id}); then '
    'repair it, reset it (openstack server set --state active {id}) or '
    'delete it, and drain again',
    'SOFT_DELETED': 'deleted by its owner, can still be restored, and lies '
    'on the host until then: restore it (openstack server restore {id}) or '
    'delete it for good (openstack server delete --force {id})',
}


def _moving(server: model.Server) -> Verdict | None:
    if server.status in MOVING_STATUSES:
        return Verdict(Answer.WAIT, reason='already moving')
    return None


def _broken(server: model.Server) -> Verdict | None:
    # Before _busy: a server in ERROR may keep its task state for ever.
    return _blocked(server) if server.status == 'ERROR' else None


def _busy(server: model.Server) -> Verdict | None:
    if server.task_state:
        return Verdict(Answer.WAIT, reason=f'busy: {server.task_state}')
    if server.status in ('BUILD', 'REBUILD', 'REBOOT', 'HARD_REBOOT'):
        return Verdict(Answer.WAIT, reason=f'busy: {server.status}')
    return None


def _running(server: model.Server) -> Verdict | None:
    if server.status in ('ACTIVE', 'PAUSED'):
        return Verdict(Answer.MOVE, move=model.Move.LIVE)
    return None


def _stopped(server: model.Server) -> Verdict | None:
    if server.status == 'SHUTOFF':
        return Verdict(Answer.MOVE, move=model.Move.COLD)
    return None


def _blocked(server: model.Server) -> Verdict | None:
    text = _BLOCKED.get(server.status)
    if text is None:
        return None
    return Verdict(Answer.BLOCKED, reason=text.format(id=server.id))


RULES: tuple[Rule, ...] = (
    _moving,
    _broken,
    _busy,
    _running,
    _stopped,
    _blocked,
)


def judge(server: model.Server) -> Verdict:
    """Return what is to be done with a server that lies on the host."""
    for rule in RULES:
        verdict = rule(server)
        if verdict is not None:
            return verdict
    return Verdict(
        Answer.BLOCKED,
        reason=f'no way is known to move a server in status {server.status}: '
        f'look at it (openstack server show {server.id}), move it by hand '
        'and drain again',
    )
