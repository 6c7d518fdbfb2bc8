# SPDX-License-Identifier: Apache-2.0

"""Lists of what there is, page after page."""

import contextlib
import datetime
import itertools
import typing as ty
from unittest import mock

import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint.nova import lists
from osc_hostmaint.nova import records
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.nova import cloud
from tests.unit.nova import recorded

SERVERS = '/servers/detail?all_tenants=True&host=cmp01&soft_deleted=True'
GROUPS = f'{cloud.NOVA}/os-server-groups'
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
        self.answer('/servers/detail', servers=[])
        for _time in range(2):
            found = self.gateway.server('vm1')
            self.assertEqual(records.deleted('vm1'), found)
        # Is it hidden? That is asked once.
        probe = 'GET /servers/detail?status=DELETED&limit=1'
        self.assertEqual(1, self.sent.count(probe))

    def test_hidden_is_not_deleted(self) -> None:
        fault = cloud.fault('itemNotFound', 404, 'Instance vm1 is not found.')
        self.cloud.get(f'{cloud.NOVA}/servers/vm1', **fault)
        self._deny_admin()
        with self.raises(exceptions.NotPermitted, 'context_is_admin'):
            self.gateway.server('vm1')

    def _deny_admin(self) -> None:
        words = 'Only administrators may list deleted instances'
        self.cloud.get(
            f'{cloud.NOVA}/servers/detail',
            **cloud.fault('forbidden', 403, words),
        )

    def test_no_administrator(self) -> None:
        self._deny_admin()
        with self.raises(exceptions.NotPermitted, 'context_is_admin'):
            self.gateway.check_servers_shown()

    def test_no_list_at_all(self) -> None:
        denied = cloud.forbidden('the:list')
        self.cloud.get(f'{cloud.NOVA}/servers/detail', **denied)
        with self.raises(exceptions.NotPermitted, 'the:list'):
            self.gateway.check_servers_shown()

    def test_all_filters_ignored(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/servers/detail',
            [
                {'json': {'servers': []}},
                {'json': {'servers': [{'id': 'vm1'}]}},
            ],
        )
        with self.raises(exceptions.NotPermitted, 'allow_all_filters'):
            self.gateway.check_servers_shown()

    def test_all_is_shown(self) -> None:
        self.answer('/servers/detail', servers=[])
        for _time in range(2):
            self.gateway.check_servers_shown()
        # The first of the two is enough once.
        self.assertEqual(3, len(self.sent))

    def test_cell_that_does_not_answer(self) -> None:
        # Nova may wait a minute for it, in each list.
        down = {'binary': 'nova-compute', 'host': 'cmp02', 'status': 'UNKNOWN'}
        self.answer('/os-services', services=[cloud.service('cmp01'), down])
        self.gateway.services()
        self.gateway.check_servers_shown()
        self.gateway.check_filters()
        self.assertEqual(1, len(self.sent))

    def test_hosts_hidden(self) -> None:
        server = cloud.server()
        del server['OS-EXT-SRV-ATTR:host']
        self._answer({'servers': [server]})
        words = 'os_compute_api:os-extended-server-attributes'
        with self.raises(exceptions.NotPermitted, words):
            self.gateway.servers('cmp01')

    def test_404_of_keystone_is_no_deleted_server(self) -> None:
        who = cloud.fault('x', 401, 'Who?')
        self.cloud.get(f'{cloud.NOVA}/servers/vm1', **who)
        self.gateway.user_name()  # Logged in.
        words = 'The resource could not be found.'
        self.cloud.post(cloud.TOKENS, **cloud.fault('error', 404, words))
        with self.raises(exceptions.Unavailable):
            self.gateway.server('vm1')


class ChangingTest(unit.TestCase):
    @hypothesis.given(
        strategies.integers(0, 9),
        strategies.lists(strategies.lists(strategies.integers(-5, 5))),
    )
    def test_what_stays_is_listed_once(self, count, changes):
        """Rows are deleted, or created where negative, between the pages."""
        rows, stays, lost = list(range(count)), set(range(count)), []
        new, left = itertools.count(count), iter(changes)

        def ask(_url, key, *, read, marker=''):
            for place in next(left, ()):
                if place < 0:
                    rows.insert(len(rows) + place, next(new))
                elif place < len(rows):
                    stays.discard(rows.pop(place))
            if marker and int(marker) not in rows:
                lost.append(marker)
                raise exceptions.RequestRefused(f'marker [{marker}] not found')
            begin = rows.index(int(marker)) + 1 if marker else 0
            page = [{'uuid': str(n)} for n in rows[begin : begin + 2]]
            return read({key: page, f'{key}_links': page[1:]})

        nova, found = mock.Mock(ask=ask, full_page=0), []
        with contextlib.suppress(exceptions.RequestRefused):
            found += lists.pages(nova, '/x', 'x', lambda row: int(row['uuid']))
            stays -= set(found)
        self.assertFalse(stays and len(lost) <= timing.REQUEST_RETRIES)
        self.assertEqual(len(found), len(set(found)))


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


class GroupTest(unit.TestCase):
    def test_recorded(self) -> None:
        self.assertEqual(
            [
                snapshots.Group(
                    'b9087a10-8a58-4c16-940b-4393697a3df1',
                    snapshots.GroupPolicy.ANTI_AFFINITY,
                    frozenset({'a9e054c6-ecb7-401a-aa47-107e716bfa58'}),
                    most_per_host=3,
                ),
                snapshots.Group(
                    'ec950866-bada-41c1-a596-f22282834f5f',
                    snapshots.GroupPolicy.SOFT_AFFINITY,
                    frozenset({'d668fcff-b0c5-4389-a2db-8e882a332bd4'}),
                ),
            ],
            list(map(records.group, recorded.GROUPS['server_groups'])),
        )

    @unit.cases(
        {'policy': 'legacy'},
        {'policy': None, 'policies': []},
        {'policy': None, 'policies': None, 'rules': None},
    )
    def test_odd_policies(self, changes: ty.Any) -> None:
        found = records.group(cloud.group('g', **changes))
        self.assertEqual(changes['policy'] or '', found.policy)
        self.assertEqual(1, found.most_per_host)


class GroupsTest(cloud.CloudTestCase):
    """All are found, whatever Nova's ``max_limit`` is: no links, no marker."""

    def _serve(self, count: int, max_limit: int) -> None:
        """Let Nova have some groups (nova/api/openstack/common.py)."""

        def answer(request: ty.Any, context: object) -> ty.Any:
            start = int(request.qs.get('offset', ['0'])[0])
            page = range(count)[start : start + max_limit]
            return {'server_groups': [cloud.group(f'g{n}') for n in page]}

        self.cloud.get(GROUPS, json=answer)

    def _groups(self) -> tuple[int, list[str]]:
        """Return how many groups are found, and what was asked."""
        before = len(self.sent)
        found = self.gateway.groups()
        self.assertEqual(len({group.id for group in found}), len(found))
        return len(found), self.sent[before:]

    @unit.cases(*range(14))
    def test_nothing_else_is_known(self, count: int) -> None:
        self._serve(count, max_limit=4)
        found, sent = self._groups()
        self.assertEqual(count, found)
        # Full pages, and the one that is not full; 3 may be all there is on
        # any page, unless a longer one was seen.
        full = count // 4
        self.assertEqual(full + (2 if 0 < count < 4 else 1), len(sent))

    @unit.named_cases(
        # pages of hypervisors; groups, and requests for them
        # A list of 4 that has no next page: 5 would have been on it, too.
        ('fewer', [4], 3, 1),
        ('as_many', [4], 4, 1),
        # 5 may be all that Nova gives at once.
        ('more', [4], 5, 2),
        # A full page of 4 was seen, so 4 may be all that Nova gives at once.
        ('fewer_than_a_page', [4, 1], 3, 1),
        ('as_many_as_a_page', [4, 1], 4, 2),
        ('none', [0], 0, 1),
        ('one_after_an_empty_list', [0], 1, 2),
    )
    def test_after_a_list(self, hypervisors, count, requests):
        nodes = [
            [cloud.hypervisor(10 * i + n, 'cmp01') for n in range(page)]
            for i, page in enumerate(hypervisors)
        ]
        self.answer_pages('/os-hypervisors/detail', 'hypervisors', *nodes)
        self._serve(count, max_limit=4 if len(hypervisors) > 1 else 1000)
        self.gateway.hypervisors()
        found, sent = self._groups()
        self.assertEqual((count, requests), (found, len(sent)))

    def test_shifted(self) -> None:
        # Made between two requests: one is on both pages.
        pages = ('g1', 'g2'), ('g2', 'g3'), ()
        groups = [[cloud.group(g) for g in page] for page in pages]
        answers = [{'json': {'server_groups': page}} for page in groups]
        self.cloud.get(GROUPS, answers)
        found, _sent = self._groups()
        self.assertEqual(3, found)
