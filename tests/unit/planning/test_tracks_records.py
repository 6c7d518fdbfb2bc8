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

"""Records of moves that failed before this run, and of those to the host."""

import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tracks
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
ARRIVING = {'source': builders.DEST, 'dest': builders.HOST}


@ddt.ddt
class TestEarlierFailures(unittest.TestCase):
    """What failed before this run, in this maintenance."""

    @ddt.data(
        # the record as this run found it; does it count
        ({'status': 'error'}, True),
        ({'status': 'failed'}, True),
        ({'status': 'cancelled'}, True),
        ({'status': 'completed'}, False),
        ({'status': 'error', 'created_at': builders.cloud_time(0)}, True),
        # Nova's controllers do not agree about the time.
        ({'status': 'error', 'created_at': builders.cloud_time(-5)}, True),
        ({'status': 'error', 'created_at': builders.cloud_time(-5.1)}, False),
        ({'status': 'error', **ARRIVING}, False),
    )
    @ddt.unpack
    def test_records(self, kwargs, counts):
        record = builders.migration(7, **kwargs)
        seen = builders.observation(migrations=[record])
        memory = builders.memory(history=frozenset({7}))

        self.assertEqual(
            {'vm1': (record,)} if counts else {},
            tracks.earlier_failures(seen, policies.Policy(), memory),
        )
        # What failed in this run counts elsewhere.
        self.assertEqual(
            {},
            tracks.earlier_failures(
                seen, policies.Policy(), builders.memory()
            ),
        )

    def test_without_our_mark_nobody_knows(self):
        seen = builders.observation(
            migrations=[builders.migration(7, 'error')],
            service=builders.service(disabled_reason='fan broken'),
        )
        memory = builders.memory(history=frozenset({7}))

        self.assertEqual(
            {}, tracks.earlier_failures(seen, policies.Policy(), memory)
        )

    def test_all_of_a_server(self):
        records = [builders.migration(n, 'error') for n in (7, 8)]
        seen = builders.observation(migrations=records)
        memory = builders.memory(history=frozenset({7, 8, 9}))

        found = tracks.earlier_failures(seen, policies.Policy(), memory)
        self.assertEqual({7, 8}, {record.id for record in found['vm1']})


@ddt.ddt
class TestArriving(unittest.TestCase):
    """Whose move to the host is awaited."""

    def arriving(self, record, view=None, limit=None):
        seen = builders.observation(
            migrations=[record], visited=[view] if view else []
        )
        policy = policies.Policy(server_timeout=limit)
        return bool(tracks.arriving(seen, policy, NOW))

    @ddt.data(
        # the record; is it awaited
        (ARRIVING, True),
        ({**ARRIVING, 'type': base.COLD}, True),
        ({**ARRIVING, 'status': 'completed'}, False),
        ({**ARRIVING, 'status': 'finished'}, False),
        ({}, False),
        # A resize from the host to itself.
        ({'source': builders.HOST, 'dest': builders.HOST}, False),
    )
    @ddt.unpack
    def test_record(self, kwargs, expected):
        self.assertIs(expected, self.arriving(builders.migration(**kwargs)))

    @ddt.data(
        (base.THERE, True),
        (builders.server(status='MIGRATING', host=builders.DEST), True),
        # It has a row of its own.
        (base.HERE, False),
    )
    @ddt.unpack
    def test_server(self, view, expected):
        record = builders.migration(**ARRIVING)

        self.assertIs(expected, self.arriving(record, view))

    @ddt.data((None, 1e6, True), (60.0, 59.0, True), (60.0, 60.0, False))
    @ddt.unpack
    def test_no_longer_than_it_may_take(self, limit, ago, expected):
        record = builders.migration(seen_at=NOW - ago, **ARRIVING)

        self.assertIs(expected, self.arriving(record, limit=limit))
