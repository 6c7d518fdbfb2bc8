# SPDX-License-Identifier: Apache-2.0

"""The moves that are on their way to each destination, and what they showed.

Ours, as soon as they are asked for, and those of others.
"""

import collections
import collections.abc
import dataclasses
import datetime

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import rejections
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.capacity import destination_history
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories


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
    ended: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class MoveInFlight:
    """One move on its way."""

    #: '' while that is not known.
    dest: str
    #: It belongs to the drain, and if it fails, its server ends in ERROR.
    harmful: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """How many moves are on their way to each host."""

    counts: collections.abc.Mapping[str, int]
    #: Moves whose destination is not known: it may be any.
    unknown: int
    bound: int | None

    def full(self, host: str) -> bool:
        """Tell whether a host may have as many as may be."""
        if self.bound is None:
            return False
        return self.counts.get(host, 0) + self.unknown >= self.bound

    @property
    def any_full(self) -> bool:
        """Tell whether that holds of any host."""
        return any(self.full(host) for host in ('', *self.counts))


@dataclasses.dataclass(frozen=True, slots=True)
class ClosedHosts:
    """Which hosts a move must not be sent to just now."""

    unanswered: frozenset[str]
    proven: frozenset[str] = frozenset()
    #: Those not proven that a move is on its way to, '' if that may be any.
    probed: frozenset[str] = frozenset()

    def holds(self, host: str) -> bool:
        """Tell whether a host is one of them; '' if it may be any."""
        if host in self.unanswered or host in self.probed:
            return True
        return host not in self.proven and bool(
            self.probed if not host else '' in self.probed
        )


_Moves = dict[str, MoveInFlight]
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
        board: observer.ServiceBoard,
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
        self.rejected_hosts = rejections.RejectedHosts()
        #: By source: what is in flight, and what may still arrive.
        self._in_flight: dict[str, _Moves] = {}
        self._abandoned: dict[str, _Moves] = {}
        self._others: _Moves = {}
        self._others_at = float('-inf')
        self._others_took = 0.0
        #: The hosts that we asked for, by the record's id.
        self._asked: dict[int, str] = {}
        #: By source: what has ended before this run, and in it.
        self._before: dict[str, frozenset[int]] = {}
        self._earlier: dict[str, list[destination_history.EndedMove]] = {}
        self._ended: dict[str, list[destination_history.EndedMove]] = {}

    def note(
        self, seen: model.Observation, over: collections.abc.Set[str]
    ) -> list[str]:
        """Take note of what has become of a host's moves.

        :param over: servers that nothing is awaited of any more.
        :returns: servers whose move came to nothing.
        """
        records = [
            record
            for record in stale_migrations.drop_stale(seen).migrations.values()
            if record.source == seen.host
        ]
        moving = {
            record.server_id: record for record in records if record.in_flight
        }
        abandoned = {i: moving.pop(i) for i in moving.keys() & over}
        nothing = []
        for server_id, sent in list(self.sent.items()):
            if sent.source != seen.host:
                continue
            if server_id in over:
                sent.ended = True
            mine = [
                record
                for record in records
                if record.server_id == server_id and record.id > sent.after
            ]
            if mine:
                record = max(mine, key=lambda r: r.id)
                if self._follow(sent, record):
                    nothing.append(server_id)
            elif sent.ended and sent.landed_at is None:
                view = seen.latest(server_id)
                if view is None or not view.task_state:
                    # Nothing came of it, or its server was deleted. What was
                    # given up may still go on.
                    self.sent.pop(server_id)
        mark = seen.service.mark
        since = mark.since - contexts.SKEW if mark else None
        self._in_flight[seen.host] = self._shown(moving, since)
        self._abandoned[seen.host] = self._shown(abandoned, since)
        self._learn(seen, since, {r.id for r in abandoned.values()}, over)
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

    def leaving(self, host: str) -> collections.abc.Set[str]:
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

    def _follow(self, sent: SentMove, record: model.Migration) -> bool:
        """Take note of a trip's record; tell whether it came to nothing."""
        if sent.dest and record.dest is None:
            self._asked[record.id] = sent.dest
        if record.ended_badly:
            if sent.dest and record.found_no_host:
                self.rejected_hosts.note_rejected(sent.source, sent.dest)
            return True
        sent.ended = sent.ended or not record.in_flight
        if record.dest and record.scheduled and sent.landed_at is None:
            sent.dest = record.dest
            self.rejected_hosts.note_accepted(sent.source, sent.dest)
            sent.landed_at = self._clock.now()
        return False

    def _shown(
        self,
        records: collections.abc.Mapping[str, model.Migration],
        since: datetime.datetime | None = None,
    ) -> _Moves:
        """Return records as moves on their way.

        :param since: when the host's maintenance began: whoever has moved
            servers off it since then meant to empty it.
        """
        return {
            server_id: MoveInFlight(
                record.dest or self._asked.get(record.id, ''),
                record.type in destination_history.HARMFUL
                and since is not None
                and record.created_at >= since,
            )
            for server_id, record in records.items()
        }

    def _learn(
        self,
        seen: model.Observation,
        since: datetime.datetime | None,
        given_up: collections.abc.Set[int],
        over: collections.abc.Set[str],
    ) -> None:
        host = seen.host
        records = [r for r in seen.migrations.values() if r.source == host]
        if host not in self._before:
            old = [r for r in records if not r.in_flight]
            self._before[host] = frozenset(r.id for r in old)
            self._earlier[host] = [
                move
                for r in old
                if since is not None and r.created_at >= since
                if (
                    move := destination_history.ended(
                        r, seen.latest(r.server_id)
                    )
                )
            ]
        newest = {
            r.server_id: r.id for r in sorted(records, key=lambda r: r.id)
        }
        self._ended[host] = [
            move
            for r in records
            if r.id not in self._before[host]
            and (
                move := destination_history.ended(
                    r,
                    seen.latest(r.server_id),
                    self._asked.get(r.id, ''),
                    given_up=r.id in given_up
                    and r.type in destination_history.HARMFUL,
                    moved_again=newest[r.server_id] != r.id,
                    awaited=r.server_id not in over,
                )
            )
        ]

    def experience(
        self, before: destination_history.Experience | None = None
    ) -> destination_history.Experience:
        """Return what this run's moves tell about their destinations.

        :param before: what was known before.
        """
        moves = [m for each in self._ended.values() for m in each]
        return destination_history.learn(
            moves, before.excluded if before else {}
        )

    def suspect(self) -> frozenset[str]:
        """Return the destinations that failed the last move before this."""
        earlier = [m for moves in self._earlier.values() for m in moves]
        return destination_history.learn(earlier).suspect

    def load(self) -> Load:
        """Return how many moves are on their way to each host."""
        if self._bound is None:
            return Load({}, 0, None)
        # Where a list takes a minute, so may each look before the next need.
        valid = timing.OTHERS_MOVES_RECHECK_SECONDS + 5 * self._others_took
        if self._clock.now() - self._others_at >= valid:
            self._see_others()
        counts = collections.Counter(
            move.dest for move in self.under_way().values()
        )
        return Load(counts, counts.pop('', 0), self._bound)

    def _see_others(self) -> None:
        asked_at = self._clock.now()
        try:
            moving = self._gateway.migrations_in_flight()
        except exceptions.Unavailable:
            # What is known is still a good guess.
            return
        finally:
            self._others_at = self._clock.now()
            self._others_took = self._others_at - asked_at
        since = self._gateway.now() - self._awaited
        self._others = self._shown(
            {
                record.server_id: record
                for record in moving
                if record.source not in self._in_flight
                and record.created_at >= since
                and self._goes_on(record)
            }
        )

    def _goes_on(self, record: model.Migration) -> bool:
        """Tell whether somebody may be at a move on both hosts."""
        services = self._board.services
        ends = (record.source, record.dest or '')
        return all(services[end].up for end in ends if end in services)

    def under_way(self) -> _Moves:
        """Return all that is on its way, by the server's id."""
        found = dict(self._others)
        for mine in self._in_flight.values():
            found.update(mine)
        for server_id, sent in self.sent.items():
            if not sent.ended:
                harmful = sent.kind in memories.HARMFUL
                found[server_id] = MoveInFlight(sent.dest, harmful)
        return found

    def adopted(self) -> dict[str, str]:
        """Return where all goes that was under way before we asked."""
        return {
            server_id: move.dest
            for each in (*self._abandoned.values(), *self._in_flight.values())
            for server_id, move in each.items()
            if move.dest
        }

    def closed(self, proven: frozenset[str], *, risky: bool) -> ClosedHosts:
        """Return which hosts a move must not be sent to just now.

        Those that have not begun with what was sent there: a compute service
        that has died looks up to Nova for a minute still. And those where a
        move is to show first whether they complete any: of two that fail at
        once both servers end in ERROR.

        :param proven: hosts that have completed such a move.
        :param risky: its server ends in ERROR if it fails.
        """
        now = self._clock.now()
        unanswered = frozenset(
            sent.dest
            for sent in self.sent.values()
            if sent.dest
            and sent.kind in _ANSWERED
            and sent.landed_at is None
            and not sent.ended
            and now - sent.asked_at >= timing.UNANSWERED_SECONDS
        )
        if not risky:
            return ClosedHosts(unanswered)
        moving = self.under_way().values()
        return ClosedHosts(
            unanswered,
            proven,
            frozenset(
                move.dest
                for move in moving
                if move.harmful and move.dest not in proven
            ),
        )
