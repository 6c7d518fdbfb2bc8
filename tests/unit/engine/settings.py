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

"""What hosts are like that are drained at random, and what else is on them."""

import collections.abc
import dataclasses
import itertools
import typing as ty

from hypothesis import strategies

from osc_hostmaint import survey
from tests.unit.simulation import inventory
from tests.unit.simulation import scene

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
    zones: tuple[str, ...] = ('nova',) * len(scene.HOSTS)
    #: Servers on hosts that need not be drained.
    neighbours: tuple[Values, ...] = ()
    teams: tuple[Team, ...] = ()
    #: Nova's weighers see each live migration at once, or a minute later.
    piles_up: bool = True


#: Draws are few, because they take longer than many a drain.
_NEIGHBOURS: tuple[Values, ...] = tuple(
    {'host': host, 'memory_mb': memory_mb}
    for host in scene.HOSTS[1:]
    for memory_mb in (512, 1024, 2048)
)
_ZONES = tuple(itertools.product(('nova', 'east'), repeat=len(scene.HOSTS)))
_MEMBERS = tuple(
    frozenset(members)
    for size in (2, 3, 5)
    for members in itertools.combinations(range(8), size)
)


def settings(
    memory_mb: collections.abc.Sequence[int] = (
        4096,
        8192,
        inventory.ROOMY[inventory.MEMORY_MB],
    ),
    least_teams: int = 0,
) -> strategies.SearchStrategy[Setting]:
    """Return hosts with little room or much, in zones, and what they hold."""
    teams = strategies.builds(
        Team,
        strategies.sampled_from(survey.GroupPolicy),
        strategies.sampled_from(_MEMBERS),
        strategies.sampled_from((1, 1, 2)),
    )
    return strategies.builds(
        Setting,
        memory_mb=strategies.sampled_from(memory_mb),
        zones=strategies.sampled_from(_ZONES),
        neighbours=strategies.lists(
            strategies.sampled_from(_NEIGHBOURS), max_size=4
        ).map(tuple),
        teams=strategies.lists(teams, min_size=least_teams, max_size=2).map(
            tuple
        ),
        piles_up=strategies.booleans(),
    )
