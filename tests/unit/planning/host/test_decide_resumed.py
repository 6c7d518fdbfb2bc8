# SPDX-License-Identifier: Apache-2.0

"""What another run has resumed, from the first look to the end."""

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ActionKind = memories.ActionKind
FIRST = memories.HostMemory()


@ddt.ddt
class TestTwoRuns(base.DecideTestCase):
    """Another run resumes what this one has seen suspended."""

    def look(self, memory, **observed):
        return self.decide(memory=memory, policy=base.RESUME, **observed)

    @ddt.data(
        # who resumed it, in which project; what it was before
        (base.OWNER, base.OUR_PROJECT, 'SUSPENDED'),
        (base.OWNER, base.OWNERS_PROJECT, 'ACTIVE'),
    )
    @ddt.unpack
    def test_resume_by_operator_or_owner(self, user, project, before):
        memory = builders.memory(
            builders.server_memory(base.changed(status='SUSPENDED'))
        )
        found = self.look(memory, servers=[base.changed()])
        self.assertEqual({'vm1'}, found.query.history)
        self.assertEqual((), found.actions)

        found = self.look(
            found.memory,
            servers=[base.changed()],
            histories={
                'vm1': (base.instance_action(user=user, project=project),)
            },
        )
        self.assertEqual({'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found))
        self.assertEqual(before, self.row(found).status)

    def test_already_being_moved_by_another_run(self):
        """The other run suspends it; where that is killed, this one does."""
        memory = builders.memory(
            builders.server_memory(base.changed(status='SUSPENDED'))
        )
        found = self.look(
            memory,
            visited=[base.changed(host=builders.DEST)],
            migrations=[builders.migration(7, 'completed')],
        )
        self.assertEqual({'vm1'}, found.query.history)

        found = self.look(
            found.memory,
            visited=[base.changed(host=builders.DEST)],
            migrations=[builders.migration(7, 'completed')],
            histories={'vm1': (base.instance_action(user=base.OWNER),)},
        )
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))

    @ddt.data(
        # how it was known, and is now
        (builders.server_memory(base.changed()), base.changed()),
        (
            builders.server_memory(base.changed(status='SUSPENDED')),
            base.changed(status='SHUTOFF'),
        ),
        # By this very run.
        (
            base.asked(ActionKind.RESUME, base.changed(status='SUSPENDED')),
            base.changed(),
        ),
        (
            builders.server_memory(
                base.changed(status='SUSPENDED'), found_resumed=True
            ),
            base.changed(),
        ),
    )
    @ddt.unpack
    def test_no_suspects(self, remembered, now):
        found = self.look(builders.memory(remembered), servers=[now])

        self.assertEqual(set(), found.memory.suspects)

    def test_a_history_is_asked_for_once(self):
        memory = builders.memory(
            builders.server_memory(base.changed(status='SUSPENDED'))
        )
        found = self.look(
            memory, servers=[base.changed()], histories={'vm1': ()}
        )

        self.assertEqual(set(), found.memory.suspects)


class TestDecision(base.DecideTestCase):
    """From the first look to the end."""

    RECORD = builders.migration(7, 'completed')
    THERE = base.changed(host=builders.DEST)

    def found(self, policy=base.RESUME, memory=FIRST, **observed):
        return self.decide(memory=memory, policy=policy, **observed)

    def test_suspect_is_not_moved_before_its_history(self):
        """A cold migration would restart it; its history tells at once."""
        for running in policies.Running:
            policy = policies.Policy(
                suspended=policies.Suspended.RESUME,
                running=running,
                user_id=base.US,
            )
            found = self.found(policy, servers=[base.changed()])
            self.assertEqual((), found.actions)
            self.assertEqual({'vm1'}, found.query.history)
            self.assertFalse(found.done)

            found = self.found(
                policy,
                memory=found.memory,
                servers=[base.changed()],
                histories={'vm1': (base.instance_action(),)},
            )
            self.assertEqual(
                {'vm1': ActionKind.LIVE_MIGRATE}, self.asks(found)
            )
            self.assertEqual('SUSPENDED', self.row(found).status)

    def test_found_elsewhere_and_suspended(self):
        found = self.found(migrations=[self.RECORD])
        self.assertFalse(found.done)
        self.assertEqual({'vm1'}, found.query.history)

        observed = {
            'migrations': [self.RECORD],
            'histories': {'vm1': (base.instance_action(),)},
        }
        found = self.found(memory=found.memory, **observed)
        self.assertEqual({'vm1'}, found.query.visit)
        self.assertFalse(found.done)

        observed['visited'] = [self.THERE]
        found = self.found(memory=found.memory, **observed)
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))
        self.assertFalse(found.done)

        memory = found.memory.after(
            found.actions[0],
            memories.Outcome(memories.SendStatus.ACCEPTED, NOW),
            highest_id=7,
        )
        observed['visited'] = [
            base.changed(
                status='SUSPENDED', host=builders.DEST, seen_at=NOW + 1
            )
        ]
        found = self.found(
            memory=memory,
            servers_at=NOW + 1,
            consumers_at=NOW + 1,
            service_at=NOW + 1,
            now=NOW + 1,
            **observed,
        )
        self.assertTrue(found.drained)
        row = self.row(found)
        self.assertEqual('moved', row.result)
        self.assertEqual('SUSPENDED', row.status)
        self.assertEqual(builders.DEST, row.destination)

    def test_no_suspect_found(self):
        found = self.found(migrations=[self.RECORD])
        found = self.found(
            memory=found.memory,
            migrations=[self.RECORD],
            histories={'vm1': ()},
        )

        self.assertTrue(found.drained)
        self.assertEqual((), found.rows)

    def test_moving_when_the_run_was_killed(self):
        record = builders.migration(7, 'running')
        moving = base.changed(status='MIGRATING')
        found = self.found(servers=[moving], migrations=[record])
        self.assertEqual({'vm1'}, found.query.history)

        found = self.found(
            memory=found.memory,
            servers=[moving],
            migrations=[record],
            histories={
                'vm1': (
                    base.instance_action(),
                    base.instance_action('live-migration'),
                )
            },
        )
        self.assertEqual('SUSPENDED', self.row(found).status)

        found = self.found(
            memory=found.memory,
            visited=[base.changed(host=builders.DEST, seen_at=NOW + 9)],
            migrations=[builders.migration(7, 'completed', seen_at=NOW + 8)],
            now=NOW + 9,
        )
        self.assertEqual({'vm1': ActionKind.SUSPEND}, self.asks(found))
