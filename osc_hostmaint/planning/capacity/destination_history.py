# SPDX-License-Identifier: Apache-2.0

"""What a run learns about destinations from the moves that ended there.

Level-triggered like everything else: it is worked out anew from Nova's
migration records whenever it is needed.
"""

import collections
from collections import abc
import dataclasses
import datetime

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning.server import memory as memories

#: A destination that failed so many servers, and completed none since, is
#: excluded.
FAILURES = 2
#: A server that fails in one of these ends in ERROR, rather than as it was.
HARMFUL = frozenset(memories.TYPES[kind] for kind in memories.HARMFUL)
_LEARNED_FROM = frozenset(memories.TYPES.values())


@dataclasses.dataclass(frozen=True, slots=True)
class EndedMove:
    """A move that a destination completed, or failed."""

    record: model.Migration
    destination: str
    completed: bool
    #: It failed, and may have left its server in ERROR.
    harmed: bool
    #: That was not looked at since.
    unsure: bool


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
    if view and view.seen_at < record.seen_at:
        view = None
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
        record,
        destination,
        completed,
        record.type in HARMFUL
        and not completed
        and not (moved_again and record.type == model.MigrationType.COLD)
        and not _is_well(record, view),
        awaited and not given_up and view is None,
    )


def _is_well(record: model.Migration, view: model.Server | None) -> bool:
    """Tell whether a server is back on its source as it was, or deleted."""
    return view is not None and (
        view.deleted
        or (
            view.host == record.source
            and view.status != nova_states.Status.ERROR
            and not view.task_state
        )
    )


@dataclasses.dataclass(slots=True)
class Experience:
    """What is known of destinations by now."""

    #: Those that failed several servers in a row, and which servers.
    excluded: dict[str, frozenset[str]]
    #: Those that have failed servers, and completed no move since, and which
    #: servers.
    suspect: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    #: Those that may have left a server in ERROR, and completed no such move
    #: since.
    harmful: set[str] = dataclasses.field(default_factory=set)
    #: Of these, those of which that is not known yet.
    unsure: set[str] = dataclasses.field(default_factory=set)
    #: Those that have completed a move, and those that have such a one.
    succeeded: set[str] = dataclasses.field(default_factory=set)
    proven: set[str] = dataclasses.field(default_factory=set)
    #: Where a server's move of a type has failed.
    failed: dict[tuple[str, str], set[str]] = dataclasses.field(
        default_factory=dict
    )

    def against(self, *, risky: bool) -> dict[str, str]:
        """Return the destinations that are not used any more, and why.

        :param risky: by a move that leaves its server in ERROR if it fails.
        """
        found = dict.fromkeys(
            self.harmful if risky else (),
            'a server failed to move there and may be in ERROR, and none has '
            'succeeded since',
        )
        for host, servers in self.excluded.items():
            count = len(servers)
            found[host] = f'{count} servers failed to move there in a row'
        return found


def _misfits(moves: abc.Iterable[EndedMove]) -> set[str]:
    """Return servers that fail wherever they go, for reasons of their own."""
    tried = collections.defaultdict(set)
    for move in moves:
        dest = '' if move.completed else move.destination
        tried[move.record.server_id].add(dest)
    found = tried.items()
    return {i for i, hosts in found if len(hosts) > 1 and '' not in hosts}


def learn(
    moves: abc.Collection[EndedMove],
    excluded: abc.Mapping[str, frozenset[str]] = {},
) -> Experience:
    """Return what moves tell about their destinations.

    :param excluded: destinations that were excluded before, and stay so.
    """
    known = Experience(dict(excluded))
    misfits = _misfits(moves)
    # A failure that did no harm elsewhere does not excuse one that did.
    harmed_twice = _misfits(m for m in moves if m.completed or m.harmed)

    def order(move: EndedMove) -> tuple[datetime.datetime, int]:
        record = move.record
        return record.updated_at or record.created_at, record.id

    for move in sorted(moves, key=order):
        host, record = move.destination, move.record
        server_id = record.server_id
        if move.completed:
            known.suspect.pop(host, None)
            known.succeeded.add(host)
            if record.type in HARMFUL:
                known.harmful.discard(host)
                known.proven.add(host)
            continue
        known.failed.setdefault((server_id, record.type), set()).add(host)
        if record.found_no_host:
            # It never began there: the scheduler, or a check, was against it.
            continue
        failing = known.suspect.setdefault(host, set())
        failing.add(server_id)
        if move.harmed and server_id not in harmed_twice:
            known.harmful.add(host)
            if move.unsure:
                known.unsure.add(host)
        if len(failing - misfits) >= FAILURES:
            known.excluded.setdefault(host, frozenset(failing - misfits))
    return known
