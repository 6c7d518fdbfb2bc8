# SPDX-License-Identifier: Apache-2.0

"""Who has room for servers, while they move.

Placement's numbers are exact at once, but reading them for every move costs
too much. They are read for every second one at the most, and moves that were
requested since are added.
"""

from collections import abc

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.engine.capacity import in_flight
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.capacity import destination as destination_choice
from osc_hostmaint.planning.capacity import snapshot as snapshots

#: Placement's numbers are asked for again once so many moves were started by
#: them, or one, and they are old.
STARTS_PER_LOOK = 2


class LiveSnapshot:
    """What Placement tells now and then, and which moves that shows."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        report: ports.Reporter,
        expected: dry_run.DryRun | None,
    ):
        """:param expected: as just looked at."""
        self._gateway = gateway
        self._clock = clock
        self._report = report
        self.snapshot = snapshots.CapacitySnapshot({}, {})
        #: Placement tells who has room.
        self.known = False
        if expected:
            self.snapshot, self.known = expected.snapshot, expected.known
        self._looked_at = self._began_at = clock.now()
        self._took = 0.0
        #: As of when a later answer showed a host: one for a large server
        #: leaves out those with little room.
        self._shown_at: dict[str, float] = {}
        #: Moves that were started by its numbers.
        self.starts = 0

    def shows(self, sent: in_flight.SentMove) -> bool:
        """Tell whether Placement's numbers show what a move has taken."""
        shown_at = self._shown_at.get(sent.dest, self._began_at)
        return sent.landed_at is not None and sent.landed_at <= shown_at

    @property
    def is_due(self) -> bool:
        """It is time to ask again."""
        age = self._clock.now() - self._looked_at
        old = age >= timing.ROOM_RECHECK_SECONDS
        due = self.starts >= (1 if old else STARTS_PER_LOOK)
        soon = age < self._took / timing.ROOM_RECHECK_PART
        return due and not soon and self.known

    def renew(
        self,
        demand: snapshots.Demand,
        demands: abc.Mapping[str, snapshots.Demand],
        sent: abc.Mapping[str, in_flight.SentMove],
    ) -> None:
        """Ask again who has room for a server.

        :param demands: what all servers need, by their ids.
        :param sent: what was asked for, by the server's id.
        """
        self.starts = 0
        asked_at = self._clock.now()
        try:
            found = self._gateway.allocation_candidates(demand.request)
        except exceptions.Unavailable:
            # What is known is still a good guess, and the scheduler checks.
            return
        except exceptions.CloudError as error:
            words = f'destinations are left to the scheduler: {error}'
            self._report.publish(events.Trouble(demand.source, words))
            self.known = False
            return
        self._looked_at, self._took = asked_at, self._clock.now() - asked_at
        self._recognize(found, demands, sent)
        for provider in found.providers.values():
            if host := self.snapshot.hosts.get(provider.root):
                self._shown_at[host] = asked_at
        self.snapshot = destination_choice.renew(
            self.snapshot, demand.request, found
        )

    def _recognize(
        self,
        found: snapshots.AllocationCandidates,
        demands: abc.Mapping[str, snapshots.Demand],
        sent: abc.Mapping[str, in_flight.SentMove],
    ) -> None:
        """Take note of moves that an answer shows before their records do.

        Of their destinations as much more is in use as they take. Counted
        once more, they would make a plan look impossible that is not.
        """
        grown = destination_choice.growth(self.snapshot, found)
        unseen = [
            (move, demands[server_id].shape)
            for server_id, move in sent.items()
            if server_id in demands
            and move.dest in grown
            and not (self.shows(move) or move.perhaps_shown)
        ]
        for move, shape in sorted(
            unseen, key=lambda s: s[0].landed_at is None
        ):
            more = grown[move.dest]
            if all(more[name] >= amount for name, amount in shape):
                move.perhaps_shown = True
                more.subtract(dict(shape))
