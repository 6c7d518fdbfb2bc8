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

"""Which moves and confirmations to ask for now."""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import pace
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import window

#: How old the view of a server may be that is about to be cold-migrated. Its
#: owner may have started it since, and Nova would cold-migrate it all the
#: same: by stopping it. (A live migration of a server that has been stopped
#: is refused, and does no harm.)
FRESH_SECONDS = 5.0

Stands = collections.abc.Mapping[str, standing.Standing]


@dataclasses.dataclass(frozen=True, slots=True)
class Starts:
    """What to ask for now."""

    actions: tuple[memories.Action, ...]
    #: How many live migrations the source runs at once, as far as known.
    slots: int | None
    #: The source may have room for more, and more are waiting.
    filling: bool
    #: Servers to be looked at before they may be moved.
    visit: frozenset[str]


def choose(
    seen: model.Observation,
    policy: policies.Policy,
    memory: memories.Memory,
    stands: Stands,
    rhythm: pace.Rhythm | None,
    now: float,
) -> Starts:
    """Return what to ask for now."""
    under_way = _under_way(seen, memory, stands)
    slots = window.learn_slots(memory.slots, under_way)
    ready = {
        server_id: stand
        for server_id, stand in stands.items()
        if memory.tracks[server_id].not_before <= now
    }
    confirm = [
        server_id
        for server_id, stand in ready.items()
        if stand.phase is standing.Phase.CONFIRM
    ]
    live = _largest_first(memory, ready, model.Move.LIVE)
    cold = _largest_first(memory, ready, model.Move.COLD)
    lives, colds = window.share(
        under_way,
        slots,
        policy.parallel,
        len(live),
        len(cold),
        window.queue_length(rhythm.between if rhythm else None),
    )
    stale = {i for i in cold[:colds] if not _fresh(seen, i, now)}
    kinds = (
        [(memories.Kind.CONFIRM, i) for i in confirm]
        + [(memories.Kind.LIVE_MIGRATE, i) for i in live[:lives]]
        + [
            (memories.Kind.COLD_MIGRATE, i)
            for i in cold[:colds]
            if i not in stale
        ]
    )
    room = slots is None or under_way.live + lives <= slots
    return Starts(
        actions=tuple(memories.Action(kind, i) for kind, i in kinds),
        slots=slots,
        filling=(len(live) > lives and room) or bool(colds),
        visit=frozenset(stale),
    )


def _fresh(seen: model.Observation, server_id: str, now: float) -> bool:
    view = seen.latest(server_id)
    return view is not None and now - view.seen_at < FRESH_SECONDS


def _under_way(
    seen: model.Observation,
    memory: memories.Memory,
    stands: Stands,
) -> window.InFlight:
    asked = cold = 0
    for server_id, stand in stands.items():
        if stand.phase is not standing.Phase.MOVING:
            continue
        if stand.record is None:
            if memory.tracks[server_id].move is model.Move.COLD:
                cold += 1
            else:
                asked += 1
        elif (
            stand.record.in_flight
            and stand.record.type != model.MigrationType.LIVE
        ):
            cold += 1
    live = [
        r
        for r in seen.migrations.values()
        if r.source == seen.host
        and r.in_flight
        and r.type == model.MigrationType.LIVE
    ]
    return window.count(live, asked, cold)


def _largest_first(
    memory: memories.Memory,
    stands: Stands,
    move: model.Move,
) -> list[str]:
    """What can't fit shows early, and the tail is short."""
    ids = [
        server_id
        for server_id, stand in stands.items()
        if stand.phase is standing.Phase.WAITING and stand.move is move
    ]
    return sorted(ids, key=lambda i: (-memory.tracks[i].before.memory_mb, i))
