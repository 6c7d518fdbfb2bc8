# SPDX-License-Identifier: Apache-2.0

"""All that is known of one server: what its status is derived from."""

from collections import abc
import dataclasses
import datetime
import math
import typing as ty

from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import same_failure
from osc_hostmaint.planning.server import verdicts

if ty.TYPE_CHECKING:
    from osc_hostmaint.planning import operation as operations

ActionKind = memories.ActionKind
Mapping = abc.Mapping
Migration = model.Migration
RequestState = memories.RequestState

#: Nova's clocks may differ by so much among its controllers.
SKEW = datetime.timedelta(seconds=timing.CLOCK_SKEW_SECONDS)

#: What asks for a move that Nova keeps a record of.
_KINDS: dict[model.Move | None, ActionKind] = {
    memories.MOVES[kind]: kind for kind in memories.RECORDED
}


def since(
    seen: model.Observation, policy: policies.Policy
) -> datetime.datetime | None:
    """Return from when on moves off the host belong to this.

    None where nothing says so: the host is not in maintenance.
    """
    mark = seen.service.mark
    return policy.since or (mark.since if mark else None)


def is_of_a_drain(record: Migration, since: datetime.datetime | None) -> bool:
    """Tell whether an unconfirmed record is a drain's to confirm.

    Only cold migrations (never an owner's resize) that began during this
    maintenance: whoever asked for them meant to empty the host.
    """
    return (
        record.type == model.MigrationType.COLD
        and since is not None
        and record.created_at >= since - SKEW
    )


def _of(
    move: model.Move | None, records: tuple[Migration, ...]
) -> list[Migration]:
    """Return the records of one kind of move."""
    kind = _KINDS.get(move)
    return [r for r in records if kind and r.type == memories.TYPES[kind]]


#: Why nothing is known of a server or a host.
SILENT = 'its cell does not answer'


@dataclasses.dataclass(frozen=True, slots=True)
class ServerContext:
    """One server of one host at one moment."""

    server_id: str
    remembered: memories.ServerMemory
    seen: model.Observation
    #: Records of moves off the host that count in this run, oldest first.
    records: tuple[Migration, ...]
    operation: 'operations.Operation'
    since: datetime.datetime | None
    now: float
    #: Records of moves that failed in this maintenance, before this run.
    earlier: tuple[Migration, ...] = ()
    #: The newest record of a move to the host that awaits a confirmation.
    incoming: Migration | None = None
    #: Since when other hosts have been down.
    others_down: Mapping[str, float] = dataclasses.field(default_factory=dict)
    #: Since when nothing is known of it.
    unseen_since: float | None = None
    #: The run ends for no other reason than that its host is down.
    host_is_down: bool = False

    @property
    def policy(self) -> policies.Policy:
        """What the operator asked for."""
        return self.operation.policy

    @property
    def view(self) -> model.Server | None:
        """The newest view of the server, None where it left unseen."""
        return self.seen.latest(self.server_id)

    @property
    def excluded(self) -> bool:
        """Nothing is begun for it; what has begun is brought to its end."""
        return self.server_id in self.policy.exclude or bool(
            self.view and tenant_policy.leaves(self.policy, self.view)
        )

    @property
    def check_events(self) -> str:
        """Where to look what Nova did with it."""
        return (
            f'check its events (openstack server event list {self.server_id})'
        )

    def has_left(self, view: model.Server) -> bool:
        """Tell whether it is off the host, or deleted."""
        return view.deleted or view.host != self.seen.host

    def view_since(self, time: float) -> model.Server | None:
        """The newest view, if it is not older than a time."""
        view = self.view
        return view if view and view.seen_at >= time else None

    def request_since(self, kind: ActionKind, time: float) -> RequestState:
        """Return what came of asking, if it was asked since a time."""
        request = self.remembered.request(kind)
        times = (request.asked_at, request.refused_at)
        if any(at is not None and at >= time for at in times):
            return request
        return memories.NOT_REQUESTED

    def destination(self, record: Migration | None) -> str | None:
        """Return where a move goes, as far as is known.

        :param record: its record; None: there is none yet.
        """
        if record and record.dest:
            return record.dest
        request = self.remembered.request(self.remembered.latest)
        ours = request.asked_at is not None and (
            record is None or record.id > request.asked_after
        )
        return (request.host or None) if ours else None

    def unanswered(self, record: Migration | None) -> bool:
        """Tell whether the host that we asked for has not begun with it.

        An evacuation waits its turn there.

        :param record: its record; None: there is none yet. (Nova does not
            list one as changed that was only created.)
        """
        kind = self.remembered.latest
        asked_at = self.remembered.request(kind).asked_at
        return (
            asked_at is not None
            and kind is not ActionKind.EVACUATE
            and (record is None or record.dest is None)
            and self.destination(record) is not None
            # As long as nobody looks, nobody knows.
            and self.seen.migrations_at - asked_at >= timing.UNANSWERED_SECONDS
        )

    def tries(self, move: model.Move | None) -> int:
        """Return how often a migration was tried in this run, or adopted.

        A try does not count if Nova would not have our pick: its own pick
        comes on top.
        """
        kind, records = _KINDS.get(move), _of(move, self.records)
        tries = max(self.remembered.request(kind).taken, len(records))
        if kind is None or kind is not self.remembered.host_rejected_for:
            return tries
        words = [
            self.seen.failures.get(r.id, memories.NO_HOST)
            for r in records
            if r.found_no_host
        ]
        # Any other host would also have failed for another reason.
        return tries - (not words or memories.NO_HOST in words[0])

    def exhausted(self, move: model.Move | None) -> bool:
        """Tell whether a migration was tried as often as it may be.

        Nova's records count, so that a killed run does not get all its
        attempts back; but each run has one, because whoever runs a drain
        again may have mended what was wrong.
        """
        tries, earlier = self.tries(move), len(_of(move, self.earlier))
        too_often = tries + earlier > self.policy.retries
        in_vain = move is model.Move.LIVE and self.failed_alike
        return tries > 0 and bool(too_often or in_vain)

    @property
    def _live_failures(self) -> list[Migration]:
        """Records of its live migrations that failed in this maintenance."""
        found = _of(model.Move.LIVE, (*self.earlier, *self.records))
        return [r for r in found if r.status in nova_states.FAILED]

    @property
    def failed_alike(self) -> str:
        """Why another live migration would also fail, or ''."""
        hosts = same_failure.destinations(self._live_failures, self.seen)
        if not hosts:
            return ''
        where = ' and '.join(hosts)
        return f'its live migration failed in the same way on {where}'

    @property
    def unexplained(self) -> frozenset[int]:
        """Failed live migrations of which the reason matters now."""
        return same_failure.unexplained(self._live_failures, self.seen)

    @property
    def overdue(self) -> str:
        """Why what is under way is not awaited any longer, or ''."""
        limit, remembered = self.policy.server_timeout, self.remembered
        since = remembered.under_way_since
        since = remembered.stuck_since if since is None else since
        # By when we looked: a request may have hung for a minute since.
        seen_at = self.view.seen_at if self.view else -math.inf
        looked = min(self.now, max(seen_at, self.seen.migrations_at))
        if limit is None or since is None or looked - since < limit:
            return ''
        return f'it took longer than {limit:.0f} s (--server-timeout)'

    def refused_for_good(self, kind: ActionKind) -> bool:
        """Tell whether asking Nova again for a migration is no use."""
        request = self.remembered.request(kind)
        return request.refused_at is not None and (
            request.final or request.refusals > self.policy.retries
        )

    @property
    def abort_reason(self) -> str:
        """Why a live migration of it was aborted for good, or ''."""
        abort = self.remembered.request(ActionKind.ABORT)
        aborted = any(
            r.id == abort.record_id and r.ended_badly for r in self.records
        )
        return abort.why if aborted else ''

    @property
    def resumed(self) -> bool:
        """It is suspended, but for us or another run."""
        suspended = nova_states.VmState.SUSPENDED
        before = self.remembered.before
        ours = self.remembered.resumed and before.vm_state == suspended
        return ours or (self.view is not None and self.view.resumed)

    @property
    def terms(self) -> verdicts.Terms:
        """What counts beside the server's state."""
        return verdicts.Terms(
            self.operation,
            no_live=self.no_live,
            resumed=self.resumed,
            was_stopped=self.was_stopped,
            shelving=ActionKind.SHELVE in self.remembered.requests,
        )

    @property
    def may_still_begin(self) -> bool:
        """Its evacuation was asked for without an answer, and may yet take.

        What failed since may be somebody else's, and Nova would build it
        twice.
        """
        request = self.remembered.request(ActionKind.EVACUATE)
        return (
            request.asked_at is not None
            and not request.accepted
            and self.now - request.asked_at < timing.EFFECT_WAIT_SECONDS
        )

    @property
    def was_stopped(self) -> bool:
        """It was off when its host died, though that may show no longer."""
        history = self.seen.histories.get(self.server_id, ())
        return self.operation.was_stopped(self.remembered.before, history)

    @property
    def needs_history(self) -> bool:
        """Whether it was off is not known before its history is."""
        known = self.server_id in self.seen.histories
        before = self.remembered.before
        return not known and self.operation.needs_history(before)

    @property
    def no_live(self) -> str:
        """Why it can't be live-migrated, '' as far as is known."""
        if self.refused_for_good(ActionKind.LIVE_MIGRATE):
            return self.remembered.request(ActionKind.LIVE_MIGRATE).refusal
        if self.abort_reason:
            return self.abort_reason
        alike = self.failed_alike
        if alike or self.exhausted(model.Move.LIVE):
            failed = _of(model.Move.LIVE, (*self.earlier, *self.records))
            last = max((r.id for r in failed), default=0)
            reason = self.seen.failures.get(last, '')
            reasons = filter(None, (reason, alike))
            return '; '.join(reasons) or 'its live migration failed'
        return ''
