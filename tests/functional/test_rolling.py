# SPDX-License-Identifier: Apache-2.0

"""Rolling maintenance with Ansible, as the guide has it."""

import datetime
import os
import signal
import subprocess
import threading
import typing as ty

import pytest

from tests.cloud import waiting
from tests.functional import rolling_base

ROLL = rolling_base.ROLL
NAME_WITH_DOMAIN = '{{ inventory_hostname }}.x'
HOSTILE = "{{ lookup('pipe', 'false') }} $(reboot) \"'"


class TestShortRoll(rolling_base.RollingTest):
    def test_three_hosts(self) -> None:
        self.cloud.boot_many(
            [{'name': HOSTILE, 'host': h} for h in ('cmp01', 'cmp02')]
        )
        before = self.cloud.servers()
        watcher = self.watch(2)

        hour = datetime.timedelta(hours=1)
        until = datetime.datetime.now(datetime.UTC) + hour

        out = self.roll(
            host_maintenance_at_once=2,
            host_maintenance_share=100,
            host_maintenance_until=until.isoformat(timespec='minutes'),
        )

        watcher.end()
        self.assertIn(2, map(len, watcher.seen))
        self.assert_done()
        self.assert_same(before)
        self.assert_as_in_guide('rolling', out, 'TASK')

    @pytest.mark.soak
    def test_failed_hook(self) -> None:
        """The host stays as it is; the other host of the batch is done."""
        self.cloud.boot('web', host='cmp02')
        fail = self.install('cmp03', 'exit 1')
        watcher = self.watch(2)
        limits = {'host_maintenance_at_once': 2, 'host_maintenance_share': 100}

        out = self.roll(code=2, **limits)

        self.assert_as_in_guide('rolling-stopped', out, '')
        self.assertEqual('maintenance', self.show('cmp03')['mode'])
        self.assert_done('cmp01')
        self.assertEqual(0, self.hooked('cmp02'))
        fail.unlink()
        self.roll(host_maintenance_restore=True, **limits)
        watcher.end()
        (back,) = self.cloud.servers('cmp02')
        self.assertEqual('web', back['name'])
        self.assertEqual(2, self.hooked('cmp03'))
        self.assert_done('cmp01', 'cmp02')
        self.assertEqual('done', self.fact('cmp03')['state'])

    @pytest.mark.soak
    def test_another_run(self) -> None:
        """A run that has a host out of service is not joined."""
        started = subprocess.run(
            ['ps', '-o', 'lstart=', '-p', str(os.getpid())],
            env={**os.environ, 'LC_ALL': 'C', 'TZ': 'UTC'},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        form = '%a %b %d %H:%M:%S %Y'
        now = datetime.datetime.strptime(f'{started} +0000', f'{form} %z')

        def run(node: str, seconds: int) -> str:
            then = now - datetime.timedelta(seconds=seconds)
            return f'{node} {os.getpid()} {then.strftime(form)}'

        here = os.uname().nodename
        self.cloud.requests.reset()
        # ps may say another second each time.
        for claim in (run(here, 0), run(here, 1), run('elsewhere', 0)):
            with self.subTest(claim):
                self.write_fact('cmp02', state='out', run=claim)
                out = self.roll(code=2)
                self.assertIn(
                    'service by another run (', ' '.join(out.split())
                )
        self.assertEqual([], self.changes())
        self.roll('--check', host_maintenance_take_over=True)
        # Its process has ended, and we have its number.
        self.write_fact('cmp02', state='out', run=run(here, 60))
        self.roll('--check')

    @pytest.mark.soak
    def test_check(self) -> None:
        self.cloud.boot('web', host='cmp01')
        self.cloud.requests.reset()
        out = self.roll('--check')
        self.assertIn('batch 3: cmp01, moves: 1', out)
        self.assertEqual([], self.changes())
        self.assertEqual([], [*self.directory.glob('*/*.fact')])
        self.drain('cmp01')
        since = self.show('cmp01')['since']
        self.openstack('host maintenance unset cmp01')
        self.write_fact('cmp01', state='done', run='', since=since)
        self.cloud.requests.reset()
        out = self.roll('--check', host_maintenance_restore=True)
        self.assertIn('done: cmp01', out)
        self.assertEqual([], self.changes())

    @pytest.mark.soak
    def test_not_begun(self) -> None:
        """Nothing is touched where something is wrong with the call."""
        self.cloud.requests.reset()
        for said, more in (
            ('no compute host cmp01.x', {'name': NAME_WITH_DOMAIN}),
            ('the same name', {'name': 'cmp01'}),
            ('date and time with an offset', {'until': '05:30'}),
            ('no file none.yml', {'hook': 'none.yml'}),
            ('must be one of: leave, put_back', {'on_failure': 'evacuate'}),
        ):
            with self.subTest(said):
                variables = {
                    f'host_maintenance_{name}': value
                    for name, value in more.items()
                }
                out = self.roll(code=2, **variables)
                self.assertIn(said, ' '.join(out.split()))
        self.assertEqual([], self.changes())


@pytest.mark.soak
class TestLongRoll(rolling_base.RollingTest):
    """Eight hosts in two racks, 40 servers, two server groups."""

    hosts = tuple(f'cmp{n:02}' for n in range(1, 9))

    def setUp(self) -> None:
        super().setUp()
        for name in self.hosts[4:]:
            self.cloud.add_host(name)
        self.racks = self.hosts[:4], self.hosts[4:]
        for number, rack in enumerate(self.racks):
            self.cloud.aggregate(f'rack-{number}', rack)
        apart = [self.cloud.group(n, 'anti-affinity') for n in ('db', 'mq')]
        specs = [
            {'name': f'web-{n}', 'host': self.hosts[n % 8]} for n in range(34)
        ]
        for number, group in enumerate(apart):
            specs += [
                {'name': f'apart-{number}', 'host': host, 'group': group}
                for host in self.hosts[number::3]
            ]
        booted = self.cloud.boot_many(specs)
        self.before = self.cloud.servers()
        self.assertEqual(40, len(self.before))
        of_groups = [s.id for s in booted[34:]]
        half = len(self.hosts[0::3])
        self.watcher = self.watch(
            2,
            racks=self.racks,
            groups=(of_groups[:half], of_groups[half:]),
        )

    def roll(self, *words: str, code: int = 0, **more: ty.Any) -> str:
        return super().roll(
            *words, code=code, host_maintenance_at_once=2, **more
        )

    def test_once_through(self) -> None:
        self.roll()
        self.watcher.end()
        self.assertIn(2, map(len, self.watcher.seen))
        self.assert_done()
        self.assert_same(self.before)
        # All is done, so nothing happens.
        self.cloud.requests.reset()
        self.roll()
        self.assertEqual([], self.changes())

    def test_hosts_that_cannot_be_drained(self) -> None:
        """One never can, and another fails in the middle."""
        on = {h: self.cloud.servers(h) for h in ('cmp03', 'cmp06')}
        fails, stays = on['cmp03'][0], on['cmp06'][0]
        self.cloud.server_knobs(fails, lm_fail='precheck')
        self.openstack(f'server suspend {stays["id"]}')
        self.cloud.wait_server(stays, 'SUSPENDED')

        out = self.roll(code=2)
        self.assertIn('drain ended with exit code 3', out)
        self.assertIn(f'({fails["id"]}): failed', out)
        left = self.show('cmp03')
        self.assertEqual(('maintenance', ROLL), (left['mode'], left['reason']))
        self.assertEqual('stopped', self.fact('cmp03')['state'])
        self.assertEqual(0, self.hooked('cmp03'))

        self.cloud.server_knobs(fails, lm_fail='')
        out = self.roll(code=2)
        self.assertIn('Not done: cmp06 (servers-stay): one server', out)
        self.assert_done(*(h for h in self.hosts if h != 'cmp06'))

        self.openstack(f'server resume {stays["id"]}')
        self.cloud.wait_server(stays, 'ACTIVE')
        self.roll()
        self.watcher.end()
        self.assert_done()
        self.assert_same(self.before)

    def test_killed_in_the_middle(self) -> None:
        self.cloud.knobs(lm_seconds=3)
        process = self.start_roll(host_maintenance_at_once=2)
        self.addCleanup(process.stdout.close)

        def in_the_middle() -> bool:
            done = [h for h in self.hosts if self.hooked(h)]
            moving = self.cloud.migrations(status='running')
            return len(done) >= 3 and bool(moving)

        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        waiting.wait_for(
            in_the_middle, 'the middle of a roll', rolling_base.LIMIT
        )
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = [h for h in self.hosts if self.hooked(h)]

        self.roll()
        self.watcher.end()
        self.assertLess(len(done), 8)
        self.assert_done()
        self.assert_same(self.before)
