# SPDX-License-Identifier: Apache-2.0

"""Every state has its way out, or its honest reason (the guide's table)."""

import collections
import typing as ty

from tests.cloud import waiting
from tests.functional import base

#: A server and how it must be afterwards, by name.
Statuses = dict[str, str]

#: As Nova refuses at once what no later request will change.
REFUSAL = 'Operation live-migration not supported for vTPM-enabled instance'


class StatesTest(base.FunctionalTest):
    def statuses(self) -> Statuses:
        """The status of every server, by name."""
        return {s['name']: s['status'] for s in self.cloud.servers()}

    def results(self, rows: ty.Iterable[ty.Any]) -> dict[str, str]:
        """What became of each server, by name."""
        return {row['Name']: row['Result'] for row in rows}

    def moves(self, rows: ty.Iterable[ty.Any]) -> dict[str, str]:
        """How each server was moved, by name."""
        return {row['Name']: row['Move'] for row in rows}


class TestDefaults(StatesTest):
    def test_without_options(self) -> None:
        """What can't be moved is told; all else moves."""
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1)
            + base.lot('cmp01', 'PAUSED', 1)
            + base.lot('cmp01', 'SHUTOFF', 1)
            + base.lot('cmp01', 'SHELVED', 1)
            + base.lot('cmp01', 'SUSPENDED', 1)
            + base.lot('cmp01', 'ERROR', 1)
            + base.lot('cmp01', 'RESCUE', 1)
            + base.lot('cmp01', 'SOFT_DELETED', 1)
            + base.lot('cmp01', 'VERIFY_RESIZE', 1)
        )

        self.left_as_they_are()

        rows = self.drain('cmp01', code=3)

        self.assertEqual(
            {
                'active-0': 'moved',
                'paused-0': 'moved',
                'shutoff-0': 'moved',
                'shelved-0': 'offloaded',
                'suspended-0': 'blocked',
                'error-0': 'blocked',
                'rescue-0': 'blocked',
                'soft_deleted-0': 'blocked',
                'verify_resize-0': 'blocked',
            },
            self.results(rows),
        )
        found = {row['Name']: row for row in rows}
        for name, help_ in (
            ('suspended-0', '--suspended resume'),
            ('error-0', 'openstack server set --state'),
            ('rescue-0', 'openstack server unrescue'),
            ('soft_deleted-0', 'openstack server restore'),
            ('verify_resize-0', '--resized confirm'),
        ):
            row = found[name]
            self.assertIn(help_, row['Reason'])
            self.assertIn(row['Server ID'], row['Reason'] + help_)
        self.assertEqual('shelve offload', found['shelved-0']['Move'])
        self.assertEqual('SHELVED_OFFLOADED', self.statuses()['shelved-0'])
        shown = self.show('cmp01')
        self.assertFalse(shown['drained'])
        self.assertEqual(1, shown['awaiting_confirm'])
        self.assertEqual(4, shown['servers'])

    def left_as_they_are(self) -> None:
        """With these options, nothing is moved."""
        before = self.statuses()
        rows = self.drain(
            '--running leave --stopped leave --shelved leave cmp01', code=3
        )
        self.assertEqual({'blocked'}, set(self.results(rows).values()))
        self.assertEqual(4, sum('leave' in row['Reason'] for row in rows))
        self.assertEqual(before, self.statuses())

    def test_the_advice_for_what_can_not_move_is_good(self) -> None:
        server = self.cloud.boot('s', host='cmp01', state='SUSPENDED')
        (row,) = self.drain('cmp01', code=3)
        advice = row['Reason'].split('(openstack ')[1].split(')')[0]
        self.openstack(advice)
        self.cloud.wait_server(server, 'ACTIVE')

        (row,) = self.drain('cmp01')

        self.assertEqual('moved', row['Result'])
        self.assertEqual('ACTIVE', self.cloud.server(server).status)


class TestOptions(StatesTest):
    def test_all_that_can_be_moved(self) -> None:
        """With the right options only RESCUE, ERROR and so on would stay."""
        self.cloud.knobs(lm_seconds=2, cm_seconds=2)
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1)
            + base.lot('cmp01', 'ACTIVE', 1, locked=True, name='locked')
            + base.lot('cmp01', 'PAUSED', 1)
            + base.lot('cmp01', 'SHUTOFF', 1)
            + base.lot('cmp01', 'SUSPENDED', 1)
            + base.lot('cmp01', 'SHELVED', 1)
            + base.lot('cmp01', 'VERIFY_RESIZE', 1)
        )
        before = self.cloud.servers('cmp01')
        done = self.run_command(
            'host maintenance drain -f json --suspended resume '
            '--resized confirm cmp01'
        )

        self.assertEqual(0, done.code, done.err)
        # What it has just asked for is not called moved already.
        self.assertIn(
            'cmp01: 7 servers (1 by cold migration, 4 by live migration, 1 by '
            'resize, 1 by shelve offload)',
            done.err,
        )
        self.assertNotIn('already', done.err)
        rows = done.json
        results = self.results(rows)
        self.assertEqual('offloaded', results.pop('shelved-0'))
        self.assertEqual({'moved'}, set(results.values()))
        self.assertEqual(7, len(rows))
        self.assertEqual('live migration', self.moves(rows)['suspended-0'])
        self.assertEqual('resize', self.moves(rows)['verify_resize-0'])
        expected = {s['name']: s['status'] for s in before} | {
            'shelved-0': 'SHELVED_OFFLOADED',
            'verify_resize-0': 'ACTIVE',
        }
        self.assertEqual(expected, self.statuses())
        self.assert_empty('cmp01')

    def test_cold(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp01', 'PAUSED', 1)
        )

        rows = self.drain('--running cold cmp01', code=3)

        self.assertEqual(
            {
                'active-0': 'cold migration',
                'paused-0': '',
            },
            self.moves(rows),
        )
        self.assertEqual('blocked', self.results(rows)['paused-0'])
        self.assertEqual(
            {'active-0': 'ACTIVE', 'paused-0': 'PAUSED'},
            self.statuses(),
        )

    def test_live_or_cold(self) -> None:
        """What Nova refuses, or fails, to live-migrate is cold-migrated."""
        fails, paused, refused = self.cloud.boot_many(
            [
                {
                    'name': 'fails',
                    'host': 'cmp01',
                    'metadata': {'lm_fail': 'precheck'},
                },
                {
                    'name': 'paused',
                    'host': 'cmp01',
                    'state': 'PAUSED',
                    'metadata': {'lm_fail': 'precheck'},
                },
                {'name': 'refused', 'host': 'cmp01'},
            ]
        )
        self.cloud.faults.add(
            method='POST',
            path=f'{refused.id}/action',
            status=400,
            times=1,
            message=REFUSAL,
        )

        rows = self.drain('--running live-or-cold --retries 1 cmp01', code=3)

        found = {row['Name']: row for row in rows}
        self.assertEqual(
            {
                'fails': ('cold migration', 'moved'),
                'refused': ('cold migration', 'moved'),
                'paused': ('live migration', 'failed'),
            },
            {n: (r['Move'], r['Result']) for n, r in found.items()},
        )
        for name in ('fails', 'paused'):
            self.assertIn('lm_fail=precheck', found[name]['Reason'])
        self.assertIn(REFUSAL, found['refused']['Reason'])
        self.assertEqual('ACTIVE', self.cloud.server(fails).status)
        self.assertEqual('PAUSED', self.cloud.server(paused).status)

    def test_a_refused_live_migration_is_blocked_in_the_words_of_nova(
        self,
    ) -> None:
        server = self.cloud.boot('refused', host='cmp01')
        self.cloud.faults.add(
            method='POST',
            path=f'{server.id}/action',
            status=400,
            message=REFUSAL,
        )

        (row,) = self.drain('cmp01', code=3)

        self.assertEqual('blocked', row['Result'])
        self.assertEqual(1, row['Attempts'])
        self.assertIn(REFUSAL, row['Reason'])
        self.assertIn('--running live-or-cold', row['Reason'])

    def test_shelve_what_is_suspended(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'SUSPENDED', 1))

        rows = self.drain('--suspended shelve cmp01')

        self.assertEqual(
            {('SUSPENDED', 'shelve offload', 'offloaded')},
            {(r['Status'], r['Move'], r['Result']) for r in rows},
        )
        self.assertEqual({'SHELVED_OFFLOADED'}, set(self.statuses().values()))
        self.assert_empty('cmp01')

    def test_to_one_host(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp01', 'SHUTOFF', 1)
        )

        rows = self.drain('--to cmp03 cmp01')

        self.assertEqual(
            collections.Counter({('moved', 'cmp03'): 2}),
            collections.Counter((r['Result'], r['Destination']) for r in rows),
        )


class TestGuests(StatesTest):
    def test_server_not_running_after_its_move(self) -> None:
        """Nova calls it ACTIVE all the same.

        One is first seen when its migration has ended, which others began.
        """
        states = {'off': 'off', 'paused': 'paused', 'well': '', 'late': 'off'}
        *_others, late = self.cloud.boot_many(
            [
                {'name': n, 'host': 'cmp01', 'metadata': {'lm_arrives': state}}
                for n, state in states.items()
            ]
        )
        self.cloud.server_knobs(late, lm_seconds='600')
        self.openstack('host maintenance set cmp01')
        compute = self.cloud.connection().compute
        compute.live_migrate_server(late, host=None, block_migration='auto')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'its migration'
        )
        # It ends after the migrations were listed, and before the servers
        # are. (With these options there is no look before that.)
        self.cloud.faults.add(method='GET', path='/servers/detail', delay=3)
        process = self.start_observed(
            'host maintenance drain -f json --spread scheduler '
            '--skip-capacity-check cmp01'
        )
        self.cloud.server_knobs(late, lm_seconds='0')
        self.cloud.wait_server(late, 'ACTIVE')
        self.cloud.faults.clear()
        done = self.end(process)

        self.assertEqual(3, done.code, done.err)
        rows = done.json
        self.assertEqual(
            {n: 'failed' if state else 'moved' for n, state in states.items()},
            self.results(rows),
        )
        self.assertEqual({'ACTIVE'}, set(self.statuses().values()))
        for row in rows:
            state = states[row['Name']].replace('off', 'shutdown')
            told = state and (
                f'moved to {row["Destination"]}, but its power state was '
                f'running and is {state} (ACTIVE)'
            )
            self.assertIn(told, row['Reason'])


class TestComing(StatesTest):
    def test_servers_moving_or_busy(self) -> None:
        """Moves towards the host that began before it was marked, as well."""
        coming, cold, resized, rebooting = self.cloud.boot_many(
            [
                {'name': 'coming', 'host': 'cmp02'},
                {'name': 'cold', 'host': 'cmp02', 'state': 'SHUTOFF'},
                {'name': 'resized', 'host': 'cmp01'},
                {'name': 'rebooting', 'host': 'cmp01'},
            ]
        )
        self.cloud.knobs(lm_seconds=600, cm_seconds=600, boot_seconds=600)
        self.cloud.boot('building', host='cmp01', wait=False)
        compute = self.cloud.connection().compute
        compute.live_migrate_server(coming, host='cmp01')
        compute.migrate_server(cold, host='cmp01')
        compute.resize_server(resized, self.flavor('m1.medium'))
        waiting.wait_for(
            lambda: (
                len(self.cloud.migrations(status='running'))
                + len(self.cloud.migrations(status='migrating'))
                == 3
            ),
            'three moves',
        )
        compute.reboot_server(rebooting, 'SOFT')

        process = self.start_observed(
            'host maintenance drain -f json --resized confirm cmp01'
        )
        self.cloud.knobs(lm_seconds=0, cm_seconds=0, boot_seconds=0)
        done = self.end(process)

        self.assertEqual(0, done.code, done.err)
        rows = done.json
        self.assertEqual(
            dict.fromkeys(
                ('coming', 'cold', 'resized', 'building', 'rebooting'), 'moved'
            ),
            self.results(rows),
        )
        self.assertEqual(
            {
                'coming': 'ACTIVE',
                'cold': 'SHUTOFF',
                'resized': 'ACTIVE',
                'building': 'ACTIVE',
                'rebooting': 'ACTIVE',
            },
            self.statuses(),
        )
        self.assertEqual('resize', self.moves(rows)['resized'])
        self.assert_empty('cmp01')

    def flavor(self, name: str) -> str:
        flavor = self.cloud.connection().compute.find_flavor(name)
        assert flavor is not None
        return str(flavor.id)
