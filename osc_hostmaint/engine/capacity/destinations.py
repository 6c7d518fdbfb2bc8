# SPDX-License-Identifier: Apache-2.0

"""The destinations of a drain's moves, shared by all its hosts."""

from collections import abc
import dataclasses

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import closed_hosts
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.engine.capacity import in_flight
from osc_hostmaint.engine.capacity import live_snapshot
from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import server_groups
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.server import memory as memories

Action = memories.Action
ActionKind = memories.ActionKind


class Destinations:
    """Picks a destination for each move, and counts the moves to it."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        report: ports.Reporter,
        board: boards.Board,
        *,
        bound: int | None = None,
        patience: float | None = None,
        avoided: frozenset[str] = frozenset(),
        expected: dry_run.DryRun | None = None,
    ):
        """:param board: the compute services of all hosts.

        :param bound: at most so many moves in flight to one destination.
        :param patience: seconds after which a move of others is not awaited
            any longer.
        :param avoided: hosts to be taken last, as the limits of ``expected``
            have them.
        :param expected: as just looked at; None leaves destinations to the
            scheduler.
        """
        self._gateway = gateway
        self._clock = clock
        self._report = report
        self._board = board
        self._limits = eligible.Limits(frozenset())
        self._demands: dict[str, snapshots.Demand] = {}
        self._plan: dict[str, str] = {}
        self._room = live_snapshot.LiveSnapshot(
            gateway, clock, report, expected
        )
        if expected:
            self._limits = expected.limits
            self._demands = {d.server.id: d for d in expected.demands}
            placed = expected.preview.capacity_forecast.placed
            self._plan = {i: placed.get(i, '') for i in self._demands}
        #: What is on its way to each destination.
        self.moves = in_flight.MovesInFlight(
            gateway, clock, board, bound=bound, patience=patience
        )
        self._experience = self.moves.experience({})
        #: There are destinations to be picked.
        self._spreads = False
        #: What must not be sent to a host that we name.
        self._unnamed: set[ActionKind] = set()
        #: That the scheduler may pick a host to be avoided is to be said yet.
        self._warns = bool(avoided)

    def note(self, seen: model.Observation, over: abc.Set[str]) -> None:
        """Take note of what has become of a host's moves.

        :param over: servers that nothing is awaited of any more.
        """
        nothing = self.moves.note(seen, over)
        staying = seen.servers.keys() - over - self.moves.leaving(seen.host)
        for server_id in self._planned_from(seen.host):
            # Others may move it, or may have deleted it.
            if server_id not in staying:
                del self._plan[server_id]
        for server_id in nothing:
            self._forget(server_id)
        excluded = self._experience.excluded
        self._experience = self.moves.experience(excluded)
        unnamed = ActionKind.LIVE_MIGRATE in self._unnamed
        caveat = '; the scheduler may still pick it for live migrations'
        for host, failed in sorted(self._experience.excluded.items()):
            if host not in excluded:
                words = (
                    'excluded as a destination for the rest of this run: '
                    f'{len(failed)} servers failed to move there in a row '
                    f'({", ".join(sorted(failed))})'
                    f'{caveat if unnamed or not self._room.known else ""}'
                )
                self._report.publish(events.DestinationExcluded(host, words))

    def _tell(self, host: str, words: str) -> None:
        self._report.publish(events.Trouble(host, words))

    def leave(self, host: str) -> None:
        """Take note that a host's drain has ended: it is not observed now."""
        for server_id in self._planned_from(host):
            del self._plan[server_id]
        self.moves.leave(host)

    def _planned_from(self, host: str) -> list[str]:
        """Return what is to leave a host, and has not begun to."""
        return [i for i in self._plan if self._demands[i].source == host]

    def direct(
        self, host: str, action: Action, highest_id: int
    ) -> Action | None:
        """Return an action with its destination; None: not now.

        :param host: where the server is.
        :param highest_id: the highest record id known: that of its move has
            a higher one.
        :raises RequestRefused: no destination is left for it.
        """
        server_id = action.server_id
        self._forget(server_id)  # Nothing came of the last time.
        closed = self.moves.closed(
            self._experience.proven, risky=_is_risky(action)
        )
        untrusted = self._experience.against(risky=_is_risky(action))
        if action.host in untrusted:
            if self._may_recover([action.host]):
                return None
            raise exceptions.RequestRefused(
                f'not sent to {action.host}: {untrusted[action.host]}',
                final=True,
            )
        if action.kind in self._unnamed:
            action = dataclasses.replace(action, spread=False)
            if untrusted and _is_risky(action):
                if self._may_recover(untrusted):
                    return None
                raise _unsafe(untrusted)
        elif not action.host and (action.spread or untrusted):
            named = self._named(action, closed, untrusted)
            if named is None:
                return None
            action = named
        if closed.holds(action.host):
            return None
        moving = {i: move.dest for i, move in self.moves.under_way().items()}
        groups = self._room.snapshot.groups or ()
        if server_groups.member_moves_to(
            groups, server_id, action.host, moving
        ):
            return None
        self.moves.begin(host, action, highest_id)
        self._plan.pop(server_id, None)
        demand = self._demands.get(server_id)
        if action.kind in memories.RECORDED:
            if demand is not None and demand.shape:
                self._room.starts += 1
            if self._warns and not action.host:
                self._warns = False
                self._tell(
                    host,
                    'the scheduler picks the destinations of some servers, '
                    'and may pick hosts of --avoid',
                )
        return action

    def _named(
        self,
        action: Action,
        closed: closed_hosts.ClosedHosts,
        untrusted: abc.Mapping[str, str],
    ) -> Action | None:
        """Return an action to a host of our choice; None: not now.

        :raises RequestRefused: there is none.
        """
        server_id = action.server_id
        if self._room.known and server_id in self._demands:
            self._spreads = True
            picked = self._pick(action, closed, untrusted)
            if picked.wait:
                return None
            if picked.host:
                return dataclasses.replace(
                    action, host=picked.host, spread=True
                )
        elif not (untrusted and _is_risky(action)):
            return action
        elif not self._may_recover(untrusted):
            raise _unsafe(untrusted)
        if not untrusted:
            return action
        if self._may_recover(untrusted):
            return None
        raise exceptions.RequestRefused(
            'no host is known to have room for it, except hosts that are no '
            f'longer used ({_reasons(untrusted)})'
        )

    def _may_recover(self, hosts: abc.Iterable[str]) -> bool:
        """Tell whether a host may be used again: once a move completes."""
        known = self._experience
        wanted = {host for host in hosts if host not in known.excluded}
        going = {move.dest for move in self.moves.under_way().values()}
        return not wanted.isdisjoint(going | known.unsure)

    def leave_to_scheduler(
        self, host: str, kind: ActionKind, policy: str
    ) -> None:
        """Take note that a policy forbids naming the destination.

        Live and cold migrations have a policy each.
        """
        if kind in self._unnamed:
            return
        self._unnamed.add(kind)
        if kind is ActionKind.LIVE_MIGRATE:
            self._unnamed.add(ActionKind.RESUME)
        self._tell(
            host,
            f'the policy {policy} does not allow you to name the destination '
            f'of a {kind}: the scheduler picks it for the rest of this run',
        )

    def drop(self, server_id: str) -> None:
        """Take note that nothing came of what was asked for a server."""
        self._forget(server_id)

    def _forget(self, server_id: str) -> None:
        """Take a server for one that has not begun to move."""
        self.moves.sent.pop(server_id, None)
        if server_id in self._demands:
            self._plan.setdefault(server_id, '')

    def _pick(
        self,
        action: Action,
        closed: closed_hosts.ClosedHosts,
        untrusted: abc.Mapping[str, str],
    ) -> destination_choice.Pick:
        hosts, known = self._board.services, self._experience
        server_id, kind = action.server_id, memories.TYPES.get(action.kind, '')
        failed = known.failed.get((server_id, kind), set())
        suspect = self.moves.suspect() - known.succeeded
        picked = destination_choice.pick(
            dataclasses.replace(self._room.snapshot, services=hosts),
            self._flow(self._demands[server_id].source, untrusted.keys()),
            server_id,
            closed={host for host in hosts if closed.holds(host)},
            # Where it failed before it goes only if nobody else may take it.
            reluctance={
                host: 2 * (host in failed) + (host in suspect)
                for host in failed | suspect
            },
        )
        if picked.plan is not None:
            self._plan = dict(picked.plan)
        return picked

    def _flow(
        self, source: str, untrusted: abc.Set[str]
    ) -> destination_choice.Flow:
        """Return what there is to spread, as servers of one host may go."""
        sent = self.moves.sent
        gone = {i: move.dest for i, move in sent.items() if move.dest}
        unseen = [
            i
            for i in gone
            if i in self._demands and not self._room.shows(sent[i])
        ]
        refused = untrusted | self.moves.rejected_hosts(source)
        return destination_choice.Flow(
            demands=self._demands,
            limits=dataclasses.replace(
                self._limits, leaving=self._limits.leaving | refused
            ),
            plan=self._plan,
            gone={**self.moves.adopted(), **gone},
            unseen=frozenset(i for i in unseen if not sent[i].perhaps_shown),
            perhaps_seen=frozenset(i for i in unseen if sent[i].perhaps_shown),
        )

    def renew(self) -> None:
        """Ask for Placement's numbers again, if it is time to.

        Between two moves' requests it would keep a slot waiting.
        """
        wanted = self._spreads and self._room.is_due
        if demand := self._largest_waiting() if wanted else None:
            self._room.renew(demand, self._demands, self.moves.sent)

    def _largest_waiting(self) -> snapshots.Demand | None:
        """Return what its turn comes to first, or one like it."""
        answers = self._room.snapshot.allocation_candidates
        waiting = (
            demand
            for server_id in self._plan
            if (demand := self._demands[server_id]).shape
            and not answers[demand.request].refused
        )
        return max(waiting, key=lambda d: d.server.memory_mb, default=None)


def _unsafe(reasons: abc.Mapping[str, str]) -> exceptions.RequestRefused:
    return exceptions.RequestRefused(
        'not left to the scheduler, which may pick a host that is no longer '
        f'used ({_reasons(reasons)}): name a destination (--to) and run '
        'this again'
    )


def _reasons(untrusted: abc.Mapping[str, str]) -> str:
    return '; '.join(f'{h}: {why}' for h, why in sorted(untrusted.items()))


def _is_risky(action: Action) -> bool:
    """Tell whether a good server ends in ERROR if the move fails.

    A running server whose host has died is no worse off than before.
    """
    return action.kind is ActionKind.COLD_MIGRATE or (
        action.kind is ActionKind.EVACUATE
        and action.vm_state in nova_states.OFF
    )
