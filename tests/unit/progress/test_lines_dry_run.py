# SPDX-License-Identifier: Apache-2.0

"""What the operator reads before a drain: will it fit?"""

import dataclasses
import itertools

from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.progress import lines as progress_lines
from tests import unit

Fits = forecast.Fits
FULL = 'no host can take it: 2 without room'
TIGHT = 'one host could take it alone, but not with all the others'


def preview(*fits, staying=0, disks=(), capacity_forecast=None, **kwargs):
    """Return a preview of servers that fit so, and of some that stay."""
    rows = tuple(
        dry_runs.Row(
            server_id=f'vm{number}',
            name='',
            host='cmp01',
            status='ACTIVE',
            move='live migration' if fit else '',
            fits=fit and fit.fits,
            candidates=None,
            reason='',
            local_disk=disk,
        )
        for number, (fit, disk) in enumerate(
            itertools.zip_longest([*fits, *[None] * staying], disks)
        )
    )
    return dry_runs.Preview(
        rows,
        forecast.CapacityForecast(
            {f'vm{n}': fit for n, fit in enumerate(fits)},
            {},
            **(capacity_forecast or {}),
        ),
        **kwargs,
    )


def fit(fits=Fits.YES, reason=''):
    return forecast.Fit(fits, 1, reason)


class TestLines(unit.TestCase):
    def lines(self, *args, **kwargs):
        return list(progress_lines.preview_lines(preview(*args, **kwargs)))

    def test_verdicts(self):
        mixed = fit(Fits.UNKNOWN), fit(), fit(Fits.NO), fit()

        self.assertEqual(
            ['0 servers; none needs room on another host'], self.lines()
        )
        self.assertEqual(
            [
                '6 servers; 4 with 2.5 GiB of memory need room on another '
                'host: 2 fit, 1 do not fit, 1 may fit'
            ],
            self.lines(*mixed, staying=2, memory_mb=2560),
        )
        words = '1 server; 1 with 0.0 GiB of memory need room at home: 1 fit'
        home = progress_lines.preview_lines(preview(fit()), coming_home=True)
        self.assertEqual([words], [*home])

    def test_not_looked_at(self):
        errors = {'cmp03': '', 'cmp02': ''}
        (line,) = self.lines(staying=1, errors=errors)
        self.assertIn('1 server, without cmp02, cmp03; none', line)
        self.assertEqual([], self.lines(errors=errors))

    def test_how_full_the_others_are(self):
        for hosts, words in ((1, '1 host may'), (12, '12 hosts may')):
            lines = self.lines(
                fit(),
                capacity_forecast={
                    'hosts': hosts,
                    'utilizations': (
                        forecast.Utilization('MEMORY_MB', 400, 996, 1000),
                        forecast.Utilization('VCPU', 0, 1, 3),
                    ),
                },
            )

            self.assertEqual(
                [
                    f'{words} take any of them: MEMORY_MB 40 % full, 100 % '
                    'after, VCPU 0 % full, 33 % after',
                    'the tightest resource is MEMORY_MB',
                ],
                lines[1:],
            )

    def test_local_disks(self):
        for disks, words in (
            (
                [True, False, None],
                '1 server loses its local disk, unless the hosts share it',
            ),
            (
                [True, True, False],
                '2 servers lose their local disks, unless hosts share them',
            ),
        ):
            self.assertEqual(
                [words], self.lines(fit(), fit(), fit(), disks=disks)[1:]
            )

    def test_what_would_help_and_what_was_not_looked_at(self):
        lines = self.lines(
            fit(Fits.NO),
            capacity_forecast={
                'suggestions': ('this would help', 'that, too')
            },
            notes=('aggregates are not looked at',),
        )
        self.assertEqual(
            ['this would help', 'that, too', 'aggregates are not looked at'],
            lines[1:],
        )


class TestMisfit(unit.TestCase):
    def test_one_line_that_says_all(self):
        words = progress_lines.misfit(
            'cmp01, cmp02',
            preview(
                *[fit(Fits.NO, TIGHT)] * 2,
                *[fit(Fits.NO, FULL)] * 3,
                fit(),
                fit(Fits.UNKNOWN, 'who knows'),
                staying=1,
                capacity_forecast={'suggestions': ('this would help',)},
            ),
        )

        self.assertEqual(
            'Not drained: 5 of 8 servers do not fit on the other hosts '
            f'(3: {FULL}; 2: {TIGHT}; this would help). Nothing was moved; '
            'maintenance stays set on cmp01, cmp02. --dry-run shows which '
            'servers; --skip-capacity-check moves those that fit.',
            words,
        )

    def test_it_does_not_grow_with_the_servers(self):
        many = [fit(Fits.NO, f'reason {n}') for n in range(99)]
        words = progress_lines.misfit(
            'cmp01', preview(fit(Fits.NO, FULL), *many)
        )
        self.assertIn('100 of 100', words)
        self.assertEqual(2, words.count('reason '))
        self.assertLess(len(words), 400)


class TestLoss(unit.TestCase):
    def test_a_hostile_name(self):
        (row,) = preview(fit()).rows
        row = dataclasses.replace(row, name='\x1b[2J' + 'x' * 255)
        words = progress_lines.loss(row)
        self.assertTrue(words.isprintable())
        self.assertIn('… (vm0): what is on its local disk is lost', words)
