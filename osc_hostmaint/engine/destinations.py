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

"""Where the moves of a drain are to go: all its hosts share the answer.

Placement's numbers are exact at once, but looking at them for every move
would cost as much as the moves. So they are looked at for every second one,
and what we have asked for since is counted on top.
"""

import collections
import collections.abc
import dataclasses
import datetime

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import survey as surveys
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import prospect as prospects
from osc_hostmaint.engine import refusals
from osc_hostmaint.planning import eligible
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import spread
from osc_hostmaint.planning import stranded
from osc_hostmaint.planning import timing

#: Placement's numbers are asked for again once so many moves were started by
#: them, or one, and they are old.
STARTS_PER_LOOK = 2


@dataclasses.dataclass(slots=True)
class _Trip:
    """One move that we asked for."""

    source: str
    #: '' where the scheduler picks it, until a record shows it.
    dest: str
    #: Its record has a higher id.
    after: int
    #: When its destination was first seen to be taken: from then on
    #: Placement's numbers show it.
    landed_at: float | None = None
    ended: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Load:
    """How many moves are on their way to each host."""

    counts: collections.abc.Mapping[str, int]
    #: Moves whose destination is not known: it may be any.
    astray: int
    bound: int | None

    def full(self, host: str) -> bool:
        """Tell whether a host may have as many as may be."""
        if self.bound is None:
            return False
        return self.counts.get(host, 0) + self.astray >= self.bound

    @property
    def any_full(self) -> bool:
        """Tell whether that holds of any host."""
        return any(self.full(host) for host in ('', *self.counts))


class Destinations:
    """Picks a destination for each move, and keeps count."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        report: ports.Reporter,
        board: observer.ServiceBoard,
        *,
        bound: int | None = None,
        patience: float | None = None,
        prospect: prospects.Prospect | None = None,
    ):
        """:param board: the compute services of all hosts.

        :param bound: at most so many moves in flight to one destination.
        :param patience: seconds after which a move of others is not awaited
            any longer.
        :param prospect: as just looked at; None leaves destinations to the
            scheduler.
        """
        self._gateway = gateway
        self._clock = clock
        self._report = report
        self._board = board
        self._limits = eligible.Limits(frozenset())
        self._survey: surveys.Survey | None = None
        self._demands: dict[str, surveys.Demand] = {}
        self._plan: dict[str, str] = {}
        #: Placement tells who has room.
        self._known = prospect is not None and prospect.known
        if prospect:
            self._limits, self._survey = prospect.limits, prospect.survey
            self._demands = {d.server.id: d for d in prospect.demands}
            placed = prospect.preview.outlook.placed
            self._plan = {i: placed.get(i, '') for i in self._demands}
        self._bound = bound
        longest = timing.OTHERS_MOVES_WAIT_SECONDS
        self._awaited = datetime.timedelta(
            seconds=min(patience or longest, longest)
        )
        self._looked_at = self._began_at = clock.now()
        #: As of when a later answer showed a host. One for a large server
        #: does not show those that have only little room.
        self._shown_at: dict[str, float] = {}
        #: There are destinations to be picked.
        self._spreads = False
        self._starts = 0
        self._trips: dict[str, _Trip] = {}
        self._refusals = refusals.Refusals()
        #: By source: what is in flight off it, and where to, '' while that
        #: is not known; and what is not awaited any more, but may arrive.
        self._flights: dict[str, dict[str, str]] = {}
        self._adrift: dict[str, dict[str, str]] = {}
        self._others: dict[str, str] = {}
        self._others_at = float('-inf')

    def note(
        self, seen: model.Observation, over: collections.abc.Set[str]
    ) -> None:
        """Take note of what has become of a host's moves.

        :param over: servers that nothing is awaited of any more.
        """
        seen = stranded.left_out(seen)
        flights = {
            record.server_id: record.dest or ''
            for record in seen.migrations.values()
            if record.source == seen.host and record.in_flight
        }
        adrift = flights.keys() & over
        self._adrift[seen.host] = {i: flights.pop(i) for i in adrift}
        self._flights[seen.host] = flights
        staying = seen.servers.keys() - over - self._flights[seen.host].keys()
        for server_id in self._planned_from(seen.host):
            # Others may move it, or may have deleted it.
            if server_id not in staying:
                del self._plan[server_id]
        for server_id, trip in list(self._trips.items()):
            if trip.source != seen.host:
                continue
            if server_id in over:
                trip.ended = True
            mine = [
                record
                for record in seen.migrations.values()
                if record.server_id == server_id
                and record.source == seen.host
                and record.id > trip.after
            ]
            if mine:
                self._follow(server_id, trip, max(mine, key=lambda r: r.id))
            elif trip.ended and trip.landed_at is None:
                view = seen.latest(server_id)
                if view is None or not view.task_state:
                    # Nothing came of it, or its server was deleted. What was
                    # given up may still go on.
                    self._trips.pop(server_id)

    def leave(self, host: str) -> None:
        """Take note that a host's drain has ended: nobody looks any more."""
        for server_id in self._planned_from(host):
            del self._plan[server_id]
        for trip in self._trips.values():
            trip.ended = trip.ended or trip.source == host
        # What is in flight off it goes on like that of others.
        self._flights.pop(host, None)
        self._adrift.pop(host, None)
        self._others_at = float('-inf')

    def _planned_from(self, host: str) -> list[str]:
        """Return what is to leave a host, and has not begun to."""
        return [i for i in self._plan if self._demands[i].source == host]

    def _follow(
        self, server_id: str, trip: _Trip, record: model.Migration
    ) -> None:
        if record.ended_badly:
            if trip.dest and record.found_no_host:
                self._refusals.refused(trip.source, trip.dest)
            self._forget(server_id)
            return
        trip.ended = trip.ended or not record.in_flight
        if record.dest and record.scheduled and trip.landed_at is None:
            trip.dest = record.dest
            self._refusals.taken(trip.source, trip.dest)
            trip.landed_at = self._clock.now()

    def direct(
        self, host: str, action: memories.Action, highest_id: int
    ) -> memories.Action | None:
        """Return an action with its destination; None: not now.

        :param host: where the server is.
        :param highest_id: the highest record id known: that of its move has
            a higher one.
        """
        server_id = action.server_id
        # It is asked for again: nothing came of the last time.
        self._forget(server_id)
        load = self._load()
        if action.spread and self._known and server_id in self._demands:
            self._spreads = True
            picked = self._pick(server_id, load)
            if picked.wait:
                return None
            action = dataclasses.replace(action, host=picked.host)
        # Where the scheduler picks, it may be the fullest.
        if load.full(action.host) if action.host else load.any_full:
            return None
        if self._kin_on_their_way(server_id, action.host):
            return None
        self._trips[server_id] = _Trip(host, action.host, highest_id)
        self._plan.pop(server_id, None)
        demand = self._demands.get(server_id)
        if action.kind in memories.RECORDED:
            self._starts += demand is not None and bool(demand.shape)
        return action

    def drop(self, action: memories.Action) -> None:
        """Take note that Nova did not take an action."""
        self._forget(action.server_id)

    def _forget(self, server_id: str) -> None:
        """Take a server for one that has not begun to move."""
        self._trips.pop(server_id, None)
        if server_id in self._demands:
            self._plan.setdefault(server_id, '')

    def _pick(self, server_id: str, load: '_Load') -> spread.Pick:
        if self._survey is None:
            return spread.Pick('')
        survey = dataclasses.replace(
            self._survey, services=self._board.services
        )
        closed = [host for host in survey.services if load.full(host)]
        source = self._demands[server_id].source
        picked = spread.pick(survey, self._flow(source), server_id, closed)
        if picked.plan is not None:
            self._plan = dict(picked.plan)
        return picked

    def _flow(self, source: str) -> spread.Flow:
        """Return what there is to spread, as servers of one host may go."""
        trips = {i: t.dest for i, t in self._trips.items() if t.dest}
        adopted = {
            server_id: dest
            for each in (*self._adrift.values(), *self._flights.values())
            for server_id, dest in each.items()
            if dest
        }
        return spread.Flow(
            demands=self._demands,
            limits=dataclasses.replace(
                self._limits,
                leaving=self._limits.leaving | self._refusals.shunned(source),
            ),
            plan=self._plan,
            gone={**adopted, **trips},
            unseen=frozenset(
                i
                for i in trips
                if i in self._demands and not self._shown(self._trips[i])
            ),
        )

    def _shown(self, trip: _Trip) -> bool:
        """Tell whether Placement's numbers show what a move has taken."""
        shown_at = self._shown_at.get(trip.dest, self._began_at)
        return trip.landed_at is not None and trip.landed_at <= shown_at

    def renew(self) -> None:
        """Ask for Placement's numbers again, if it is time to.

        Between two moves' requests it would keep a slot of the source
        waiting.
        """
        old = (
            self._clock.now() - self._looked_at >= timing.ROOM_RECHECK_SECONDS
        )
        due = self._starts >= (1 if old else STARTS_PER_LOOK)
        demand = self._largest_waiting()
        wanted = self._spreads and self._known
        if not (due and wanted and demand and self._survey):
            return
        shape = demand.shape
        self._starts = 0
        asked_at = self._clock.now()
        try:
            offers = self._gateway.offers(shape)
        except exceptions.Unavailable:
            # What is known is still a good guess, and the scheduler checks.
            return
        except exceptions.CloudError as error:
            self._report.trouble(
                demand.source,
                f'destinations are left to the scheduler: {error}',
            )
            self._known = False
            return
        self._looked_at = asked_at
        for provider in offers.providers.values():
            if host := self._survey.hosts.get(provider.root):
                self._shown_at[host] = asked_at
        self._survey = spread.renew(self._survey, shape, offers)

    def _largest_waiting(self) -> surveys.Demand | None:
        """Return what its turn comes to first, or one like it."""
        waiting = (d for i in self._plan if (d := self._demands[i]).shape)
        return max(waiting, key=lambda d: d.server.memory_mb, default=None)

    def _load(self) -> '_Load':
        """Return how many moves are on their way to each host."""
        if self._bound is None:
            return _Load({}, 0, None)
        if (
            self._clock.now() - self._others_at
            >= timing.OTHERS_MOVES_RECHECK_SECONDS
        ):
            self._see_others()
        under_way = self._under_way()
        counts = collections.Counter(under_way.values())
        return _Load(counts, counts.pop('', 0), self._bound)

    def _see_others(self) -> None:
        try:
            flights = self._gateway.flights()
        except exceptions.Unavailable:
            # What is known is still a good guess.
            return
        finally:
            self._others_at = self._clock.now()
        since = self._gateway.now() - self._awaited
        self._others = {
            record.server_id: record.dest or ''
            for record in flights
            if record.source not in self._flights
            and record.created_at >= since
            and self._goes_on(record)
        }

    def _goes_on(self, record: model.Migration) -> bool:
        """Tell whether somebody may be at a move on both hosts."""
        services = self._board.services
        ends = (record.source, record.dest or '')
        return all(services[end].up for end in ends if end in services)

    def _under_way(self) -> dict[str, str]:
        """Return where all that is on its way goes, '' if not known."""
        found = dict(self._others)
        for mine in self._flights.values():
            found.update(mine)
        for server_id, trip in self._trips.items():
            if not trip.ended:
                found[server_id] = trip.dest
        return found

    def _kin_on_their_way(self, server_id: str, host: str) -> bool:
        """Tell whether another of its group may be on its way to the host.

        Nova's scheduler does not see who is under way, and sends both to one
        host, where the later one fails.

        :param host: '' where the scheduler picks it: it may be any.
        """
        groups = self._survey.groups if self._survey else ()
        under_way = self._under_way()
        for group in groups or ():
            if (
                server_id in group.members
                and group.policy == surveys.GroupPolicy.ANTI_AFFINITY
            ):
                others = group.members - {server_id}
                kin = [under_way[i] for i in others if i in under_way]
                if not host or '' in kin:
                    return bool(kin)
                return kin.count(host) >= group.most_per_host
        return False
