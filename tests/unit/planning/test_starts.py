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

"""Which moves and confirmations are asked for."""

import unittest

from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import standing
from osc_hostmaint.planning import starts
from tests.unit import builders

NOW = builders.NOW
OLD = NOW - starts.FRESH_SECONDS


class TestChoose(unittest.TestCase):
    def choose(self, *servers):
        seen = builders.observation(servers=servers)
        memory = builders.memory(*map(builders.track, servers))
        stands = {
            server.id: standing.stand(
                standing.Case(
                    server_id=server.id,
                    track=memory.tracks[server.id],
                    seen=seen,
                    records=(),
                    policy=policies.Policy(),
                    since=builders.SINCE,
                    now=NOW,
                )
            )
            for server in servers
        }
        return starts.choose(
            seen, policies.Policy(), memory, stands, None, NOW
        )

    def test_a_stopped_server_seen_just_now(self):
        found = self.choose(builders.server('vm1', 'SHUTOFF', seen_at=NOW))

        self.assertEqual(
            (memories.Action(memories.Kind.COLD_MIGRATE, 'vm1'),),
            found.actions,
        )
        self.assertFalse(found.visit)

    def test_a_server_that_may_have_been_started_since(self):
        """A cold migration would stop it: it is looked at first."""
        found = self.choose(builders.server('vm1', 'SHUTOFF', seen_at=OLD))

        self.assertEqual((), found.actions)
        self.assertEqual({'vm1'}, found.visit)

    def test_only_what_is_next_is_looked_at(self):
        servers = [
            builders.server(f'vm{n}', 'SHUTOFF', seen_at=OLD) for n in range(9)
        ]

        self.assertEqual(2, len(self.choose(*servers).visit))

    def test_a_live_migration_can_wait_for_nova_to_refuse_it(self):
        found = self.choose(builders.server('vm1', seen_at=OLD))

        self.assertEqual(
            (memories.Action(memories.Kind.LIVE_MIGRATE, 'vm1'),),
            found.actions,
        )
        self.assertFalse(found.visit)
