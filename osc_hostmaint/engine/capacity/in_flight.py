# SPDX-License-Identifier: Apache-2.0

"""The moves that are on their way to each destination, and what they showed.

Ours, as soon as they are asked for, and those of others.
"""

import collections
from collections import abc
import dataclasses
import datetime
import itertools

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import closed_hosts
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.capacity import destination_history as history
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories

Record = model.Migration


@dataclasses.dataclass(slots=True)
class SentMove:
    """One move that we asked for."""

    source: str
    #: '' where the scheduler picks it, until a record shows it.
    dest: str
    #: Its record has a higher id.
    after: int
    kind: memories.ActionKind
    asked_at: float
    #: When its destination was first seen to be taken: from then on
    #: Placement's numbers show it.
    landed_at: float | None = None
    #: Placement's numbers seem to show it, although no record did.
    perhaps_shown: bool = False
    ended: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class MoveInFlight:
    """One move on its way."""

    #: '' while that is not known.
    dest: str
    #: It belongs to the drain, and if it fails, its server ends in ERROR.
    harmful: bool = False


_Moves = dict[str, MoveInFlight]
#: A host that was refused so often, and never taken, is not picked any more.
ENOUGH_REFUSALS = 2
#: No record is as new.
_NEVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)
#: What a destination begins with at once. An evacuation waits its turn there.
_ANSWERED = frozenset(
    {memories.ActionKind.LIVE_MIGRATE, memories.ActionKind.COLD_MIGRATE}
)


class MovesInFlight:
    """Keeps count of what is on its way, and of what has ended."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        board: boards.Board,
        *,
        bound: int | None = None,
        patience: float | None = None,
    ):
        """:param board: the compute services of all hosts.

        :param bound: at most so many moves in flight to one destination.
        :param patience: seconds after which a move of others is not awaited
            any longer.
        """
        self._gateway = gateway
        self._clock = clock
        self._board = board
        self._bound = bound
        longest = timing.OTHERS_MOVES_WAIT_SECONDS
        self._awaited = datetime.timedelta(
            seconds=min(patience or longest, longest)
        )
        #: What we asked for, by the server's id.
        self.sent: dict[str, SentMove] = {}
        #: How often the scheduler refused our pick, by source and host, and
        #: what it took.
        self._rejected: collections.Counter[tuple[str, str]] = (
            collections.Counter()
        )
        self._accepted: set[tuple[str, str]] = set()
        #: By source: from when on its moves are of its maintenance.
        self._since: dict[str, datetime.datetime] = {}
        #: By source: as of when its records were seen.
        self._looked_at: dict[str, float] = {}
        #: By source: what is in flight, and what may still arrive.
        self._in_flight: dict[str, _Moves] = {}
        self._abandoned: dict[str, _Moves] = {}
        #: Those in flight when they were listed last, of others.
        self._others: tuple[Record, ...] = ()
        self._others_at = float('-inf')
        self._others_took = 0.0
        #: The hosts that we asked for, by the record's id.
        self._asked: dict[int, str] = {}
        #: By source: what has ended before this run, and in it.
        self._before: dict[str, frozenset[int]] = {}
        self._earlier: dict[str, list[history.EndedMove]] = {}
        self._ended: dict[str, list[history.EndedMove]] = {}

    def note(self, seen: model.Observation, over: abc.Set[str]) -> list[str]:
        """Take note of what has become of a host's moves.

        :param over: servers that nothing is awaited of any more.
        :returns: servers whose move came to nothing.
        """
        known = stale_migrations.drop_stale(seen).migrations.values()
        records = [record for record in known if record.source == seen.host]
        moving = {r.server_id: r for r in records if r.in_flight}
        abandoned = [moving.pop(i) for i in moving.keys() & over]
        newest = _newest(records)
        nothing = []
        self._looked_at[seen.host] = seen.migrations_at
        for server_id, sent in list(self.sent.items()):
            if sent.source != seen.host:
                continue
            sent.ended = sent.ended or server_id in over
            record = newest.get(server_id)
            if record and record.id > sent.after:
                if self._follow(sent, record):
                    nothing.append(server_id)
            elif sent.ended and sent.landed_at is None:
                view = seen.latest(server_id)
                if view is None or not view.task_state:
                    # Nothing came of it, or its server was deleted. What was
                    # given up may still go on.
                    self.sent.pop(server_id)
        if mark := seen.service.mark:
            # Others may overwrite it later.
            self._since.setdefault(seen.host, mark.since - contexts.SKEW)
        since = self._since.get(seen.host, _NEVER)
        self._in_flight[seen.host] = self._shown(moving.values(), since)
        self._abandoned[seen.host] = self._shown(abandoned, since)
        self._learn(seen, since, {r.id for r in abandoned}, over)
        return nothing

    def begin(
        self, source: str, action: memories.Action, highest_id: int
    ) -> None:
        """Take note of a move that is asked for.

        :param highest_id: its record has a higher id.
        """
        self.sent[action.server_id] = SentMove(
            source, action.host, highest_id, action.kind, self._clock.now()
        )

    def leaving(self, host: str) -> abc.Set[str]:
        """Return the servers that are on their way off a host."""
        return self._in_flight.get(host, {}).keys()

    def leave(self, host: str) -> None:
        """Take note that a host's drain has ended: nobody looks any more."""
        for sent in self.sent.values():
            sent.ended = sent.ended or sent.source == host
        # Nobody will know any better.
        self._ended[host] = [
            dataclasses.replace(move, unsure=False)
            for move in self._ended.get(host, ())
        ]
        # What is in flight off it goes on like that of others.
        self._in_flight.pop(host, None)
        self._abandoned.pop(host, None)
        self._others_at = float('-inf')

    def _follow(self, sent: SentMove, record: Record) -> bool:
        """Take note of a trip's record; tell whether it came to nothing."""
        if sent.dest and record.dest is None:
            self._asked[record.id] = sent.dest
        if record.ended_badly:
            if sent.dest and record.found_no_host:
                self._rejected[sent.source, sent.dest] += 1
            return True
        sent.ended = sent.ended or not record.in_flight
        if record.dest and record.scheduled and sent.landed_at is None:
            sent.dest = record.dest
            self._accepted.add((sent.source, sent.dest))
            sent.landed_at = self._clock.now()
        return False

    def _shown(
        self,
        records: abc.Iterable[Record],
        since: datetime.datetime = _NEVER,
    ) -> _Moves:
        """Return records as moves on their way.

        :param since: when the host's maintenance began: whoever has moved
            servers off it since then meant to empty it.
        """
        return {
            record.server_id: MoveInFlight(
                record.dest or self._asked.get(record.id, ''),
                record.type in history.HARMFUL and record.created_at >= since,
            )
            for record in records
        }

    def _learn(
        self,
        seen: model.Observation,
        since: datetime.datetime,
        given_up: abc.Set[int],
        over: abc.Set[str],
    ) -> None:
        host = seen.host
        records = [r for r in seen.migrations.values() if r.source == host]
        if host not in self._before:
            old = [r for r in records if not r.in_flight]
            self._before[host] = frozenset(r.id for r in old)
            ended = (
                history.ended(r, seen.latest(r.server_id))
                for r in old
                if r.created_at >= since
            )
            self._earlier[host] = list(filter(None, ended))
        newest = _newest(records)
        ended = (
            history.ended(
                r,
                seen.latest(r.server_id),
                self._asked.get(r.id, ''),
                given_up=r.id in given_up and r.type in history.HARMFUL,
                moved_again=newest[r.server_id] is not r,
                awaited=r.server_id not in over,
            )
            for r in records
            if r.id not in self._before[host]
        )
        self._ended[host] = list(filter(None, ended))

    def experience(
        self, excluded: abc.Mapping[str, frozenset[str]]
    ) -> history.Experience:
        """Return what this run's moves tell about their destinations.

        :param excluded: destinations that were excluded before.
        """
        moves = list(itertools.chain.from_iterable(self._ended.values()))
        return history.learn(moves, excluded)

    def suspect(self) -> abc.Set[str]:
        """Return the destinations that failed the last move before this."""
        earlier = list(itertools.chain.from_iterable(self._earlier.values()))
        return history.learn(earlier).suspect.keys()

    def _see_others(self) -> None:
        asked_at = self._clock.now()
        # Where a list takes a minute, so may each look before the next need.
        valid = timing.OTHERS_MOVES_RECHECK_SECONDS + 5 * self._others_took
        if asked_at - self._others_at < valid:
            return
        try:
            moving = self._gateway.migrations_in_flight()
        except exceptions.Unavailable:
            # What is known is still a good guess.
            return
        finally:
            self._others_at = self._clock.now()
            self._others_took = self._others_at - asked_at
        since = self._gateway.now() - self._awaited
        self._others = tuple(
            record
            for record in moving
            if record.created_at >= since and self._goes_on(record)
        )

    def _goes_on(self, record: Record) -> bool:
        """Tell whether somebody may be at a move on both hosts."""
        services = self._board.services
        ends = (record.source, record.dest or '')
        return all(services[end].up for end in ends if end in services)

    def under_way(self) -> _Moves:
        """Return all that is on its way, by the server's id."""
        # Of hosts that are observed themselves more is known by now.
        found = self._shown(
            record
            for record in self._others
            if record.source not in self._in_flight
        )
        for mine in self._in_flight.values():
            found.update(mine)
        for server_id, sent in self.sent.items():
            if not sent.ended:
                harmful = sent.kind in memories.HARMFUL
                found[server_id] = MoveInFlight(sent.dest, harmful)
        return found

    def places(self, host: str) -> float:
        """Return how many more moves may be on their way to a host."""
        return self.closed(frozenset(), risky=False).places(host)

    def rejected_hosts(self, source: str) -> abc.Set[str]:
        """Return the hosts not to be picked for servers of a host.

        The scheduler does not say why it refuses them: another cell, or a
        custom filter. A host that it refuses for one server it usually also
        refuses for the next one.
        """
        return {
            dest
            for (origin, dest), times in self._rejected.items()
            if origin == source
            and times >= ENOUGH_REFUSALS
            and (origin, dest) not in self._accepted
        }

    def adopted(self) -> dict[str, str]:
        """Return where all goes that was under way before we asked."""
        return {
            server_id: move.dest
            for each in (*self._abandoned.values(), *self._in_flight.values())
            for server_id, move in each.items()
            if move.dest
        }

    def closed(
        self, proven: abc.Set[str], *, risky: bool
    ) -> closed_hosts.ClosedHosts:
        """Return which hosts a move must not be sent to just now.

        Those that have as many moves on their way as they may. Those that
        have not begun with what was sent there: a compute service that has
        died looks up to Nova for a minute still. And those where a move is to
        show first whether they complete any: of two that fail at once both
        servers end in ERROR.

        :param proven: hosts that have completed such a move.
        :param risky: its server ends in ERROR if it fails.
        """
        if self._bound is not None:
            self._see_others()
        moving = self.under_way().values()
        counts = collections.Counter(move.dest for move in moving)
        unanswered = {
            sent.dest
            for sent in self.sent.values()
            if sent.dest
            and sent.kind in _ANSWERED
            and sent.landed_at is None
            and not sent.ended
            # As long as nobody looks, nobody knows.
            and self._looked_at.get(sent.source, float('-inf')) - sent.asked_at
            >= timing.UNANSWERED_SECONDS
        }
        harmful = {move.dest for move in moving if risky and move.harmful}
        return closed_hosts.ClosedHosts(
            counts,
            counts.pop('', 0),
            self._bound,
            unanswered,
            proven,
            harmful - proven,
        )


def _newest(records: abc.Iterable[Record]) -> dict[str, Record]:
    """Return the newest record of each server."""
    return {r.server_id: r for r in sorted(records, key=lambda r: r.id)}
