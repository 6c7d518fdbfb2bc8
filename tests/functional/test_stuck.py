# SPDX-License-Identifier: Apache-2.0

"""What Nova began long ago and never ends: said, not awaited."""

import json
import re

from tests.cloud import waiting
from tests.functional import base

WEEKS = 500.0
#: By the name of a server: what Nova's database says of it.
STATES: dict[str, dict[str, str]] = {
    'deleting': {'task_state': 'deleting'},
    'uploading': {'task_state': 'image_uploading'},
    'migrating': {'task_state': 'migrating'},
    'building': {'vm_state': 'building', 'task_state': 'spawning'},
    'copied': {},
    'arriving': {},
}


class TestStuck(base.FunctionalTest):
    def test_stuck_for_weeks(self) -> None:
        hosts = {'arriving': 'cmp02'}
        made = self.cloud.boot_many(
            [
                {'name': name, 'host': hosts.get(name, 'cmp01')}
                for name in STATES
            ]
        )
        servers = dict(zip(STATES, made, strict=True))
        self.cloud.knobs(cm_seconds=600)
        for name, dest in (('copied', 'cmp02'), ('arriving', 'cmp01')):
            self.cloud.act(servers[name], {'migrate': {'host': dest}})
        waiting.wait_for(
            lambda: len(self.cloud.migrations(status='migrating')) == 2,
            'both disks to be copied',
        )
        for name, states in STATES.items():
            self.cloud.strand(servers[name], hours=WEEKS, **states)

        line = 'host maintenance drain -f json --dry-run cmp01'
        preview = json.loads(self.openstack(line, code=3))
        rows = {row['Name']: row for row in self.drain('cmp01', code=3)}

        self.assertEqual({*STATES}, {*rows})
        for row in rows.values():
            self.assertEqual('blocked', row['Result'], row)
            self.assertRegex(row['Reason'], 'stuck in .* for 20 days, since 2')
        self.assertEqual(
            {row['Reason'] for row in preview},
            {row['Reason'] for row in rows.values()}
            - {rows['arriving']['Reason']},
        )

        # What the reasons advise helps.
        self.cloud.knobs(cm_seconds=0)
        for row in rows.values():
            for command in re.findall(
                r'\(openstack (server (?:set|delete) [^;)]*)', row['Reason']
            ):
                command = command.replace('set', 'set --auto-approve')
                self.openstack(command, user='admin')
        waiting.wait_for(
            lambda: all(
                server['OS-EXT-STS:task_state'] is None
                for server in self.cloud.servers()
            ),
            'the disks to arrive',
        )
        left = self.drain('--resized confirm cmp01')
        self.assertEqual({'moved'}, {row['Result'] for row in left})
        self.assert_empty('cmp01')
