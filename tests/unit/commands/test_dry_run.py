# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance drain --dry-run``."""

import io
import sys
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests import unit
from tests.unit.commands import shell

HOSTILE = '\x1b[2Jvm\n\u202e[red]'
Fits = forecast.Fits


def row(server_id='vm1', **kwargs):
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
    values = {'fits': Fits.NO, 'candidates': 0, 'reason': 'no room', **kwargs}
    return row(server_id, **values)


def staying(server_id='vm1', **kwargs):
    values = {'move': '', 'fits': None, 'candidates': None, **kwargs}
    return row(server_id, reason='it is suspended', **values)


def preview(*rows, **kwargs):
    fits = {
        r.server_id: forecast.Fit(r.fits, r.candidates, r.reason)
        for r in rows
        if r.fits
    }
    return dry_runs.Preview(
        rows, forecast.CapacityForecast(fits, {}), **kwargs
    )


class TestDryRun(shell.CommandTestCase):
    command = commands.DrainHostMaintenance
    method = 'preview'

    def setUp(self):
        super().setUp()
        self.asked.return_value = preview(row())
        self.addCleanup(self.maintenance.drain.assert_not_called)

    def run_dry(self, arguments='cmp01'):
        return self.run_command(f'--dry-run {arguments}')

    @unit.cases(
        # what is typed, what the API gets, the fields of its policy
        ('', {}, {}),
        (
            '--force --to cmp09 --running cold',
            {'force': True},
            {'to': 'cmp09', 'running': policies.Running.COLD},
        ),
        (
            '--evacuate --fenced --leave-stopped',
            {'fenced': True},
            {'evacuate': True, 'leave_stopped': True},
        ),
    )
    def test_options(self, typed, options, policy):
        self.run_dry(f'{typed} cmp01 cmp02')
        self.asked.assert_called_once_with(
            ['cmp01', 'cmp02'],
            policy=policies.Policy(**policy),
            report=mock.ANY,
            **{'force': False, 'fenced': False, **options},
        )

    @unit.cases(
        ('', 1, 'cmp01: listing'),
        *(('--progress none', 1, ''), ('', 0, '')),
    )
    def test_what_takes_long_is_said(self, typed, verbose_level, words):
        def look(_hosts, *, report, **_options):
            report.publish(events.Notice('cmp01', 'listing'))
            return preview()

        self.asked.side_effect, self.verbose_level = look, verbose_level
        said = self.run_dry(f'{typed} cmp01').stderr.splitlines()
        self.assertEqual(words, ''.join(said[:1]).partition(' ')[2])

    def test_columns(self):
        """Frozen: scripts depend on them."""
        self.asked.return_value = preview(
            misfit('vm1', candidates=2, wish=HOSTILE),
            staying('vm2', name=HOSTILE, status='SUSPENDED'),
        )
        names, rows = self.listed('--dry-run cmp01')

        self.assertEqual(
            'Server ID, Name, Host, Status, Move, Wish, Fits, Candidates, '
            'Code, Reason',
            names,
        )
        self.assertEqual(
            [
                (
                    *('vm2', HOSTILE, 'cmp01', 'SUSPENDED'),
                    *('', '', '', None, '', 'it is suspended'),
                ),
                (
                    *('vm1', 'name of vm1', 'cmp01', 'ACTIVE'),
                    *('live migration', HOSTILE, 'no', 2, '', 'no room'),
                ),
            ],
            rows,
        )

    def test_a_host_that_has_died(self):
        """Frozen, too: one column more."""
        self.asked.return_value = preview(
            row('vm1', move='evacuation', local_disk=True),
            row('vm2', move='evacuation', local_disk=False),
            staying('vm3'),
        )
        names, rows = self.listed('--dry-run --evacuate cmp01')

        self.assertEqual(
            'Server ID, Name, Host, Status, Move, Wish, Local Disk, Fits, '
            'Candidates, Code, Reason',
            names,
        )
        self.assertEqual(
            [
                ('vm1', 'evacuation', 'lost unless shared'),
                ('vm2', 'evacuation', 'kept'),
                ('vm3', '', ''),
            ],
            [(row[0], row[4], row[6]) for row in rows],
        )

    @unit.cases('Fitz', 'Result', 'Destination', 'local_disk')
    def test_a_mistyped_column_is_found_before_anything_is_asked(self, name):
        """Those of a drain, or of an evacuation, are mistyped, too."""
        with self.assertRaisesRegex(ValueError, name):
            self.run_dry(f'-c {name} cmp01')
        self.made.assert_not_called()

    @unit.cases(
        ((), {}, 0),
        ((row(),), {}, 0),
        ((row('vm1'), misfit('vm2')), {}, 3),
        ((row('vm1', fits=Fits.UNKNOWN),), {}, 3),
        ((staying(),), {}, 3),
        ((row(),), {'cmp02': 'somebody else disabled it'}, 1),
        ((misfit(),), {'cmp02': 'somebody else disabled it'}, 1),
    )
    def test_exit_code(self, rows, errors, code):
        self.asked.return_value = preview(*rows, errors=errors)
        done = self.run_dry()
        self.assertEqual(code, done.code)
        self.assertEqual(list(errors.values()), done.errors)
        for each in rows:
            self.assertIn(each.server_id, done.stdout)

    def test_the_sum_stands_on_stderr(self):
        self.asked.return_value = preview(
            row('vm1'),
            misfit('vm2'),
            memory_mb=3072,
            notes=(f'a note on {HOSTILE}',),
        )

        self.assertEqual(
            [
                '2 servers; 2 with 3.0 GiB of memory need room on another '
                'host: 1 fit, 1 do not fit',
                r'a note on \x1b[2Jvm\n\u202e[red]',
            ],
            self.run_dry().stderr.splitlines(),
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
