# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain --dry-run``."""

import io
import json
import sys
from unittest import mock

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests.unit.commands import shell

HOSTILE = '\x1b[2Jvm\n\u202e[red]'
Fits = forecast.Fits


def row(server_id='vm1', **kwargs):
    """Return what would become of a server: it fits."""
    return dry_runs.Row(
        **{
            'server_id': server_id,
            'name': f'name of {server_id}',
            'host': 'cmp01',
            'status': 'ACTIVE',
            'move': 'live migration',
            'fits': Fits.YES,
            'candidates': 3,
            'reason': '',
            **kwargs,
        }
    )


def misfit(server_id='vm1', **kwargs):
    """Return a server that does not fit."""
    values = {'fits': Fits.NO, 'candidates': 0, 'reason': 'no room', **kwargs}
    return row(server_id, **values)


def staying(server_id='vm1', **kwargs):
    """Return a server that would stay."""
    values = {'move': '', 'fits': None, 'candidates': None, **kwargs}
    return row(server_id, reason='it is suspended', **values)


def preview(*rows, **kwargs):
    """Return what a drain would do."""
    fits = {
        r.server_id: forecast.Fit(r.fits, r.candidates, r.reason)
        for r in rows
        if r.fits
    }
    return dry_runs.Preview(
        rows, forecast.CapacityForecast(fits, {}), **kwargs
    )


@ddt.ddt
class TestDryRun(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        self.maintenance.preview.return_value = preview(row())

    def run_dry(self, arguments='cmp01'):
        """Type it."""
        done = self.run_command(f'--dry-run {arguments}')
        self.maintenance.drain.assert_not_called()
        return done

    def test_defaults(self):
        self.run_dry('cmp01 cmp02')

        self.maintenance.preview.assert_called_once_with(
            ['cmp01', 'cmp02'],
            force=False,
            policy=policies.Policy(),
            fenced=False,
        )

    def test_options(self):
        self.run_dry('--force --to cmp09 --running cold cmp01')

        self.maintenance.preview.assert_called_once_with(
            ['cmp01'],
            force=True,
            policy=policies.Policy(to='cmp09', running=policies.Running.COLD),
            fenced=False,
        )

    def test_columns(self):
        """Frozen: scripts depend on them."""
        self.maintenance.preview.return_value = preview(
            misfit('vm1', candidates=2),
            staying('vm2', name=HOSTILE, status='SUSPENDED'),
        )
        done = self.run_dry('-f json cmp01')

        first, second = json.loads(done.stdout)

        self.assertEqual(
            [
                *('Server ID', 'Name', 'Host', 'Status', 'Move'),
                *('Fits', 'Candidates', 'Reason'),
            ],
            list(first),
        )
        self.assertEqual(
            [
                *('vm1', 'name of vm1', 'cmp01', 'ACTIVE', 'live migration'),
                *('no', 2, 'no room'),
            ],
            list(first.values()),
        )
        self.assertEqual(
            [
                *('vm2', HOSTILE, 'cmp01', 'SUSPENDED', ''),
                *('', None, 'it is suspended'),
            ],
            list(second.values()),
        )

    def test_a_host_that_has_died(self):
        """Frozen, too: one column more."""
        self.maintenance.preview.return_value = preview(
            row('vm1', move='evacuation', local_disk=True),
            row('vm2', move='evacuation', local_disk=False),
            staying('vm3'),
        )
        done = self.run_dry('--evacuate --fenced --leave-stopped -f json c01')

        self.maintenance.preview.assert_called_once_with(
            ['c01'],
            force=False,
            policy=policies.Policy(evacuate=True, leave_stopped=True),
            fenced=True,
        )
        rows = json.loads(done.stdout)
        self.assertEqual(
            [
                *('Server ID', 'Name', 'Host', 'Status', 'Move'),
                *('Local Disk', 'Fits', 'Candidates', 'Reason'),
            ],
            list(rows[0]),
        )
        self.assertEqual(
            ['lost unless shared', 'kept', ''],
            [row['Local Disk'] for row in rows],
        )
        self.assertEqual(['vm1', 'evacuation'], [*rows[0].values()][0:5:4])
        self.assertIn('1 server loses its local disk', done.stderr)

    def test_without_evacuation_no_disk_is_at_stake(self):
        with self.assertRaisesRegex(ValueError, 'disk'):
            self.run_dry('-c local_disk cmp01')

    def test_a_mistyped_column_is_found_before_anything_is_asked(self):
        """Those of a drain that is none are mistyped, too."""
        for name in ('Fitz', 'Result', 'Destination'):
            with self.assertRaisesRegex(ValueError, name):
                self.run_dry(f'-c {name} cmp01')

        self.made.assert_not_called()

    @ddt.data(
        ((), {}, 0),
        ((row(),), {}, 0),
        ((row('vm1'), misfit('vm2')), {}, 3),
        ((row('vm1', fits=Fits.UNKNOWN),), {}, 3),
        ((staying(),), {}, 3),
        ((row(),), {'cmp02': 'somebody else disabled it'}, 1),
        ((misfit(),), {'cmp02': 'somebody else disabled it'}, 1),
    )
    @ddt.unpack
    def test_exit_code(self, rows, errors, code):
        self.maintenance.preview.return_value = preview(*rows, errors=errors)
        done = self.run_dry()

        self.assertEqual(code, done.code)
        self.assertEqual(list(errors.values()), done.errors)
        for each in rows:
            self.assertIn(each.server_id, done.stdout)

    def test_the_sum_stands_on_stderr(self):
        self.maintenance.preview.return_value = preview(
            row('vm1'),
            misfit('vm2'),
            memory_mb=3072,
            notes=(f'a note on {HOSTILE}',),
        )
        done = self.run_dry()

        self.assertEqual(
            [
                '2 servers; 2 with 3.0 GiB of memory need room on another '
                'host: 1 fit, 1 do not fit',
                r'a note on \x1b[2Jvm\n\u202e[red]',
            ],
            done.stderr.splitlines(),
        )

    def test_a_stderr_that_breaks_does_not_cost_the_table(self):
        for error in (BrokenPipeError(32, 'Broken pipe'), ValueError('shut')):
            broken = mock.create_autospec(io.TextIOWrapper, instance=True)
            broken.write.side_effect = error
            command, parsed = self.parse('--dry-run cmp01')
            with mock.patch.object(sys, 'stderr', broken):
                code = command.run(parsed)

            self.assertEqual(0, code)
            self.assertIn('vm1', self.stdout.getvalue())

    def test_there_are_no_observations_to_save(self):
        with self.assertRaisesRegex(
            exceptions.HostMaintenanceError, 'cannot be used with --dry-run'
        ):
            self.run_dry('--save-observations seen.jsonl cmp01')

        self.made.assert_not_called()

    def test_help_tells_the_exit_codes(self):
        self.assertIn('0 if all would move and fit, 3 if not', self.help())
