# SPDX-License-Identifier: Apache-2.0

"""What is never done with a dead host, nor on a way home.

Whatever was observed: clouds that no cloud would ever show.
"""

import dataclasses

from osc_hostmaint import nova_states
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import stale_migrations
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import arbitrary
from tests.unit.planning.host import test_invariants

ActionKind = memories.ActionKind


def in_flight(step):
    """Return records of evacuations off the host that may be under way."""
    alive = stale_migrations.drop_stale(
        step.seen, requested.operation(step.policy).is_cut_off
    ).migrations
    return [
        r
        for r in alive.values()
        if r.type == 'evacuation' and r.source == builders.HOST and r.in_flight
    ]


def asked_for(step, record):
    """Tell whether a record is of what was asked for last."""
    remembered = step.memory.servers.get(record.server_id)
    request = (
        remembered.request(ActionKind.EVACUATE)
        if remembered
        else memories.NOT_REQUESTED
    )
    return request.asked_at is not None and record.id > request.asked_after


class Evacuating(test_invariants.Deciding):
    """A host that has died."""

    def nothing_but_evacuations(self, _step, found):
        kinds = {action.kind for action in found.actions}
        self.assertLessEqual(kinds, {ActionKind.EVACUATE, ActionKind.RESET})
        for action in found.actions:
            self.assertEqual(0, action.record_id)

    def never_from_a_host_that_is_up(self, step, found):
        service = step.seen.service
        if service.up or service.enabled or found.memory.own.revived:
            self.assertEqual((), found.actions)
            self.assertFalse(found.drained)
            self.assertTrue(found.trouble)

    def only_evacuable_servers_on_the_host(self, step, found):
        for action in found.actions:
            view = step.seen.latest(action.server_id)
            self.assertEqual(builders.HOST, view.host)
            self.assertIn(view.vm_state, nova_states.EVACUABLE)
            self.assertNotEqual('REBUILD', view.status)
            self.assertNotIn(view.status, nova_states.MOVING)
            self.assertNotEqual('deleting', view.task_state)
            if action.kind is ActionKind.RESET:
                self.assertEqual('error', view.vm_state)

    def nothing_twice(self, step, found):
        """Nor while another run is at it."""
        rows = {row.server_id: row for row in found.rows}
        for record in in_flight(step):
            row = rows.get(record.server_id)
            self.assertNotIn(
                record.server_id,
                {
                    action.server_id
                    for action in found.actions
                    if asked_for(step, record)
                },
            )
            held = step.seen.migrations_at - record.seen_at
            if (
                not asked_for(step, record)
                and held < timing.EVACUATION_WAIT_SECONDS
                and (row is None or row.result is None)
            ):
                self.assertEqual((), found.actions, record)

    def stopped_servers_are_not_started(self, step, found):
        servers = {**found.memory.servers, **step.memory.servers}
        for action in found.actions:
            before = servers[action.server_id].before
            view = step.seen.latest(action.server_id)
            # Who resets what was paused, say, wants to have it started.
            lost = before.vm_state in ('active', 'error')
            off = (
                step.policy.leave_stopped
                or before.vm_state == 'stopped'
                or (
                    lost
                    and before.power_state == nova_states.PowerState.SHUTDOWN
                )
            )
            if not off:
                continue
            if (
                action.kind is ActionKind.EVACUATE
                and view.vm_state != 'stopped'
            ):
                self.assertTrue(action.stopped)
                # Nova would start it, asked or not.
                self.assertNotEqual('error', view.vm_state)

    def never_more_than_allowed(self, step, found):
        most = step.policy.parallel or timing.EVACUATIONS_AT_ONCE
        self.assertLessEqual(len(found.actions), most)

    def nothing_new_after_a_stop(self, step, _found):
        self.assertEqual((), step.decide(stop=builders.INTERRUPTED).actions)

    def drained_leaves_nothing(self, step, found):
        if found.drained:
            self.assertEqual({}, dict(step.seen.servers))
            evacuated = {
                r.server_id
                for r in step.seen.migrations.values()
                if r.type == 'evacuation'
            }
            self.assertLessEqual(step.seen.consumers, evacuated)


class Returning(test_invariants.Deciding):
    """A way home."""

    def one_row_for_each_server_ever_known(self, step, found):
        ids = [row.server_id for row in found.rows]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertLessEqual(set(ids), step.policy.only)
        if found.done and not step.policy.abandon:
            known = set(step.seen.servers) | set(step.memory.servers)
            self.assertLessEqual(step.policy.only & known, set(ids))

    def other_servers_are_left_alone(self, step, found):
        for action in found.actions:
            self.assertIn(action.server_id, step.policy.only)
            if action.kind in memories.RECORDED:
                self.assertEqual(step.policy.home, action.host)
            self.assertNotIn(
                action.kind, (ActionKind.EVACUATE, ActionKind.RESET)
            )
        self.assertLessEqual(found.query.visit, step.policy.only)

    def only_what_came_home_is_confirmed(self, step, found):
        for action in found.actions:
            records = [
                r
                for r in step.seen.migrations.values()
                if r.server_id == action.server_id and r.awaits_confirmation
            ]
            view = step.seen.latest(action.server_id)
            # At rest here it is its resize from elsewhere.
            here = view and view.host == builders.HOST
            if action.kind is ActionKind.CONFIRM and not here:
                self.assertIn(step.policy.home, {r.dest for r in records})

    def nothing_is_moved_to_an_unfit_home(self, step, found):
        home = step.seen.home
        if home is None or not home.up:
            self.assertEqual({}, test_invariants.starts(found))
            self.assertFalse(found.drained)

    def servers_elsewhere_are_not_moved(self, step, found):
        for row in found.rows:
            view = step.seen.latest(row.server_id)
            if row.phase is server_status.Phase.MOVED:
                self.assertEqual(step.policy.home, view.host)


class TestEvacuate(test_invariants.UpdateTestCase, Evacuating):
    def test_all(self):
        self.keep(150, arbitrary.evacuating)


class TestItEnds(unit.TestCase):
    """Nobody is waited for who is dead."""

    def test_where_no_evacuation_is_under_way(self):
        for seed in range(unit.examples(40)):
            step = arbitrary.run(seed, patient)[-1]
            records = {
                i: dataclasses.replace(r, status='failed')
                if r.type == 'evacuation' and r.in_flight
                else r
                for i, r in step.seen.migrations.items()
            }
            seen = dataclasses.replace(step.seen, migrations=records)
            with self.subTest(seed=seed):
                found = arbitrary.settle(dataclasses.replace(step, seen=seen))
                self.assertTrue(found.done, found.rows)
                self.assertNotIn(None, [row.result for row in found.rows])


def patient(rng):
    """Return what may be asked for, without --server-timeout."""
    return dataclasses.replace(arbitrary.evacuating(rng), server_timeout=None)


class TestReturn(test_invariants.UpdateTestCase, Returning):
    def test_all(self):
        self.keep(150, arbitrary.returning)
