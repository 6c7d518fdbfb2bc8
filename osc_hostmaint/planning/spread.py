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

"""Picking the destination that leaves the cloud most even.

A pure function of what is known when a move starts. Nova's scheduler checks
the pick with all its filters, so what counts here is to be even, and to leave
room for those that have still to come.
"""

import collections.abc
import dataclasses

from osc_hostmaint import survey as surveys
from osc_hostmaint.planning import attempt as attempts
from osc_hostmaint.planning import eligible
from osc_hostmaint.planning import packing

#: Loads that differ by less are the same.
_DIGITS = 6


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """All that is to be spread, and what has become of it."""

    #: Everything that had or has to go somewhere, by the server's id.
    demands: collections.abc.Mapping[str, surveys.Demand]
    limits: eligible.Limits
    #: What has not begun to move, and where it was planned to go: '' where
    #: there was no room.
    plan: collections.abc.Mapping[str, str]
    #: Where those that began to move went, or are going.
    gone: collections.abc.Mapping[str, str] = dataclasses.field(
        default_factory=dict
    )
    #: Of these, those that Placement's numbers do not show yet.
    unseen: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True)
class Pick:
    """Where a server is to go."""

    #: '': no host is known to have room; the scheduler may know better.
    host: str
    #: All hosts with room have as many moves on their way as they may.
    wait: bool = False
    #: The plan for the others, where it had to change.
    plan: collections.abc.Mapping[str, str] | None = None


def pick(
    survey: surveys.Survey,
    flow: Flow,
    server_id: str,
    closed: collections.abc.Container[str] = (),
) -> Pick:
    """Return where a server is to go that is about to be moved.

    :param closed: hosts that can't take any other move just now.
    """
    demand = flow.demands[server_id]
    plan = flow.plan
    now = _as_is(survey, flow)
    later = _as_planned(now, flow, server_id, plan)
    renewed = None
    if later is None:
        renewed = plan = _replan(now, flow)
        later = _as_planned(now, flow, server_id, plan) or now
    open_ = []
    possible = False
    for host in now.options.options(demand):
        candidate = now.candidate(demand, host)
        if candidate is None or not now.admits(demand, host):
            continue
        possible = True
        if host in closed:
            continue
        leaves_room = later.candidate(demand, host) is not None
        leaves_room = leaves_room and later.admits(demand, host)
        open_.append(
            (
                not (leaves_room or plan.get(server_id) == host),
                now.neighbours.strain(server_id, host),
                round(now.room.load(host, candidate), _DIGITS),
                host,
            )
        )
    if open_:
        return Pick(min(open_)[-1], plan=renewed)
    return Pick('', wait=possible, plan=renewed)


def _as_is(survey: surveys.Survey, flow: Flow) -> packing.Floor:
    """Return the hosts with all that has begun to move."""
    waiting = {i: flow.demands[i] for i in flow.plan}
    task = attempts.task(survey, waiting.values(), flow.limits, flow.gone)
    floor = packing.Floor(task)
    for server_id in flow.unseen:
        demand, host = flow.demands[server_id], flow.gone[server_id]
        # It may have been asked for where we see no room.
        candidates = floor.options.options(demand).get(host, ())
        candidate = floor.candidate(demand, host)
        if candidate is not None:
            floor.room.take(candidate)
        elif candidates:
            floor.room.take(candidates[0])
    return floor


def _as_planned(
    now: packing.Floor,
    flow: Flow,
    server_id: str,
    plan: collections.abc.Mapping[str, str],
) -> packing.Floor | None:
    """Return the hosts with the others where they are planned to go.

    None: the plan can't be kept any more.
    """
    floor = now.copy()
    for other_id, host in plan.items():
        if other_id == server_id or not host:
            continue
        other = flow.demands[other_id]
        candidate = floor.candidate(other, host)
        if candidate is None or not floor.admits(other, host):
            return None
        floor.put(other, host, candidate)
    return floor


def _replan(now: packing.Floor, flow: Flow) -> dict[str, str]:
    task = packing.task(
        (flow.demands[i] for i in flow.plan),
        now.options,
        now.room,
        now.neighbours,
    )
    placed = packing.pack(task).placed
    return {server_id: placed.get(server_id, '') for server_id in flow.plan}
