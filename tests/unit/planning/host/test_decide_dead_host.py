# SPDX-License-Identifier: Apache-2.0

"""A host that has died, as a whole: with --evacuate, and without."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

NOW = builders.NOW
ActionKind = memories.ActionKind
State = evacuation_base.State


def evacuating(**options):
    return policies.Policy(evacuate=True, **options)


def remembering(*servers, since=NOW - 60, **kwargs):
    """Return the memory of a run that nobody else's evacuations hold up."""
    return builders.memory(*servers, no_others_since=since, **kwargs)


def many(status='ACTIVE', number=20, **kwargs):
    return [
        builders.server(f'vm{n}', status, memory_mb=1000 - n, **kwargs)
        for n in range(number)
    ]


class TestHost(base.DecideTestCase):
    def evacuate(self, service=None, memory=None, **observed):
        return self.decide(
            **{
                'memory': memory or remembering(),
                'policy': evacuating(),
                'service': service or builders.dead(),
                'servers': many(),
                **observed,
            }
        )

    def lead(self, since=NOW - 60, **kwargs):
        """Decide for a run that has evacuated a server already."""
        first = builders.server('first', host=builders.DEST)
        remembered = base.asked(ActionKind.EVACUATE, first, asked_after=1)
        return self.evacuate(
            memory=remembering(remembered, since=since),
            migrations=[builders.evacuation(2, 'done', 'first')],
            visited=[first],
            **kwargs,
        )

    def test_first_evacuation_starts_alone(self):
        """Who begins at the same moment is seen before the others."""
        asked = builders.evacuation(9, server_id='vm0')
        ours = remembering(
            base.asked(
                ActionKind.EVACUATE, many()[0], asked_after=8, asked_at=NOW - 2
            )
        )
        pending = base.just_asked(ActionKind.EVACUATE, 'vm0').servers['vm0']
        own = dataclasses.replace(ours.own, newest_of_others=9)
        after_others = dataclasses.replace(ours, own=own)
        over = dataclasses.replace(asked, status='done')
        for parallel in (None, 12):
            for memory, records, number in (
                (remembering(), [], 1),
                # Its record is not seen yet.
                (remembering(pending), [], 0),
                # Nobody but us.
                (ours, [asked], (parallel or 8) - 1),
                # It was asked for before others were seen.
                (after_others, [over], 1),
            ):
                found = self.evacuate(
                    memory=memory,
                    migrations=records,
                    policy=evacuating(parallel=parallel),
                )
                self.assertEqual(number, len(found.actions))

    def test_runs_start_with_different_servers(self):
        servers = [builders.server(f'vm{n}') for n in range(20)]
        first = set()
        for stagger in (0.1, 0.2, 0.3, 0.4):
            policy = evacuating(stagger=stagger)
            found = self.evacuate(servers=servers, policy=policy)
            first.add(found.actions[0].server_id)
        self.assertGreater(len(first), 1)

    def test_moves_under_way_fill_the_window(self):
        pending = base.just_asked(ActionKind.EVACUATE, 'vm0').servers['vm0']
        remembered = base.asked(
            ActionKind.EVACUATE, many()[1], asked_after=4, asked_at=NOW - 2
        )
        found = self.evacuate(
            migrations=[builders.evacuation(5, server_id='vm1')],
            memory=remembering(pending, remembered),
        )
        self.assertEqual(6, len(found.actions))

    @unit.cases((None, 8), (1, 1), (12, 12))
    def test_window(self, parallel, number):
        """As many as a destination builds at once, the largest first."""
        found = self.lead(policy=evacuating(parallel=parallel))
        expected = [f'vm{n}' for n in range(number)]
        self.assertEqual(expected, list(self.asks(found)))

    def test_resets_count_in_the_window(self):
        found = self.lead(servers=many('ERROR', power_state=State.SHUTDOWN))
        self.assertEqual(
            [ActionKind.RESET] * 8, list(self.asks(found).values())
        )

    def test_another_run_holds_the_lock(self):
        found = self.evacuate(
            migrations=[builders.evacuation(5, server_id='vm1')]
        )
        self.assertEqual((), found.actions)
        self.assertFalse(found.done)
        self.assertEqual(model.Move.EVACUATION, found.rows[1].move)

    def test_polls_when_the_lock_is_free(self):
        """Runs that began together would begin at the same look otherwise."""
        for stagger in (0.1, 0.25, 0.5):
            found = self.evacuate(
                policy=evacuating(stagger=stagger),
                memory=remembering(since=NOW),
            )
            self.assertEqual((), found.actions)
            may_start_at = stagger * timing.EVACUATE_STAGGER_SECONDS
            self.assertAlmostEqual(may_start_at, found.interval)

    def test_never_from_a_host_that_is_up(self):
        found = self.evacuate(service=builders.service())
        self.assertEqual((), found.actions)
        self.assertIn('without --evacuate', found.trouble)
        self.assertFalse(found.drained)
        self.assertEqual({'blocked'}, {str(row.result) for row in found.rows})

    def test_never_after_a_heartbeat(self):
        before = builders.dead(updated_at=builders.cloud_time(0))
        service = builders.dead(updated_at=builders.cloud_time(10))
        found = self.evacuate(
            service,
            remembering(service=before),
            migrations=[builders.evacuation(5, server_id='vm0')],
        )
        self.assertEqual((), found.actions)
        self.assertIn('sends heartbeats again', found.trouble)
        # What has begun is awaited.
        self.assertFalse(found.done)

        found = self.evacuate(service, found.memory)
        self.assert_over(found)

    def test_it_does_not_wait_for_its_service(self):
        found = self.evacuate(
            servers=many(number=1),
            memory=remembering(down_since=0.0, dead=True),
        )
        self.assertFalse(found.done)
        self.assertEqual('', found.trouble)
        self.assertEqual({'vm0': ActionKind.EVACUATE}, self.asks(found))

    def over(self, migrations, consumers='vm1', history=(), **kwargs):
        """Return what is said of a host that its only server has left."""
        return self.evacuate(
            servers=[],
            visited=[evacuation_base.there()],
            migrations=migrations,
            consumers=frozenset(consumers.split()),
            memory=remembering(
                orphaned_since=NOW - 1000, history=frozenset(history)
            ),
            **kwargs,
        )

    DONE = builders.evacuation(5, 'done', seen_at=NOW - 5)

    def test_evacuated_allocations_are_not_orphaned(self):
        self.assertTrue(self.over([self.DONE]).drained)

    def test_drain_reports_those_allocations(self):
        found = self.over(
            [self.DONE], policy=policies.Policy(), service=builders.service()
        )
        self.assert_over(found)
        self.assertIn('holds an allocation', self.row(found).reason)

    def test_other_allocations_are_orphaned(self):
        records = [
            builders.evacuation(5, 'done', server_id='vm9'),
            builders.evacuation(6, 'error', server_id='vm1'),
        ]
        found = self.over(records, 'vm1 vm9', history={5, 6})
        self.assertTrue(found.done)
        self.assertEqual('vm1', self.row(found).server_id)
        self.assertFalse(found.drained)


class TestWithoutEvacuate(base.DecideTestCase):
    def drain(self, **observed):
        return self.decide(
            memory=memories.HostMemory(), service=builders.dead(), **observed
        )

    def test_dead_host_suggests_evacuate(self):
        for consumers in (None, frozenset()):
            found = self.drain(
                servers=[builders.server(), builders.server('vm2', 'PAUSED')],
                consumers=consumers,
            )
            self.assert_over(found)
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
