# SPDX-License-Identifier: Apache-2.0

"""With --server-timeout every drain ends, whatever Nova does not do.

A cloud in which nothing ever happens: what is under way stays so, what is
asked for is taken, or refused, or lost, and has no effect.
"""

import dataclasses
import random

from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import arbitrary

#: But for "too many requests": that is asked for again for ever.
ANSWERS = tuple(
    a for a in memories.SendStatus if a is not memories.SendStatus.POSTPONED
)


class TestEndings(unit.TestCase):
    def test_drain_ends(self):
        for seed in range(unit.examples(60)):
            rng = random.Random(seed)
            first = arbitrary.observation(rng)
            policy = dataclasses.replace(
                arbitrary.draining(rng),
                server_timeout=60.0,
                stop='',
                settled_from=0.0,
            )
            memory = memories.HostMemory()
            step = arbitrary.Step(first, policy, memory, builders.NOW)
            with self.subTest(seed=seed):
                found = arbitrary.settle(step, rng.choice(ANSWERS))

                self.assertTrue(found.done, found.rows)
                self.assertNotIn(None, [row.result for row in found.rows])
