# SPDX-License-Identifier: Apache-2.0

"""What goes wrong in a simulated Nova on purpose, and what others do."""

from osc_hostmaint import exceptions
from tests import unit
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Refusal = world.Refusal


class TimeTestCase(unit.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud(1)
        self.clock = timeline.VirtualClock(self.cloud.timeline)
        self.server = next(iter(self.cloud.servers.values()))

    def lose(self, fault: faults.Fault) -> clients.Client:
        chosen = faults.posts([fault])
        client = clients.Client(self.cloud, self.clock, faults=chosen)
        with self.assertRaises(exceptions.Unavailable):
            client.live_migrate(self.server.id)
        return client

    def test_one_gets_there_although_its_sender_is_killed(self) -> None:
        client = clients.Client(self.cloud, self.clock, latency=1.0)
        self.clock.alarm(timeline.START + 0.2, scene.Killed())
        with self.assertRaises(scene.Killed):
            client.live_migrate(self.server.id)
        self.assertIsNone(self.server.task_state)
        self.clock.sleep(1)
        self.assertEqual('migrating', self.server.task_state)

    @unit.cases(
        # what gets lost, the status then, what Nova answered
        (faults.LOST, 'MIGRATING', ''),
        (faults.DROPPED, 'ACTIVE', None),
        (faults.SLOW, 'ACTIVE', None),
    )
    def test_lost(self, fault, status: str, answer: str | None) -> None:
        client = self.lose(fault)
        self.assertEqual(status, self.server.status)
        self.assertEqual(answer, client.posted[0][1])
        self.clock.sleep(16)
        if fault is not faults.DROPPED:
            self.assertEqual('', client.posted[0][1])
            self.assertIs(fault is faults.SLOW, self.server.work.late)


class RefusalsTestCase(unit.TestCase):
    """What is set beforehand."""

    def setUp(self) -> None:
        self.cloud = clouds.Cloud(['a', 'b'])

    def test_each_to_its_kind(self) -> None:
        refusals = [
            'not like this',
            Refusal('never', final=True, kind='resume'),
            Refusal('not now', kind='suspend'),
        ]
        server = self.cloud.add('a', 'suspended', refusals=refusals)
        refused = exceptions.RequestRefused
        with self.assertRaisesRegex(refused, 'never') as caught:
            self.cloud.resume(server.id)
        self.assertTrue(caught.exception.final)
        self.cloud.resume(server.id)
        self.cloud.timeline.run_until(timeline.START + 5)
        with self.assertRaisesRegex(refused, 'not like'):
            self.cloud.live_migrate(server.id)
        with self.assertRaisesRegex(refused, 'not now'):
            self.cloud.suspend(server.id)
        self.cloud.suspend(server.id)

    def test_a_refused_request_leaves_no_trace(self) -> None:
        server = self.cloud.add('a', refusals=['no'])
        instance_actions = list(server.instance_actions)
        with self.assertRaises(exceptions.RequestRefused):
            self.cloud.live_migrate(server.id)
        self.assertEqual(instance_actions, server.instance_actions)
        self.assertEqual([], self.cloud.works)


def statuses(cloud: clouds.Cloud, server: world.Server) -> list[str]:
    """Let everything happen; return how record and server changed."""
    seen = ['']
    while cloud.timeline.run_next():
        records = [r for r in cloud.records.values() if r.server is server]
        record = records[-1].status if records else 'no record'
        line = f'{record}, {server.status} on {server.host}'
        if line != seen[-1]:
            seen.append(line)
    return seen[1:]


class LiveTestCase(unit.TestCase):
    """What can become of a live migration."""

    def move(self, *outcomes: world.MoveOutcome, **values) -> list[str]:
        self.cloud = clouds.Cloud(['a', 'b', 'c'])
        self.server = self.cloud.add('a', outcomes=outcomes, **values)
        self.cloud.live_migrate(self.server.id)
        return statuses(self.cloud, self.server)

    def test_record_completed_but_server_moved_not(self) -> None:
        seen = self.move(world.MoveOutcome.LIE)
        self.assertEqual('completed, ACTIVE on a', seen[-1])
        held = self.cloud.allocations
        self.assertEqual({'a'}, held[self.server.id].keys())
        self.assertEqual({}, held[self.cloud.records[1].uuid])

    def test_an_abort_that_nothing_comes_of(self) -> None:
        self.move(stuck=1, effects={'abort': [world.Effect.NOTHING]})
        self.cloud.abort(self.server.id, 1)
        self.assertEqual([], statuses(self.cloud, self.server)[1:])
        self.assertEqual('running', self.cloud.records[1].status)


class ConfirmationTestCase(unit.TestCase):
    def test_two_at_the_same_moment(self) -> None:
        cloud = clouds.Cloud(['a', 'b'])
        server, line = cloud.add('a', 'stopped'), cloud.timeline
        cloud.cold_migrate(server.id)
        statuses(cloud, server)
        cloud.confirm(server.id)
        line.run_until(line.now + 0.04)
        cloud.confirm(server.id)
        self.assertEqual('error, ERROR on b', statuses(cloud, server)[-1])
        self.assertEqual(1, len(cloud.collisions))


class RunTestCase(unit.TestCase):
    def test_twice_the_same(self) -> None:
        def play() -> list[tuple[float, str, str]]:
            cloud = scene.cloud(2, slots=2, seed=5)
            for vm_state in ('stopped', 'paused', 'suspended'):
                cloud.add(scene.SOURCE, vm_state)
            others.plan(cloud, [others.OthersAction(3, 'create')])
            chosen = faults.numbered({4: faults.LOST, 9: faults.SLOW})
            first = scene.run(cloud, faults=chosen, kill_after=7)
            runs = timeline.together(
                cloud.timeline,
                lambda clock: scene.run(cloud, clock=clock),
                lambda clock: scene.run(cloud, clock=clock, latency=0.3),
            )
            return [
                (request.time, request.kind, request.subject)
                for run in (first, *runs)
                for request in run.client.log
            ]

        self.assertEqual(play(), play())


#: A state of the first server in which a deed changes something.
NEEDED = {
    'start': 'stopped',
    'unpause': 'paused',
    'resume': 'suspended',
    'offload': 'shelved',
    'confirm': 'resized',
    'revert': 'resized',
    'abort': 'running',
    'complete': 'running',
    'unlock': 'locked',
    'evacuate': 'dead',
    'evacuate and stop': 'dead',
}


class OthersTestCase(unit.TestCase):
    def setUp(self) -> None:
        self.cloud = scene.cloud()

    def prepare(self, needed: str) -> None:
        if needed == 'dead':
            self.cloud.add(scene.SOURCE)
            self.cloud.fence(scene.SOURCE)
        elif needed == 'resized':
            self.cloud.add_resized(scene.SOURCE, 'cmp02')
        elif needed == 'running':
            server = self.cloud.add(scene.SOURCE, seconds=60)
            self.cloud.live_migrate(server.id)
        elif needed == 'locked':
            self.cloud.add(scene.SOURCE, locked=True)
        else:
            self.cloud.add(scene.SOURCE, needed)

    @unit.cases(
        *others.OWNERS, *others.ADMINS, *others.RESCUERS, *others.ARRIVALS
    )
    def test_each_does_something(self, what: str) -> None:
        self.prepare(NEEDED.get(what, 'active'))
        self.cloud.add('cmp02')
        began = len(self.cloud.works)
        others.plan(self.cloud, [others.OthersAction(9, what, server=0)])
        self.cloud.timeline.run_until(timeline.START + 8)
        self.assertEqual(began, len(self.cloud.works))
        self.cloud.timeline.run_until(timeline.START + 10)
        (work,) = self.cloud.works[began:]
        self.assertFalse(work.by.ours)
