# SPDX-License-Identifier: Apache-2.0

"""Ways home drawn at random: who left how, and what happened since."""

import collections
import dataclasses
import functools
import typing as ty

from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests.unit.engine import random_drains as scenarios
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import outcomes
from tests.unit.simulation import restore_checks
from tests.unit.simulation import restoring
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Values = scenarios.Values
HOME = scene.SOURCE
#: By then all that was begun before has come to an end.
SETTLING_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class RandomRestore(scenarios.Scenario):
    """All that decides how servers come home."""

    #: How they leave: the options of the drain.
    leaving: Values = dataclasses.field(default_factory=dict)
    #: What becomes of the host before it is back.
    died: bool = False
    #: What is done with them before they come home, and with the host.
    earlier: tuple[others.OthersAction, ...] = ()
    #: What becomes of their moves home.
    coming: tuple[tuple[outcomes.MoveOutcome, ...], ...] = ()
    running: policies.Running | None = None
    #: It is looked first whether they have room.
    looks: bool = True


def play(restore: RandomRestore) -> list[str]:
    """Return what was done on the way home that must not be."""
    cloud = scenarios.build(restore)
    left = _leave(restore, cloud)
    others.plan(cloud, restore.earlier)
    cloud.timeline.run_until(cloud.timeline.now + SETTLING_SECONDS)
    for server, outcome in zip(
        cloud.servers.values(), restore.coming, strict=False
    ):
        server.outcomes = collections.deque(outcome)
    cloud.enable(HOME)
    others.plan(cloud, restore.others_actions)
    runs = [
        _restore(restore, cloud, number, kill_after=seconds)
        for number, seconds in enumerate(restore.kills)
    ]
    if len(restore.runs) == 1:
        runs.append(
            _restore(
                restore,
                cloud,
                len(runs),
                interrupt_after=restore.interrupt_after,
                stop_after=restore.stop_after,
                timeout=restore.timeout,
            )
        )
    else:
        runs += timeline.together(
            cloud.timeline,
            *(
                functools.partial(_late, restore, cloud, number)
                for number in range(len(restore.runs))
            ),
        )
    return restore_checks.violations(left, *runs) + _again(cloud, runs)


def _leave(restore: RandomRestore, cloud: clouds.Cloud) -> scene.Run:
    if restore.died:
        cloud.fence(HOME)
        cloud.timeline.run_until(cloud.timeline.now + SETTLING_SECONDS)
    run = scene.run(
        cloud,
        (HOME,),
        guided=True,
        limit=scenarios.LIMIT,
        evacuate=restore.died,
        server_timeout=300.0,
        **restore.leaving,
    )
    if restore.died:
        cloud.start(HOME)
        cloud.force_down(HOME, down=False)
    return run


def _late(
    restore: RandomRestore,
    cloud: clouds.Cloud,
    number: int,
    clock: timeline.VirtualClock,
) -> scene.Run:
    clock.sleep(number * restore.lag)
    return _restore(restore, cloud, number, clock=clock)


def _restore(
    restore: RandomRestore, cloud: clouds.Cloud, number: int, **options: ty.Any
) -> scene.Run:
    failing = restore.failing[number % len(restore.failing)]
    return restoring.restore(
        cloud,
        HOME,
        running=restore.running,
        looks=restore.looks,
        faults=faults.numbered(failing),
        limit=scenarios.LIMIT,
        **options,
        **restore.policy,
    )


def _again(cloud: clouds.Cloud, runs: list[scene.Run]) -> list[str]:
    """Return what is done once more, where all were brought home."""
    last = max(runs, key=lambda run: run.ended)
    done = exceptions.ExitCode.DONE
    others_since = any(
        not work.by.ours and (work.ended is None or work.ended >= last.began)
        for work in cloud.works
    )
    home = cloud.hosts[HOME]
    closed = home.silent is not None or not (home.enabled and home.in_use)
    unclear = last.killed or last.exit_code is not done
    if unclear or others_since or closed:
        return []
    once_more = restoring.restore(cloud, HOME, limit=scenarios.LIMIT)
    found = [f'again: {request}' for request, _ in once_more.client.posted]
    if once_more.exit_code is not done:
        found.append(f'again: exit {once_more.exit_code}')
    return found


_STATES = (
    *('active',) * 5,
    *('stopped',) * 3,
    'paused',
    'suspended',
    'suspended',
)


def servers() -> strategies.SearchStrategy[tuple[Values, ...]]:
    """Return servers that leave their home."""
    each = strategies.fixed_dictionaries(
        {
            'host': strategies.just(HOME),
            'vm_state': strategies.sampled_from(_STATES),
            'seconds': strategies.floats(0.5, 12),
            'memory_mb': strategies.sampled_from((512, 1024, 2048)),
            'locked': strategies.booleans(),
        }
    )
    return strategies.lists(each, min_size=1, max_size=6).map(tuple)


def policy() -> strategies.SearchStrategy[Values]:
    """Return options of a restore."""
    return strategies.fixed_dictionaries(
        {'server_timeout': strategies.floats(15, 300)},
        optional={
            'stopped': strategies.sampled_from(policies.Stopped),
            'suspended': strategies.sampled_from(
                (policies.Suspended.LEAVE, policies.Suspended.RESUME)
            ),
            'per_destination': strategies.integers(1, 5),
            'retries': strategies.integers(0, 3),
            'on_stall': strategies.sampled_from(policies.OnStall),
            'stall_after': strategies.floats(5, 60),
        },
    )


def restores(**fields: object) -> strategies.SearchStrategy[RandomRestore]:
    """Return ways home of servers that left in all ways."""
    leaving = strategies.fixed_dictionaries(
        {},
        optional={
            'running': strategies.sampled_from(policies.Running),
            'suspended': strategies.sampled_from(
                (policies.Suspended.LEAVE, policies.Suspended.RESUME)
            ),
        },
    )
    outcome = strategies.lists(
        strategies.lists(
            strategies.sampled_from(outcomes.MoveOutcome), max_size=2
        ).map(tuple),
        max_size=6,
    ).map(tuple)
    return strategies.builds(
        RandomRestore,
        **{
            'servers': servers(),
            'policy': policy(),
            'setting': scenarios.settings(),
            'slots': strategies.integers(1, 3),
            'failing': scenarios.failing(),
            'leaving': leaving,
            'died': strategies.sampled_from((False, False, True)),
            'coming': outcome,
            'running': strategies.none()
            | strategies.none()
            | strategies.sampled_from(policies.Running),
            'looks': strategies.booleans(),
            **fields,
        },
    )
