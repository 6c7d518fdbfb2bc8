# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance set`` and ``unset``."""

import logging
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint.commands import mark
from tests.unit import builders
from tests.unit.commands import shell


class TestSet(shell.CommandTestCase):
    command = mark.SetHostMaintenance

    def test_options(self):
        self.run_command(['--force', '--reason', 'kernel CHG0042', 'cmp01'])
        self.maintenance.set.assert_called_once_with(
            'cmp01', reason='kernel CHG0042', force=True, report=None
        )

    def test_every_host_is_tried(self):
        self.maintenance.set.side_effect = [
            exceptions.Refused('cmp01 was disabled by somebody else'),
            mock.DEFAULT,
            exceptions.UnknownHost('no compute service on cmp99'),
        ]
        done = self.run_command('cmp01 cmp02 cmp99')

        self.assertEqual(1, done.code)
        self.assertEqual(3, self.maintenance.set.call_count)
        self.assertEqual(
            [
                'cmp01 was disabled by somebody else',
                'no compute service on cmp99',
            ],
            done.errors,
        )
        self.assertEqual('', done.stdout)


class TestUnset(shell.CommandTestCase):
    command = mark.UnsetHostMaintenance

    def setUp(self):
        super().setUp()
        self.maintenance.unset.return_value = builders.service(enabled=True)

    def test_says_nothing_and_ends_well(self):
        done = self.run_command('cmp01 cmp02')
        self.assertEqual(0, done.code)
        self.assertEqual(('', ''), (done.stdout, done.stderr))
        self.assertEqual(
            [
                mock.call('cmp01', force=False, report=None),
                mock.call('cmp02', force=False, report=None),
            ],
            self.maintenance.unset.call_args_list,
        )

    def test_in_service_but_forced_down_by_somebody(self):
        """It was enabled all along: nobody but its owner takes that back."""
        self.maintenance.unset.return_value = builders.service(
            enabled=True, up=False, forced_down=True
        )
        with self.assertLogs(mark.LOG, logging.WARNING) as logged:
            done = self.run_command('cmp01')
        self.assertEqual((0, ''), (done.code, done.stdout))
        self.assertIn(
            'openstack compute service set --up cmp01 nova-compute',
            logged.output[0],
        )
