# SPDX-License-Identifier: Apache-2.0

"""How many requests it takes to know whether servers fit."""

from tests import unit
from tests.unit.engine import large_clouds
from tests.unit.nova import cloud


class TestCost(cloud.CloudTestCase):
    """At most six lists, one for each shape, and the pages of groups."""

    def look(self, size: large_clouds.Size) -> large_clouds.Cloud:
        """Look at a cloud, and check that it was seen as it is."""
        seen = large_clouds.Cloud(self.cloud, size)
        found = seen.look(self.gateway)

        self.assertEqual((), found.preview.notes)
        self.assertEqual(size.servers, len(found.preview.rows))
        self.assertEqual(size.servers, len(found.demands))
        self.assertEqual(size.hosts, len(found.snapshot.hosts))
        self.assertEqual(len(self.sent), seen.requests, self.sent)
        self.assertEqual({'GET'}, {line.split()[0] for line in self.sent})
        return seen

    @unit.cases((10, 5), (300, 5), (300, 2000))
    def test_no_more_requests_in_large_clouds(self, servers, hosts):
        seen = self.look(large_clouds.Size(servers, hosts))

        self.assertLessEqual(seen.requests, seen.allowed, seen.asked)

    def test_each_list_is_asked_for_once(self):
        seen = self.look(large_clouds.Size(60, 20))

        del seen.asked['/allocation_candidates']
        self.assertEqual({1}, set(seen.asked.values()), seen.asked)
        self.assertEqual(7, len(seen.asked), seen.asked)

    def test_hypervisors_beyond_a_full_page_are_found(self):
        size = large_clouds.Size(1, large_clouds.PAGE)
        nodes = large_clouds.PAGE + 1
        seen = large_clouds.Cloud(self.cloud, size, nodes=nodes)

        seen.look(self.gateway)

        self.assertEqual(nodes, len(self.gateway.hypervisors()))
        self.assertEqual(2, seen.asked['/os-hypervisors/detail'])
