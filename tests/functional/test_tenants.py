# SPDX-License-Identifier: Apache-2.0

"""What servers' owners want, said with their own tokens."""

import json

from tests.functional import base

DRAIN = 'host maintenance drain -f json'


class TestTenants(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        specs = [
            {'name': name, 'host': 'cmp01', 'flavor': 'm1.tiny'}
            for name in ('database', 'cache', 'web', 'odd')
        ]
        servers = self.cloud.boot_many(specs)
        self.ids = {
            spec['name']: server.id
            for spec, server in zip(specs, servers, strict=True)
        }
        self.say('database', 'leave')
        self.say('cache', 'live')
        self.say('odd', '\x1b[2Jnever')

    def say(self, name: str, wish: str) -> None:
        compute = self.cloud.connection('demo').compute
        properties = {'maintenance:policy': wish}
        compute.set_server_metadata(self.ids[name], **properties)

    def tag(self, name: str) -> None:
        compute = self.cloud.connection('demo').compute
        answer = compute.put(
            f'/servers/{self.ids[name]}/tags/maintenance:leave',
            microversion='2.26',
        )
        self.assertEqual(201, answer.status_code, answer.text)

    def moves(self, line: str, code: int) -> dict[str, tuple[str, str, str]]:
        """Return the wish, the move and the code of each server."""
        done = self.run_command(f'{DRAIN} --dry-run {line} cmp01')
        self.assertEqual(code, done.code, done.err)
        said = done.err.count('is none of live, live-or-cold, cold, leave: ')
        self.assertEqual('follow' in line, said == 1, done.err)
        self.assertNotIn('\x1b', done.err)
        return {
            row['Name']: (row['Wish'], row['Move'], row['Code'])
            for row in done.json
        }

    def test_shown_and_followed(self) -> None:
        never = '\x1b[2Jnever'
        cold = 'cold migration'
        found = self.moves('--running cold', 0)
        self.assertEqual(
            {
                'database': ('leave', cold, ''),
                'cache': ('live', cold, ''),
                'web': ('', cold, ''),
                'odd': (never, cold, ''),
            },
            found,
        )
        self.tag('web')
        follow = '--running cold --tenant-policy follow'
        found = self.moves(follow, 3)
        self.assertEqual(
            {
                'database': ('leave', '', 'tenant-policy'),
                'cache': ('live', 'live migration', ''),
                'web': ('leave', '', 'tenant-policy'),
                'odd': (never, cold, ''),
            },
            found,
        )

        rows = self.drain(f'{follow} cmp01', code=3)

        results = {row['Name']: row['Result'] for row in rows}
        self.assertEqual(
            {
                'database': 'blocked',
                'web': 'blocked',
                'cache': 'moved',
                'odd': 'moved',
            },
            results,
        )
        left = {server['name'] for server in self.cloud.servers('cmp01')}
        self.assertEqual({'database', 'web'}, left)

        # The same on the way back: only what may leave comes home.
        self.say('odd', 'leave')
        self.openstack('host maintenance unset cmp01')
        out = self.openstack(
            'host maintenance restore -f json --tenant-policy follow cmp01',
            code=3,
        )
        results = {row['Name']: row['Result'] for row in json.loads(out)}
        self.assertEqual({'cache': 'moved', 'odd': 'blocked'}, results)
