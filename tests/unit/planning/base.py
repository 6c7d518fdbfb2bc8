# SPDX-License-Identifier: Apache-2.0

"""One server of the host in maintenance, from what is known of it.

Times: the request to move was sent at ``ASKED``, the record's status was
first seen at ``SEEN``, and the decision is taken at ``NOW``, soon after.
"""

import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import context as host_contexts
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import assessment
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders

NOW = builders.NOW
SEEN = NOW - 1
ASKED = NOW - 10
ActionKind = memories.ActionKind
Phase = server_status.Phase

HERE = builders.server()
THERE = builders.server(host=builders.DEST)
#: Resumed by some run.
TAGGED_HERE = builders.server(tagged=True)
TAGGED_THERE = builders.server(host=builders.DEST, tagged=True)
DELETED = builders.server(status='DELETED')
MIGRATING = builders.server(status='MIGRATING')
SUSPENDED = builders.server(status='SUSPENDED')
VERIFY_HERE = builders.server(status='VERIFY_RESIZE')
VERIFY_THERE = builders.server(status='VERIFY_RESIZE', host=builders.DEST)
#: No list shows it, and nobody has looked at it.
LEFT = None

COLD = model.MigrationType.COLD
RESIZE = model.MigrationType.RESIZE
LIVE = model.MigrationType.LIVE
EVACUATION = model.MigrationType.EVACUATION

FAILURE = 'No valid host was found'
REFUSAL = 'Nova says no'
#: For good.
FINAL = memories.Outcome(memories.SendStatus.REFUSED, 0.0, REFUSAL, final=True)


def context(
    *records,
    view=HERE,
    listed=None,
    remembered=None,
    policy=None,
    retries=2,
    now=NOW,
    incoming=None,
    earlier=(),
    others_down=None,
    **observed,
) -> contexts.ServerContext:
    """Return a case of vm1.

    :param view: as it was seen last.
    :param listed: whether the list for the host shows it; by default that
        is so where the view says that it is there.
    """
    if listed is None:
        listed = view is not None and view.host == builders.HOST
    seen = builders.observation(
        servers=[view] if view and listed else [],
        visited=[view] if view and not listed else [],
        migrations=records,
        **observed,
    )
    policy = policy or policies.Policy(retries=retries)
    mark = seen.service.mark
    return contexts.ServerContext(
        server_id='vm1',
        remembered=remembered or builders.server_memory(),
        seen=seen,
        records=records,
        operation=requested.operation(policy),
        since=mark.since if mark else None,
        now=now,
        earlier=tuple(earlier),
        incoming=incoming,
        others_down=others_down or {},
    )


def host_context(
    *,
    memory: memories.HostMemory | None = None,
    policy: policies.Policy | None = None,
    statuses: host_contexts.ServerStatuses | None = None,
    **observed: ty.Any,
) -> host_contexts.HostContext:
    """Return the host as it is NOW, in the middle of a run."""
    return host_contexts.HostContext(
        builders.observation(**observed),
        requested.operation(policy or policies.Policy()),
        memory or builders.memory(),
        NOW,
        statuses or {},
    )


def record(status: str = 'running', record_id: int = 7, **kwargs: ty.Any):
    """Return the record of a move that was first seen like this at SEEN."""
    return builders.migration(record_id, status, **{'seen_at': SEEN, **kwargs})


def asked(
    kind=ActionKind.LIVE_MIGRATE, before=HERE, remembered=None, **request
) -> memories.ServerMemory:
    """Return the track of a server something was asked for at ASKED."""
    asked = {'asked_at': ASKED, 'asked_after': 6, 'taken': 1, 'accepted': True}
    remembered = remembered or builders.server_memory(before)
    state = memories.RequestState(**asked | request)
    return builders.remember(remembered, kind, state)


def refused(kind=ActionKind.LIVE_MIGRATE, times=1, remembered=None, **request):
    """Return the track of a server something was refused to, long ago."""
    refused = {'refusal': REFUSAL, 'refused_at': NOW - 100, 'refusals': times}
    remembered = remembered or builders.server_memory(HERE)
    state = memories.RequestState(**refused | request)
    return builders.remember(remembered, kind, state)


RESUME = policies.Policy(suspended=policies.Suspended.RESUME)


def instance_action(action, seconds=100.0) -> model.InstanceAction:
    """Return what somebody asked of a server, during this maintenance."""
    return model.InstanceAction(action, builders.cloud_time(seconds))


def history(*actions) -> dict[str, tuple[model.InstanceAction, ...]]:
    """Return what somebody asked of vm1, one after the other."""
    return {'vm1': tuple(map(instance_action, actions))}


class DecideTestCase(unit.TestCase):
    def decide(self, *, memory=None, policy=None, now=NOW, **observed):
        return decide.decide(
            builders.observation(**observed),
            requested.operation(policy or policies.Policy()),
            memory or builders.memory(),
            now,
        )

    def asks(self, decision) -> dict[str, memories.ActionKind]:
        return {a.server_id: a.kind for a in decision.actions}

    def assert_over(self, decision: decisions.Decision) -> None:
        """Check that nothing more is done, and that the host is not empty."""
        self.assertEqual(
            ((), True, False),
            (decision.actions, decision.done, decision.drained),
        )

    def row(self, decision: decisions.Decision) -> decisions.Row:
        self.assertEqual(1, len(decision.rows), decision.rows)
        return decision.rows[0]

    def assert_row(
        self, decision: decisions.Decision, result: str | None, *words: str
    ) -> decisions.Row:
        """Return the row, ended so or not yet, with words of its reason."""
        row = self.row(decision)
        self.assertEqual(result, row.result, row)
        for each in words:
            self.assertIn(each, row.reason)
        return row


def just_asked(kind=ActionKind.LIVE_MIGRATE, server_id='vm1', at=NOW - 1):
    """Return the memory of a server whose move was just asked for."""
    server = builders.server(server_id)
    return builders.memory(builders.server_memory(server)).after(
        memories.Action(kind, server_id),
        memories.Outcome(memories.SendStatus.ACCEPTED, at),
        highest_id=0,
    )


class ServerTimeline:
    """One server from tick to tick; what is asked for is answered."""

    def __init__(self, policy: policies.Policy | None = None):
        self.memory = memories.HostMemory()
        self.now = NOW
        self.decision: decisions.Decision
        self._policy = policy or policies.Policy()
        self._known: dict[str, model.Migration] = {}

    def tick(
        self,
        view,
        *records,
        after=1.0,
        answer=memories.SendStatus.ACCEPTED,
        **observed,
    ) -> list[memories.Action]:
        """Look, decide, and return what was asked for; all is answered.

        :param after: seconds since the tick before.
        """
        self.now += after
        view = dataclasses.replace(view, seen_at=self.now)
        here = view.host == builders.HOST
        looked = ('servers_at', 'service_at', 'migrations_at', 'consumers_at')
        observed = dict.fromkeys(looked, self.now) | observed
        self.decision = decide.decide(
            builders.observation(
                servers=[view] if here else [],
                visited=[] if here else [view],
                migrations=records,
                **observed,
            ),
            requested.operation(self._policy),
            self.memory,
            self.now,
        )
        self.memory = self.decision.memory
        if isinstance(answer, memories.SendStatus):
            answer = memories.Outcome(answer, self.now, REFUSAL)
        answer = dataclasses.replace(answer, at=self.now)
        highest = max((r.id for r in records), default=0)
        for action in self.decision.actions:
            self.memory = self.memory.after(action, answer, highest)
        return list(self.decision.actions)

    def asks(self, *args, **kwargs) -> memories.ActionKind | None:
        """Tick, and return what was asked for."""
        actions = self.tick(*args, **kwargs)
        return actions[0].kind if actions else None

    def record(self, status: str, *args: ty.Any, **kw: ty.Any) -> ty.Any:
        """Return a record whose status will first be seen at the next tick."""
        return record(status, *args, **{'seen_at': self.now + 1, **kw})

    def known(self, found: model.Migration | str) -> model.Migration:
        """Return a record, by itself or by its status."""
        if isinstance(found, model.Migration):
            return found
        return self._known.setdefault(found, self.record(found))

    @property
    def row(self) -> decisions.Row:
        (row,) = self.decision.rows
        return row


class TimelineTestCase(unit.TestCase):
    """One server from the first look to the end."""

    def begin(self, **options: ty.Any) -> ServerTimeline:
        return ServerTimeline(policies.Policy(**options))

    def expect(self, timeline: ServerTimeline, *steps: tuple[ty.Any, ...]):
        """Tick for each step, and compare what is asked for.

        :param steps: what that is, or None; how the server is, its records (a
            status: that of the record first seen so then), and maybe a dict:
            all else of the tick.
        """
        for asked, view, *records in steps:
            options = {}
            if records and isinstance(records[-1], dict):
                options = records.pop()
            known = [timeline.known(each) for each in records]
            self.assertIs(asked, timeline.asks(view, *known, **options))

    def assert_ended(
        self,
        timeline: ServerTimeline,
        result: str,
        reason: str = '',
        move: str = '',
    ) -> decisions.Row:
        row = timeline.row
        self.assertEqual(result, row.result, row)
        self.assertIn(reason, row.reason)
        if move:
            self.assertEqual(move, row.move)
        return row


class ServerContextTestCase(unit.TestCase):
    """Where one server stands."""

    def assess(self, *args, **kwargs) -> server_status.ServerStatus:
        return assessment.assess(context(*args, **kwargs))

    def require_suspend(self, *args, **kwargs) -> server_status.ServerStatus:
        """Return where it stands with what is still owed to it."""
        found = context(*args, **kwargs)
        return resuspend.require_suspend(found, assessment.assess(found))

    def assert_phase(self, phase, *args, **kwargs):
        assessed = self.assess(*args, **kwargs)
        self.assertEqual(phase, assessed.phase, assessed)
        return assessed
