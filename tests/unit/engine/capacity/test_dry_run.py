# SPDX-License-Identifier: Apache-2.0

"""Looking ahead: what becomes of each server, and what is asked for that."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests import unit
from tests.unit.engine import large_clouds
from tests.unit.nova import cloud as nova_cloud
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import outcomes
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Fits = forecast.Fits
LIVE, COLD = 'live migration', 'cold migration'
SHELVE = 'shelve offload'
#: A destination of a move, and the three that there may be.
DEST = 'cmp02'
OTHERS = 3


class DryRunTestCase(unit.TestCase):
    """A host to drain, and three that may take its servers."""

    def setUp(self) -> None:
        self.given(scene.cloud())

    def given(self, cloud: clouds.Cloud) -> None:
        self.cloud = cloud
        self.clock = timeline.VirtualClock(cloud.timeline)

    def add(self, state: str = 'active', **values: ty.Any) -> world.Server:
        return self.cloud.add(scene.SOURCE, state, **values)

    def look(self, policy=None, **options) -> dry_run.DryRun:
        """Look ahead, and check that nothing changes by it."""
        self.client = clients.Client(self.cloud, self.clock, **options)
        services = {n: h.shown() for n, h in self.cloud.hosts.items()}
        works = list(self.cloud.works)
        seen = dry_run.see(
            self.client,
            self.clock,
            services,
            [services[scene.SOURCE]],
            policy or policies.Policy(),
            reporting.Preparation(reporting.Publisher(), self.clock),
        )
        found = dry_run.assess(seen)
        self.assertEqual([], self.client.posted)
        self.assertFalse([r for r in self.client.log if r.changes])
        self.assertEqual(works, self.cloud.works)
        return found

    def row(self, *args: ty.Any, **kwargs: ty.Any) -> dry_runs.Row:
        (row,) = self.look(*args, **kwargs).preview.rows
        return row

    def asked(self) -> dict[str, int]:
        return dict(self.client.counts())


class TestRows(DryRunTestCase):
    def assert_row(self, row, move, fits, candidates, reason='') -> None:
        """Check what would become of a server."""
        self.assertEqual(
            (move, fits, candidates), (row.move, row.fits, row.candidates)
        )
        self.assertIn(reason, row.reason)
        if not reason:
            self.assertEqual('', row.reason)

    @unit.cases(
        # state, move, how many hosts could take it, reason
        ('active', LIVE, Fits.YES, OTHERS, ''),
        ('paused', LIVE, Fits.YES, OTHERS, ''),
        ('stopped', COLD, Fits.YES, OTHERS, ''),
        ('shelved', SHELVE, Fits.YES, None, ''),
        ('suspended', '', None, None, '--suspended'),
        ('rescued', '', None, None, 'rescue'),
        ('error', '', None, None, 'ERROR'),
        ('soft-delete', '', None, None, 'until it is purged'),
    )
    def test_states(self, state, move, fits, candidates, reason) -> None:
        server = self.add(state)
        row = self.row()
        self.assert_row(row, move, fits, candidates, reason)
        self.assertEqual(
            (server.id, server.name, scene.SOURCE, server.shown().status),
            (row.server_id, row.name, row.host, row.status),
        )

    @unit.cases(
        ('suspended', {'suspended': policies.Suspended.RESUME}, LIVE, OTHERS),
        ('suspended', {'suspended': policies.Suspended.SHELVE}, SHELVE, None),
        ('active', {'running': policies.Running.COLD}, COLD, OTHERS),
        ('active', {'running': policies.Running.LIVE_OR_COLD}, LIVE, OTHERS),
        ('active', {'to': DEST}, LIVE, 1),
    )
    def test_options(self, state, options, move, candidates) -> None:
        self.add(state)
        row = self.row(policies.Policy(**options))
        self.assert_row(row, move, Fits.YES, candidates)

    @unit.cases(model.MigrationType.COLD, model.MigrationType.RESIZE)
    def test_in_flight_by_others(self, kind: str) -> None:
        server = self.add(seconds=60)
        self.cloud.cold_migrate(server.id, host=DEST, kind=kind)
        self.clock.sleep(10)
        move = COLD if kind == model.MigrationType.COLD else 'resize'
        self.assert_row(self.row(), move, Fits.YES, None)

    def test_in_flight_evacuation(self) -> None:
        """It has its place, and holds what it held of the dead host."""
        server = self.add(seconds=60)
        self.cloud.power_off(scene.SOURCE)
        self.cloud.force_down(scene.SOURCE)
        self.cloud.evacuate(server.id, host=DEST)
        self.clock.sleep(10)
        row = self.row(policies.Policy(evacuate=True))
        self.assert_row(row, 'evacuation', Fits.YES, None)

    def test_failed_in_the_same_way(self) -> None:
        """In this maintenance, so that no third try would be made."""
        server = self.add()
        self.cloud.disable(scene.SOURCE)
        for dest in ('cmp02', 'cmp03'):
            server.outcomes.append(outcomes.MoveOutcome.PRE)
            self.cloud.live_migrate(server.id, dest)
            self.clock.sleep(60)
        row = self.row(policies.Policy(running=policies.Running.LIVE_OR_COLD))
        self.assert_row(row, COLD, Fits.YES, OTHERS, 'in the same way')

    def test_moved_but_not_confirmed(self) -> None:
        server = self.add('stopped', seconds=5)
        self.cloud.cold_migrate(server.id, host=DEST)
        self.clock.sleep(60)
        self.assertEqual(DEST, server.host)
        row = self.row()
        self.assertEqual(server.id, row.server_id)
        self.assert_row(row, COLD, Fits.YES, None)

    # From there to here, it has to leave the host once it is confirmed.
    @unit.cases((scene.SOURCE, DEST, None), (DEST, scene.SOURCE, OTHERS))
    def test_owner_resize(self, source, dest, candidates) -> None:
        self.cloud.add_resized(source, dest)
        self.assert_row(self.row(), '', None, None, '--resized confirm')
        confirm = policies.Policy(resized=policies.Resized.CONFIRM)
        self.assert_row(self.row(confirm), 'resize', Fits.YES, candidates)


class TestRequests(DryRunTestCase):
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
        here, there = self.add(), self.cloud.add(DEST)
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

    @unit.cases('servers', 'migrations')
    def test_a_list_fails(self, kind: str) -> None:
        self.add()
        # For the records there is a reason.
        self.cloud.hold('somebody', scene.SOURCE)
        with self.assertRaises(exceptions.CloudError):
            self.look(faults=lambda r: faults.LOST if r.kind == kind else None)


class TestCost(nova_cloud.CloudTestCase):
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
