# SPDX-License-Identifier: Apache-2.0

"""Destinations that fail, have just died, and a control plane that breaks."""

import typing as ty

from tests.functional import base

LINE = 'host maintenance drain -f json cmp01'


class TestBadDestinations(base.FunctionalTest):
    """cmp02 is the emptiest host, and stays that."""

    options: ty.ClassVar = {'max_live': 1}

    def populate(self, active: int, shutoff: int) -> None:
        """Put servers on cmp01, and more on the other hosts than cmp02."""
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', active)
            + base.lot('cmp01', 'SHUTOFF', shutoff)
            + base.lot('cmp03', 'SHUTOFF', 3, flavor='m1.large')
            + base.lot('cmp04', 'SHUTOFF', 3, flavor='m1.large')
        )

    def test_destination_that_fails_every_move(self) -> None:
        self.populate(active=5, shutoff=3)
        self.cloud.knobs(host='cmp02', lm_fail='pre', cm_fail='finish')
        done = self.run_command(LINE)

        self.assertEqual(3, done.code, done.err)
        results = [row['Result'] for row in done.json]
        self.assertEqual(7, results.count('moved'), done.err)
        broken = [
            s for s in self.cloud.servers('cmp02') if s['status'] == 'ERROR'
        ]
        self.assertEqual(1, len(broken))
        self.assertEqual(
            1, done.err.count('cmp02: excluded as a destination'), done.err
        )
        targets = [r['dest_compute'] for r in self.records('cmp01')]
        self.assertLess(targets.count('cmp02'), 6)

    def test_control_plane_failure_excludes_nobody(self) -> None:
        self.populate(active=12, shutoff=1)
        self.cloud.knobs(lm_fail='post', cm_fail='error')
        done = self.run_command(LINE)

        self.assertEqual(3, done.code, done.err)
        self.assertEqual(1, done.err.count('servers failed to move one'))
        servers = self.cloud.servers('cmp01')
        ruined = [s for s in servers if s['status'] == 'ERROR']
        # Those that were in flight are awaited.
        self.assertLess(len(ruined), 12)
        # What has no name is an allocation of a move that broke.
        rows = [
            row
            for row in done.json
            if row['Name'] and row['Result'] == 'blocked'
        ]
        self.assertLess(2, len(rows))
        for row in rows:
            self.assertIn('--max-failures 3', row['Reason'])

    def test_only_a_restart_helps(self) -> None:
        """One fails its checks everywhere, one half way, and no word why."""
        kinds = ('precheck', 'running')
        self.cloud.boot_many(
            [
                {'name': kind, 'host': 'cmp01', 'metadata': {'lm_fail': kind}}
                for kind in kinds
            ]
        )
        done = self.run_command(f'{LINE} --retries 4')
        self.assertEqual(3, done.code, done.err)
        for row in done.json:
            self.assertEqual(
                ('failed', 2), (row['Result'], row['Attempts']), done.err
            )
            self.assertRegex(
                row['Reason'],
                'its live migration failed in the same way on cmp0[234] and '
                'cmp0[234]; use --running live-or-cold',
            )
        # A later run goes by Nova's records.
        rows = self.drain('--running live-or-cold cmp01')
        for row in rows:
            self.assertEqual(('moved', 1), (row['Result'], row['Attempts']))
            self.assertEqual('cold migration', row['Move'])
            self.assertIn('restarted: ', row['Reason'])
            self.assertIn('failed in the same way', row['Reason'])
        types = [record['migration_type'] for record in self.records('cmp01')]
        self.assertEqual(4, types.count('live-migration'))

    def test_destination_that_just_died(self) -> None:
        self.populate(active=4, shutoff=1)
        self.cloud.change(down_time=25)
        self.cloud.kill_host('cmp02')
        done = self.run_command(LINE)

        self.assertEqual(3, done.code, done.err)
        rows = {row['Name']: row for row in done.json}
        cold = rows.pop('shutoff-0')
        self.assertEqual({'moved'}, {r['Result'] for r in rows.values()})
        self.assertEqual('cmp02', cold['Destination'])
        self.assertIn('its destination cmp02 is down', cold['Reason'])
        self.assertIn('cmp02 has not started it yet', done.err)
        # The source did not idle meanwhile.
        records = sorted(self.records('cmp01'), key=lambda r: r['id'])
        lost = [r for r in records if r['status'] == 'error']
        between = [
            r
            for r in records
            if r['status'] == 'completed'
            and r['updated_at'] < lost[0]['updated_at']
        ]
        self.assertTrue(lost)
        self.assertTrue(between)

        self.cloud.start_host('cmp02')
        (row,) = self.drain('cmp01')
        self.assertEqual('moved', row['Result'])
        self.assert_empty('cmp01')
