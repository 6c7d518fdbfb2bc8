# SPDX-License-Identifier: Apache-2.0

"""What a drain costs Nova."""

import collections
import itertools
from unittest import mock

import pytest

from tests.functional import base
from tests.functional import shell
from tests.functional import test_spread

SERVERS = 8
#: Requests at the begin, until the first move has ended, and at the end. One
#: of them looks at the host once more right before it is marked.
ANY_DRAIN = 20


@pytest.mark.soak
class TestCost(base.FunctionalTest):
    def test_requests(self) -> None:
        """Of a drain of servers that take four seconds each."""
        # As often as in a real cloud.
        self.enterContext(mock.patch.object(shell, 'FACTOR', 1.0))
        self.cloud.knobs(lm_seconds=4)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', SERVERS))
        self.cloud.requests.reset()

        self.drain('cmp01')

        log = self.cloud.requests.log()
        counts = collections.Counter(
            (r.method, r.template) for r in log if r.service == 'compute'
        )
        lists = [
            request
            for request in log
            if request.method == 'GET'
            # Those are asked for before the first tick.
            and 'limit' not in request.query
            and request.path.endswith(('/servers/detail', '/os-migrations'))
        ]
        # The records are asked for once at each tick; whatever else is
        # listed comes between two of these.
        ticks = [
            list(group)
            for is_record, group in itertools.groupby(
                lists, lambda r: r.path.endswith('/os-migrations')
            )
            if not is_record
        ]
        self.assertEqual({1}, {len(others) for others in ticks})
        asked = [r for r in log if r.service != 'identity']
        spread = [r for r in asked if r.path.endswith(test_spread.SURVEY)]
        own = len(asked) - len(spread)
        # The slower the cloud is, the more often records are asked for.
        looks = [r for r in asked if r.path.endswith('/os-migrations')]
        self.assertLess(len(looks), 3 * SERVERS, counts)
        self.assertLess(own - len(looks), ANY_DRAIN + 2 * SERVERS, counts)
        self.assertLess(len(spread), own / 3, spread)
        self.assertEqual(
            SERVERS, len([r for r in log if r.action == 'os-migrateLive'])
        )
