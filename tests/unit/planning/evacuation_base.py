# SPDX-License-Identifier: Apache-2.0

"""One server of a host that has died, and is evacuated, tick by tick."""

from collections import abc
import typing as ty

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

ActionKind = memories.ActionKind
State = nova_states.PowerState
FAILURES = dict.fromkeys(range(20), base.FAILURE)
REBUILDING = {'status': 'REBUILD', 'task_state': 'rebuilding'}


def server(status: str = 'ACTIVE', **kwargs: ty.Any) -> model.Server:
    """Return a server that lies on the host still."""
    running = {'power_state': State.RUNNING, **kwargs}
    moving = status in ('MIGRATING', 'RESIZE')
    return builders.server(status=status, **(running if moving else kwargs))


def there(status: str = 'ACTIVE', **kwargs: ty.Any) -> model.Server:
    """Return one that was built anew."""
    return builders.server(status=status, host=builders.DEST, **kwargs)


def rebuilding(vm_state: str = 'active', **kwargs: ty.Any) -> model.Server:
    off = vm_state == 'stopped'
    told = {'power_state': State.SHUTDOWN if off else State.RUNNING}
    return builders.server(
        vm_state=vm_state, **{**REBUILDING, **told, **kwargs}
    )


class EvacuatedServer(base.ServerTimeline):
    """The server of a dead host, whose compute service stays down."""

    def tick(self, *args: ty.Any, **kwargs: ty.Any) -> list[memories.Action]:
        return super().tick(*args, **{'service': builders.dead(), **kwargs})

    def record(self, status: str, *args: ty.Any, **kw: ty.Any) -> ty.Any:
        kind = model.MigrationType.EVACUATION
        return super().record(status, *args, **{'type': kind, **kw})


class EvacuatedServerTestCase(base.TimelineTestCase):
    timeline: EvacuatedServer

    def begin(self, **options: ty.Any) -> EvacuatedServer:
        policy = policies.Policy(evacuate=True, **options)
        self.timeline = EvacuatedServer(policy)
        return self.timeline

    def failed(self, view: model.Server, n: int = 7, status: str = 'error'):
        """Let the evacuation fail and the pause pass; return its record."""
        record: model.Migration = self.timeline.record(status, n, dest='cmp03')
        self.assert_asked((), view, record)
        self.timeline.now += timing.RETRY_WAIT_SECONDS * 3
        return record

    EVACUATE = ((ActionKind.EVACUATE, False),)
    STOPPED = ((ActionKind.EVACUATE, True),)
    RESET = ((ActionKind.RESET, True),)

    def assert_asked(
        self,
        expected: abc.Iterable[tuple[memories.ActionKind, bool]],
        view: model.Server,
        *records: model.Migration,
        **kwargs: ty.Any,
    ) -> None:
        """Tick; check what is asked for, and what is to stay stopped."""
        kwargs = {'failures': FAILURES, **kwargs}
        actions = self.timeline.tick(view, *records, **kwargs)
        self.assertEqual([*expected], [(a.kind, a.stopped) for a in actions])
        # It is checked once more right before they are sent.
        self.assertLessEqual({a.vm_state for a in actions}, {view.vm_state})

    def assert_ends(self, *args: ty.Any, **kwargs: ty.Any) -> ty.Any:
        return self.assert_ended(self.timeline, *args, **kwargs)
