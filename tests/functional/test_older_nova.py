# SPDX-License-Identifier: Apache-2.0

"""Clouds whose Nova offers older microversions only."""

import typing as ty

import pytest

from tests.functional import base

DRAIN = 'host maintenance drain -f json'


class TestOlderNova(base.FunctionalTest):
    """The same ways out and back with each of them.

    Which microversion each needs is in the guide's "Installation".
    """

    def test_2_60(self) -> None:
        self.there_and_back('2.60')

    @pytest.mark.soak
    def test_2_79(self) -> None:
        self.there_and_back('2.79')

    @pytest.mark.soak
    def test_2_87(self) -> None:
        self.there_and_back('2.87')

    def test_2_93(self) -> None:
        self.there_and_back('2.93')

    @pytest.mark.soak
    def test_2_96(self) -> None:
        self.there_and_back('2.96')

    def there_and_back(self, newest: str) -> None:
        states = ('ACTIVE', 'SHUTOFF', 'PAUSED', 'SUSPENDED')
        self.cloud.boot_many(
            [spec for s in states for spec in base.lot('cmp01', s, 1)]
        )
        before = self.cloud.servers('cmp01')
        compute = self.cloud.connection(interface='public').compute
        self.cloud.cap_microversion(newest)
        self.refuses_above(newest, compute)
        self.cloud.requests.reset()

        line = f'{DRAIN} --suspended resume --parallel 4 --to cmp02 cmp01'
        rows = self.rows(f'{line} --dry-run')
        self.assertEqual(dict.fromkeys(rows, 'yes'), self.column(rows, 'Fits'))
        self.assertEqual([], self.changes())
        rows = self.rows(line)
        self.assertEqual(4, len(rows))
        self.assertEqual({'moved'}, {*self.column(rows, 'Result').values()})
        self.assert_empty('cmp01')
        self.assert_same_elsewhere(before, 'cmp01')

        self.cloud.kill_host('cmp02')
        rows = self.rows(f'{DRAIN} --evacuate --fenced cmp02', code=3)
        self.assertEqual(
            {
                'active-0': 'moved',
                'shutoff-0': 'moved',
                'paused-0': 'blocked',
                'suspended-0': 'blocked',
            },
            self.column(rows, 'Result'),
        )
        self.cloud.start_host('cmp02')
        rows = self.rows('host maintenance unset --restore -f json cmp02')
        self.assertEqual(
            {'active-0': 'moved', 'shutoff-0': 'moved'},
            self.column(rows, 'Result'),
        )
        self.assertEqual(4, len(self.cloud.servers('cmp02')))
        self.assert_same_elsewhere(before, 'cmp01')
        self.assertNotIn(406, {r.status for r in self.cloud.requests.log()})

    def refuses_above(self, newest: str, compute: ty.Any) -> None:
        """The embedded cloud looks as old as it is meant to."""
        about = compute.get('/', microversion=newest).json()['version']
        self.assertEqual(newest, about['version'])
        answer = compute.get('/servers', microversion='2.97')
        self.assertEqual(406, answer.status_code)
        self.assertIn(f'maximum is {newest}', answer.text)

    def rows(self, line: str, code: int = 0) -> dict[str, ty.Any]:
        """Run a command, expect an exit code, and return its rows by name."""
        done = self.run_command(line)
        self.assertEqual(code, done.code, done.err)
        return {row['Name']: row for row in done.json}

    def column(self, rows: dict[str, ty.Any], name: str) -> dict[str, str]:
        """A column of rows, by the servers' names."""
        return {server: row[name] for server, row in rows.items()}
