# SPDX-License-Identifier: Apache-2.0

"""How even a drain leaves the other hosts."""

import collections
import json
import pathlib
import tempfile
import threading
import typing as ty

import pytest

from tests.cloud import waiting
from tests.functional import base

#: What is asked for only to pick destinations.
SURVEY = (
    '/allocation_candidates',
    '/os-aggregates',
    '/os-hypervisors',
    '/os-server-groups',
)


class Flights:
    """Watches how many moves are on their way to each host."""

    def __init__(self, cloud: ty.Any):
        self._cloud = cloud
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.most: collections.Counter[str] = collections.Counter()

    def __enter__(self) -> 'Flights':
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        over = ('completed', 'error', 'failed', 'confirmed', 'finished')
        while not self._stop.wait(0.1):
            now = collections.Counter(
                record['dest_compute']
                for record in self._cloud.migrations()
                if record['dest_compute'] and record['status'] not in over
            )
            self.most |= now


class SpreadTest(base.FunctionalTest):
    """Drains hosts of a cloud whose hosts are equal."""

    def landed(
        self, rows: ty.Iterable[dict[str, ty.Any]]
    ) -> collections.Counter[str]:
        """How many servers each host was given."""
        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        return collections.Counter(row['Destination'] for row in rows)


class TestEven(SpreadTest):
    @pytest.mark.soak
    def test_equal_servers_on_equal_hosts(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 24))
        self.cloud.requests.reset()

        rows = self.drain('cmp01')

        landed = self.landed(rows)
        self.assertLessEqual(max(landed.values()), 24 / 3 + 1, landed)
        log = [r for r in self.cloud.requests.log() if r.service != 'identity']
        spread = [r for r in log if any(path in r.path for path in SURVEY)]
        self.assertLess(len(spread), (len(log) - len(spread)) / 3)

    @pytest.mark.soak
    def test_two_drains_side_by_side(self) -> None:
        for host in ('cmp01', 'cmp02'):
            self.cloud.boot_many(
                [{'name': f'{host}-{n}', 'host': host} for n in range(9)]
            )
        self.openstack('host maintenance set cmp01 cmp02')

        drains = [
            self.start(f'host maintenance drain -f json {host}')
            for host in ('cmp01', 'cmp02')
        ]

        rows = [row for drain in drains for row in self.end(drain).json]
        landed = self.landed(rows)
        self.assertEqual(18, sum(landed.values()))
        # Each is a move or two ahead of what the other has seen.
        self.assertLessEqual(max(landed.values()), 18 / 2 + 1, landed)

    def test_cold_migrations(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'SHUTOFF', 3))

        landed = self.landed(self.drain('cmp01'))

        self.assertEqual([1, 1, 1], [*landed.values()])

    def test_unevenly_filled_hosts(self) -> None:
        flavor = self.cloud.flavor('filler', 1, 16 << 10, 1)
        self.cloud.boot_many(
            [
                {'name': f'filler-{host}-{n}', 'host': host, 'flavor': flavor}
                for host, count in (('cmp02', 2), ('cmp03', 1))
                for n in range(count)
            ]
        )
        large = self.cloud.flavor('large', 1, 8 << 10, 1)
        self.cloud.boot_many(
            [
                {'name': f's{n}', 'host': 'cmp01', 'flavor': large}
                for n in range(3)
            ]
        )

        landed = self.landed(self.drain('cmp01'))

        # 32, 16 and 0 GiB before: 24 at the most is the best.
        before = {'cmp03': 16, 'cmp04': 0}
        self.assertLessEqual(
            max(before[host] + 8 * n for host, n in landed.items()), 24
        )


class TestAvoid(SpreadTest):
    """Hosts that are drained next are taken last."""

    def test_others_have_room_for_some(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 3))
        memory = {'total': 4096, 'reserved': 0}
        self.cloud.inventory('cmp02', MEMORY_MB=memory)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, 'next')
        path.write_text('# rack 7\ncmp03\n')
        avoid = f'--avoid @{path} --avoid cmp04'
        line = f'host maintenance drain -f json {avoid} cmp01'
        said = 'servers for which only hosts of --avoid have room: 1'

        ahead = self.run_command(f'{line} --dry-run')
        done = self.run_command(line)

        self.assertEqual((0, 0), (ahead.code, done.code), done.err)
        self.assertEqual(2, self.landed(done.json)['cmp02'])
        self.assertIn(said, ahead.err)
        self.assertEqual(1, done.err.count(said))

    def test_evacuation(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        self.cloud.kill_host('cmp01')

        rows = self.drain('--evacuate --fenced --avoid cmp02,cmp04 cmp01')

        self.assertEqual({'cmp03': 2}, self.landed(rows))

    def test_wrong_names(self) -> None:
        for code, options, said in (
            (1, '--avoid cmp2', 'did you mean cmp02'),
            (2, '--avoid cmp02,cmp01', '--avoid: cmp01: a host to drain'),
            (2, '--avoid cmp02 --to cmp02', '--avoid: cmp02: a host to'),
            (2, '--avoid cmp02 --spread scheduler', '--spread scheduler'),
            (2, '--avoid @no/such/file', 'No such file'),
            (2, '--avoid cmp02,', 'the name of a host is empty'),
        ):
            for more in ('', '--dry-run', '--evacuate'):
                with self.subTest(options=options, more=more):
                    done = self.run_command(
                        f'host maintenance drain {options} {more} cmp01'
                    )
                    self.assertEqual(code, done.code, done.err)
                    self.assertIn(said, done.err)
        self.assertEqual('enabled', self.cloud.service('cmp01').status)


class TestLimits(SpreadTest):
    def test_bound(self) -> None:
        self.cloud.knobs(lm_seconds=2)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 4))

        with Flights(self.cloud) as flights:
            rows = self.drain('--parallel-per-destination 1 cmp01')

        self.assertEqual([1, 1, 2], sorted(self.landed(rows).values()))
        self.assertEqual({'cmp02': 1, 'cmp03': 1, 'cmp04': 1}, flights.most)

    def test_moves_of_others_count(self) -> None:
        self.cloud.boot('theirs', host='cmp03', metadata={'lm_seconds': '600'})
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        theirs = {
            'os-migrateLive': {'host': 'cmp02', 'block_migration': 'auto'}
        }
        self.cloud.act(self.cloud.servers('cmp03')[0], theirs)
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'their move'
        )

        with Flights(self.cloud) as flights:
            rows = self.drain('--parallel-per-destination 1 cmp01')

        self.assertNotIn('cmp02', self.landed(rows))
        self.assertEqual(1, flights.most['cmp02'])

    @pytest.mark.soak
    def test_bound_of_the_scheduler(self) -> None:
        self.cloud.knobs(lm_seconds=1)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 3))

        with Flights(self.cloud) as flights:
            rows = self.drain(
                '--spread scheduler --parallel-per-destination 1 cmp01'
            )

        self.landed(rows)
        self.assertEqual({1}, set(flights.most.values()))

    def test_what_only_the_scheduler_knows(self) -> None:
        flavor = self.cloud.flavor(
            'picky',
            1,
            1024,
            1,
            {'capabilities:hypervisor_hostname': 's!= cmp02.cloud.test'},
        )
        self.cloud.boot('picky', host='cmp01', flavor=flavor)

        done = self.run_command(
            'host maintenance drain -f json --retries 0 cmp01'
        )

        (row,) = json.loads(done.out)
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(('moved', 2), (row['Result'], row['Attempts']))
        self.assertIn('cmp02 asked for', done.err)
        self.assertIn('No valid host was found', done.err)

    @pytest.mark.soak
    def test_anti_affinity_by_the_scheduler(self) -> None:
        group = self.cloud.group('apart', 'anti-affinity', most_per_host=3)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 3, group=group))

        rows = self.drain('--spread scheduler --retries 0 cmp01')

        self.landed(rows)
