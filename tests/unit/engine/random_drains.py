# SPDX-License-Identifier: Apache-2.0

"""Drains drawn at random: what is on the hosts, what goes wrong, who stops.

A scenario is a value that prints what it takes to play it again.
"""

import collections
import collections.abc
import dataclasses
import functools
import itertools
import typing as ty

from hypothesis import strategies

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests.unit.engine import examples
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import inventory
from tests.unit.simulation import others
from tests.unit.simulation import outcomes
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

#: No drain of a few servers may take longer, in virtual seconds: each try
#: takes minutes where a silent cell keeps every list waiting.
LIMIT = 14400.0
HOSTS = scene.HOSTS

Values = dict[str, ty.Any]


@dataclasses.dataclass(frozen=True)
class Team:
    """A server group."""

    policy: str
    #: Servers, modulo how many there are; who is in another one is left out.
    members: frozenset[int]
    most_per_host: int = 1


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the hosts are like, and what else is on them."""

    #: Memory of each host, in MiB.
    memory_mb: int = inventory.ROOMY[inventory.MEMORY_MB]
    #: The zone of each host.
    zones: tuple[str, ...] = ('nova',) * len(HOSTS)
    #: Servers on hosts that need not be drained.
    group_members: tuple[Values, ...] = ()
    teams: tuple[Team, ...] = ()
    #: Hosts that every move to fails.
    black_holes: tuple[str, ...] = ()
    #: Both as of :class:`tests.unit.simulation.cloud.Cloud`.
    piles_up: bool = True
    leaks: bool = False


@dataclasses.dataclass(frozen=True)
class Scenario:
    """All that decides how a drain goes."""

    servers: tuple[Values, ...]
    policy: Values
    setting: Setting = Setting()
    slots: int = 1
    shelved_offload_time: int = -1
    #: What goes wrong with the requests of each run, by their number.
    failing: tuple[dict[int, faults.Fault], ...] = ({},)
    others_actions: tuple[others.OthersAction, ...] = ()
    #: When a run is killed, in seconds from its beginning, one after another.
    kills: tuple[float, ...] = ()
    interrupt_after: float | None = None
    stop_after: float | None = None
    timeout: float | None = None
    #: Hosts that one run drains; several runs go on at once.
    runs: tuple[tuple[str, ...], ...] = ((scene.SOURCE,),)
    #: When the second of several runs begins, in seconds.
    lag: float = 0.0
    #: How many times it is run again in the end.
    again: int = 0

    def prepare(self, cloud: clouds.Cloud) -> None:
        """Let happen what happens before all this."""

    def left_behind(self, _cloud: clouds.Cloud) -> list[str]:
        """Return what else is wrong in the end."""
        return []


def play(scenario: Scenario) -> list[str]:
    """Return what the drains of a scenario did that they must not."""
    cloud = build(scenario)
    scenario.prepare(cloud)
    others.plan(cloud, scenario.others_actions)
    runs = [
        _run(scenario, cloud, scenario.runs[0], number, kill_after=seconds)
        for number, seconds in enumerate(scenario.kills)
    ]
    if len(scenario.runs) == 1:
        runs.append(
            _run(
                scenario,
                cloud,
                scenario.runs[0],
                len(runs),
                interrupt_after=scenario.interrupt_after,
                stop_after=scenario.stop_after,
                timeout=scenario.timeout,
            )
        )
    else:
        runs += timeline.together(
            cloud.timeline,
            *(
                functools.partial(_late, scenario, cloud, hosts, number)
                for number, hosts in enumerate(scenario.runs)
            ),
        )
    runs += [
        _run(scenario, cloud, scenario.runs[0], len(runs) + number)
        for number in range(scenario.again)
    ]
    return report_checks.violations(*runs) + scenario.left_behind(cloud)


def _late(
    scenario: Scenario,
    cloud: clouds.Cloud,
    hosts: tuple[str, ...],
    number: int,
    clock: timeline.VirtualClock,
) -> scene.Run:
    clock.sleep(number * scenario.lag)
    return _run(scenario, cloud, hosts, number, clock=clock)


def _run(
    scenario: Scenario,
    cloud: clouds.Cloud,
    hosts: tuple[str, ...],
    number: int,
    **options: ty.Any,
) -> scene.Run:
    failing = scenario.failing[number % len(scenario.failing)]
    for host in hosts:
        if cloud.hosts[host].enabled:
            cloud.disable(host)
    return scene.run(
        cloud,
        hosts,
        faults=faults.numbered(failing),
        limit=LIMIT,
        guided=True,
        **options,
        **scenario.policy,
    )


def build(scenario: Scenario) -> clouds.Cloud:
    """Return the cloud of a scenario, before anything happens."""
    setting = scenario.setting
    cloud = scene.cloud(
        0,
        source=(),
        slots=scenario.slots,
        shelved_offload_time=scenario.shelved_offload_time,
        capacity={**inventory.ROOMY, inventory.MEMORY_MB: setting.memory_mb},
        piles_up=setting.piles_up,
        leaks=setting.leaks,
    )
    for host, zone in zip(cloud.hosts.values(), setting.zones, strict=True):
        host.zone = zone
    for name in setting.black_holes:
        cloud.hosts[name].black_hole_since = cloud.timeline.now
    for each in (*scenario.servers, *setting.group_members):
        _add(cloud, each)
    free = dict(enumerate(cloud.servers.values()))
    for team in setting.teams:
        numbers = {n % len(cloud.servers) for n in team.members} & set(free)
        cloud.group(
            team.policy,
            *(free.pop(number) for number in sorted(numbers)),
            most_per_host=team.most_per_host,
        )
    for name in scenario.runs[0]:
        cloud.disable(name)
    return cloud


def _add(cloud: clouds.Cloud, wanted: Values) -> None:
    values = dict(wanted)
    host, dest = values.pop('host'), values.pop('resized_to', None)
    pinned = values.pop('pinned', False)
    for name in ('outcomes', 'refusals'):
        values[name] = collections.deque(values.get(name, ()))
    values['effects'] = {
        kind: collections.deque(effects)
        for kind, effects in values.get('effects', {}).items()
    }
    server: world.Server
    if dest and dest != host:
        server = cloud.add_resized(host, dest, **values)
    else:
        server = cloud.add(host, **values)
    if pinned:
        zone = cloud.hosts[host].zone
        server.needs = dataclasses.replace(server.needs, zone=zone)


_STATES = (
    *('active',) * 5,
    *('stopped',) * 3,
    *('paused',) * 2,
    *('suspended',) * 3,
    'shelved',
    'rescued',
    'error',
    'soft-delete',
)
_MOVABLE = (*('active',) * 5, 'stopped', 'stopped', 'suspended')
_OUTCOMES = (*((),) * 8, *((outcome,) for outcome in outcomes.MoveOutcome))
_EFFECTS = ('resume', 'suspend', 'shelve', 'offload', 'confirm', 'abort')
_FAULTS = (
    faults.LOST,
    faults.DROPPED,
    faults.LOST_LATE,
    faults.DROPPED_LATE,
    faults.SLOW,
    faults.TOO_MANY,
    faults.REFUSED,
)
_REFUSALS = (
    outcomes.Refusal('not now'),
    outcomes.Refusal('never', final=True),
    outcomes.Refusal('not now', kind='resume'),
    outcomes.Refusal('not now', kind='suspend'),
    outcomes.Refusal('never', final=True, kind='shelve'),
    outcomes.Refusal('not now', kind='confirm'),
)


def servers(
    hosts: collections.abc.Sequence[str] = (scene.SOURCE,),
) -> strategies.SearchStrategy[tuple[Values, ...]]:
    """Return servers on hosts that are drained, and a resize or two."""
    here = strategies.sampled_from(hosts)
    common = {
        'seconds': strategies.floats(0.5, 12),
        'memory_mb': strategies.sampled_from((512, 1024, 4096)),
        'outcomes': strategies.lists(
            strategies.sampled_from(outcomes.MoveOutcome), max_size=3
        ),
        'refusals': strategies.lists(
            strategies.sampled_from(_REFUSALS), max_size=2
        ),
        'stuck': strategies.sampled_from((0, 0, 0, 0, 1)),
        'locked': strategies.booleans(),
        'pinned': strategies.sampled_from((False, False, False, True)),
        'effects': strategies.dictionaries(
            strategies.sampled_from(_EFFECTS),
            strategies.lists(
                strategies.sampled_from(outcomes.Effect), max_size=2
            ),
            max_size=2,
        ),
    }
    plain = strategies.fixed_dictionaries(
        {'host': here, 'vm_state': strategies.sampled_from(_STATES), **common}
    )
    resized = strategies.fixed_dictionaries(
        {
            'host': strategies.sampled_from(HOSTS),
            'resized_to': strategies.sampled_from(HOSTS),
            'old_state': strategies.sampled_from(('active', 'stopped')),
            **common,
        }
    )
    return strategies.lists(
        strategies.one_of(plain, plain, plain, resized),
        min_size=1,
        max_size=6,
    ).map(tuple)


def crowd() -> strategies.SearchStrategy[tuple[Values, ...]]:
    """Return many servers on the source, most of which just move."""
    each = strategies.fixed_dictionaries(
        {
            'host': strategies.just(scene.SOURCE),
            'vm_state': strategies.sampled_from(_MOVABLE),
            'seconds': strategies.floats(0.5, 12),
            'memory_mb': strategies.sampled_from((512, 1024, 2048)),
            'outcomes': strategies.sampled_from(_OUTCOMES),
            'pinned': strategies.sampled_from((False, False, False, True)),
        }
    )
    return strategies.lists(each, min_size=3, max_size=8).map(tuple)


#: Draws are few, because they take longer than many a drain.
_NEIGHBOURS: tuple[Values, ...] = tuple(
    {'host': host, 'memory_mb': memory_mb}
    for host in HOSTS[1:]
    for memory_mb in (512, 1024, 2048)
)
_MEMORY_MB = (4096, 8192, inventory.ROOMY[inventory.MEMORY_MB])
_ZONES = tuple(itertools.product(('nova', 'east'), repeat=len(HOSTS)))
_BLACK_HOLES = (*((),) * 4, *((host,) for host in HOSTS), HOSTS[1:3])
_MEMBERS = tuple(
    frozenset(members)
    for size in (2, 3, 5)
    for members in itertools.combinations(range(8), size)
)


def settings(
    memory_mb: collections.abc.Sequence[int] = _MEMORY_MB,
    least_teams: int = 0,
) -> strategies.SearchStrategy[Setting]:
    """Return hosts with little room or much, in zones, and what they hold."""
    teams = strategies.builds(
        Team,
        strategies.sampled_from(snapshots.GroupPolicy),
        strategies.sampled_from(_MEMBERS),
        strategies.sampled_from((1, 1, 2)),
    )
    return strategies.builds(
        Setting,
        memory_mb=strategies.sampled_from(memory_mb),
        zones=strategies.sampled_from(_ZONES),
        group_members=strategies.lists(
            strategies.sampled_from(_NEIGHBOURS), max_size=4
        ).map(tuple),
        teams=strategies.lists(teams, min_size=least_teams, max_size=2).map(
            tuple
        ),
        black_holes=strategies.sampled_from(_BLACK_HOLES),
        piles_up=strategies.booleans(),
        leaks=strategies.booleans(),
    )


def failing() -> strategies.SearchStrategy[
    tuple[dict[int, faults.Fault], ...]
]:
    """Return what goes wrong with requests."""
    one = strategies.dictionaries(
        strategies.integers(0, 80),
        strategies.sampled_from(_FAULTS),
        max_size=6,
    )
    return strategies.lists(one, min_size=1, max_size=2).map(tuple)


def policy() -> strategies.SearchStrategy[Values]:
    """Return options of a drain."""
    return strategies.fixed_dictionaries(
        {},
        optional={
            'running': strategies.sampled_from(policies.Running),
            'stopped': strategies.sampled_from(policies.Stopped),
            'suspended': strategies.sampled_from(policies.Suspended),
            'shelved': strategies.sampled_from(policies.Shelved),
            'resized': strategies.sampled_from(policies.Resized),
            'exclude': examples.EXCLUDED,
            'spread': strategies.sampled_from(policies.Spread),
            'per_destination': strategies.integers(1, 3),
            'parallel': strategies.integers(1, 3),
            'retries': strategies.integers(0, 3),
            'on_stall': strategies.sampled_from(policies.OnStall),
            'stall_after': strategies.floats(5, 60),
        },
    ).flatmap(_with_an_end)


def _with_an_end(values: Values) -> strategies.SearchStrategy[Values]:
    """Add what ends moves, and requests, that never end by themselves."""
    times = strategies.floats(15, 300)
    return times.map(lambda time: {**values, 'server_timeout': time})


def others_actions(
    kinds: collections.abc.Sequence[str],
    most: int = 6,
) -> strategies.SearchStrategy[tuple[others.OthersAction, ...]]:
    """Return what others do meanwhile."""
    return strategies.lists(
        strategies.builds(
            others.OthersAction,
            # Few drains take longer.
            strategies.floats(0, 25),
            strategies.sampled_from(kinds),
            strategies.integers(0, 5),
            strategies.integers(0, 3),
        ),
        max_size=most,
    ).map(tuple)
