# SPDX-License-Identifier: Apache-2.0

"""A host that has died, as a whole: with --evacuate, and without."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

NOW = builders.NOW
ActionKind = memories.ActionKind
State = evacuation_base.State


class TestHost(base.DecideTestCase):
    """The host as a whole."""

    POLICY = policies.Policy(evacuate=True)

    def evacuate(self, service=None, memory=None, policy=None, **observed):
        return self.decide(
            memory=memory or builders.memory(no_others_since=NOW - 60),
            policy=policy or self.POLICY,
            service=service or builders.dead(),
            **observed,
        )

    def servers(self, number=20, status='ACTIVE'):
        return [
            builders.server(f'vm{n}', status, memory_mb=1000 - n)
            for n in range(number)
        ]

    def lead(self, no_others_since=NOW - 60, **kwargs):
        """Decide for a run that has evacuated a server already."""
        first = builders.server('first', host=builders.DEST)
        remembered = base.asked(ActionKind.EVACUATE, first, asked_after=1)
        return self.evacuate(
            memory=builders.memory(
                remembered, no_others_since=no_others_since
            ),
            migrations=[
                builders.evacuation(2, server_id='first', status='done')
            ],
            visited=[first],
            **kwargs,
        )

    def test_first_evacuation_starts_alone(self):
        """Who begins at the same moment is seen before the others."""
        asked = builders.evacuation(9, server_id='vm0')
        remembered = base.asked(
            ActionKind.EVACUATE,
            self.servers()[0],
            asked_after=8,
            asked_at=NOW - 2,
        )
        for parallel in (None, 12):
            policy = policies.Policy(evacuate=True, parallel=parallel)
            terms = {'servers': self.servers(), 'policy': policy}
            found = self.evacuate(**terms)
            self.assertEqual(1, len(found.actions))
            # Its record is not seen yet.
            pending = base.just_asked(ActionKind.EVACUATE, 'vm0')
            memory = builders.memory(
                pending.servers['vm0'], no_others_since=NOW - 60
            )
            found = self.evacuate(memory=memory, **terms)
            self.assertEqual(0, len(found.actions))
            # Nobody but us.
            memory = builders.memory(remembered, no_others_since=NOW - 60)
            found = self.evacuate(memory=memory, migrations=[asked], **terms)
            self.assertEqual((parallel or 8) - 1, len(found.actions))
            # It was asked for before others were seen.
            own = dataclasses.replace(memory.own, newest_of_others=9)
            memory = dataclasses.replace(memory, own=own)
            over = dataclasses.replace(asked, status='done')
            found = self.evacuate(memory=memory, migrations=[over], **terms)
            self.assertEqual(1, len(found.actions))

    def test_runs_start_with_different_servers(self):
        servers = [builders.server(f'vm{n}') for n in range(20)]
        first = set()
        for stagger in (0.1, 0.2, 0.3, 0.4):
            policy = policies.Policy(evacuate=True, stagger=stagger)
            found = self.evacuate(servers=servers, policy=policy)
            first.add(found.actions[0].server_id)

        self.assertGreater(len(first), 1)

    def test_window(self):
        """As many as a destination builds at once, the largest first."""
        found = self.lead(servers=self.servers())

        self.assertEqual(
            [f'vm{n}' for n in range(8)],
            [a.server_id for a in found.actions],
        )

    def test_moves_under_way_fill_the_window(self):
        asked = base.just_asked(ActionKind.EVACUATE, 'vm0')
        servers = self.servers()
        in_flight = builders.evacuation(5, server_id='vm1')
        remembered = base.asked(
            ActionKind.EVACUATE, servers[1], asked_after=4, asked_at=NOW - 2
        )
        memory = builders.memory(
            asked.servers['vm0'], remembered, no_others_since=NOW - 60
        )
        found = self.evacuate(
            servers=servers, migrations=[in_flight], memory=memory
        )

        self.assertEqual(6, len(found.actions))

    def test_parallel(self):
        for parallel in (1, 12):
            policy = policies.Policy(evacuate=True, parallel=parallel)
            found = self.lead(servers=self.servers(), policy=policy)
            self.assertEqual(parallel, len(found.actions))

    def test_resets_count_in_the_window(self):
        servers = [
            builders.server(f'vm{n}', 'ERROR', power_state=State.SHUTDOWN)
            for n in range(20)
        ]
        found = self.lead(servers=servers)

        self.assertEqual(
            [ActionKind.RESET] * 8, list(self.asks(found).values())
        )

    def test_another_run_holds_the_lock(self):
        found = self.evacuate(
            servers=self.servers(),
            migrations=[builders.evacuation(5, server_id='vm1')],
        )

        self.assertEqual((), found.actions)
        self.assertFalse(found.done)
        self.assertEqual(model.Move.EVACUATION, found.rows[1].move)

    def test_not_all_runs_start_at_once(self):
        policy = policies.Policy(evacuate=True, stagger=0.5)
        for ago, number in ((2.4, 0), (2.5, 8)):
            found = self.lead(
                no_others_since=NOW - ago,
                servers=self.servers(),
                policy=policy,
            )
            self.assertEqual(number, len(found.actions))

    def test_polls_when_the_lock_is_free(self):
        """Runs that began together would begin at the same look otherwise."""
        for stagger in (0.1, 0.25, 0.5):
            policy = policies.Policy(evacuate=True, stagger=stagger)
            found = self.evacuate(
                servers=self.servers(),
                policy=policy,
                memory=builders.memory(no_others_since=NOW),
            )
            self.assertEqual((), found.actions)
            may_start_at = stagger * timing.EVACUATE_STAGGER_SECONDS
            self.assertAlmostEqual(may_start_at, found.interval)

    def test_never_from_a_host_that_is_up(self):
        found = self.evacuate(
            service=builders.service(), servers=self.servers(2)
        )

        self.assertEqual((), found.actions)
        self.assertIn('without --evacuate', found.trouble)
        self.assertFalse(found.drained)
        self.assertEqual({'blocked'}, {str(row.result) for row in found.rows})

    def test_never_after_a_heartbeat(self):
        memory = builders.memory(
            no_others_since=NOW - 60,
            service=builders.dead(updated_at=builders.cloud_time(0)),
        )
        found = self.evacuate(
            service=builders.dead(updated_at=builders.cloud_time(10)),
            servers=self.servers(2),
            migrations=[builders.evacuation(5, server_id='vm0')],
            memory=memory,
        )
        self.assertEqual((), found.actions)
        self.assertIn('sends heartbeats again', found.trouble)
        # What has begun is awaited.
        self.assertFalse(found.done)

        found = self.evacuate(
            service=builders.dead(updated_at=builders.cloud_time(10)),
            servers=self.servers(2),
            memory=found.memory,
        )
        self.assertTrue(found.done)
        self.assertFalse(found.drained)

    def test_it_does_not_wait_for_its_service(self):
        found = self.evacuate(
            servers=self.servers(1),
            memory=builders.memory(
                down_since=0.0, dead=True, no_others_since=NOW - 60
            ),
        )

        self.assertFalse(found.done)
        self.assertEqual('', found.trouble)
        self.assertEqual({'vm0': ActionKind.EVACUATE}, self.asks(found))

    def test_a_stop(self):
        policy = policies.Policy(evacuate=True, stop='interrupted')
        found = self.evacuate(servers=self.servers(2), policy=policy)

        self.assertEqual((), found.actions)
        self.assertTrue(found.done)

    def over(self, policy, **observed):
        """Return what is said of a host that its only server has left."""
        record = builders.evacuation(5, 'done', seen_at=NOW - 5)
        return self.evacuate(
            policy=policy,
            visited=[evacuation_base.there()],
            migrations=[record],
            consumers=frozenset({'vm1'}),
            memory=builders.memory(
                leftover_since=NOW - 1000, no_others_since=NOW - 60
            ),
            **observed,
        )

    def test_evacuated_allocations_are_not_orphaned(self):
        self.assertTrue(self.over(self.POLICY).drained)

    def test_drain_reports_those_allocations(self):
        found = self.over(policies.Policy(), service=builders.service())

        self.assertTrue(found.done)
        self.assertFalse(found.drained)
        self.assertIn('holds an allocation', self.row(found).reason)

    def test_other_allocations_are_orphaned(self):
        record = builders.evacuation(5, 'done', server_id='vm9')
        failed = builders.evacuation(6, 'error', server_id='vm1')
        found = self.evacuate(
            visited=[evacuation_base.there()],
            migrations=[record, failed],
            consumers=frozenset({'vm1', 'vm9'}),
            memory=builders.memory(
                leftover_since=NOW - 1000,
                no_others_since=NOW - 60,
                history=frozenset({5, 6}),
            ),
        )

        self.assertTrue(found.done)
        self.assertEqual({'vm1'}, {row.server_id for row in found.rows})
        self.assertFalse(found.drained)


class TestWithoutEvacuate(base.DecideTestCase):
    """A drain of a host that has died."""

    def drain(self, **observed):
        """Return the first decision."""
        return self.decide(
            memory=memories.HostMemory(), service=builders.dead(), **observed
        )

    def test_dead_host_suggests_evacuate(self):
        for consumers in (None, frozenset()):
            found = self.drain(
                servers=[builders.server(), builders.server('vm2', 'PAUSED')],
                consumers=consumers,
            )
            self.assertTrue(found.done)
            self.assertEqual((), found.actions)
            self.assertFalse(found.drained)
            self.assertIn(
                'openstack host maintenance drain --evacuate cmp01',
                found.trouble,
            )

    def test_an_empty_one_is_drained(self):
        self.assertTrue(self.drain().drained)

    def test_unchecked_dead_host_is_not_drained(self):
        found = self.drain(consumers=None)

        self.assertFalse(found.drained)
        self.assertIn('--evacuate', found.trouble)
