# SPDX-License-Identifier: Apache-2.0

"""What ``plan`` says of a real cloud, and what a drain makes of it."""

import csv
import io
import typing as ty

from tests.functional import base
from tests.functional import forecast_base
from tests.functional import test_rights

COLUMNS = [
    'Batch',
    'Host',
    'Servers',
    'Moves',
    'Fits',
    'Code',
    'Reason',
    'Avoid',
]
Row = dict[str, ty.Any]


class TestPlan(forecast_base.ForecastTest):
    def plan(self, line: str, code: int = 0) -> tuple[dict[str, Row], str]:
        """The rows of a plan by host, and what it says."""
        done = self.run_command(f'host maintenance plan -f json {line}')
        self.assertEqual(code, done.code, done.err)
        for row in done.json:
            self.assertEqual(COLUMNS, list(row))
        return {row['Host']: row for row in done.json}, done.err

    def requests(self) -> list[ty.Any]:
        """What was asked of Nova and Placement, without their versions."""
        return [
            request
            for request in self.cloud.requests.log()
            if request.service != 'identity'
            and request.path not in ('/', '/v2.1', '/v2.1/')
        ]

    def batches(self, rows: dict[str, Row]) -> dict[str, int]:
        return {host: row['Batch'] for host, row in rows.items()}

    def assert_refused(
        self, line: str, said: str, user: str = base.OPERATOR
    ) -> None:
        done = self.run_command(f'host maintenance plan {line}', user=user)
        self.assertEqual((1, ''), (done.code, done.out))
        self.assertIn(said, done.err)

    def test_racks_and_server_groups(self) -> None:
        racks = {'a': ['cmp01', 'cmp02'], 'b': ['cmp03', 'cmp04']}
        for name, hosts in racks.items():
            self.cloud.aggregate(f'rack-{name}', hosts)
        apart = self.cloud.group('apart', 'anti-affinity')
        self.cloud.boot_many(
            [
                {'name': 'db-1', 'host': 'cmp01', 'group': apart},
                {'name': 'db-2', 'host': 'cmp03', 'group': apart},
                {'name': 'web', 'host': 'cmp02'},
            ]
        )
        line = '--aggregate rack-a --aggregate rack-b --at-once 2 --share 50'
        before = self.everything()
        self.cloud.requests.reset()

        rows, said = self.plan(line)

        log = self.requests()
        self.assertEqual({'GET'}, {r.method for r in log})
        self.assertEqual(before, self.everything())
        self.assertEqual(
            {'cmp01': 1, 'cmp02': 1, 'cmp03': 1, 'cmp04': 0},
            {host: row['Servers'] for host, row in rows.items()},
        )
        self.assertEqual({'yes'}, {row['Fits'] for row in rows.values()})
        batches = self.batches(rows)
        # Two cannot be enough: a database would move to the other's batch.
        self.assertEqual({1, 2, 3}, set(batches.values()))
        self.assertEqual(1, batches['cmp04'])
        for pair in (*racks.values(), ('cmp01', 'cmp03')):
            self.assertEqual(2, len({batches[host] for host in pair}), pair)
        for row in rows.values():
            later = {h for h, n in batches.items() if n > row['Batch']}
            self.assertEqual(later, set(row['Avoid']))
        self.assertIn('Hosts: 4 of 4, in batches: 3.', said)

        # As many for more servers of the same kind.
        self.cloud.boot_many(base.lot('cmp02', 'ACTIVE', 3))
        self.cloud.requests.reset()
        self.plan(line)
        self.assertEqual(len(log), len(self.requests()))

    def test_drain_of_a_batch(self) -> None:
        for host in ('cmp01', 'cmp02', 'cmp03'):
            self.cloud.boot(f'of-{host}', host=host)
        line = 'host maintenance plan cmp01 cmp02 cmp03 -f csv'
        printed = csv.DictReader(io.StringIO(self.openstack(line)))
        (first,) = (row for row in printed if row['Batch'] == '1')
        self.assertEqual(1, first['Avoid'].count(','))

        rows = self.drain(f'{first["Host"]} --avoid {first["Avoid"]}')

        self.assertEqual(['cmp04'], [row['Destination'] for row in rows])
        # It is not put back, so it is what a new plan begins with.
        planned, _said = self.plan('cmp01 cmp02 cmp03 --at-once 2')
        again = planned.pop(first['Host'])
        self.assertEqual((1, 0), (again['Batch'], again['Servers']))
        self.assertNotIn(1, self.batches(planned).values())
        # There is a migration now whose hosts can be hidden.
        self.cloud.set_policy({test_rights.HOSTS: test_rights.NOBODY})
        self.assert_refused('', test_rights.HOSTS)

    def test_host_with_a_blocked_server(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'SUSPENDED', 1))

        rows, said = self.plan('', code=3)

        row = rows.pop('cmp01')
        self.assertEqual((None, 1), (row['Batch'], row['Servers']))
        self.assertEqual('servers-stay', row['Code'])
        self.assertIn('1 suspended', row['Reason'])
        self.assertIn('drain --dry-run cmp01', row['Reason'])
        self.assertEqual([1, 2, 3], sorted(self.batches(rows).values()))
        self.assertIn('Hosts: 3 of 4', said)
        rows, _said = self.plan('--suspended resume')
        self.assertEqual(1, rows['cmp01']['Moves'])

    def test_full_hosts(self) -> None:
        """A host that has no room now has some after its batch."""
        one = {'total': 1, 'allocation_ratio': 1.0}
        for host in ('cmp01', 'cmp02', 'cmp03'):
            self.cloud.inventory(host, VCPU=one)
        self.fill(('cmp04', 0))
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp02', 'SHUTOFF', 1)
        )

        rows, said = self.plan('cmp01 cmp02')

        self.assertEqual({'cmp01': 1, 'cmp02': 2}, self.batches(rows))
        self.assertIn('Moves: 2; servers that move again: 0.', said)
        for host in rows:
            self.assertEqual(1, len(self.drain(host)))
            self.openstack(f'host maintenance unset {host}')
        self.assert_empty('cmp02')

    def test_refused(self) -> None:
        for line, said in (
            ('cmp1', 'did you mean cmp01'),
            ('--done cmp1', 'did you mean cmp01'),
            ('--aggregate rack', "no aggregate named 'rack'"),
            ('--zone nov', 'did you mean nova'),
        ):
            with self.subTest(line):
                self.assert_refused(line, said)
        self.assert_refused('', 'os-services', user='demo')
