# SPDX-License-Identifier: Apache-2.0

"""What is asked to look ahead, and what is made of no answer."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine.capacity import dry_run
from tests import unit
from tests.unit import builders
from tests.unit.engine import large_clouds
from tests.unit.engine.capacity import test_dry_run
from tests.unit.nova import cloud
from tests.unit.simulation import faults
from tests.unit.simulation import scene


class TestRequests(test_dry_run.DryRunTestCase):
    BASE: ty.ClassVar = {
        'servers': 1,
        'allocations': 1,
        'hypervisors': 1,
        'aggregates': 1,
        'allocation_candidates': 1,
    }

    #: Nova tells that they are in no group.
    ALONE = model.Needs(grouped=False)

    def test_groups(self) -> None:
        here, there = self.add(), self.cloud.add(test_dry_run.DEST)
        self.cloud.group('anti-affinity', here, self.add())
        self.look()
        expected = {**self.BASE, 'groups': 1}
        self.assertEqual(expected, self.asked())
        # Others of it are elsewhere: where, tells a list that has the
        # hypervisors as well.
        self.cloud.group('affinity', self.add(), there)
        self.look()
        del expected['hypervisors']
        self.assertEqual({**expected, 'residents': 1}, self.asked())

    def test_server_groups_unknown_to_old_nova(self) -> None:
        """Before 2.100: anybody may be in one."""
        self.add(needs=model.Needs(grouped=None))
        self.look()
        self.assertEqual(1, self.asked()['groups'])

    def test_moves_in_flight(self) -> None:
        server = self.add(seconds=60, needs=self.ALONE)
        self.add(needs=self.ALONE)
        self.cloud.live_migrate(server.id)
        self.clock.sleep(10)
        self.look()
        self.assertEqual({**self.BASE, 'migrations': 1}, self.asked())

    def test_allocations_not_explained_by_new_migrations(self) -> None:
        self.add(needs=self.ALONE)
        self.cloud.hold('somebody unknown', 'cmp01')
        self.look()
        more = {'migrations': 1, 'unconfirmed': 1}
        self.assertEqual({**self.BASE, **more}, self.asked())


class TestUnknown(test_dry_run.DryRunTestCase):
    """What is not told is unknown; what is told serves all the same."""

    def assert_unknown(self, found: dry_run.DryRun, words: str) -> None:
        """Check that no more is said than is known."""
        self.assertFalse(found.known)
        self.assertFalse(found.preview.done)
        rows = found.preview.rows
        self.assertEqual(
            {test_dry_run.Fits.UNKNOWN}, {row.fits for row in rows}
        )
        self.assertEqual({None}, {row.candidates for row in rows})
        for row in rows:
            self.assertIn(f'capacity is not known: {words}', row.reason)
        (note,) = found.preview.notes
        self.assertIn(f'capacity is not known: {words}', note)
        self.assertEqual((), found.preview.capacity_forecast.misfits)

    def look_without(self, kind, fault=faults.LOST) -> dry_run.DryRun:
        """Look ahead where one kind of requests is not answered."""
        return self.look(faults=lambda r: fault if r.kind == kind else None)

    def test_placement_lists_allocations_only(self) -> None:
        self.add()
        for error in builders.NO_CAPACITY:
            fault = faults.Fault(lambda error=error: error)
            found = self.look_without('allocation_candidates', fault)
            self.assert_unknown(found, str(error))

    def test_server_list_fails(self) -> None:
        self.add()
        for kind in ('servers', 'migrations'):
            # For the records there is a reason.
            self.cloud.hold('somebody', scene.SOURCE)
            with self.assertRaises(exceptions.CloudError):
                self.look_without(kind)


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
