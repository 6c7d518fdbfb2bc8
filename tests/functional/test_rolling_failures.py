# SPDX-License-Identifier: Apache-2.0

"""Rolls of which a part fails, and what others do meanwhile."""

import json
import shlex

import pytest

from tests.functional import rolling_base

ROLL = rolling_base.ROLL
TWO = {'host_maintenance_at_once': 2, 'host_maintenance_share': 100}


def hostile(path: object) -> str:
    """Return a name that makes a file if anything evaluates it."""
    return (
        f"{{{{ lookup('pipe', 'touch {path}') }}}} {{% raw %}} `touch {path}` "
        f'$(touch {path}) \\"\\\'; touch {path} # \u00fc\u6f22'
    )


class TestFailures(rolling_base.RollingTest):
    def test_hostile_names(self) -> None:
        """A name is printed, and nothing else becomes of it."""
        made = self.directory / 'made'
        name = hostile(made)
        server = self.cloud.boot(name, host='cmp01')
        self.cloud.server_knobs(server, lm_fail='precheck')

        out = self.roll('--limit', 'cmp01', code=2)

        said = f'cmp01: {name} ({server.id}): failed'
        printed = json.dumps(said, ensure_ascii=False)
        self.assertIn(printed[1:-1], out)
        self.assertFalse(made.exists())

    @pytest.mark.soak
    def test_put_back(self) -> None:
        """A batch that cannot be drained is put back, unless it was out."""
        more = {'host_maintenance_on_failure': 'put_back', **TWO}
        web, db = self.cloud.boot_many(
            [{'name': 'web', 'host': 'cmp01'}, {'name': 'db', 'host': 'cmp03'}]
        )
        for server in (web, db):
            self.cloud.server_knobs(server, lm_fail='precheck')
        self.write_fact('cmp03', state='stopped', run='')
        self.openstack('host maintenance set cmp03 --reason', ROLL)

        # The work on it may have failed.
        out = self.roll(code=2, **more)

        self.assertIn(f'cmp03: db ({db.id}): failed', out)
        self.assertEqual('maintenance', self.show('cmp03')['mode'])
        self.cloud.server_knobs(db, lm_fail='')

        out = self.roll(code=2, **more)

        self.assertIn(f'cmp01: web ({web.id}): failed', out)
        self.assert_done('cmp03')
        for host in ('cmp01', 'cmp02'):
            self.assertIn(f'{host}: operational', out)
            self.assertEqual('stopped', self.fact(host)['state'])
            self.assertEqual(0, self.hooked(host))

    @pytest.mark.soak
    def test_limit(self) -> None:
        """A host of the roll counts as out where --limit leaves it out."""
        self.openstack('host maintenance set cmp03 --reason', ROLL)
        self.cloud.requests.reset()
        limit = ('--limit', 'compute:!cmp03')

        out = self.roll(*limit, code=2, host_maintenance_share=100)

        self.assertIn('cmp03 of this roll is still out of service', out)
        self.assertEqual([], self.changes())
        watcher = self.watch(2)
        self.roll(*limit, **TWO)
        watcher.end()
        self.assertIn(2, map(len, watcher.seen))
        self.assert_done('cmp01', 'cmp02')
        self.assertEqual('maintenance', self.show('cmp03')['mode'])

    @pytest.mark.soak
    def test_host_taken_meanwhile(self) -> None:
        """A host that another operator takes while it is planned is theirs."""
        reason = hostile(self.directory / 'made')
        take = shlex.join(
            [*self.command, 'host', 'maintenance', 'set', 'cmp02']
            + ['--reason', reason]
        )
        out = self.roll(
            code=2,
            **TWO,
            **self.intercept('maintenance plan', f'mkdir taken && {take}'),
        )

        shown = self.show('cmp02')
        self.assertEqual(
            ('maintenance', reason), (shown['mode'], shown['reason'])
        )
        self.assertIn('cmp02 (maintenance, not by this roll): {{ lookup', out)
        self.assert_done('cmp01', 'cmp03')
        self.assertEqual(0, self.hooked('cmp02'))
        self.assertFalse((self.directory / 'made').exists())

    @pytest.mark.soak
    def test_outage(self) -> None:
        """Commands that only look are tried again, once a batch is done."""
        fail = 'mkdir failed && exit 1; rmdir failed'
        self.roll(
            '--limit',
            'cmp01,cmp02',
            **self.intercept(
                'maintenance (list|plan|show)',
                f'if grep -qs done */host_maintenance.fact; then {fail}; fi',
            ),
        )
        self.assert_done('cmp01', 'cmp02')


class TestAway(rolling_base.RollingTest):
    """Hosts that Ansible cannot reach."""

    connection = 'ssh'

    def test_before(self) -> None:
        self.cloud.requests.reset()
        away = self.directory / 'cmp02/away'
        away.parent.mkdir()
        away.touch()

        out = self.roll(code=4)

        self.assertIn('Ansible cannot reach cmp02,', out)
        self.assertEqual([], self.changes())
        self.assertEqual([], [*self.directory.glob('*/*.fact')])

    @pytest.mark.soak
    def test_in_the_middle(self) -> None:
        """The host stays as it is; the other host of the batch is done."""
        self.install('cmp01', 'touch away')

        out = self.roll(code=4, **TWO)

        self.assertIn('cmp01: maintenance, servers: 0; it cannot be rea', out)
        self.assertIn('cmp02: operational, servers: 0; done', out)
        self.assertIn('Done: 1 of 3 hosts.', out)
        self.assertEqual('maintenance', self.show('cmp01')['mode'])
        self.assert_done('cmp02')
        self.assertEqual(0, self.hooked('cmp03'))
        for name in ('away', 'install'):
            (self.directory / 'cmp01' / name).unlink()
        self.roll(**TWO)
        self.assertEqual(2, self.hooked('cmp01'))
        self.assertEqual('operational', self.show('cmp01')['mode'])
        self.assert_done('cmp02', 'cmp03')
