# SPDX-License-Identifier: Apache-2.0

"""Ways home drawn at random: who left how, and what happened since."""

import collections
import dataclasses
import functools
import typing as ty

from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests.unit.engine import scenario as scenarios
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import fates
from tests.unit.simulation import faults
from tests.unit.simulation import hometruth
from tests.unit.simulation import homing
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Values = scenarios.Values
HOME = scene.SOURCE
#: By then all that was begun before has come to an end.
CALM_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Homeway(scenarios.Scenario):
    """All that decides how servers come home."""

    #: How they leave: the options of the drain.
    leaving: Values = dataclasses.field(default_factory=dict)
    #: What becomes of the host before it is back.
    died: bool = False
    #: What is done with them before they come home, and with the host.
    earlier: tuple[others.Deed, ...] = ()
    #: What becomes of their moves home.
    coming: tuple[tuple[fates.Fate, ...], ...] = ()
    running: policies.Running | None = None
    #: It is looked first whether they have room.
    looks: bool = True


def play(homeway: Homeway) -> list[str]:
    """Return what was done on the way home that must not be."""
    cloud = scenarios.build(homeway)
    left = _leave(homeway, cloud)
    others.plan(cloud, homeway.earlier)
    cloud.timeline.run_until(cloud.timeline.now + CALM_SECONDS)
    for server, fate in zip(
        cloud.servers.values(), homeway.coming, strict=False
    ):
        server.fates = collections.deque(fate)
    cloud.enable(HOME)
    others.plan(cloud, homeway.deeds)
    runs = [
        _restore(homeway, cloud, number, kill_after=seconds)
        for number, seconds in enumerate(homeway.kills)
    ]
    if len(homeway.runs) == 1:
        runs.append(
            _restore(
                homeway,
                cloud,
                len(runs),
                interrupt_after=homeway.interrupt_after,
                stop_after=homeway.stop_after,
                timeout=homeway.timeout,
            )
        )
    else:
        runs += timeline.together(
            cloud.timeline,
            *(
                functools.partial(_late, homeway, cloud, number)
                for number in range(len(homeway.runs))
            ),
        )
    return hometruth.violations(cloud, left, *runs) + _again(cloud, runs)


def _leave(homeway: Homeway, cloud: clouds.Cloud) -> scene.Run:
    if homeway.died:
        cloud.fence(HOME)
        cloud.timeline.run_until(cloud.timeline.now + CALM_SECONDS)
    run = scene.run(
        cloud,
        (HOME,),
        guided=True,
        limit=scenarios.LIMIT,
        evacuate=homeway.died,
        server_timeout=300.0,
        **homeway.leaving,
    )
    if homeway.died:
        cloud.start(HOME)
        cloud.force_down(HOME, down=False)
    return run


def _late(
    homeway: Homeway,
    cloud: clouds.Cloud,
    number: int,
    clock: timeline.VirtualClock,
) -> scene.Run:
    clock.sleep(number * homeway.lag)
    return _restore(homeway, cloud, number, clock=clock)


def _restore(
    homeway: Homeway, cloud: clouds.Cloud, number: int, **options: ty.Any
) -> scene.Run:
    failing = homeway.failing[number % len(homeway.failing)]
    return homing.restore(
        cloud,
        HOME,
        running=homeway.running,
        looks=homeway.looks,
        faults=faults.numbered(failing),
        limit=scenarios.LIMIT,
        **options,
        **homeway.policy,
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
    once_more = homing.restore(cloud, HOME, limit=scenarios.LIMIT)
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


def homeways(**fields: object) -> strategies.SearchStrategy[Homeway]:
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
    fate = strategies.lists(
        strategies.lists(strategies.sampled_from(fates.Fate), max_size=2).map(
            tuple
        ),
        max_size=6,
    ).map(tuple)
    return strategies.builds(
        Homeway,
        **{
            'servers': servers(),
            'policy': policy(),
            'setting': scenarios.settings(),
            'slots': strategies.integers(1, 3),
            'failing': scenarios.failing(),
            'leaving': leaving,
            'died': strategies.sampled_from((False, False, True)),
            'coming': fate,
            'running': strategies.none()
            | strategies.none()
            | strategies.sampled_from(policies.Running),
            'looks': strategies.booleans(),
            **fields,
        },
    )
