#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""What a drain costs Nova, and that Nova is never left waiting."""

import collections
import itertools
import threading
import typing as ty
from unittest import mock

import pytest

from tests.functional import base
from tests.functional import shell
from tests.functional import test_spread


class Slots:
    """Watches how many live migrations a source runs at once."""

    RUNNING = frozenset({'preparing', 'running'})

    def __init__(self, cloud: ty.Any, host: str):
        self._cloud = cloud
        self._host = host
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        #: (running, waiting) of each look.
        self.looks: list[tuple[int, int]] = []

    def __enter__(self) -> 'Slots':
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            statuses = collections.Counter(
                record['status']
                for record in self._cloud.migrations(source_compute=self._host)
            )
            running = sum(statuses[status] for status in self.RUNNING)
            self.looks.append((running, statuses['queued']))


class CostTest(base.FunctionalTest):
    """Drains a host of servers that take four seconds each."""

    SERVERS = 8
    SECONDS = 4
    #: Requests at the begin, until the first move has ended, and at the end.
    ANY_DRAIN = 16

    def setUp(self) -> None:
        super().setUp()
        # As often as in a real cloud.
        self.enterContext(mock.patch.object(shell, 'FACTOR', 1.0))

    def drain_watched(self) -> tuple[Slots, list[ty.Any]]:
        self.cloud.knobs(lm_seconds=self.SECONDS)
        self.cloud.boot_many(
            [
                {'name': f's{n}', 'host': 'cmp01', 'flavor': 'm1.tiny'}
                for n in range(self.SERVERS)
            ]
        )
        self.cloud.requests.reset()
        with Slots(self.cloud, 'cmp01') as slots:
            self.drain('cmp01')
        return slots, self.cloud.requests.log()

    def assert_slots_full(self, slots: Slots, limit: int) -> None:
        """From when the slots are full until no server is left to start."""
        running = [look[0] for look in slots.looks]
        self.assertEqual(limit, max(running))
        first = running.index(limit)
        last = max(n for n, look in enumerate(slots.looks) if look[1])
        between = running[first:last]
        full = sum(n == limit for n in between)
        # A slot is handed on within a look or two.
        self.assertGreaterEqual(full / len(between), 0.85, slots.looks)
        ready = next(n for n, count in enumerate(running) if count)
        self.assertLessEqual(first - ready, 40, 'slow to fill the slots')


@pytest.mark.soak
class TestOneSlot(CostTest):
    options: ty.ClassVar = {'max_live': 1}

    def test_cost(self) -> None:
        slots, log = self.drain_watched()

        self.assert_slots_full(slots, 1)
        self.assertLessEqual(max(look[1] for look in slots.looks), 2)
        counts = collections.Counter(
            (r.method, r.template) for r in log if r.service == 'compute'
        )
        lists = [
            request
            for request in log
            if request.method == 'GET'
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
        self.assertLess(own, self.ANY_DRAIN + 3.5 * self.SERVERS, counts)
        self.assertLess(len(spread), own / 3, spread)
        self.assertEqual(
            self.SERVERS,
            len([r for r in log if r.action == 'os-migrateLive']),
        )


@pytest.mark.soak
class TestFourSlots(CostTest):
    SERVERS = 14

    def test_cost(self) -> None:
        slots, _log = self.drain_watched()

        self.assert_slots_full(slots, 4)
