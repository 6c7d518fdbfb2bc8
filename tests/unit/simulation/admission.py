# SPDX-License-Identifier: Apache-2.0

"""Whether the simulated Nova takes a request, and how it begins then.

The states, and the order of the checks, are those of nova/compute/api.py.
"""

import collections.abc

from osc_hostmaint import exceptions
from tests.unit.simulation import state
from tests.unit.simulation import timeline
from tests.unit.simulation import world

_ANY = frozenset({'active', 'stopped', 'paused', 'suspended'})
#: The states that a request may find a server in, by its kind.
STATES: collections.abc.Mapping[str, frozenset[str]] = {
    'live_migrate': frozenset({'active', 'paused'}),
    'cold_migrate': frozenset({'active', 'stopped'}),
    'confirm': frozenset({'resized'}),
    'revert': frozenset({'resized'}),
    'resume': frozenset({'suspended'}),
    'suspend': frozenset({'active'}),
    'shelve': _ANY,
    'offload': frozenset({'shelved'}),
    'pause': frozenset({'active'}),
    'unpause': frozenset({'paused'}),
    'stop': frozenset({'active'}),
    'start': frozenset({'stopped'}),
    'reboot': frozenset({'active'}),
    'soft_delete': _ANY | {'error', 'rescued', 'shelved'},
    'evacuate': frozenset({'active', 'stopped', 'error'}),
}
#: What it is called in the answer to a server in another state.
_ACTIONS = {
    'live_migrate': 'os-migrateLive',
    'cold_migrate': 'migrate',
    'confirm': 'confirmResize',
    'revert': 'revertResize',
    'offload': 'shelveOffload',
}


class Admission(state.State):
    """What all requests to Nova have in common."""

    def checked(
        self, kind: str, server_id: str, by: world.Actor
    ) -> world.Server:
        """Return a server that rests in a state that a request may find.

        :raises NotFound: there is none.
        :raises RequestRefused: it is locked, or in another state.
        """
        server = self.existing(server_id)
        if server.locked and not by.admin:
            raise refused(f'Instance {server_id} is locked', 409)
        self.check_state(kind, server)
        if server.task_state is not None:
            raise invalid(kind, server, 'task_state', server.task_state)
        return server

    @staticmethod
    def check_state(kind: str, server: world.Server) -> None:
        """Refuse a request for a server in another state.

        :raises RequestRefused: it is in one.
        """
        if server.vm_state not in STATES[kind]:
            raise invalid(kind, server, 'vm_state', server.vm_state)

    @staticmethod
    def refuse(kind: str, server: world.Server) -> None:
        """Refuse what a test wants to be refused.

        :raises RequestRefused: it is.
        """
        refusal = server.refusal(kind)
        if refusal:
            raise exceptions.RequestRefused(refusal.text, final=refusal.final)

    def take(
        self,
        kind: str,
        server: world.Server,
        by: world.Actor,
        task: str,
        host: str = '',
    ) -> world.Work:
        """Begin what a server is busy with from now on.

        :param host: the only destination that it may have.
        """
        work = self.begin(kind, server, by)
        work.asked = host
        self.take_on(work, task)
        return work

    def take_on(self, work: world.Work, task: str) -> None:
        """Let a server be busy with something from now on."""
        work.server.work = work
        self.change(work.server, task_state=task)

    def start_work(self, work: world.Work, steps: timeline.Steps) -> None:
        """Let it go on."""
        # Queued for its first step, so that the process is known to itself.
        work.process = timeline.Process(self.timeline, steps)
        self.timeline.after(0.0, work.process.step)


def invalid(
    kind: str, server: world.Server, what: str, value: str | None
) -> exceptions.CloudError:
    """Return a refusal because of the state that a server is in."""
    return refused(
        f"Cannot '{_ACTIONS.get(kind, kind)}' instance {server.id} while it "
        f'is in {what} {value}',
        409,
    )


def refused(
    text: str, code: int, *, final: bool | None = None
) -> exceptions.CloudError:
    """Return a refusal.

    :param final: as the gateway takes it; None: as the code says.
    """
    if final is None:
        final = code == 400
    return exceptions.RequestRefused(f'{text} (HTTP {code})', final=final)
