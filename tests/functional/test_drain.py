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

"""Draining hosts that servers of all kinds live on."""

import collections
import signal

from tests.cloud import waiting
from tests.functional import base

#: Written by tenants. Control characters Nova itself refuses.
HOSTILE = '[red]web %s{0} $(id)\u3000"\'\\<b>;'


def lot(
    host: str, state: str, count: int, **spec: object
) -> list[dict[str, object]]:
    """Descriptions of servers to boot."""
    return [
        {'name': f'{state.lower()}-{n}', 'host': host, 'state': state, **spec}
        for n in range(count)
    ]


class TestDrain(base.FunctionalTest):
    def test_thirty_servers(self) -> None:
        servers = self.cloud.boot_many(
            lot('cmp01', 'ACTIVE', 19)
            + lot('cmp01', 'PAUSED', 2)
            + lot('cmp01', 'SHUTOFF', 8)
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

    def test_what_can_not_move_is_told(self) -> None:
        self.cloud.boot_many(
            lot('cmp01', 'ACTIVE', 2)
            + lot('cmp01', 'SUSPENDED', 1)
            + lot('cmp01', 'ERROR', 1)
            + lot('cmp01', 'SHELVED', 1)
            + lot('cmp01', 'RESCUE', 1)
            + lot('cmp01', 'SOFT_DELETED', 1)
            + lot('cmp01', 'VERIFY_RESIZE', 1)
        )

        rows = self.drain('cmp01', code=3)

        found = {row['Name']: row for row in rows}
        self.assertEqual(
            {
                'active-0': 'moved',
                'active-1': 'moved',
                'suspended-0': 'blocked',
                'error-0': 'blocked',
                'shelved-0': 'blocked',
                'rescue-0': 'blocked',
                'soft_deleted-0': 'blocked',
                'verify_resize-0': 'blocked',
            },
            {name: row['Result'] for name, row in found.items()},
        )
        for name, help_ in (
            ('suspended-0', 'openstack server resume'),
            ('error-0', 'openstack server set --state'),
            ('shelved-0', 'openstack server shelve --offload'),
            ('rescue-0', 'openstack server unrescue'),
            ('soft_deleted-0', 'openstack server restore'),
            ('verify_resize-0', 'openstack server resize confirm'),
        ):
            row = found[name]
            self.assertIn(f'{help_}', row['Reason'])
            self.assertIn(row['Server ID'], row['Reason'])
        shown = self.show('cmp01')
        self.assertFalse(shown['drained'])
        self.assertEqual(1, shown['awaiting_confirm'])
        self.assertEqual(5, shown['servers'])

    def test_the_advice_for_what_can_not_move_is_good(self) -> None:
        server = self.cloud.boot('s', host='cmp01', state='SUSPENDED')
        (row,) = self.drain('cmp01', code=3)
        advice = row['Reason'].split('(openstack ')[1].split(')')[0]
        self.openstack(advice)
        self.cloud.wait_server(server, 'ACTIVE')

        (row,) = self.drain('cmp01')

        self.assertEqual('moved', row['Result'])

    def test_newcomers(self) -> None:
        """One that is being built is moved too; none comes after it."""
        self.cloud.boot_many(
            lot('cmp01', 'ACTIVE', 3, metadata={'lm_seconds': '2'})
        )
        late = self.cloud.boot(
            'late',
            host='cmp01',
            wait=False,
            metadata={'boot_seconds': '10'},
        )
        process = self.start('host maintenance drain -f json cmp01')
        self.wait_disabled('cmp01')
        new = self.cloud.boot_many([{'name': f'new-{n}'} for n in range(4)])
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        results = {row['Name']: row['Result'] for row in done.json}
        self.assertEqual('moved', results['late'])
        self.assertEqual('ACTIVE', self.cloud.server(late).status)
        self.assertEqual(4, len(results))
        for server in new:
            self.assertNotEqual(
                'cmp01', self.cloud.server(server).compute_host
            )
        moved = {record['instance_uuid'] for record in self.cloud.migrations()}
        self.assertFalse(moved & {server.id for server in new})
        self.assert_empty('cmp01')

    def test_moves_of_others_are_adopted(self) -> None:
        live, cold = self.cloud.boot_many(
            [
                {
                    'name': 'live',
                    'host': 'cmp01',
                    'metadata': {'lm_seconds': '4'},
                },
                {
                    'name': 'cold',
                    'host': 'cmp01',
                    'state': 'SHUTOFF',
                    'metadata': {'cm_seconds': '4'},
                },
            ]
        )
        self.openstack('host maintenance set cmp01')
        self.openstack(f'server migrate --live-migration {live.id}')
        self.openstack(f'server migrate {cold.id}')

        rows = self.drain('cmp01')

        self.assertEqual(['moved', 'moved'], [r['Result'] for r in rows])
        self.assertEqual([0, 0], [row['Attempts'] for row in rows])
        self.assertEqual(2, len(self.records('cmp01')))
        self.assert_empty('cmp01')

    def test_several_hosts(self) -> None:
        self.cloud.boot_many(
            lot('cmp01', 'ACTIVE', 4) + lot('cmp02', 'SHUTOFF', 3)
        )

        rows = self.drain('cmp01 cmp02 cmp02')

        self.assertEqual(
            {('cmp01', 'moved'): 4, ('cmp02', 'moved'): 3},
            collections.Counter((r['Host'], r['Result']) for r in rows),
        )
        self.assertLessEqual(
            {row['Destination'] for row in rows}, {'cmp03', 'cmp04'}
        )
        self.assert_empty('cmp01')
        self.assert_empty('cmp02')

    def test_failed_moves_are_tried_again_and_explained(self) -> None:
        bad, good = self.cloud.boot_many(
            [
                {
                    'name': name,
                    'host': 'cmp01',
                    'metadata': {'lm_fail': 'precheck'},
                }
                for name in ('bad', 'good')
            ]
        )
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(
                instance_uuid=good.id, status='error'
            ),
            'the first attempt to fail',
        )
        self.cloud.server_knobs(good, lm_fail='')
        done = self.end(process)

        self.assertEqual(3, done.code, done.err)
        rows = {row['Name']: row for row in done.json}
        self.assertEqual('moved', rows['good']['Result'])
        self.assertGreater(rows['good']['Attempts'], 1)
        self.assertEqual('failed', rows['bad']['Result'])
        self.assertEqual(3, rows['bad']['Attempts'])
        self.assertIn('lm_fail=precheck', rows['bad']['Reason'])
        self.assertEqual('ACTIVE', self.cloud.server(bad).status)

    def test_no_room_anywhere(self) -> None:
        self.cloud.boot('server', host='cmp01')
        self.openstack('host maintenance set cmp02 cmp03 cmp04')

        (row,) = self.drain('cmp01', code=3)

        self.assertEqual('failed', row['Result'])
        self.assertIn('No valid host was found', row['Reason'])

    def test_deleted_meanwhile(self) -> None:
        _stays, goes = self.cloud.boot_many(
            [
                {
                    'name': name,
                    'host': 'cmp01',
                    'metadata': {'lm_seconds': '4'},
                }
                for name in ('stays', 'goes')
            ]
        )
        process = self.start('host maintenance drain -f json cmp01')
        self.cloud.wait_server(goes, 'MIGRATING')
        self.cloud.delete(goes)
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(
            {'stays': 'moved', 'goes': 'gone'},
            {row['Name']: row['Result'] for row in done.json},
        )
        self.assert_empty('cmp01')

    def test_hostile_names_on_a_terminal(self) -> None:
        self.cloud.boot(HOSTILE, host='cmp01')

        done = self.run_command('host maintenance drain cmp01')

        self.assertEqual(0, done.code, done.err)
        for text in (done.out, done.err):
            self.assertIn(HOSTILE.replace('\u3000', r'\u3000'), text)
            self.assertTrue(text.replace('\n', '').isprintable())

    def wait_disabled(self, host: str) -> None:
        waiting.wait_for(
            lambda: self.cloud.service(host).status == 'disabled',
            f'{host} to be disabled',
        )


class TestInterruption(base.FunctionalTest):
    """Killed, interrupted, timed out, run twice: nothing is lost."""

    def slow_servers(self, count: int = 5, seconds: float = 3) -> None:
        self.cloud.knobs(lm_seconds=seconds, cm_seconds=1)
        self.cloud.boot_many(
            lot('cmp01', 'ACTIVE', count) + lot('cmp01', 'SHUTOFF', 3)
        )

    def wait_first_moved(self) -> None:
        waiting.wait_for(
            lambda: self.cloud.migrations(status='completed'),
            'the first server to have moved',
        )

    def assert_each_moved_once(self) -> None:
        counts = collections.Counter(
            record['instance_uuid'] for record in self.records('cmp01')
        )
        self.assertEqual({1}, set(counts.values()), counts)
        self.assertEqual(8, len(counts))

    def test_kill_and_again(self) -> None:
        self.slow_servers()
        before = self.cloud.servers('cmp01')
        process = self.start('host maintenance drain -f json cmp01')
        self.wait_first_moved()
        process.send_signal(signal.SIGKILL)
        process.communicate()

        rows = self.drain('cmp01')

        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assert_each_moved_once()
        self.assert_empty('cmp01')
        self.assert_same_elsewhere(before, 'cmp01')

    def test_two_at_once(self) -> None:
        self.slow_servers()
        before = self.cloud.servers('cmp01')
        line = 'host maintenance drain -f json cmp01'
        processes = [self.start(line), self.start(line)]
        results = [self.end(process) for process in processes]

        for done in results:
            self.assertEqual(0, done.code, done.err)
            self.assertEqual({'moved'}, {r['Result'] for r in done.json})
        self.assert_each_moved_once()
        self.assert_empty('cmp01')
        self.assert_same_elsewhere(before, 'cmp01')

    def test_interrupted_once(self) -> None:
        self.slow_servers()
        process = self.start('host maintenance drain -f json cmp01')
        self.wait_first_moved()
        process.send_signal(signal.SIGINT)
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        self.assertIn('Press Ctrl-C again', done.err)
        results = collections.Counter(row['Result'] for row in done.json)
        self.assertEqual({'moved', 'blocked'}, set(results))
        self.assertEqual(8, results.total())
        self.assertEqual(
            results['moved'],
            len(self.records('cmp01')),
            'what had begun was awaited, and nothing new began',
        )
        self.assertFalse(
            [s for s in self.cloud.servers() if s['status'] == 'VERIFY_RESIZE']
        )

    def test_interrupted_twice(self) -> None:
        self.slow_servers(seconds=30)
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        # Two signals at once would be one.
        while 'Press Ctrl-C again' not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        done = self.end(process)

        self.assertEqual(130, done.code, done.err)
        self.assertIn('the moves in flight go on in Nova', done.err)
        self.assertEqual(8, len(done.json))
        self.assertTrue(self.cloud.migrations(status='running'))

    def test_timeout(self) -> None:
        self.slow_servers(seconds=30)

        rows = self.drain('--timeout 8s cmp01', code=4)

        self.assertEqual(8, len(rows))
        for row in rows:
            if row['Result'] != 'moved':
                self.assertIn('--timeout passed', row['Reason'])
        self.assertIn('failed', {row['Result'] for row in rows})
        self.cloud.knobs(lm_seconds=1)
        self.drain('cmp01')
        self.assert_each_moved_once()

    def test_parallel(self) -> None:
        self.slow_servers(seconds=1)
        process = self.start('host maintenance drain --parallel 1 cmp01')
        busiest = 0
        while process.poll() is None:
            busy = [
                s for s in self.cloud.servers() if s['OS-EXT-STS:task_state']
            ]
            busiest = max(busiest, len(busy))
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(1, busiest)
        self.assert_each_moved_once()

    def test_the_api_stumbles(self) -> None:
        self.slow_servers(seconds=1)
        before = self.cloud.servers('cmp01')
        self.cloud.faults.add(status=503, share=0.15)
        self.cloud.faults.add(
            method='POST', path='action', status=502, after=True, share=0.4
        )
        self.cloud.faults.add(
            method='POST', path='action', reset=True, share=0.2
        )

        rows = self.drain('cmp01')

        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.cloud.faults.clear()
        self.assert_each_moved_once()
        self.assert_empty('cmp01')
        self.assert_same_elsewhere(before, 'cmp01')

    def test_compute_service_dies(self) -> None:
        self.slow_servers(seconds=60)
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        self.cloud.kill_host('cmp01')
        done = self.end(process)

        self.assertEqual(3, done.code, done.err)
        self.assertEqual(8, len(done.json))
        left = [row for row in done.json if row['Result'] != 'moved']
        self.assertTrue(left)
        for row in left:
            self.assertIn('compute service on cmp01 is down', row['Reason'])
