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

"""What the gateway to the simulated cloud tells of it as a whole."""

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import survey
from tests.unit.simulation import faults
from tests.unit.simulation import offers
from tests.unit.simulation import scene
from tests.unit.simulation import test_client
from tests.unit.simulation import timeline

START = timeline.START


@ddt.ddt
class SurveyTestCase(test_client.ClientTestCase):
    """What is asked of the cloud as a whole."""

    def providers(self) -> dict[str, str]:
        """Return the resource provider of each host."""
        found = self.client().hypervisors()
        self.assertEqual(4, len(found))
        return {host: provider for provider, host in found.items()}

    def test_allocations(self) -> None:
        client = self.client()
        amounts = {'VCPU': 1, 'MEMORY_MB': 1024, 'DISK_GB': 2}
        self.assertEqual(
            {self.server.id: amounts}, client.allocations(scene.SOURCE)
        )
        client.live_migrate(self.server.id)
        self.clock.sleep(2)
        (record,) = client.migrations(scene.SOURCE)
        self.assertEqual(
            {record.uuid: amounts}, client.allocations(scene.SOURCE)
        )
        assert record.dest
        self.assertEqual(
            {self.server.id: amounts}, client.allocations(record.dest)
        )
        self.assertLess(START + 2, client.last_look[scene.SOURCE])
        self.clock.sleep(10)
        self.assertEqual({}, client.allocations(scene.SOURCE))

    def test_residents_tell_the_hypervisors_too(self) -> None:
        client = self.client()
        elsewhere = self.cloud.add('cmp03')
        self.cloud.delete(self.cloud.add('cmp03').id)
        self.cloud.create('cmp03')
        self.assertEqual(
            {self.server.id: scene.SOURCE, elsewhere.id: 'cmp03'},
            client.residents(),
        )
        self.assertEqual(set(scene.HOSTS), set(client.hypervisors().values()))
        self.assertEqual({'residents': 1}, client.counts())

    def test_hypervisors_are_asked_for_once(self) -> None:
        client = self.client()
        self.assertEqual(client.hypervisors(), client.hypervisors())
        client.residents()
        self.assertEqual({'hypervisors': 1, 'residents': 1}, client.counts())

    def test_groups(self) -> None:
        gone = self.cloud.add('cmp02')
        group = self.cloud.group(
            'anti-affinity', self.server, gone, most_per_host=2
        )
        self.cloud.delete(gone.id)
        self.assertEqual(
            [
                survey.Group(
                    group.id, 'anti-affinity', frozenset({self.server.id}), 2
                )
            ],
            self.client().groups(),
        )

    def test_aggregates(self) -> None:
        mine = survey.Aggregate(frozenset({'cmp02'}), {'ssd': 'yes'})
        self.cloud.aggregates.append(mine)
        for host in ('cmp03', 'cmp04'):
            self.cloud.hosts[host].zone = 'east'
        zone = survey.Aggregate(
            frozenset({'cmp03', 'cmp04'}), {'availability_zone': 'east'}
        )
        self.assertEqual([mine, zone], self.client().aggregates())
        zones = {s.host: s.zone for s in self.client().services()}
        self.assertEqual('east', zones['cmp03'])
        self.assertEqual('nova', zones['cmp02'])

    def test_offers(self) -> None:
        self.cloud.hosts['cmp03'].inventory.capacity['VCPU'] = 2
        self.cloud.hosts['cmp04'].inventory.capacity['VCPU'] = 3
        self.cloud.add('cmp04', room={'VCPU': 1})
        self.cloud.hosts['cmp04'].up = False
        providers = self.providers()
        found = self.client().offers((('VCPU', 2),))
        self.assertEqual(
            {(survey.Share(one, 'VCPU', 2),) for one in providers.values()},
            set(found.candidates),
        )
        self.assertEqual(
            survey.Pool(3, 1),
            found.providers[providers['cmp04']].pools['VCPU'],
        )
        source = found.providers[providers[scene.SOURCE]]
        self.assertEqual(survey.Pool(10**9, 1024), source.pools['MEMORY_MB'])
        self.assertEqual(source.id, source.root)
        self.assertIn(offers.DISABLED, source.traits)
        self.assertNotIn(
            offers.DISABLED, found.providers[providers['cmp02']].traits
        )

    def test_no_offer_without_room(self) -> None:
        self.cloud.hosts['cmp03'].inventory.capacity['VCPU'] = 2
        self.cloud.add('cmp03', room={'VCPU': 1})
        shape = (('MEMORY_MB', 1), ('VCPU', 2))
        found = self.client().offers(shape)
        self.assertNotIn(self.providers()['cmp03'], found.providers)
        self.assertEqual(3, len(found.candidates))
        self.assertEqual(3, len(found.providers))
        for candidate in found.candidates:
            self.assertEqual(
                shape, tuple((s.resource_class, s.amount) for s in candidate)
            )
        self.assertEqual(
            survey.Offers({}, ()), self.client().offers((('PCPU', 1),))
        )

    def test_an_offer_is_kept(self) -> None:
        # What can be taken alone is given by the scheduler, and no more.
        self.cloud.hosts['cmp02'].inventory.capacity['VCPU'] = 2
        shape = survey.shape(self.server.amounts)
        provider, client = self.providers()['cmp02'], self.client()
        for number in range(3):
            offered = provider in client.offers(shape).providers
            server = self.cloud.add(scene.SOURCE)
            client.live_migrate(server.id, 'cmp02')
            self.clock.sleep(10)
            self.assertEqual(number < 2, offered)
            self.assertEqual(offered, server.host == 'cmp02')

    def test_nothing_is_no_shape(self) -> None:
        with self.assertRaisesRegex(exceptions.RequestRefused, '400'):
            self.client().offers(())

    def test_what_a_server_needs_is_in_a_list(self) -> None:
        self.server.needs = model.Needs(zone='east', zone_known=True)
        (listed,) = self.client().servers(scene.SOURCE)
        self.assertEqual('east', listed.needs.zone)
        alone = self.client().server(self.server.id)
        self.assertEqual(model.Needs(), alone.needs)

    @ddt.data(
        (faults.PLACEMENT_FORBIDS, exceptions.NotPermitted),
        (faults.PLACEMENT_DOWN, exceptions.Unavailable),
    )
    @ddt.unpack
    def test_without_placement(self, answer, error) -> None:
        client, self.cloud.placement = self.client(), answer
        with self.assertRaisesRegex(error, 'Placement'):
            client.allocations(scene.SOURCE)
        with self.assertRaisesRegex(error, 'Placement'):
            client.offers((('VCPU', 1),))
        self.assertEqual({}, client.answered)
        self.assertEqual(4, len(client.hypervisors()))
        self.assertEqual([], client.groups())
        self.cloud.placement = None
        self.assertEqual(1, len(client.allocations(scene.SOURCE)))

    @ddt.data(
        'allocations',
        'flights',
        'hypervisors',
        'residents',
        'groups',
        'aggregates',
        'offers',
    )
    def test_each_is_a_request_and_may_fail(self, kind: str) -> None:
        arguments = {
            'allocations': (scene.SOURCE,),
            'offers': ((('VCPU', 1),),),
        }.get(kind, ())
        client = self.client(
            faults=faults.numbered({0: faults.LOST}), latency=0.2
        )
        with self.assertRaises(exceptions.Unavailable):
            getattr(client, kind)(*arguments)
        self.assertNotIn(kind, client.answered)
        getattr(client, kind)(*arguments)
        self.assertEqual([kind, kind], [r.kind for r in client.log])
        self.assertTrue(all(r.lists for r in client.log))
        self.assertAlmostEqual(START + 0.4, self.clock.now())
        self.assertAlmostEqual(START + 0.4, client.answered[kind])
