# SPDX-License-Identifier: Apache-2.0

"""What a decision never does, whatever was observed.

Clouds that no cloud would ever show are looked at several times over, and
whatever is asked for gets any answer. The promises must hold all the same.
"""

import collections
import dataclasses
import random

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import arbitrary

ActionKind = memories.ActionKind
#: What makes a live migration now or in a moment.
LIVE = {ActionKind.LIVE_MIGRATE, ActionKind.RESUME}
ENDS = {ActionKind.ABORT, ActionKind.FORCE_COMPLETE}
#: But for "too many requests": that is asked for again for ever.
ANSWERS = tuple(
    a for a in memories.SendStatus if a is not memories.SendStatus.POSTPONED
)


def leaving(seen):
    """Return the records of moves off the host that may be under way."""
    alive = stale_migrations.drop_stale(seen).migrations
    return [r for r in alive.values() if r.source == seen.host]


def newest(seen):
    """Return each server's newest record off the host."""
    found = sorted(leaving(seen), key=lambda r: r.id)
    return {record.server_id: record for record in found}


def starts(found):
    return {
        a.server_id: a.kind
        for a in found.actions
        if a.kind in memories.STARTING
    }


def asked(step, found, *kinds):
    """Yield actions, each with its server and that one's newest record."""
    records = newest(step.seen)
    for action in found.actions:
        if action.kind in kinds:
            server_id = action.server_id
            yield action, step.seen.latest(server_id), records.get(server_id)


LEFT_RUNNING = (server_status.Phase.FAILED, server_status.Phase.STILL_MOVING)


def running(step, found):
    """Return the rows that ended of what we resumed and still runs."""
    rows = []
    for row in found.rows:
        remembered = found.memory.servers.get(row.server_id)
        view = step.seen.latest(row.server_id)
        if (
            row.result is not None
            and remembered
            and view
            and (remembered.resumed or view.tagged)
            and remembered.before.vm_state == 'suspended'
            and view.vm_state == 'active'
        ):
            rows.append(row)
    return rows


class Deciding(unit.TestCase):
    def the_same_again_from_the_same(self, step, found):
        before = repr(step)
        self.assertEqual(found, step.decide())
        self.assertEqual(before, repr(step))

    def one_row_for_each_server_ever_known(self, step, found):
        ids = [row.server_id for row in found.rows]
        self.assertEqual(len(ids), len(set(ids)))
        known = set(step.memory.servers)
        for view in step.seen.servers.values():
            latest = step.seen.latest(view.id)
            if latest and latest.status != 'DELETED':
                known.add(view.id)
        self.assertLessEqual(known, set(ids))
        # Else only what still holds an allocation, or its migration does.
        more = set(ids) - set(found.memory.servers)
        held = {(c, step.seen.migration(c)) for c in step.seen.consumers or ()}
        self.assertLessEqual(more, {r.server_id if r else c for c, r in held})

    def every_server_left_has_a_reason(self, _step, found):
        for row in found.rows:
            if row.result is not None and row.left:
                self.assertTrue(row.reason and row.code, row)
            self.assertNotIn('None', row.reason)
            self.assertTrue(row.reason.isprintable())
            self.assertGreaterEqual(row.seconds or 0, 0)

    def looks_are_few_but_at_least_one(self, _step, found):
        look = found.query
        lists = [look.records, look.servers, look.services, look.consumers]
        self.assertLessEqual(sum(lists), 2)
        self.assertTrue(found.done or any(lists))
        self.assertGreaterEqual(
            found.interval, timing.LOOK_LAST_CHECKS_SECONDS
        )
        self.assertLessEqual(found.interval, timing.LOOK_MOST_FORETOLD_SECONDS)

    def only_known_servers_are_queried(self, step, found):
        records = step.seen.migrations
        for record_id in found.query.explain | found.query.progress:
            self.assertIn(record_id, records)
        for record_id in found.query.progress:
            self.assertEqual('running', records[record_id].status)
            self.assertEqual('live-migration', records[record_id].type)

    def one_request_for_a_server(self, _step, found):
        asked = collections.Counter(a.server_id for a in found.actions)
        self.assertLessEqual(set(asked.values()), {1})

    def nothing_at_all_after_the_end(self, step, _found):
        left = step.left
        self.assertEqual((), left.actions)
        self.assertTrue(left.done)
        self.assertNotIn(None, [row.result for row in left.rows])

    def done_leaves_nothing_open(self, _step, found):
        if found.done:
            self.assertNotIn(None, [row.result for row in found.rows])
            self.assertEqual((), found.actions)


class Asking(unit.TestCase):
    def nothing_is_begun_while_a_move_is_under_way(self, step, found):
        phases = {row.server_id: row.phase for row in found.rows}
        for action, _view, record in asked(step, found, *memories.STARTING):
            server_id = action.server_id
            self.assertIs(server_status.Phase.WAITING, phases[server_id])
            remembered = found.memory.servers[server_id]
            before = remembered.request(remembered.latest)
            # Else it was dead when another was asked for, as no record of
            # Nova's is that comes to life again.
            if record and record.id > before.asked_after:
                self.assertFalse(record.in_flight, record)
                self.assertFalse(record.awaits_confirmation, record)

    def nothing_is_begun_with_a_server_off_the_host(self, step, found):
        for _action, view, _record in asked(step, found, *memories.STARTING):
            self.assertEqual(builders.HOST, view.host)
            self.assertIsNone(view.task_state)

    def off_the_host_it_is_suspended_or_confirmed(self, step, found):
        for action, view, record in asked(step, found, *ActionKind):
            here = view and view.host == builders.HOST
            if here or (record and record.in_flight):
                continue
            ends = ActionKind.SUSPEND, ActionKind.UNTAG, ActionKind.CONFIRM
            self.assertIn(action.kind, ends)
            if action.kind is ActionKind.CONFIRM:
                self.assertTrue(record.awaits_confirmation)

    def what_is_confirmed(self, step, found):
        """Ours; and its owner's where we are told to."""

        told = step.policy.resized is policies.Resized.CONFIRM
        for _action, view, record in asked(step, found, ActionKind.CONFIRM):
            if record and record.awaits_confirmation:
                ours = (
                    record.type == 'migration'
                    and record.created_at > builders.SINCE
                )
                self.assertTrue(ours or told, record)
                continue
            self.assertTrue(told)
            self.assertEqual('VERIFY_RESIZE', view.status)
            self.assertEqual(builders.HOST, view.host)

    def what_is_aborted_or_forced(self, step, found):
        for action, _view, record in asked(step, found, *ActionKind):
            self.assertEqual(action.kind in ENDS, bool(action.record_id))
            if action.kind in ENDS:
                self.assertEqual(record.id, action.record_id)
                self.assertTrue(record.in_flight)
                self.assertEqual('live-migration', record.type)
            if action.kind is ActionKind.FORCE_COMPLETE:
                self.assertIs(
                    policies.OnStall.FORCE_COMPLETE, step.policy.on_stall
                )

    def what_is_suspended(self, step, found):
        """What we resumed, and runs, and nothing is under way with it."""

        for action, view, record in asked(step, found, ActionKind.SUSPEND):
            remembered = found.memory.servers[action.server_id]
            before = remembered.before.vm_state
            ours = remembered.resumed and before == 'suspended'
            self.assertTrue(ours or view.tagged)
            self.assertEqual('active', view.vm_state)
            self.assertIsNone(view.task_state)
            self.assertFalse(record and record.in_flight, record)

    def only_options_allow_more_than_migrations(self, step, found):
        policy, kinds = step.policy, set(starts(found).values())
        if policy.suspended is not policies.Suspended.RESUME:
            self.assertNotIn(ActionKind.RESUME, kinds)
        if policy.suspended is not policies.Suspended.SHELVE:
            self.assertNotIn(ActionKind.SHELVE, kinds)
            if policy.shelved is policies.Shelved.LEAVE:
                self.assertNotIn(ActionKind.OFFLOAD, kinds)
        if policy.stopped is policies.Stopped.LEAVE and policy.running in (
            policies.Running.LIVE,
            policies.Running.LEAVE,
        ):
            self.assertNotIn(ActionKind.COLD_MIGRATE, kinds)

    def requests_are_given_time(self, step, found):
        """Whether or not Nova answered."""

        for server_id, kind in starts(found).items():
            remembered = step.memory.servers.get(server_id)
            if remembered is None:
                continue
            request = remembered.request(kind)
            newer = any(
                r.server_id == server_id and r.id > request.asked_after
                for r in leaving(step.seen)
            )
            if (
                request.asked_at is None
                or request.refused_at is not None
                or (newer and kind in memories.RECORDED)
            ):
                continue
            self.assertGreaterEqual(
                step.now - request.asked_at, timing.EFFECT_WAIT_SECONDS
            )


class Limits(unit.TestCase):
    def never_more_than_allowed(self, step, found):
        """Nor long before they are needed.

        What was given up holds up nobody.
        """
        over = {row.server_id for row in found.rows if row.result}
        kinds = collections.Counter(starts(found).values())
        lives = sum(kinds[kind] for kind in LIVE)
        colds = kinds.total() - lives
        live = [
            r
            for r in leaving(step.seen)
            if r.in_flight
            and r.type == 'live-migration'
            and r.server_id not in over
        ]
        if step.policy.parallel is None:
            self.assertLessEqual(colds, timing.UNQUEUED_MOVES_AT_ONCE)
        elif lives or colds:
            self.assertLessEqual(
                lives + colds + len(live), step.policy.parallel
            )
        if sum(r.status == 'queued' for r in live) > 1:
            self.assertEqual(0, lives)

    def nothing_new_after_a_stop(self, step, _found):
        self.assertEqual({}, starts(step.decide(stop=builders.INTERRUPTED)))

        enabled = dataclasses.replace(
            step.seen, service=builders.service(enabled=True)
        )
        lost = dataclasses.replace(step, seen=enabled).decide()
        self.assertEqual({}, starts(lost))
        self.assertFalse(lost.drained)


class Ending(unit.TestCase):
    def drained_leaves_nothing(self, step, found):
        if not found.drained:
            return
        seen = step.seen
        self.assertTrue(found.done)
        self.assertEqual({}, dict(seen.servers))
        self.assertEqual(frozenset(), seen.consumers)
        self.assertGreaterEqual(seen.consumers_at, seen.servers_at)
        self.assertGreaterEqual(seen.servers_at, step.policy.settled_from)
        for record in leaving(seen):
            self.assertFalse(record.in_flight)
            self.assertFalse(record.awaits_confirmation)

    def resumed_servers_do_not_end_running(self, step, found):
        """Unless it could not be suspended, which is told."""
        down_since = found.memory.down_since
        down = down_since is not None and (
            step.seen.service_at - down_since >= timing.DOWN_GRACE_SECONDS
        )
        records = newest(step.seen)
        for row in running(step, found):
            request = found.memory.servers[row.server_id].request(
                ActionKind.SUSPEND
            )
            record = records.get(row.server_id)
            self.assertTrue(
                down
                # Given up, and it goes on all the same.
                or (record and record.in_flight)
                or '--server-timeout' in row.reason
                or request.refusals
                or request.taken > step.policy.retries,
                row,
            )
            self.assertIn(row.phase, LEFT_RUNNING)
            self.assertRegex(row.reason, 'SUSPENDED|openstack server suspend')

    def resumed_servers_left_running_are_reported(self, step, _found):
        for row in running(step, step.left):
            self.assertIn(row.phase, LEFT_RUNNING)
            self.assertIn('SUSPENDED', row.reason)


class UpdateTestCase:
    """Takes decisions, and looks at each."""

    def keep(self, runs, how=arbitrary.draining):
        names = [
            name
            for group in type(self).__mro__
            for name in vars(group)
            if group.__module__.startswith('tests.unit.planning')
            and not name.startswith(('_', 'test', 'keep'))
            and callable(getattr(group, name))
        ]
        for seed in range(unit.examples(runs)):
            with self.subTest(seed=seed):
                for step in arbitrary.run(seed, how):
                    for name in dict.fromkeys(names):
                        getattr(self, name)(step, step.found)


class TestPromises(UpdateTestCase, Deciding, Asking, Limits, Ending):
    def test_all(self):
        self.keep(150)

    def test_where_suspended_servers_are_resumed(self):
        self.keep(100, arbitrary.resuming)


class TestEndings(unit.TestCase):
    """With --server-timeout every drain ends, whatever Nova does not do.

    What is under way stays so; what is asked for is taken, refused or lost,
    and has no effect.
    """

    def test_drain_ends(self):
        for seed in (*range(unit.examples(60)), 710):
            rng = random.Random(seed)
            first = arbitrary.observation(rng)
            policy = dataclasses.replace(
                arbitrary.draining(rng),
                server_timeout=60.0,
                stop=None,
                settled_from=0.0,
            )
            memory = memories.HostMemory()
            step = arbitrary.Step(first, policy, memory, builders.NOW)
            with self.subTest(seed=seed):
                found = arbitrary.settle(step, rng.choice(ANSWERS))
                self.assertTrue(found.done, found.rows)
                self.assertNotIn(None, [row.result for row in found.rows])
