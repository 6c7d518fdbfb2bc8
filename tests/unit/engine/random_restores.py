# SPDX-License-Identifier: Apache-2.0

"""Ways home drawn at random: who left how, and what happened since."""

import collections
import dataclasses

from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import others
from tests.unit.simulation import outcomes
from tests.unit.simulation import report_checks
from tests.unit.simulation import restore_checks
from tests.unit.simulation import restoring
from tests.unit.simulation import scene

Values = scenarios.Values
of, some = examples.of, examples.some
HOME = scene.SOURCE
#: By then all that was begun before has come to an end.
SETTLING_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class RandomRestore(scenarios.Scenario):
    #: How they leave: the options of the drain.
    leaving: Values = dataclasses.field(default_factory=dict)
    #: What becomes of the host before it is back.
    died: bool = False
    #: What becomes of their moves home.
    coming: tuple[tuple[outcomes.MoveOutcome, ...], ...] = ()
    running: policies.Running | None = None
    #: It is looked first whether they have room.
    looks: bool = True

    def prepare(self, cloud: clouds.Cloud) -> list[scene.Run]:
        """Let the servers leave, and the host be back in the end."""
        left = self._leave(cloud)
        others.plan(cloud, self.earlier)
        cloud.timeline.run_until(cloud.timeline.now + SETTLING_SECONDS)
        servers = cloud.servers.values()
        for server, outcome in zip(servers, self.coming, strict=False):
            server.outcomes = collections.deque(outcome)
        cloud.enable(HOME)
        return [left]

    def _leave(self, cloud: clouds.Cloud) -> scene.Run:
        if self.died:
            cloud.fence(HOME)
            cloud.timeline.run_until(cloud.timeline.now + SETTLING_SECONDS)
        run = scene.run(
            cloud,
            (HOME,),
            guided=True,
            limit=scenarios.LIMIT,
            evacuate=self.died,
            server_timeout=300.0,
            **self.leaving,
        )
        if self.died:
            cloud.start(HOME)
            cloud.force_down(HOME, down=False)
        return run

    def run(self, cloud, hosts, **options) -> scene.Run:
        how = {'running': self.running, 'looks': self.looks}
        return restoring.restore(cloud, *hosts, **how, **options)

    def violations(self, left: scene.Run, *runs: scene.Run) -> list[str]:
        found = restore_checks.violations(left, *runs)
        return found + _again(left.cloud, runs)


def _again(cloud: clouds.Cloud, runs: tuple[scene.Run, ...]) -> list[str]:
    """Return what is done once more, where all were brought home."""
    last = max(runs, key=lambda run: run.ended)
    done = exceptions.ExitCode.DONE
    others_since = any(
        not work.by.ours and work.until >= last.began for work in cloud.works
    )
    unclear = last.killed or last.exit_code is not done
    if unclear or others_since or not _open(cloud):
        return []
    # Lists of moves may have left them out.
    hidden = {
        server.id
        for server in cloud.servers.values()
        if report_checks.cell_was_down(cloud, server)
    }
    once_more = restoring.restore(cloud, HOME, limit=scenarios.LIMIT)
    found = [
        f'again: {request}'
        for request, _answer in once_more.client.posted
        if request.subject not in hidden
    ]
    # Its cell may have fallen silent meanwhile.
    if once_more.exit_code is not done and _open(cloud):
        found.append(f'again: exit {once_more.exit_code}')
    return found


def _open(cloud: clouds.Cloud) -> bool:
    home = cloud.hosts[HOME]
    return home.silent is None and home.enabled and home.in_use


_STATES = (
    *('active',) * 5,
    *('stopped',) * 3,
    *('paused', 'suspended', 'suspended'),
)
_SUSPENDED = of((policies.Suspended.LEAVE, policies.Suspended.RESUME))


def servers() -> strategies.SearchStrategy[tuple[Values, ...]]:
    each = strategies.fixed_dictionaries(
        {
            'host': strategies.just(HOME),
            'vm_state': of(_STATES),
            'seconds': strategies.floats(0.5, 12),
            'memory_mb': of((512, 1024, 2048)),
            'locked': strategies.booleans(),
        }
    )
    return some(each, 1)


def policy() -> strategies.SearchStrategy[Values]:
    return strategies.fixed_dictionaries(
        {'server_timeout': strategies.floats(15, 300)},
        optional={
            'stopped': of(policies.Stopped),
            'suspended': _SUSPENDED,
            'per_destination': strategies.integers(1, 5),
            'retries': strategies.integers(0, 3),
            'on_stall': of(policies.OnStall),
            'stall_after': strategies.floats(5, 60),
        },
    )


def restores(**fields: object) -> strategies.SearchStrategy[RandomRestore]:
    ways = {'running': of(policies.Running), 'suspended': _SUSPENDED}
    return strategies.builds(
        RandomRestore,
        **{
            'servers': servers(),
            'policy': policy(),
            'setting': scenarios.settings(),
            'slots': strategies.integers(1, 3),
            'failing': scenarios.failing(),
            'leaving': strategies.fixed_dictionaries({}, optional=ways),
            'died': of((False, False, True)),
            'coming': some(some(of(outcomes.MoveOutcome), most=2)),
            'running': strategies.none()
            | strategies.none()
            | of(policies.Running),
            'looks': strategies.booleans(),
            **fields,
        },
    )
