# SPDX-License-Identifier: Apache-2.0

"""Rolls that go on after they were killed."""

import signal

import pytest

from tests.functional import rolling_base


class TestResumed(rolling_base.RollingTest):
    hosts = ('cmp01',)

    def setUp(self) -> None:
        super().setUp()
        self.kill = f'kill -KILL $(cat {self.directory}/pid)'

    def assert_killed(self, mode: str, state: str, **more: object) -> None:
        self.roll(code=-signal.SIGKILL, **more)
        self.assertEqual(mode, self.show('cmp01')['mode'])
        self.assertEqual(state, self.fact('cmp01')['state'])
        self.assertEqual(1, self.hooked('cmp01'))

    def test_killed_before_unset(self) -> None:
        self.assert_killed(
            'maintenance',
            'worked',
            **self.intercept('maintenance unset', f'{self.kill}; exit 1'),
        )
        self.roll()
        self.assert_done()

    @pytest.mark.soak
    def test_killed_after_unset(self) -> None:
        self.assert_killed(
            'operational',
            'worked',
            **self.intercept(
                'maintenance unset', f'"$@"; {self.kill}; exit 0'
            ),
        )
        self.cloud.requests.reset()
        self.roll()
        self.assert_done()
        self.assertEqual([], self.changes())

    def test_taken_after_the_kill(self) -> None:
        """A host that somebody else keeps out of service stays so."""
        self.write_fact('cmp01', state='worked', run='')
        reason = '{{ 6 * 7 }} disks'
        self.openstack('host maintenance set cmp01 --reason', reason)
        out = self.roll(code=2)
        self.assertIn(f'maintenance for another reason: {reason}', out)
        self.assertEqual(reason, self.show('cmp01')['reason'])
        self.assertEqual(0, self.hooked('cmp01'))

    @pytest.mark.soak
    def test_killed_in_the_hook(self) -> None:
        """It is known that the run has ended, however ps lays out numbers."""
        self.replace_ps('PATH=${PATH#*:}; ps "$@" | sed "s/^/   /"')
        install = self.install('cmp01', self.kill)
        self.assert_killed('maintenance', 'out')
        self.assertRegex(self.fact('cmp01')['run'], r'^\S+ \d+ \w{3} ')
        install.unlink()
        self.roll()
        self.assert_hooked_again()

    @pytest.mark.soak
    def test_killed_without_ps(self) -> None:
        """Without ps it is not known that the first run has ended."""
        self.replace_ps('exit 1')
        install = self.install('cmp01', self.kill)
        self.assert_killed('maintenance', 'out')
        install.unlink()

        out = self.roll(code=2)

        self.assertIn('service by another run (', out)
        self.roll(host_maintenance_take_over=True)
        self.assert_hooked_again()

    def replace_ps(self, script: str) -> None:
        ps = self.directory / 'bin/ps'
        ps.parent.mkdir()
        ps.write_text(f'#!/bin/sh\n{script}\n')
        ps.chmod(0o755)

    def assert_hooked_again(self) -> None:
        self.assertEqual('done', self.fact('cmp01')['state'])
        self.assertEqual('operational', self.show('cmp01')['mode'])
        self.assertEqual(2, self.hooked('cmp01'))
