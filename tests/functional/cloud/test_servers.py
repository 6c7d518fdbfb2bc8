# SPDX-License-Identifier: Apache-2.0

import pytest

from tests.functional.cloud import base

pytestmark = pytest.mark.soak

# What old databases have, though the API would take none of them.
NAMES = (
    '\x1b[31mred\x1b]0;title\x07',
    '[bold red]markup[/]',
    'abc\u202egnp.exe',
    'two\nlines\tand\ra tab',
    '=cmd|"/c calc"!A1',
    'é' * 255,
    '\x00\x7f\u2028',
    '',
)


class TestServers(base.CloudTest):
    def test_purge_of_everything_at_once(self):
        self.cloud.knobs(cm_seconds=30)
        added = self.cloud.add_host(vcpus=4)
        group = self.cloud.group('apart', 'anti-affinity')
        servers = self.cloud.boot_many(
            [
                {'name': 'added', 'host': added, 'locked': True},
                {'name': 'grouped', 'group': group, 'state': 'BUILD'},
                *(
                    {
                        'name': f'stuck-{n}',
                        'host': 'cmp01',
                        'metadata': {'lm_stuck': 'yes'},
                    }
                    for n in range(3)
                ),
                {'name': 'cold', 'host': 'cmp02'},
            ]
        )
        for server in servers[2:5]:
            self.cloud.act(server, base.LIVE)
        self.cloud.act(servers[5], base.COLD)
        compute = self.cloud.connection().compute
        first, second = (self.cloud.service(h) for h in ('cmp01', 'cmp02'))
        compute.put(f'/os-services/{first.id}', json={'status': 'disabled'})
        compute.put(f'/os-services/{second.id}', json={'forced_down': True})
        self.cloud.kill_host('cmp03')

        self.cloud.purge()

        self.assertEqual([], self.cloud.servers())
        self.assertEqual(['cmp01', 'cmp02', 'cmp03'], self.cloud.hosts())
        services = [
            (s.host, s.state, s.status, s.is_forced_down)
            for s in compute.services(binary='nova-compute')
        ]
        self.assertEqual(
            [(h, 'up', 'enabled', False) for h in self.cloud.hosts()],
            sorted(services),
        )
        for host in self.cloud.hosts():
            self.assertEqual({}, self.cloud.allocations(host))
        self.assertEqual([], list(compute.server_groups(all_projects=True)))
        # Every host takes servers again.
        self.cloud.boot_many(
            [{'name': h, 'host': h} for h in self.cloud.hosts()]
        )

    def test_names_that_the_api_refuses(self):
        servers = self.cloud.boot_many(
            [{'name': f'web-{n}'} for n in range(len(NAMES))]
        )
        for server, name in zip(servers, NAMES, strict=True):
            self.cloud.rename(server, name)

        found = {s['id']: s['name'] for s in self.cloud.servers()}
        self.assertEqual(
            dict(zip((s.id for s in servers), NAMES, strict=True)), found
        )
        with self.assertRaises(ValueError):
            self.cloud.rename('no-such-server', 'web')

    def test_leaked_allocation(self):
        leaked = self.cloud.leak_allocation('cmp01')
        chosen = '00000000-0000-4000-8000-00000000f00d'
        self.assertEqual(
            chosen,
            self.cloud.leak_allocation('cmp01', chosen, {'MEMORY_MB': 512}),
        )

        found = self.cloud.allocations('cmp01')
        self.assertEqual({leaked, chosen}, set(found))
        self.assertEqual({'MEMORY_MB': 512}, found[chosen]['resources'])
        self.assertEqual([], self.cloud.servers())
        self.cloud.refresh_host('cmp01')
        self.assertEqual(found, self.cloud.allocations('cmp01'))

        self.cloud.purge()
        self.assertEqual({}, self.cloud.allocations('cmp01'))
