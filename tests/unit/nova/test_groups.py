# SPDX-License-Identifier: Apache-2.0

"""Server groups, whose list has neither links nor a marker."""

import typing as ty

from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.nova import cloud
from tests.unit.nova import recorded

GROUPS = f'{cloud.NOVA}/os-server-groups'


class RecordTest(unit.TestCase):
    def test_recorded(self) -> None:
        groups = recorded.GROUPS['server_groups'][1:]
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
            list(map(records.group, groups)),
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


class PagesTest(cloud.CloudTestCase):
    """All groups are found, whatever Nova's ``max_limit`` is."""

    def _serve(self, count: int, max_limit: int) -> None:
        """Let Nova have some groups (nova/api/openstack/common.py)."""

        def answer(request: ty.Any, context: object) -> ty.Any:
            query = request.qs
            start = int(query.get('offset', ['0'])[0])
            page = range(count)[start : start + max_limit]
            return {'server_groups': [cloud.group(f'g{n}') for n in page]}

        self.cloud.get(GROUPS, json=answer)

    def _serve_hypervisors(self, pages: list[int]) -> None:
        """Let Nova have hypervisors, in pages of so many."""
        nodes = [[cloud.hypervisor(0, 'cmp01')] * page for page in pages]
        self.answer_pages('/os-hypervisors/detail', 'hypervisors', *nodes)

    def _groups(self) -> tuple[int, list[str]]:
        """Return how many groups are found, and what was asked."""
        before = len(self.sent)
        found = self.gateway.groups()
        ids = {group.id for group in found}
        self.assertEqual(len(ids), len(found))
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

    def test_requests(self) -> None:
        self._serve(5, max_limit=2)
        self._groups()
        base = 'GET /os-server-groups?all_projects=True'
        self.assertEqual(
            [base, f'{base}&offset=2', f'{base}&offset=4'], self.sent
        )

    @unit.named_cases(
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
        self._serve_hypervisors(hypervisors)
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
