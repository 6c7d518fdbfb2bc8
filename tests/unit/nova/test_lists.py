# SPDX-License-Identifier: Apache-2.0

"""Lists of what there is, page after page."""

import datetime
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint.nova import records
from tests import unit
from tests.unit.nova import cloud

SERVERS = '/servers/detail?all_tenants=True&host=cmp01&soft_deleted=True'
SINCE = datetime.datetime(2026, 11, 20, tzinfo=datetime.UTC)


class ServicesTest(cloud.CloudTestCase):
    def test_cell_that_does_not_answer(self) -> None:
        down = {'binary': 'nova-compute', 'host': 'cmp02', 'status': 'UNKNOWN'}
        self.answer('/os-services', services=[cloud.service('cmp01'), down])
        service, silent = self.gateway.services()
        self.assertEqual(('cmp02', 'unknown'), (silent.host, silent.mode))
        self.assertFalse(silent.up)
        self.assertEqual(('cmp01', False), (service.host, service.silent))


class ServersTest(cloud.CloudTestCase):
    def _answer(self, *pages: ty.Any) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/detail', [{'json': p} for p in pages]
        )

    def test_pages(self) -> None:
        ids = ['vm1', 'vm2', 'vm3', 'vm4']
        servers = [cloud.server(server_id) for server_id in ids]
        self.answer_pages(
            '/servers/detail', 'servers', servers[:2], servers[2:], []
        )
        found = self.gateway.servers('cmp01')
        self.assertEqual(ids, [s.id for s in found])
        ends = ('', '&marker=vm2', '&marker=vm4')
        self.assertEqual([f'GET {SERVERS}{end}' for end in ends], self.sent)

    def test_empty_page(self) -> None:
        # The rest of the list was deleted since the page before.
        self._answer({'servers': [], 'servers_links': cloud.link('/servers')})
        self.assertEqual([], self.gateway.servers('cmp01'))

    def test_count_goes_over_pages(self) -> None:
        pages = [{'id': 'vm1'}, {'id': 'vm2'}], [{'id': 'vm3'}]
        self.answer_pages('/servers', 'servers', *pages)
        self.assertEqual(3, self.gateway.server_count('cmp01'))
        self.assertIn('marker=vm2', self.sent[-1])

    @unit.cases('cmp02', 'cmp011', None)
    def test_filter_ignored(self, host: str | None) -> None:
        # Nova ignores `host` without a word for who may not use it.
        self._answer(
            {'servers': [cloud.server('vm1'), cloud.server('vm2', host)]}
        )
        with self.raises(exceptions.NotPermitted, 'allow_all_filters'):
            self.gateway.servers('cmp01')

    def test_deleted_lately(self) -> None:
        # One page, though there are more.
        changes = {'status': 'DELETED', 'OS-EXT-STS:vm_state': 'deleted'}
        gone = cloud.server(host='cmp03', **changes)
        self.answer(
            '/servers/detail',
            servers=[gone],
            servers_links=cloud.link('/servers'),
        )
        self.assertEqual([records.server(gone)], self.gateway.deleted(SINCE))
        self.assertEqual(1, len(self.sent))

    def test_deleted(self) -> None:
        fault = cloud.fault('itemNotFound', 404, 'Instance vm1 is not found.')
        self.cloud.get(f'{cloud.NOVA}/servers/vm1', **fault)
        self.assertEqual(records.deleted('vm1'), self.gateway.server('vm1'))

    def test_404_of_keystone_is_no_deleted_server(self) -> None:
        who = cloud.fault('x', 401, 'Who?')
        self.cloud.get(f'{cloud.NOVA}/servers/vm1', **who)
        self.gateway.user_name()  # Logged in.
        words = 'The resource could not be found.'
        self.cloud.post(cloud.TOKENS, **cloud.fault('error', 404, words))
        with self.raises(exceptions.Unavailable):
            self.gateway.server('vm1')


class MigrationsTest(cloud.CloudTestCase):
    def test_pages_by_uuid(self) -> None:
        pages = [cloud.migration(9), cloud.migration(8)], [cloud.migration(7)]
        self.answer_pages('/os-migrations', 'migrations', *pages)
        found = self.gateway.migrations('cmp01', SINCE)
        self.assertEqual([9, 8, 7], [m.id for m in found])
        self.assertEqual(
            'GET /os-migrations?host=cmp01'
            '&changes-since=2026-11-20T00%3A00%3A00%2B00%3A00&marker=uuid-8',
            self.sent[-1],
        )

    def test_hosts_that_a_policy_hides(self) -> None:
        self.answer('/os-migrations', migrations=[])
        self.gateway.check_hosts_shown()
        hidden = cloud.migration(9, source_compute=None, dest_compute=None)
        self.answer('/os-migrations', migrations=[hidden])
        with self.raises(exceptions.NotPermitted, 'os-migrations:index:host'):
            self.gateway.check_hosts_shown()
        self.assertEqual('GET /os-migrations?limit=1', self.sent[-1])

    def test_newest_page_is_enough_without_a_time(self) -> None:
        self.answer(
            '/os-migrations',
            migrations=[cloud.migration(9)],
            migrations_links=cloud.link('/os-migrations'),
        )
        self.assertEqual([9], [m.id for m in self.gateway.migrations('cmp01')])
        self.assertEqual(1, len(self.sent))

    @unit.named_cases(
        ('unconfirmed', 'unconfirmed', 'cmp01'),
        ('all_migrations', 'all_migrations', 'cmp01'),
        ('evacuated', 'evacuated', 'cmp01'),
        ('left', 'left', 'cmp01', SINCE),
        ('moves', 'moves', SINCE),
    )
    def test_over_pages(self, name: str, *arguments: ty.Any) -> None:
        pages = [cloud.migration(9)], [cloud.migration(7)]
        self.answer_pages('/os-migrations', 'migrations', *pages)
        found = getattr(self.gateway, name)(*arguments)
        self.assertEqual([9, 7], [m.id for m in found])
