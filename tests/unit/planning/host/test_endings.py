# SPDX-License-Identifier: Apache-2.0

"""With --server-timeout every drain ends, whatever Nova does not do.

A cloud in which nothing ever happens: what is under way stays so, what is
asked for is taken, or refused, or lost, and has no effect.
"""

import dataclasses
import random

from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import arbitrary

TICK = 20.0
#: What a server may take, in seconds.
LIMIT = 60.0
#: An hour of ticks is enough for all that may follow one on the other.
TICKS = 180

#: But for "too many requests": that is asked for again for ever.
ANSWERS = tuple(
    a for a in memories.SendStatus if a is not memories.SendStatus.POSTPONED
)


def later(first, asked, now):
    """Return another look at a cloud that is as it was.

    :param first: the first look at it.
    :param asked: servers that were to be looked at since.
    """
    known = {**first.visited, **first.servers}
    visited = {
        server_id: known.get(server_id, builders.server(server_id, 'DELETED'))
        for server_id in {*first.visited, *asked}
    }
    return dataclasses.replace(
        first,
        servers=_seen(first.servers, now),
        visited=_seen(visited, now),
        progress=_seen(first.progress, now),
        servers_at=now,
        service_at=now,
        migrations_at=now,
        consumers=first.consumers or frozenset(),
        traced=first.consumers or frozenset(),
        consumers_at=now,
        failures=dict.fromkeys(first.migrations, ''),
        histories={i: first.histories.get(i, ()) for i in arbitrary.IDS},
    )


def _seen(things, now):
    return {
        key: dataclasses.replace(thing, seen_at=now)
        for key, thing in things.items()
    }


class TestEndings(unit.TestCase):
    def test_drain_ends(self):
        for seed in range(unit.examples(60)):
            rng = random.Random(seed)
            first = arbitrary.observation(rng)
            policy = dataclasses.replace(
                arbitrary.draining(rng),
                server_timeout=LIMIT,
                stop='',
                settled_from=0.0,
            )
            with self.subTest(seed=seed):
                self.check(first, policy, rng.choice(ANSWERS))

    def check(self, first, policy, answer):
        memory, asked, now = memories.HostMemory(), set(), builders.NOW
        for _tick in range(TICKS):
            seen = later(first, asked, now)
            found = decide.decide(
                seen, requested.operation(policy), memory, now
            )
            memory = found.memory
            asked |= found.query.visit
            if found.done:
                break
            outcome = memories.Outcome(answer, now, 'Nova says no')
            highest = max(seen.migrations, default=0)
            for action in found.actions:
                memory = memory.after(action, outcome, highest)
            now += TICK

        self.assertTrue(found.done, found.rows)
        self.assertNotIn(None, [row.result for row in found.rows])
