# SPDX-License-Identifier: Apache-2.0

"""What another run has resumed, from the first look to the end."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
FIRST = memories.HostMemory()
COMPLETED = builders.migration(7, 'completed')
HERE, THERE = base.TAGGED_HERE, base.TAGGED_THERE
SUSPENDED_THERE = builders.server(
    status='SUSPENDED', host=builders.DEST, tagged=True
)


class TestResumedByAnotherRun(base.DecideTestCase):
    SUSPENDED = builders.memory(builders.server_memory(base.SUSPENDED))

    @unit.cases(*policies.Running)
    def test_on_the_host(self, running):
        """Whatever --running says: a restart would lose what it suspended."""
        policy = policies.Policy(running=running)
        for memory in (FIRST, self.SUSPENDED):
            found = self.decide(memory=memory, policy=policy, servers=[HERE])
            self.assertEqual(
                {'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found)
            )
            self.assertEqual('SUSPENDED', self.row(found).status)

    def test_by_hand(self):
        """It has no tag: then it is to run."""
        found = self.decide(memory=self.SUSPENDED, servers=[base.HERE])
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual('ACTIVE', self.row(found).status)

    @unit.cases(
        # how it is found elsewhere; what is asked for
        (THERE, {'vm1': ActionKind.SUSPEND}),
        (SUSPENDED_THERE, {'vm1': ActionKind.UNTAG}),
    )
    def test_elsewhere(self, view, asked):
        observed = {'visited': [view], 'migrations': [COMPLETED]}
        for memory in (FIRST, self.SUSPENDED):
            found = self.decide(memory=memory, **observed)
            self.assertEqual(asked, self.asks(found))
            self.assertFalse(found.done)
            self.assertEqual('SUSPENDED', self.row(found).status)

    @unit.cases(
        # Before this maintenance, to this host, or not at all.
        {'created_at': builders.cloud_time(-99)},
        {'source': 'cmp05', 'dest': builders.HOST},
        {'status': 'error'},
    )
    def test_elsewhere_and_not_from_here(self, values):
        record = dataclasses.replace(COMPLETED, **values)
        found = self.decide(memory=FIRST, visited=[THERE], migrations=[record])
        self.assertEqual((), found.rows)

    def test_moving_when_the_run_was_killed(self):
        moving = builders.server(status='MIGRATING', tagged=True)
        records = [builders.migration(7, 'running')]
        found = self.decide(memory=FIRST, servers=[moving], migrations=records)
        self.assertEqual('SUSPENDED', self.row(found).status)
        found = self.decide(
            memory=found.memory,
            visited=[dataclasses.replace(THERE, seen_at=NOW + 9)],
            migrations=[builders.migration(7, 'completed', seen_at=NOW + 8)],
            now=NOW + 9,
        )
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))
