# SPDX-License-Identifier: Apache-2.0

"""Draining hosts that servers of all kinds live on."""

import collections
import json
from unittest import mock

import pytest

from osc_hostmaint.planning import timing
from tests.cloud import waiting
from tests.functional import base
from tests.functional import shell

#: Written by tenants. Control characters Nova itself refuses.
HOSTILE = '[red]web %s{0} $(id)\u3000"\'\\<b>;'


class TestDrain(base.FunctionalTest):
    @pytest.mark.soak
    def test_thirty_servers_in_many_states(self) -> None:
        servers = self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 19)
            + base.lot('cmp01', 'PAUSED', 2)
            + base.lot('cmp01', 'SHUTOFF', 8)
            + [{'name': HOSTILE, 'host': 'cmp01', 'locked': True}]
        )
        before = self.cloud.servers('cmp01')

        rows = self.drain('--reason CHG0042 cmp01')

        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assertEqual(
            sorted(s.id for s in servers),
            sorted(row['Server ID'] for row in rows),
        )
        self.assertEqual(
            {
                ('ACTIVE', 'live migration'): 20,
                ('PAUSED', 'live migration'): 2,
                ('SHUTOFF', 'cold migration'): 8,
            },
            collections.Counter((r['Status'], r['Move']) for r in rows),
        )
        self.assertIn(HOSTILE, [row['Name'] for row in rows])
        self.assert_empty('cmp01')
        self.assert_same_elsewhere(before, 'cmp01')
        now = {s['id']: s for s in self.cloud.servers()}
        for row in rows:
            self.assertEqual(
                now[row['Server ID']]['OS-EXT-SRV-ATTR:host'],
                row['Destination'],
            )
        shown = self.show('cmp01')
        self.assertTrue(shown['drained'])
        self.assertEqual('CHG0042', shown['reason'])
        self.assertEqual([], self.drain('cmp01'), 'a second time')

    def test_several_hosts(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 2) + base.lot('cmp02', 'SHUTOFF', 1)
        )

        rows = self.drain('cmp01 cmp02 cmp02')

        self.assertEqual(
            {('cmp01', 'moved'): 2, ('cmp02', 'moved'): 1},
            collections.Counter((r['Host'], r['Result']) for r in rows),
        )
        self.assertLessEqual(
            {row['Destination'] for row in rows}, {'cmp03', 'cmp04'}
        )
        self.assert_empty('cmp01')
        self.assert_empty('cmp02')

    def test_empty_host(self) -> None:
        """What was being scheduled to it when it was disabled is awaited."""
        # Longer than it takes to look at the host.
        self.enterContext(mock.patch.object(shell, 'FACTOR', 1.0))
        for wait in (True, False):
            done = self.run_command('host maintenance drain cmp01')
            self.assertEqual(0, done.code, done.err)
            words = 'cmp01: waiting for servers that were being scheduled'
            self.assertEqual(wait, words in done.err, done.err)


class TestMeanwhile(base.FunctionalTest):
    """What happens while a host drains, and what goes wrong."""

    def test_servers_created_during_a_drain(self) -> None:
        """One that is being built is moved too; none comes after it."""
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1, metadata={'lm_seconds': '2'})
        )
        self.cloud.knobs(boot_seconds=600)
        late = self.cloud.boot('late', host='cmp01', wait=False)
        process = self.start('host maintenance drain -f json cmp01')
        self.wait_disabled('cmp01')
        self.cloud.knobs(boot_seconds=0)
        new = self.cloud.boot_many([{'name': f'new-{n}'} for n in range(2)])
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        results = {row['Name']: row['Result'] for row in done.json}
        self.assertEqual('moved', results['late'])
        self.assertEqual('ACTIVE', self.cloud.server(late).status)
        self.assertEqual(2, len(results))
        for server in new:
            self.assertNotEqual(
                'cmp01', self.cloud.server(server).compute_host
            )
        moved = {record['instance_uuid'] for record in self.cloud.migrations()}
        self.assertFalse(moved & {server.id for server in new})
        self.assert_empty('cmp01')

    def test_moves_of_others_are_adopted(self) -> None:
        self.cloud.knobs(lm_seconds=600, cm_seconds=600)
        live, cold = self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp01', 'SHUTOFF', 1)
        )
        self.openstack('host maintenance set cmp01')
        compute = self.cloud.connection().compute
        compute.live_migrate_server(live, host=None, block_migration='auto')
        compute.migrate_server(cold)
        process = self.start_observed('host maintenance drain -f json cmp01')
        self.cloud.knobs(lm_seconds=0, cm_seconds=0)
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(['moved', 'moved'], [r['Result'] for r in done.json])
        self.assertEqual([0, 0], [row['Attempts'] for row in done.json])
        self.assertEqual(2, done.err.count('is being moved already'))
        self.assertEqual(2, len(self.records('cmp01')))
        self.assert_empty('cmp01')

    def test_lost_request_is_sent_again(self) -> None:
        """It was accepted, and nothing came of it."""
        # Less than EFFECT_WAIT_SECONDS, also where that is scaled.
        self.enterContext(mock.patch.object(timing, 'UNANSWERED_SECONDS', 2.0))
        server = self.cloud.boot('server', host='cmp01')
        self.cloud.faults.add(
            method='POST', path=f'{server.id}/action', status=202, times=1
        )

        done = self.run_command('host maintenance drain -f json cmp01')

        self.assertEqual(0, done.code, done.err)
        self.assertIn(
            'cmp01: waiting for Nova to begin with what was requested',
            done.err,
        )
        self.assertIn('the request to move it had no effect', done.err)
        (row,) = done.json
        self.assertEqual(('moved', 2), (row['Result'], row['Attempts']))
        self.assertEqual(1, len(self.records('cmp01')))

    def test_failed_moves_are_tried_again_and_explained(self) -> None:
        fails = {'lm_fail': 'precheck'}
        bad, _good = self.cloud.boot_many(
            [
                {'name': 'bad', 'host': 'cmp01', 'metadata': fails},
                {
                    'name': 'good',
                    'host': 'cmp01',
                    'metadata': {**fails, 'lm_fail_times': '1'},
                },
            ]
        )

        rows = {row['Name']: row for row in self.drain('cmp01', code=3)}

        self.assertEqual('moved', rows['good']['Result'])
        self.assertEqual(2, rows['good']['Attempts'])
        self.assertEqual('failed', rows['bad']['Result'])
        # A third one only if the scheduler has picked one host twice.
        self.assertIn(rows['bad']['Attempts'], (2, 3))
        self.assertIn('lm_fail=precheck', rows['bad']['Reason'])
        self.assertEqual('ACTIVE', self.cloud.server(bad).status)

    def test_in_error_on_the_destination(self) -> None:
        """Nova's own words, and the way out, which is gone."""
        fails = {'cm_fail': 'finish', 'cm_fail_times': '1'}
        servers = self.cloud.boot_many(
            [
                {
                    'name': state.lower(),
                    'host': 'cmp01',
                    'state': state,
                    'metadata': fails,
                }
                for state in ('ACTIVE', 'SHUTOFF')
            ]
        )

        rows = self.drain('--running cold --retries 0 cmp01', code=3)

        self.assertEqual({'failed'}, {row['Result'] for row in rows})
        for row in rows:
            there = (
                f'moved to {row["Destination"]}, but it is in ERROR there: '
            )
            self.assertIn(
                there + 'Resize error: cm_fail=finish: repair it on '
                f'{row["Destination"]}, then run openstack server '
                f'reboot --hard {row["Server ID"]}',
                row['Reason'],
            )
            _words, advice = row['Reason'].split('then run openstack ')
            for line in advice.split(' and openstack '):
                self.openstack(line, user='admin')
                wanted = 'ACTIVE' if 'reboot' in line else 'SHUTOFF'
                self.wait_status(row['Server ID'], wanted)
        self.assertEqual(
            ['ACTIVE', 'SHUTOFF'],
            [self.cloud.server(server).status for server in servers],
        )
        self.assert_empty('cmp01')

    def test_excluded(self) -> None:
        """By its name or id; what is not clear is refused."""
        same = {'name': 'same', 'host': 'cmp01', 'flavor': 'm1.tiny'}
        kept, other, moves = self.cloud.boot_many(
            [same, same, {**same, 'name': 'moves'}]
        )
        self.cloud.requests.reset()
        for line, words in (
            ('--exclude same', "2 servers on cmp01 have the name 'same'"),
            (f'--exclude {self.FAR}', 'no server on cmp01 has the id'),
            ('--dry-run --exclude nobody', "the id or the name 'nobody'"),
        ):
            done = self.run_command(f'host maintenance drain {line} cmp01')
            self.assertEqual(1, done.code, done.err)
            self.assertIn(words, done.err)
            self.assertEqual(1, len(done.err.splitlines()), done.err)
        self.assertEqual([], self.changes())
        self.assertEqual('enabled', self.cloud.service('cmp01').status)

        line = f'--exclude {kept.id} --exclude moves cmp01'
        rows = json.loads(
            self.openstack(
                f'host maintenance drain -f json --dry-run {line}', code=3
            )
        )
        would_move = [row['Server ID'] for row in rows if row['Fits']]
        self.assertEqual([other.id], would_move)
        self.assertEqual([], self.changes())

        rows = self.drain(line, code=3)

        left = [row for row in rows if row['Result'] != 'moved']
        self.assertEqual(
            {('blocked', 'left here (--exclude)')},
            {(row['Result'], row['Reason']) for row in left},
        )
        self.assertEqual(
            {kept.id, moves.id},
            {server['id'] for server in self.cloud.servers('cmp01')},
        )
        self.assertNotEqual('cmp01', self.cloud.server(other).compute_host)

    #: Of no server.
    FAR = '00000000-0000-4000-8000-0000000000ff'

    def test_no_room_anywhere(self) -> None:
        self.cloud.boot('server', host='cmp01')
        self.openstack('host maintenance set cmp02 cmp03 cmp04')

        (row,) = self.drain('--skip-capacity-check --retries 0 cmp01', code=3)

        self.assertEqual('failed', row['Result'])
        self.assertIn('No valid host was found', row['Reason'])

    def test_deleted_meanwhile(self) -> None:
        """It is gone; what Nova leaves of it, if anything, is told."""
        seconds = {'stays': '1', 'goes': '30'}
        _stays, goes = self.cloud.boot_many(
            [
                {'name': n, 'host': 'cmp01', 'metadata': {'lm_seconds': s}}
                for n, s in seconds.items()
            ]
        )
        process = self.start('host maintenance drain -f json cmp01')
        self.cloud.wait_server(goes, 'MIGRATING')
        self.cloud.delete(goes)
        done = self.end(process)

        left = set(self.cloud.allocations('cmp01'))
        self.assertEqual(3 if left else 0, done.code, done.err)
        self.assertEqual([], self.cloud.servers('cmp01'))
        rows = {row['Server ID']: row for row in done.json}
        for consumer in left:
            row = rows.pop(consumer)
            self.assertEqual('blocked', row['Result'])
            self.assertIn('Placement still holds', row['Reason'])
        self.assertEqual(
            {'stays': 'moved', 'goes': 'gone'},
            {row['Name']: row['Result'] for row in rows.values()},
        )

    def wait_status(self, server_id: str, status: str) -> None:
        """Also of one that is in ERROR until then."""
        waiting.wait_for(
            lambda: (
                self.cloud.server(server_id).status == status
                and self.cloud.server(server_id).task_state is None
            ),
            f'{server_id} to be {status}',
        )

    def wait_disabled(self, host: str) -> None:
        waiting.wait_for(
            lambda: self.cloud.service(host).status == 'disabled',
            f'{host} to be disabled',
        )
