# SPDX-License-Identifier: Apache-2.0

"""What others do while a host is drained."""

from tests import unit
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

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
