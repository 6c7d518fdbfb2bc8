# SPDX-License-Identifier: Apache-2.0

"""At home in the ``openstack`` command."""

import csv
import io
import json
import os
import sys

import yaml

from tests.functional import base


class TestShell(base.FunctionalTest):
    def test_help(self) -> None:
        done = self.run_command('help host maintenance drain')
        self.assertEqual(0, done.code)
        self.assertEqual('', done.err)
        for word in ('--reason', '--force', '--parallel', '--timeout'):
            self.assertIn(word, done.out)
        done = self.run_command('help host maintenance')
        for verb in ('set', 'unset', 'show', 'list', 'drain'):
            self.assertIn(f'host maintenance {verb}', done.out)

    def test_complete(self) -> None:
        done = self.run_command('complete')
        self.assertEqual('', done.err)
        self.assertIn('host_maintenance_drain', done.out)

    def test_formats(self) -> None:
        self.cloud.boot('server', host='cmp01')

        def drain(line: str) -> base.Done:
            return self.run_command(
                f'host maintenance drain --running leave cmp01 {line}'
            )

        done = drain('-f json -c Name -c Result')
        self.assertEqual([{'Name': 'server', 'Result': 'blocked'}], done.json)
        (row,) = yaml.safe_load(drain('-f yaml').out)
        self.assertEqual('blocked', row['Result'])
        (row,) = csv.DictReader(io.StringIO(drain('-f csv').out))
        self.assertEqual(base.COLUMNS, list(row))
        self.assertEqual('blocked', row['Result'])
        self.assertEqual('cmp01\n', drain('-f value -c Host').out)

    def test_users_of_one_process(self) -> None:
        """A test's commands are its user's, whoever ran one before."""
        self.cloud.boot('server', host='cmp01')
        for user, theirs in (('tenant-b', ''), ('demo', 'server\n')):
            line = 'server list -f value -c Name'
            self.assertEqual(theirs, self.openstack(line, user=user))

    def test_timing(self) -> None:
        done = self.run_command('--timing host maintenance list -f csv')
        self.assertEqual(0, done.code)
        self.assertIn('/os-services?binary=nova-compute', done.out)

    def test_quiet_and_pinned_version(self) -> None:
        self.cloud.boot('server', host='cmp01')
        done = self.run_console_script(
            '--quiet --os-compute-api-version 2.1 host maintenance drain '
            '-f json cmp01'
        )
        self.assertEqual(0, done.code)
        self.assertEqual('', done.err)
        self.assertEqual('moved', done.json[0]['Result'])

    def test_no_warning_at_start(self) -> None:
        done = self.run_console_script(
            'host maintenance list -f json', PYTHONWARNINGS='default'
        )
        ours = [
            line for line in done.err.splitlines() if 'osc_hostmaint' in line
        ]
        self.assertEqual([], ours)
        self.assertEqual([], json.loads(done.out))

    def run_console_script(self, line: str, **env: str) -> base.Done:
        """Run what is installed, in a process of its own."""
        script = os.path.join(os.path.dirname(sys.executable), 'openstack')
        return self.end(self.popen([script, *line.split()], **env))
