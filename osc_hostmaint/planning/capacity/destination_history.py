# SPDX-License-Identifier: Apache-2.0

"""What a run learns about destinations from the moves that ended there.

Level-triggered like everything else: it is worked out anew from Nova's
migration records whenever it is needed.
"""

import collections
import collections.abc
import dataclasses
import datetime
import types

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning.server import memory as memories

#: A destination that failed so many servers, and completed none since, is
#: excluded.
FAILURES = 2
_NONE: collections.abc.Mapping[str, frozenset[str]] = types.MappingProxyType(
    {}
)
#: A server that fails in one of these ends in ERROR, rather than as it was.
HARMFUL = frozenset(memories.TYPES[kind] for kind in memories.HARMFUL)
_LEARNED_FROM = frozenset(memories.TYPES.values())


@dataclasses.dataclass(frozen=True, slots=True)
class EndedMove:
    """A move that a destination completed, or failed."""

    server_id: str
    #: Nova's ``migration_type``.
    type: str
    destination: str
    completed: bool
    #: It never began there: the scheduler, or a check, was against it.
    refused: bool
    #: It failed, and may have left its server in ERROR.
    harmed: bool
    #: That was not looked at since.
    unsure: bool
    #: By Nova's clock.
    ended_at: datetime.datetime
    record_id: int


def ended(
    record: model.Migration,
    view: model.Server | None,
    asked: str = '',
    *,
    given_up: bool = False,
    moved_again: bool = False,
    awaited: bool = True,
) -> EndedMove | None:
    """Return what a record tells about its destination, None if nothing.

    An abort tells nothing: somebody asked for it.

    :param view: its server, as it was last seen.
    :param asked: the host that we asked for, which counts until the record
        names one.
    :param given_up: it is in flight, and not awaited any more.
    :param moved_again: its server has another move since, so it was not in
        ERROR, unless it was evacuated: nothing else moves a server in ERROR.
    :param awaited: it is still to be seen what became of the server.
    """
    destination = record.dest or asked
    completed = record.ended_well or record.awaits_confirmation
    failed = given_up or record.status in nova_states.FAILED
    if (
        not destination
        or record.type not in _LEARNED_FROM
        or not (completed or failed)
    ):
        return None
    return EndedMove(
        record.server_id,
        record.type,
        destination,
        completed,
        record.found_no_host,
        record.type in HARMFUL
        and not completed
        and not (moved_again and record.type == model.MigrationType.COLD)
        and not _is_well(record, view),
        awaited
        and not given_up
        and (view is None or view.seen_at < record.seen_at),
        record.updated_at or record.created_at,
        record.id,
    )


def _is_well(record: model.Migration, view: model.Server | None) -> bool:
    """Tell whether a server is back on its source as it was, or deleted."""
    if view is None or view.seen_at < record.seen_at:
        return False
    return view.deleted or (
        view.host == record.source
        and view.status != nova_states.Status.ERROR
        and not view.task_state
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Experience:
    """What is known of destinations by now."""

    #: Those that failed several servers in a row, and which servers.
    excluded: collections.abc.Mapping[str, frozenset[str]]
    #: Those that have failed a server, and completed no move since.
    suspect: frozenset[str]
    #: Those that may have left a server in ERROR, and completed no such move
    #: since.
    harmful: frozenset[str]
    #: Of these, those of which that is not known yet.
    unsure: frozenset[str]
    #: Those that have completed a move, and those that have such a one.
    succeeded: frozenset[str]
    proven: frozenset[str]
    #: Where a server's move of a type has failed.
    failed: collections.abc.Mapping[tuple[str, str], frozenset[str]]

    def against(self, *, risky: bool) -> dict[str, str]:
        """Return the destinations that are not used any more, and why.

        :param risky: by a move that leaves its server in ERROR if it fails.
        """
        found = {
            host: f'{len(servers)} servers failed to move there in a row'
            for host, servers in self.excluded.items()
        }
        for host in self.harmful if risky else ():
            found.setdefault(
                host,
                'a server failed to move there and may be in ERROR, and none '
                'has succeeded since',
            )
        return found


def _misfits(
    moves: collections.abc.Iterable[EndedMove],
) -> set[str]:
    """Return servers that fail wherever they go, for reasons of their own."""
    tried = collections.defaultdict(set)
    for move in moves:
        tried[move.server_id].add('' if move.completed else move.destination)
    return {
        server_id
        for server_id, hosts in tried.items()
        if len(hosts) > 1 and '' not in hosts
    }


def learn(
    moves: collections.abc.Collection[EndedMove],
    excluded: collections.abc.Mapping[str, frozenset[str]] = _NONE,
) -> Experience:
    """Return what moves tell about their destinations.

    :param excluded: destinations that were excluded before, and stay so.
    """
    excluded = dict(excluded)
    misfits = _misfits(moves)
    # A failure that did no harm elsewhere does not excuse one that did.
    harmed_twice = _misfits(m for m in moves if m.completed or m.harmed)
    suspect: dict[str, set[str]] = {}
    harmful: set[str] = set()
    unsure: set[str] = set()
    succeeded: set[str] = set()
    proven: set[str] = set()
    failed: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for move in sorted(moves, key=lambda m: (m.ended_at, m.record_id)):
        host = move.destination
        if move.completed:
            suspect.pop(host, None)
            succeeded.add(host)
            if move.type in HARMFUL:
                harmful.discard(host)
                proven.add(host)
            continue
        failed[move.server_id, move.type].add(host)
        if move.refused:
            continue
        suspect.setdefault(host, set()).add(move.server_id)
        if move.harmed and move.server_id not in harmed_twice:
            harmful.add(host)
            if move.unsure:
                unsure.add(host)
        blaming = suspect[host] - misfits
        if len(blaming) >= FAILURES:
            excluded.setdefault(host, frozenset(blaming))
    return Experience(
        excluded,
        frozenset(suspect),
        frozenset(harmful),
        frozenset(unsure),
        frozenset(succeeded),
        frozenset(proven),
        {key: frozenset(hosts) for key, hosts in failed.items()},
    )
