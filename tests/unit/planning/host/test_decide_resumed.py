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

SUSPENDED = base.changed(status='SUSPENDED')
HERE = base.changed()
THERE = base.changed(host=builders.DEST)
COMPLETED = builders.migration(7, 'completed')


class ResumedTestCase(base.DecideTestCase):
    def look(self, memory=FIRST, history=None, policy=base.RESUME, **observed):
        """Return what is decided.

        :param history: what is known to have been done to vm1.
        """
        if history is not None:
            observed['histories'] = {'vm1': tuple(history)}
        return self.decide(memory=memory, policy=policy, **observed)

    def suspect(self, memory=FIRST, **observed):
        """Return what is decided when its history is to be asked for."""
        found = self.look(memory, **observed)
        self.assertEqual((), found.actions)
        self.assertEqual({'vm1'}, found.query.history)
        self.assertFalse(found.done)
        return found


class TestTwoRuns(ResumedTestCase):
    """Another run resumes what this one has seen suspended."""

    MEMORY = builders.memory(builders.server_memory(SUSPENDED))

    @unit.cases(
        # who resumed it, in which project; what it was before
        (base.OWNER, base.OUR_PROJECT, 'SUSPENDED'),
        (base.OWNER, base.OWNERS_PROJECT, 'ACTIVE'),
    )
    def test_resume_by_operator_or_owner(self, user, project, before):
        found = self.suspect(self.MEMORY, servers=[HERE])
        resume = base.instance_action(user=user, project=project)
        found = self.look(found.memory, [resume], servers=[HERE])
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual(before, self.row(found).status)

    def test_already_being_moved_by_another_run(self):
        """The other run suspends it; where that is killed, this one does."""
        moved = {'visited': [THERE], 'migrations': [COMPLETED]}
        found = self.look(self.MEMORY, **moved)
        self.assertEqual({'vm1'}, found.query.history)

        resume = base.instance_action(user=base.OWNER)
        found = self.look(found.memory, [resume], **moved)
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))

    @unit.cases(
        # how it was known, and is now
        (builders.server_memory(HERE), HERE),
        (builders.server_memory(SUSPENDED), base.changed(status='SHUTOFF')),
        # By this very run.
        (base.asked(ActionKind.RESUME, SUSPENDED), HERE),
        (builders.server_memory(SUSPENDED, found_resumed=True), HERE),
    )
    def test_no_suspects(self, remembered, now):
        found = self.look(builders.memory(remembered), servers=[now])
        self.assertEqual(set(), found.memory.suspects)

    def test_a_history_is_asked_for_once(self):
        found = self.look(self.MEMORY, [], servers=[HERE])
        self.assertEqual(set(), found.memory.suspects)


class TestDecision(ResumedTestCase):
    """From the first look to the end."""

    @unit.cases(*policies.Running)
    def test_suspect_is_not_moved_before_its_history(self, running):
        """A cold migration would restart it; its history tells at once."""
        policy = dataclasses.replace(base.RESUME, running=running)
        observed = {'policy': policy, 'servers': [HERE]}
        found = self.suspect(**observed)

        found = self.look(found.memory, [base.instance_action()], **observed)
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual('SUSPENDED', self.row(found).status)

    def test_found_elsewhere_and_suspended(self):
        found = self.suspect(migrations=[COMPLETED])
        observed = {
            'history': [base.instance_action()],
            'migrations': [COMPLETED],
        }
        found = self.look(found.memory, **observed)
        self.assertEqual({'vm1'}, found.query.visit)
        self.assertFalse(found.done)

        found = self.look(found.memory, visited=[THERE], **observed)
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))
        self.assertFalse(found.done)

        memory = found.memory.after(
            found.actions[0],
            memories.Outcome(memories.SendStatus.ACCEPTED, NOW),
            highest_id=7,
        )
        suspended = dataclasses.replace(
            SUSPENDED, host=builders.DEST, seen_at=NOW + 1
        )
        found = self.look(
            memory,
            visited=[suspended],
            servers_at=NOW + 1,
            consumers_at=NOW + 1,
            service_at=NOW + 1,
            now=NOW + 1,
            **observed,
        )
        self.assertTrue(found.drained)
        row = self.assert_row(found, 'moved')
        self.assertEqual(
            ('SUSPENDED', builders.DEST), (row.status, row.destination)
        )

    def test_no_suspect_found(self):
        found = self.look(migrations=[COMPLETED])
        found = self.look(found.memory, [], migrations=[COMPLETED])
        self.assertTrue(found.drained)
        self.assertEqual((), found.rows)

    def test_moving_when_the_run_was_killed(self):
        moving = {
            'servers': [base.changed(status='MIGRATING')],
            'migrations': [builders.migration(7, 'running')],
        }
        found = self.suspect(**moving)
        actions = map(base.instance_action, ('resume', 'live-migration'))
        found = self.look(found.memory, actions, **moving)
        self.assertEqual('SUSPENDED', self.row(found).status)

        found = self.look(
            found.memory,
            visited=[dataclasses.replace(THERE, seen_at=NOW + 9)],
            migrations=[builders.migration(7, 'completed', seen_at=NOW + 8)],
            now=NOW + 9,
        )
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))
