# SPDX-License-Identifier: Apache-2.0

"""Operators whom Nova's policies allow some of what a drain does."""

from tests.functional import base

LIVE = 'os_compute_api:os-migrate-server:migrate_live:host'
COLD = 'os_compute_api:os-migrate-server:migrate:host'
HOSTS = 'os_compute_api:os-migrations:index:host'
NOBODY = '!'


class TestDestinations(base.FunctionalTest):
    """They may move servers, and not say where to."""

    def statuses(self, action: str) -> list[int]:
        """What Nova answered to one kind of request, in order."""
        log = self.cloud.requests.log()
        return [r.status for r in log if r.action == action]

    def test_scheduler_picks(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 3)
            + base.lot('cmp01', 'SHUTOFF', 3)
            + base.lot('cmp02', 'ACTIVE', 2)
            + base.lot('cmp01', 'SUSPENDED', 1)
        )
        self.cloud.set_policy({LIVE: NOBODY})
        self.cloud.requests.reset()

        done = self.run_command(
            'host maintenance drain --suspended resume cmp01 cmp02'
        )

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(1, done.err.count(LIVE), done.err)
        self.assertIn('the scheduler picks it for the rest', done.err)
        self.assertEqual(
            [403] + 6 * [202], self.statuses('os-migrateLive'), done.err
        )
        # Of those the destinations may be named.
        self.assertEqual(3 * [202], self.statuses('migrate'))
        self.assertIn('cold migration to cmp0', done.err)
        self.assert_empty('cmp01')
        self.assert_empty('cmp02')

    def test_neither(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 2) + base.lot('cmp01', 'SHUTOFF', 2)
        )
        self.cloud.set_policy({LIVE: NOBODY, COLD: NOBODY})
        rows = self.drain('cmp01')
        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assertEqual({1}, {row['Attempts'] for row in rows})

    def test_destination_asked_for(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'SHUTOFF', 2))
        self.cloud.set_policy({COLD: NOBODY})
        self.cloud.requests.reset()
        done = self.run_command('host maintenance drain --to cmp02 cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn(COLD, done.err)
        self.assertEqual([403], self.statuses('migrate'))
        self.assertEqual(2, len(self.cloud.servers('cmp01')))

    def test_home(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        self.drain('cmp01')
        self.openstack('host maintenance unset cmp01')
        self.cloud.set_policy({LIVE: NOBODY})
        self.cloud.requests.reset()
        done = self.run_command('host maintenance restore cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn(LIVE, done.err)
        self.assertNotIn(202, self.statuses('os-migrateLive'))
        self.assert_empty('cmp01')


class TestRecords(base.FunctionalTest):
    """They see migrations, and not between which hosts."""

    def hide(self) -> None:
        self.cloud.set_policy({HOSTS: NOBODY})
        self.cloud.requests.reset()

    def assert_refused(self, line: str) -> None:
        done = self.run_command(line)
        self.assertEqual(1, done.code, (line, done))
        self.assertIn(HOSTS, done.err)
        self.assertEqual([], self.changes(), line)

    def test_nothing_is_touched(self) -> None:
        self.cloud.boot_many(base.lot('cmp02', 'ACTIVE', 1))
        self.drain('cmp02')
        self.cloud.boot_many(base.lot('cmp01', 'SHUTOFF', 1))
        self.hide()
        for line in (
            'drain --timeout 20 cmp01',
            'drain --dry-run cmp01',
            'drain --evacuate --fenced cmp01',
            'drain --evacuate --dry-run cmp01',
            'restore cmp03',
            'restore --dry-run cmp03',
            'unset --restore cmp02',
            'show cmp02',
        ):
            self.assert_refused(f'host maintenance {line}')

    def test_first_record(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'SHUTOFF', 6))
        self.cloud.knobs(cm_seconds=2)
        self.hide()
        done = self.run_command('host maintenance drain --timeout 20 cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn(HOSTS, done.err)
        moves = [r for r in self.changes() if r.method == 'POST']
        self.assertLess(len(moves), 6, done.err)
