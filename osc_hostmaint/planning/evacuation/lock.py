# SPDX-License-Identifier: Apache-2.0

"""The evacuation lock: only one run evacuates a host at a time.

Nova does not refuse a second evacuation of a server while the first is under
way: it builds it twice (nova/compute/api.py: evacuate looks at no task state).
So only one run starts evacuations. While an evacuation of another run is in
flight, a run waits, and then for some more time. Two runs that begin at the
same moment see each other a moment later: so each begins with one server,
usually different ones, and goes on once it sees no other run.
"""

import collections
from collections import abc
import dataclasses
import hashlib
import math

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import memory as own_memory
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

EvacuationMemory = own_memory.EvacuationMemory
HostMemory = memories.HostMemory
Observation = model.Observation
Policy = policies.Policy
Statuses = abc.Mapping[str, server_status.ServerStatus]


def update(
    seen: Observation, memory: HostMemory, statuses: Statuses
) -> EvacuationMemory:
    """Return the memory with since when no other run has evacuated."""
    own = own_memory.of(memory)
    known = own.evacuations
    evacuations = list(_evacuations(seen))
    newest = max((record.id for record in evacuations), default=0)
    # What has begun and ended between two looks also shows others. (Our
    # own earlier attempts have been seen before.)
    unseen = known is not None and any(
        record.id > known and not _is_this_runs(record, memory)
        for record in evacuations
    )
    own = dataclasses.replace(own, evacuations=max(newest, known or 0))
    if unseen or _others(seen, memory, statuses):
        return dataclasses.replace(
            own,
            no_others_since=None,
            met_others=True,
            newest_of_others=max(newest, own.newest_of_others),
        )
    idle = _idle_for(seen, evacuations)
    if known is None and idle < timing.EVACUATE_AFTER_OTHERS_SECONDS:
        # Whoever asked for it may be about to ask for the next one.
        return dataclasses.replace(
            own,
            no_others_since=seen.migrations_at - idle,
            met_others=True,
            newest_of_others=newest,
        )
    if own.no_others_since is None:
        return dataclasses.replace(own, no_others_since=seen.migrations_at)
    return own


def is_held(seen: Observation, memory: HostMemory) -> bool:
    """Tell whether other runs can see that this run evacuates.

    They see an evacuation that it requested since it was alone.
    """
    return any(
        record.id > own_memory.of(memory).newest_of_others
        and _is_this_runs(record, memory)
        for record in _evacuations(seen)
    )


def jitter(salt: object, policy: Policy) -> float:
    """Return a number from 0 to 1 that differs between runs.

    :param salt: different salts give different numbers in the same run.
    """
    drawn = hashlib.sha256(f'{policy.stagger} {salt}'.encode()).digest()
    return int.from_bytes(drawn[:6]) / 2**48


def may_start_at(own: EvacuationMemory, policy: Policy) -> float | None:
    """Return when this run may start evacuations; None: others evacuate."""
    if own.no_others_since is None:
        return None
    pause = policy.stagger * timing.EVACUATE_STAGGER_SECONDS
    if own.met_others:
        # With the same pause they would meet again.
        stagger = jitter(own.newest_of_others, policy)
        pause = (
            timing.EVACUATE_AFTER_OTHERS_SECONDS
            + stagger * timing.EVACUATE_AFTER_OTHERS_STAGGER_SECONDS
        )
    return own.no_others_since + pause


def wait(
    own: EvacuationMemory, policy: Policy, now: float
) -> server_status.Wait | None:
    """Return the wait of a run that has met another one, or None."""
    due = may_start_at(own, policy)
    if not own.met_others or (due is not None and now >= due):
        return None
    longest = (
        timing.EVACUATE_AFTER_OTHERS_SECONDS
        + timing.EVACUATE_AFTER_OTHERS_STAGGER_SECONDS
    )
    return server_status.Wait(
        f'another run to finish its evacuations, and then up to {longest:.0f} '
        's, so that no server is built twice',
        due,
    )


def _others(seen: Observation, memory: HostMemory, statuses: Statuses) -> bool:
    """Tell whether an evacuation is awaited that this run did not ask for.

    Or two of one server, of which it has asked for one.
    """
    phases = {i: status.phase for i, status in statuses.items()}
    # Its record may not be seen before its destination begins.
    if server_status.Phase.BUSY in phases.values():
        return True
    expired = seen.migrations_at - timing.EVACUATION_WAIT_SECONDS
    evacuations = {record.id: record for record in _evacuations(seen)}
    ours = {
        i: r.server_id
        for i, r in evacuations.items()
        if _is_this_runs(r, memory)
    }
    counts = collections.Counter(ours.values())
    return any(
        record.id not in ours or counts[record.server_id] > 1
        for record in evacuations.values()
        if record.in_flight
        and record.seen_at > expired
        and phases.get(record.server_id) not in server_status.FINAL
    )


def _idle_for(
    seen: Observation, evacuations: abc.Iterable[model.Migration]
) -> float:
    """Return seconds since an evacuation ended last, by Nova's clock."""
    now = seen.nova_time_at(seen.migrations_at)
    if now is None:
        return math.inf
    ends = [
        (now - record.updated_at).total_seconds()
        for record in evacuations
        if record.updated_at and not record.in_flight
    ]
    return max(0.0, min(ends, default=math.inf))


def _evacuations(seen: Observation) -> abc.Iterator[model.Migration]:
    """Yield the records of evacuations off the host."""
    for record in seen.migrations.values():
        if (
            record.type == model.MigrationType.EVACUATION
            and record.source == seen.host
        ):
            yield record


def _is_this_runs(record: model.Migration, memory: HostMemory) -> bool:
    if record.server_id not in memory.servers:
        return False
    remembered = memory.servers[record.server_id]
    request = remembered.request(memories.ActionKind.EVACUATE)
    return request.asked_at is not None and record.id > request.asked_after
