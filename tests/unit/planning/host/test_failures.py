# SPDX-License-Identifier: Apache-2.0

"""Moves that fail, are refused, make no progress or take too long."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import in_flight
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
CONFIRM = memories.ActionKind.CONFIRM
Phase = base.Phase
ActionKind = memories.ActionKind
OR_COLD = policies.Running.LIVE_OR_COLD


def finished(**kwargs):
    kwargs = {'type': base.COLD, 'seen_at': NOW - 60, **kwargs}
    return base.record('finished', **kwargs)


def lost(taken, ago):
    return base.asked(CONFIRM, asked_at=NOW - ago, taken=taken)


def no(refusals):
    return base.refused(CONFIRM, refusals, refused_at=NOW - 5)


class TestColdMigration(base.ServerContextTestCase):
    """A cold migration holds its disk here until it is confirmed."""

    @unit.cases(
        # type, seconds after the maintenance began, ours
        (base.COLD, 60, True),
        (base.COLD, 0, True),
        # Nova's controllers do not agree about the time.
        (base.COLD, -5, True),
        (base.COLD, -5.1, False),
        (base.RESIZE, 60, False),
        (base.RESIZE, -60, False),
    )
    def test_own_or_others_cold_migration(self, kind, seconds, ours):
        assessed = self.assert_phase(
            Phase.MOVING if ours else Phase.BLOCKED,
            finished(type=kind, created_at=builders.cloud_time(seconds)),
            view=base.VERIFY_THERE,
        )
        self.assertIs(CONFIRM if ours else None, assessed.ask)
        self.assertEqual(builders.DEST, assessed.destination)

    def test_of_a_deleted_server(self):
        self.assert_phase(Phase.GONE, finished(), view=base.DELETED)


class TestAsked(base.ServerContextTestCase):
    """The confirmation itself: in doubt, lost, refused."""

    @unit.cases(
        # what came of it; ask, phase, words
        (lost(timing.END_TRIES - 1, 30.0), CONFIRM, Phase.MOVING),
        (lost(timing.END_TRIES, 29.0), None, Phase.MOVING),
        (
            *(lost(timing.END_TRIES, 30.0), None, Phase.FAILED),
            *('but not confirmed', 'openstack server event list vm1'),
        ),
        (no(1), CONFIRM, Phase.MOVING),
        (no(timing.END_TRIES - 1), CONFIRM, Phase.MOVING),
        (no(timing.END_TRIES), None, Phase.FAILED, base.REFUSAL, 'cmp02'),
    )
    def test_it_is_repeated(self, remembered, ask, phase, *words):
        assessed = self.assert_phase(
            phase, finished(), view=base.VERIFY_THERE, remembered=remembered
        )
        self.assertIs(ask, assessed.ask)
        for each in words:
            self.assertIn(each, assessed.reason)


class TestFailures(base.ServerContextTestCase):
    def failed(self, failures=1, *, ago=100.0, status='error', **kwargs):
        records = [
            base.record(status, record_id=i + 1, seen_at=NOW - ago)
            for i in range(failures)
        ]
        return self.assess(
            *records,
            remembered=base.asked(taken=failures, asked_after=failures - 1),
            failures={r.id: base.FAILURE for r in records},
            **kwargs,
        )

    @unit.cases(
        # failures, allowed retries, where that leads
        (1, 2, Phase.WAITING),
        (2, 2, Phase.WAITING),
        (3, 2, Phase.FAILED),
        (1, 0, Phase.FAILED),
        (1, 1, Phase.WAITING),
        (2, 1, Phase.FAILED),
    )
    def test_retries_are_further_attempts(self, failures, retries, phase):
        assessed = self.failed(failures, retries=retries)
        self.assertEqual(phase, assessed.phase)
        self.assertIn(base.FAILURE, assessed.reason)

    @unit.cases(
        # what is known of each failure; they count as the same
        (('failed', 'cmp02', ''), ('failed', 'cmp03', ''), True),
        (('failed', 'cmp02', ''), ('failed', 'cmp02', ''), False),
        (('failed', 'cmp02', ''), ('error', 'cmp03', ''), False),
        (('failed', 'cmp02', ''), ('failed', 'cmp03', 'X: y'), False),
        (('error', 'cmp02', 'X: y'), ('error', 'cmp03', 'X: z'), True),
        (('error', 'cmp02', 'X cmp02'), ('error', 'cmp03', 'X cmp03'), True),
        # The checks failed there: the record has no destination.
        (('error', None, 'X: y', 'cmp02'), ('error', 'cmp03', 'X: y'), True),
        (('error', None, 'X: y'), ('error', 'cmp03', 'X: y'), False),
        (('error', None, 'X', 'cmp01'), ('error', 'cmp03', 'X'), False),
        (('cancelled', 'cmp02', ''), ('cancelled', 'cmp03', ''), False),
    )
    def test_same_failure_on_two_destinations(self, first, second, same):
        both = {1: first, 2: second}
        records = [
            base.record(f[0], i, dest=f[1], seen_at=NOW - 100)
            for i, f in both.items()
        ]
        seen = {
            'failures': {i: f[2] for i, f in both.items()},
            'failed_on': {i: frozenset(f[3:]) for i, f in both.items()},
        }
        live = self.assess(*records, retries=9, **seen)
        self.assertEqual(Phase.FAILED if same else Phase.WAITING, live.phase)
        offer = 'on cmp02 and cmp03; use --running live-or-cold'
        self.assertEqual(same, offer in live.reason)
        policy = policies.Policy(running=OR_COLD, retries=9)
        ask = ActionKind.COLD_MIGRATE if same else ActionKind.LIVE_MIGRATE
        # In this run, or before it.
        for mine, earlier in ((records, ()), ((), records)):
            cold = self.assess(*mine, earlier=earlier, policy=policy, **seen)
            self.assertIs(ask, cold.ask)

    def test_only_failures_like_the_newest_count(self):
        alike = [base.record('error', i, dest=f'cmp0{i}') for i in (2, 3)]
        mine = base.record('error', 4, dest='cmp04', seen_at=NOW - 100)
        why = {2: 'X: y', 3: 'X: y'}
        for words, phase in (('Z: y', Phase.WAITING), ('X: z', Phase.FAILED)):
            status = self.assess(
                mine, earlier=alike, retries=9, failures={**why, 4: words}
            )
            self.assertEqual(phase, status.phase)

    def test_reasons_of_earlier_failures_are_asked_for(self):
        earlier = [base.record('failed', i, dest=f'cmp0{i}') for i in (2, 3)]
        for running, ids in ((policies.Running.LIVE, ()), (OR_COLD, (2, 3))):
            policy = policies.Policy(running=running)
            status = self.assess(earlier=earlier, policy=policy)
            self.assertEqual({*ids}, status.explain)
            self.assertEqual(bool(ids), status.ask is None)

    def test_task_is_awaited_before_a_retry(self):
        assessed = self.failed(view=builders.server(task_state='rebooting'))
        self.assertEqual(Phase.BUSY, assessed.phase)


class TestRefusals(base.ServerContextTestCase):
    """Nova said no at once, and kept no record of it."""

    def refused(self, refusals=1, ago=100.0, **kwargs):
        kwargs.setdefault('view', base.HERE)
        return self.assess(
            remembered=base.refused(times=refusals, refused_at=NOW - ago),
            **kwargs,
        )

    def test_the_server_is_looked_at_first(self):
        """What it is now tells whether the refusal still matters."""
        before = dataclasses.replace(base.HERE, seen_at=NOW - 101)
        assessed = self.refused(view=before)
        self.assertEqual(Phase.SETTLING, assessed.phase)
        self.assertTrue(assessed.visit)

    @unit.cases(
        (1, 4.9, Phase.SETTLING),
        (1, 5.0, Phase.WAITING),
        (2, 9.9, Phase.SETTLING),
        (2, 10.0, Phase.WAITING),
    )
    def test_retry_waits(self, refusals, ago, phase):
        self.assertEqual(phase, self.refused(refusals, ago).phase)

    @unit.cases(
        # what it is since, where it stands
        (base.DELETED, Phase.GONE),
        (base.THERE, Phase.MOVED),
        (builders.server(task_state='rebooting'), Phase.BUSY),
        (base.MIGRATING, Phase.BUSY),
        (builders.server(status='SUSPENDED'), Phase.BLOCKED),
        (builders.server(status='SHUTOFF'), Phase.WAITING),
    )
    def test_refusal_reason_is_shown(self, view, phase):
        self.assertEqual(phase, self.refused(view=view).phase)

    @unit.cases(
        # status, for good, whether we resumed it; the hint is given
        ('ACTIVE', True, False, True),
        ('ACTIVE', False, False, False),
        # Neither can be cold-migrated.
        ('PAUSED', True, False, False),
        ('ACTIVE', True, True, False),
    )
    def test_refusal_suggests_a_command(
        self, status, final, resumed, expected
    ):
        assessed = self.assess(
            view=builders.server(status=status, tagged=resumed),
            remembered=base.refused(times=3, final=final),
        )
        self.assertEqual(Phase.BLOCKED, assessed.phase)
        self.assertIs(expected, '--running live-or-cold' in assessed.reason)


OnStall = policies.OnStall
GIB = 2**30
STALL = 600.0


def progress(remaining=GIB, ago=0.0):
    """Return how far the migration of record 7 was so long ago."""
    return {7: model.Progress(remaining, 4 * GIB, NOW - ago)}


def stalled(seconds, remembered=None):
    """Return the track of a server whose memory has not shrunk for so long."""
    remembered = remembered or builders.server_memory()
    return in_flight.update_least_remaining(
        remembered, base.record(), model.Progress(GIB, 4 * GIB, NOW - seconds)
    )


class InFlightTestCase(base.ServerContextTestCase):
    def fly(self, *, status='running', kind=base.LIVE, phase=None, **kwargs):
        """Return where a server stands whose move is in flight."""
        record = base.record(status, type=kind, seen_at=NOW - 300)
        kwargs.setdefault('view', base.MIGRATING)
        assessed = self.assess(record, **kwargs)
        self.assertEqual(phase or Phase.MOVING, assessed.phase, assessed)
        self.assertEqual(record, assessed.record)
        self.assertEqual(builders.DEST, assessed.destination)
        return assessed

    def assert_given_up(self, assessed):
        self.assertIsNone(assessed.ask)
        self.assertIn('it may still be running in Nova', assessed.reason)
        self.assertIn('run this again', assessed.reason)


class TestStall(InFlightTestCase):
    def stall(self, on_stall=OnStall.WAIT, seconds=STALL, **kwargs):
        kwargs.setdefault('remembered', stalled(seconds))
        return self.fly(
            policy=policies.Policy(on_stall=on_stall, stall_after=STALL),
            progress=progress(),
            **kwargs,
        )

    @unit.cases(
        (OnStall.WAIT, None),
        (OnStall.FORCE_COMPLETE, ActionKind.FORCE_COMPLETE),
        (OnStall.ABORT, ActionKind.ABORT),
    )
    def test_on_stall_option(self, on_stall, ask):
        assessed = self.stall(on_stall)
        self.assertIs(ask, assessed.ask)
        self.assertIn('1024 MiB of 4096 MiB', assessed.reason)
        self.assertIn('for 600 s', assessed.reason)

    def forces(self, request, *args, **kwargs):
        """Tell whether it is forced after what was asked for before."""
        kind = ActionKind.FORCE_COMPLETE
        remembered = request(kind, *args, remembered=stalled(STALL), **kwargs)
        assessed = self.stall(OnStall.FORCE_COMPLETE, remembered=remembered)
        return assessed.ask is kind

    def test_progress_of_an_earlier_migration_is_ignored(self):
        self.assertTrue(self.forces(base.asked, record_id=6))

    @unit.cases(
        (1, True), (timing.END_TRIES - 1, True), (timing.END_TRIES, False)
    )
    def test_refused_request_is_repeated(self, refusals, forces):
        self.assertIs(forces, self.forces(base.refused, refusals, record_id=7))


class TestProgress(unit.TestCase):
    """What counts as progress of a live migration."""

    BEFORE = 1000

    @unit.cases(
        # Memory that is left now, of which migration; does it count?
        (BEFORE, 7, False),
        (BEFORE + 500, 7, False),
        # A guest writes meanwhile: up and down says nothing.
        (BEFORE - 9, 7, False),
        (BEFORE - 10, 7, True),
        (0, 7, True),
        # Another migration begins anew.
        (BEFORE + 4000, 8, True),
    )
    def test_less_memory_is_left(self, remaining, record_id, counts):
        found = in_flight.update_least_remaining(
            builders.server_memory(
                least_of=7, least_remaining=self.BEFORE, least_since=NOW - 100
            ),
            base.record(record_id=record_id),
            model.Progress(remaining, 4000, NOW),
        )
        self.assertEqual(
            (remaining, NOW) if counts else (self.BEFORE, NOW - 100),
            (found.least_remaining, found.least_since),
        )


class TestTimeout(InFlightTestCase):
    LIMIT = 60.0
    LATE = builders.server_memory(under_way_since=NOW - LIMIT)

    def late(self, remembered=LATE, **kwargs):
        policy = policies.Policy(server_timeout=self.LIMIT)
        return self.fly(policy=policy, remembered=remembered, **kwargs)

    @unit.cases('accepted', 'queued', 'preparing', 'running', 'post-migrating')
    def test_a_live_migration_is_aborted(self, status):
        assessed = self.late(status=status)
        self.assertIs(ActionKind.ABORT, assessed.ask)
        self.assertEqual(
            'it took longer than 60 s (--server-timeout)', assessed.reason
        )
        self.assertEqual(assessed.reason, assessed.why)
        self.assertTrue(assessed.soon)

    @unit.cases(
        base.asked(
            ActionKind.ABORT,
            remembered=LATE,
            record_id=7,
            asked_at=NOW - timing.EFFECT_WAIT_SECONDS,
        ),
        base.refused(
            ActionKind.ABORT, timing.END_TRIES, remembered=LATE, record_id=7
        ),
    )
    def test_an_abort_that_has_no_effect(self, remembered):
        assessed = self.late(remembered, phase=Phase.STILL_MOVING)
        self.assert_given_up(assessed)
        self.assertIn('cannot be aborted', assessed.reason)


class TestDestinationDown(InFlightTestCase):
    GRACE = timing.DOWN_GRACE_SECONDS

    def test_a_live_migration_is_aborted_and_tried_again(self):
        assessed = self.fly(others_down={'cmp02': NOW - self.GRACE})
        self.assertIs(ActionKind.ABORT, assessed.ask)
        self.assertIn('destination cmp02 is down', assessed.reason)
        self.assertEqual('', assessed.why)

    def test_a_cold_migration_is_not_awaited(self):
        assessed = self.fly(
            kind=base.COLD,
            status='migrating',
            others_down={'cmp02': NOW - self.GRACE},
            phase=Phase.FAILED,
        )
        self.assert_given_up(assessed)
