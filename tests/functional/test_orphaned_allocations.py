# SPDX-License-Identifier: Apache-2.0

"""What Placement still holds on a host: it is told, and so is a doubt."""

import json
import re
import typing as ty

from tests.cloud import waiting
from tests.functional import base

LIVE = {'block_migration': 'auto'}


class TestOrphanedAllocations(base.FunctionalTest):
    def test_orphaned_allocation_is_reported(self) -> None:
        self.cloud.boot('server', host='cmp01')
        consumer = self.cloud.leak_allocation('cmp01')

        done = self.run_command('host maintenance drain -f json cmp01')
        rows = json.loads(done.out)

        self.assertEqual(3, done.code, done.err)
        wait = f'waiting for allocations in Placement.*: {consumer}'
        self.assertEqual(1, len(re.findall(wait, done.err)), done.err)
        self.assertEqual(
            {'moved': 'server', 'blocked': ''},
            {row['Result']: row['Name'] for row in rows},
        )
        (row,) = [row for row in rows if row['Result'] == 'blocked']
        self.assertEqual(consumer, row['Server ID'])
        self.assertIn(f'allocation delete {consumer}', row['Reason'])
        self.assertFalse(self.show('cmp01')['drained'])

    def test_allocation_of_a_child_provider_is_reported(self) -> None:
        child = self.cloud.child_provider('cmp01', {'VGPU': 4})
        consumer = self.cloud.leak_allocation(
            'cmp01', resources={'VGPU': 1}, provider=child
        )

        (row,) = self.drain('cmp01', code=3)

        self.assertEqual(consumer, row['Server ID'])
        self.assertIn(f'allocation delete {consumer}', row['Reason'])


class TestMigrations(base.FunctionalTest):
    """What a migration holds is told with its server."""

    def migrating(self, **knobs: str) -> tuple[ty.Any, str]:
        """Return a server that is live-migrated, and the migration's UUID."""
        server = self.cloud.boot('vm', host='cmp01', metadata=knobs)
        self.cloud.act(server, {'os-migrateLive': {'host': 'cmp02', **LIVE}})
        return server, self.ended(server, 'running')

    def ended(self, server: ty.Any, status: str) -> str:
        """Wait for the status of a server's migration; return its UUID."""
        (record,) = waiting.wait_for(
            lambda: self.cloud.migrations(
                instance_uuid=server.id, status=status
            ),
            f'a migration that is {status}',
        )
        return str(record['uuid'])

    def told(self, rows: list[dict[str, ty.Any]], server: ty.Any) -> str:
        """Return the reason of the only row, the server's."""
        self.assertEqual(
            [(server.id, 'vm')],
            [(row['Server ID'], row['Name']) for row in rows],
        )
        return str(rows[0]['Reason'])

    def obey(self, reason: str) -> None:
        """Do what a reason says, after which the host is drained."""
        (line,) = re.findall('openstack (resource provider .*?), from', reason)
        self.openstack(line, user='admin')
        self.drain('cmp01')
        self.assert_empty('cmp01')

    def test_of_a_driver_that_raised(self) -> None:
        server, migration = self.migrating(lm_seconds='1', lm_fail='post')
        self.ended(server, 'error')

        reason = self.told(self.drain('cmp01', code=3), server)

        # Nothing else is kept there for it.
        self.assertIn('in ERROR', reason)
        self.assertIn(
            f'live migration {migration} ("error"): once the server has left '
            'cmp01, remove the allocation (openstack resource provider '
            'allocation delete '
            f'{migration}',
            reason,
        )
        self.cloud.act(server, {'os-resetState': {'state': 'active'}})
        self.cloud.server_knobs(server, lm_fail='')

        reason = self.told(rows := self.drain('cmp01', code=3), server)

        self.assertEqual('blocked', rows[0]['Result'])
        self.assertNotEqual('', rows[0]['Destination'])
        self.assertNotIn('once', reason)
        self.obey(reason)

    def test_of_a_host_that_died(self) -> None:
        server, migration = self.migrating(lm_stuck='1')
        self.cloud.kill_host('cmp01')
        self.cloud.wait_service('cmp01', 'down')
        self.cloud.act(server, {'os-resetState': {'state': 'active'}})

        reason = self.told(
            self.drain('--evacuate --fenced cmp01', code=3), server
        )

        self.assertIn(
            f'live migration {migration} ("running"): remove the allocation '
            f'(openstack resource provider allocation delete {migration}, ',
            reason,
        )
        # It cleans up what it knows of, and no migrations.
        self.cloud.start_host('cmp01')
        self.cloud.force_down('cmp01', down=False)

        self.obey(self.told(self.drain('cmp01', code=3), server))

    def test_of_a_server_that_was_deleted(self) -> None:
        server, _uuid = self.migrating(lm_stuck='1')
        process = self.start_observed('host maintenance drain -f json cmp01')
        self.cloud.act(server, {'forceDelete': None})
        done = self.end(process)

        # Nova mostly forgets what it was at.
        if done.code:
            reason = self.told(done.json, server)
            self.assertIn('the server was deleted, but Placement', reason)
            self.obey(reason)


class TestUnmapped(base.FunctionalTest):
    """Nova's API knows no hypervisor of the host."""

    def test_unknown_allocations_are_not_drained(self) -> None:
        self.cloud.boot('server', host='cmp01')
        self.cloud.unmap_host('cmp01')
        self.addCleanup(self.cloud.map_hosts)

        done = self.run_command('host maintenance drain --dry-run cmp01')

        self.assertEqual(3, done.code, done.err)
        self.assertIn('unknown', done.out)
        self.assertIn('discover_hosts', done.err)

        done = self.run_command('host maintenance drain -f json cmp01')

        self.assertEqual(1, done.code, done.err)
        self.assertIn('cannot be checked', done.err)
        self.assertIn('discover_hosts', done.err)
        self.assertEqual(['moved'], [row['Result'] for row in done.json])
        self.assertEqual([], self.cloud.servers('cmp01'))
        shown = self.show('cmp01')
        self.assertIsNone(shown['allocations'])
        self.assertIsNone(shown['drained'])

        # What the message advises.
        self.cloud.map_hosts()

        self.assertEqual(
            [], self.drain('cmp01'), 'now it is verified that nothing is left'
        )
