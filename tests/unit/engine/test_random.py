#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Whatever goes wrong, wherever: a drain ends, and tells the truth."""

import collections
import dataclasses
import unittest

import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint import model
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import truth
from tests.unit.simulation import world


@dataclasses.dataclass(frozen=True)
class Deed:
    """What somebody else does, and when."""

    seconds: float
    what: str
    server: int

    def __call__(self, cloud: clouds.Cloud) -> None:
        """Do it, if the cloud lets them."""
        servers = list(cloud.servers.values())
        server = servers[self.server % len(servers)]
        try:
            self._do(cloud, server)
        except exceptions.CloudError:
            return

    def _do(self, cloud: clouds.Cloud, server: world.Server) -> None:
        cloud.existing(server.id)
        match self.what:
            case 'delete':
                cloud.delete(server.id)
            case 'create':
                cloud.create(scene.SOURCE)
            case 'resize':
                cloud.cold_migrate(server.id, kind=model.MigrationType.RESIZE)
            case 'confirm':
                cloud.confirm(server.id)
            case 'revert':
                cloud.revert(server.id)
            case 'live':
                cloud.live_migrate(server.id)
            case 'cold':
                cloud.cold_migrate(server.id)


DEEDS = ('delete', 'create', 'resize', 'confirm', 'revert', 'live', 'cold')
FATES = list(world.Fate)
FAULTS = (
    faults.LOST,
    faults.DROPPED,
    faults.LOST_LATE,
    faults.DROPPED_LATE,
    faults.SLOW,
    faults.TOO_MANY,
    faults.REFUSED,
)

servers = strategies.lists(
    strategies.fixed_dictionaries(
        {
            'vm_state': strategies.sampled_from(
                ['active', 'active', 'stopped', 'paused', 'suspended']
            ),
            'seconds': strategies.floats(0.5, 12),
            'fates': strategies.lists(
                strategies.sampled_from(FATES), max_size=3
            ),
            'refusals': strategies.lists(
                strategies.just('not like this'), max_size=2
            ),
        }
    ),
    min_size=1,
    max_size=6,
)
failing = strategies.dictionaries(
    strategies.integers(0, 80), strategies.sampled_from(FAULTS), max_size=6
)
deeds = strategies.lists(
    strategies.builds(
        Deed,
        strategies.floats(0, 60),
        strategies.sampled_from(DEEDS),
        strategies.integers(0, 5),
    ),
    max_size=4,
)


#: One request takes effect late, and while another hangs for a minute nobody
#: looks: the first must not be sent again before somebody has.
REFUSING = ['not like this', 'not like this']
HUNG = [
    {
        'vm_state': 'stopped',
        'seconds': 11.9,
        'fates': [world.Fate.WELL],
        'refusals': REFUSING,
    },
    {
        'vm_state': 'active',
        'seconds': 10.8,
        'fates': [
            world.Fate.ROLLED_BACK,
            world.Fate.ROLLED_BACK,
            world.Fate.BROKEN,
        ],
        'refusals': [],
    },
    {
        'vm_state': 'active',
        'seconds': 5.8,
        'fates': [world.Fate.NO_HOST],
        'refusals': [],
    },
    {
        'vm_state': 'active',
        'seconds': 9.7,
        'fates': [world.Fate.PRECHECK],
        'refusals': [],
    },
]
HANGING = {
    9: faults.DROPPED_LATE,
    17: faults.SLOW,
    32: faults.DROPPED_LATE,
}


def populated(values: list[dict[str, object]], slots: int) -> clouds.Cloud:
    """Return a cloud with such servers on the host in maintenance."""
    cloud = scene.cloud(0, slots=slots)
    for each in values:
        deques = {
            name: collections.deque(value)
            for name, value in each.items()
            if isinstance(value, list)
        }
        cloud.add(scene.SOURCE, **{**each, **deques})
    return cloud


class RandomTestCase(unittest.TestCase):
    def drain(self, cloud: clouds.Cloud, **options) -> scene.Run:
        clock = timeline.VirtualClock(cloud.timeline)
        clock.alarm(timeline.START + 7200, AssertionError('does not end'))
        return scene.run(cloud, clock=clock, **options)

    @hypothesis.settings(max_examples=300)
    @hypothesis.example(values=HUNG, failing=HANGING, slots=1)
    @hypothesis.given(servers, failing, strategies.integers(1, 3))
    def test_faults(self, values, failing, slots) -> None:
        cloud = populated(values, slots)
        before = scene.states(cloud)
        run = self.drain(cloud, faults=faults.numbered(failing))
        self.assertEqual([], truth.lies(run, cloud, before))
        self.assertEqual([], truth.repeated(run.client, cloud))

    @hypothesis.settings(max_examples=300)
    @hypothesis.given(servers, failing, deeds, strategies.integers(1, 3))
    def test_others_meanwhile(self, values, failing, deeds, slots) -> None:
        cloud = populated(values, slots)
        for deed in deeds:
            cloud.timeline.after(deed.seconds, lambda d=deed: d(cloud))
        before = scene.states(cloud)
        run = self.drain(cloud, faults=faults.numbered(failing))
        self.assertEqual([], truth.lies(run, cloud, before))
