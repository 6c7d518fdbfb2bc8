# SPDX-License-Identifier: Apache-2.0

"""Drains drawn at random: what is on the hosts, what goes wrong, who stops.

A scenario is a value that prints what it takes to play it again.
"""

from collections import abc
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

#: No drain of a few servers may take longer, in virtual seconds: each try
#: takes minutes where a silent cell keeps every list waiting.
LIMIT = 14400.0
HOSTS = scene.HOSTS

Values = dict[str, ty.Any]
of, some = examples.of, examples.some


@dataclasses.dataclass(frozen=True)
class Team:
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
    until_after: float | None = None
    #: Hosts that one run drains; several runs go on at once.
    runs: tuple[tuple[str, ...], ...] = ((scene.SOURCE,),)
    #: When the second of several runs begins, in seconds.
    lag: float = 0.0
    #: How many times it is run again in the end.
    again: int = 0

    #: What others do before all this.
    earlier: tuple[others.OthersAction, ...] = ()

    def prepare(self, _cloud: clouds.Cloud) -> list[scene.Run]:
        """Let happen what happens before, and return the runs in it."""
        return []

    def run(self, cloud, hosts, **options) -> scene.Run:
        for host in hosts:
            # With --force, if need be.
            if cloud.hosts[host].shown().mark is None:
                cloud.disable(host)
        return scene.run(cloud, hosts, guided=True, **options)

    def violations(self, *runs: scene.Run) -> list[str]:
        """Return what was done that must not be, those before included."""
        return report_checks.violations(*runs)


def play(scenario: Scenario) -> list[str]:
    cloud = build(scenario)
    runs = scenario.prepare(cloud)
    others.plan(cloud, scenario.others_actions)
    numbers = itertools.count()
    runs += [
        _run(scenario, cloud, next(numbers), kill_after=seconds)
        for seconds in scenario.kills
    ]
    if len(scenario.runs) == 1:
        stops = ('interrupt_after', 'stop_after', 'timeout', 'until_after')
        ends = {name: getattr(scenario, name) for name in stops}
        runs.append(_run(scenario, cloud, next(numbers), **ends))
    else:
        runs += timeline.together(
            cloud.timeline,
            *(
                functools.partial(_late, scenario, cloud, number)
                for number in range(len(scenario.runs))
            ),
        )
    runs += [
        _run(scenario, cloud, next(numbers)) for _time in range(scenario.again)
    ]
    return scenario.violations(*runs)


def _late(scenario, cloud, number, clock) -> scene.Run:
    clock.sleep(number * scenario.lag)
    return _run(scenario, cloud, number, scenario.runs[number], clock=clock)


def _run(scenario, cloud, number, hosts=(), **options) -> scene.Run:
    failing = scenario.failing[number % len(scenario.failing)]
    return scenario.run(
        cloud,
        hosts or scenario.runs[0],
        faults=faults.numbered(failing),
        limit=LIMIT,
        **options,
        **scenario.policy,
    )


def build(scenario: Scenario) -> clouds.Cloud:
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
    *('shelved', 'rescued', 'error', 'soft-delete'),
)
_MOVABLE = (*('active',) * 5, 'stopped', 'stopped', 'suspended')
_OUTCOMES = (*((),) * 8, *((outcome,) for outcome in outcomes.MoveOutcome))
#: What Nova began with a server a while ago, or weeks, and never ends.
_TASKS = (*(None,) * 12, 'deleting', 'image_uploading', 'migrating')
_CHANGED = tuple(timeline.START - ago for ago in (60.0, 2e6))
_EFFECTS = ('resume', 'suspend', 'shelve', 'offload', 'confirm', 'abort')
_REFUSALS = (
    outcomes.Refusal('not now'),
    outcomes.Refusal('never', final=True),
    outcomes.Refusal('never', final=True, kind='tag'),
    outcomes.Refusal('never', final=True, kind='untag'),
    outcomes.Refusal('not now', kind='resume'),
    outcomes.Refusal('never', final=True, kind='resume'),
    outcomes.Refusal('not now', kind='suspend'),
    outcomes.Refusal('never', final=True, kind='shelve'),
    outcomes.Refusal('not now', kind='confirm'),
)


#: What owners want.
WISHES = (*('',) * 4, 'leave', 'live', 'live-or-cold', 'cold', 'whatever')


def servers(hosts: abc.Sequence[str] = (scene.SOURCE,)):
    """Return servers on hosts that are drained, and a resize or two."""
    here = of(hosts)
    common = {
        'seconds': strategies.floats(0.5, 12),
        'memory_mb': of((512, 1024, 4096)),
        'outcomes': some(of(outcomes.MoveOutcome), most=3),
        'refusals': some(of(_REFUSALS), most=2),
        'stuck': of((0, 0, 0, 0, 1)),
        'locked': strategies.booleans(),
        'pinned': of((False, False, False, True)),
        'wish': of(WISHES),
        'unreadable': of((False,) * 9 + (True,)),
        'effects': strategies.dictionaries(
            of(_EFFECTS), some(of(outcomes.Effect), most=2), max_size=2
        ),
    }
    plain = strategies.fixed_dictionaries(
        {
            'host': here,
            'vm_state': of(_STATES),
            'task_state': of(_TASKS),
            'changed_at': of(_CHANGED),
            **common,
        }
    )
    resized = strategies.fixed_dictionaries(
        {
            'host': of(HOSTS),
            'resized_to': of(HOSTS),
            'old_state': of(('active', 'stopped')),
            **common,
        }
    )
    return some(strategies.one_of(plain, plain, plain, resized), 1)


def crowd() -> strategies.SearchStrategy[tuple[Values, ...]]:
    """Return many servers on the source, most of which just move."""
    each = strategies.fixed_dictionaries(
        {
            'host': strategies.just(scene.SOURCE),
            'vm_state': of(_MOVABLE),
            'seconds': strategies.floats(0.5, 12),
            'memory_mb': of((512, 1024, 2048)),
            'outcomes': of(_OUTCOMES),
            'pinned': of((False, False, False, True)),
        }
    )
    return some(each, 3, 8)


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


def settings(memory_mb: abc.Sequence[int] = _MEMORY_MB, least_teams: int = 0):
    """Return hosts with little room or much, in zones, and what they hold."""
    teams = strategies.builds(
        Team, of(snapshots.GroupPolicy), of(_MEMBERS), of((1, 1, 2))
    )
    return strategies.builds(
        Setting,
        memory_mb=of(memory_mb),
        zones=of(_ZONES),
        group_members=some(of(_NEIGHBOURS), most=4),
        teams=some(teams, least_teams, 2),
        black_holes=of(_BLACK_HOLES),
        piles_up=strategies.booleans(),
        leaks=strategies.booleans(),
    )


def failing() -> strategies.SearchStrategy[tuple[Values, ...]]:
    numbers = strategies.integers(0, 80)
    return some(
        strategies.dictionaries(numbers, of(faults.ANY), max_size=6), 1, 2
    )


def policy() -> strategies.SearchStrategy[Values]:
    return strategies.fixed_dictionaries(
        {},
        optional={
            'running': of(policies.Running),
            'stopped': of(policies.Stopped),
            'suspended': of(policies.Suspended),
            'shelved': of(policies.Shelved),
            'resized': of(policies.Resized),
            'exclude': examples.EXCLUDED,
            'tenant_policy': of(policies.TenantPolicy),
            'spread': of(policies.Spread),
            'avoid': examples.AVOIDED,
            'per_destination': strategies.integers(1, 3),
            'parallel': strategies.integers(1, 3),
            'retries': strategies.integers(0, 3),
            'on_stall': of(policies.OnStall),
            'stall_after': strategies.floats(5, 60),
        },
    ).flatmap(_with_an_end)


def _with_an_end(values: Values) -> strategies.SearchStrategy[Values]:
    """Add what ends moves, and requests, that never end by themselves."""
    times = strategies.floats(15, 300)
    return times.map(lambda time: {**values, 'server_timeout': time})


def others_actions(kinds: abc.Sequence[str], most: int = 6):
    each = strategies.builds(
        others.OthersAction,
        # Few drains take longer.
        strategies.floats(0, 25),
        of(kinds),
        strategies.integers(0, 5),
        strategies.integers(0, 3),
    )
    return some(each, most=most)


def meanwhile(*kinds: str, most: int = 6) -> dict[str, ty.Any]:
    """Return the field of a scenario in which others do some of these."""
    return {'others_actions': others_actions(kinds, most)}
