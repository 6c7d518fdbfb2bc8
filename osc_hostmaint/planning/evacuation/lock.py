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
import collections.abc
import dataclasses
import hashlib

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import memory as own_memory
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status


def update(
    seen: model.Observation,
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, server_status.Standing],
) -> own_memory.EvacuationMemory:
    """Return the memory with since when no other run has evacuated."""
    own = own_memory.of(memory)
    known = own.evacuations
    newest = max((r.id for r in _evacuations(seen)), default=0)
    # What has begun and ended between two looks tells of others, too. (Our
    # own earlier attempts have been seen before.)
    unseen = known is not None and any(
        record.id > known and not _is_ours(record, memory)
        for record in _evacuations(seen)
    )
    own = dataclasses.replace(own, evacuations=max(newest, known or 0))
    if unseen or _others(seen, memory, stands):
        return dataclasses.replace(
            own, alone_since=None, yields=True, crowd=max(newest, own.crowd)
        )
    if own.alone_since is None:
        return dataclasses.replace(own, alone_since=seen.migrations_at)
    return own


def is_held(seen: model.Observation, memory: memories.Memory) -> bool:
    """Tell whether other runs can see that this run evacuates.

    They see an evacuation that it requested since it was alone.
    """
    return any(
        record.id > own_memory.of(memory).crowd and _is_ours(record, memory)
        for record in _evacuations(seen)
    )


def jitter(salt: object, policy: policies.Policy) -> float:
    """Return a number from 0 to 1 that differs between runs.

    :param salt: different salts give different numbers in the same run.
    """
    drawn = hashlib.sha256(f'{policy.stagger} {salt}'.encode()).digest()
    return int.from_bytes(drawn[:6]) / 2**48


def may_start_at(
    own: own_memory.EvacuationMemory, policy: policies.Policy
) -> float | None:
    """Return when this run may start evacuations; None: others evacuate."""
    if own.alone_since is None:
        return None
    if not own.yields:
        return (
            own.alone_since + policy.stagger * timing.EVACUATE_STAGGER_SECONDS
        )
    # With the same pause they would meet again.
    stagger = jitter(own.crowd, policy)
    return (
        own.alone_since
        + timing.EVACUATE_AFTER_OTHERS_SECONDS
        + stagger * timing.EVACUATE_AFTER_OTHERS_STAGGER_SECONDS
    )


def wait(
    own: own_memory.EvacuationMemory, policy: policies.Policy, now: float
) -> server_status.Wait | None:
    """Return the wait of a run that has met another one, or None."""
    due = may_start_at(own, policy)
    if not own.yields or (due is not None and now >= due):
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


def _others(
    seen: model.Observation,
    memory: memories.Memory,
    stands: collections.abc.Mapping[str, server_status.Standing],
) -> bool:
    """Tell whether an evacuation is awaited that this run did not ask for.

    Or two of one server, of which it has asked for one.
    """
    # Its record may not be seen before its destination begins.
    if any(
        stand.phase is server_status.Phase.BUSY for stand in stands.values()
    ):
        return True
    flying = [
        record
        for record in _evacuations(seen)
        if record.in_flight
        and seen.migrations_at - record.seen_at
        < timing.EVACUATION_WAIT_SECONDS
        and not _is_over(stands.get(record.server_id))
    ]
    if not all(_is_ours(record, memory) for record in flying):
        return True
    counts = collections.Counter(
        record.server_id
        for record in _evacuations(seen)
        if _is_ours(record, memory)
    )
    return any(counts[record.server_id] > 1 for record in flying)


def _evacuations(
    seen: model.Observation,
) -> collections.abc.Iterator[model.Migration]:
    """Yield the records of evacuations off the host."""
    for record in seen.migrations.values():
        if (
            record.type == model.MigrationType.EVACUATION
            and record.source == seen.host
        ):
            yield record


def _is_over(stand: server_status.Standing | None) -> bool:
    return stand is not None and stand.phase in server_status.FINAL


def _is_ours(record: model.Migration, memory: memories.Memory) -> bool:
    track = memory.tracks.get(record.server_id)
    errand = track.errand(memories.Kind.EVACUATE) if track else None
    return (
        errand is not None
        and errand.asked_at is not None
        and record.id > errand.asked_after
    )
