# SPDX-License-Identifier: Apache-2.0

import dataclasses
import json
import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.recording import changes
from osc_hostmaint.recording import records as records_
from tests import unit
from tests.unit import builders

SERVERS = strategies.dictionaries(
    strategies.sampled_from(['vm1', 'vm2', 'vm3', 'vm4']),
    strategies.tuples(
        strategies.sampled_from(['ACTIVE', 'MIGRATING', 'SHUTOFF']),
        strategies.floats(0, 100),
        strategies.none() | strategies.just(builders.SINCE),
    ),
)
RECORDS = strategies.dictionaries(
    strategies.integers(1, 5), strategies.sampled_from(['running', 'error'])
)


@strategies.composite
def observations(draw) -> model.Observation:
    """Return a look at the host, with all there may be in it."""
    servers = [
        builders.server(k, status, seen_at=at, updated_at=updated)
        for k, (status, at, updated) in draw(SERVERS).items()
    ]
    records = draw(RECORDS)
    deed = model.Deed('resume', 'id of bob', 'p', builders.SINCE)
    return builders.observation(
        servers,
        [builders.migration(i, status) for i, status in records.items()],
        servers[:1],
        servers_at=draw(strategies.sampled_from([float('-inf'), 0.0, 1.5])),
        ahead=draw(strategies.none() | strategies.floats(-1, 1)),
        consumers=draw(
            strategies.none() | strategies.frozensets(strategies.text('ab'))
        ),
        failures={i: f'no {status}' for i, status in records.items()},
        progress={i: model.Progress(i, 9, 1.0) for i in records},
        histories={
            s.id: (deed,) * draw(strategies.integers(0, 2)) for s in servers
        },
        down=frozenset(draw(strategies.sets(strategies.text('cmp')))),
    )


def through_json(value):
    """Return what a reader gets of a value."""
    return json.loads(json.dumps(value))


def order(seen: model.Observation) -> list[list[object]]:
    """Return the keys of all mappings, in their order."""
    return [list(getattr(seen, name)) for name in sorted(changes.MAPPINGS)]


class TestChanges(unittest.TestCase):
    def test_all_mappings_are_known(self):
        self.assertEqual(
            {
                *('servers', 'visited', 'migrations', 'failures'),
                *('progress', 'histories', 'former', 'unseen'),
            },
            changes.MAPPINGS,
        )

    @hypothesis.settings(max_examples=unit.examples(30))
    @hypothesis.given(strategies.lists(observations(), min_size=1))
    def test_every_observation_is_found_again(self, looks):
        """Down to the order of what Nova listed."""
        tree, old = {}, None
        for seen in looks:
            found = changes.find(old, seen)
            tree = changes.apply(tree, through_json(found))
            again = records_.structure_seen(tree)

            self.assertEqual(seen, again)
            self.assertEqual(order(seen), order(again))
            old = seen

    @hypothesis.given(observations())
    def test_where_nothing_is_new_nothing_is_told(self, seen):
        copy = dataclasses.replace(seen, servers=dict(seen.servers))

        self.assertEqual({}, changes.find(seen, copy))

    def test_another_order_alone(self):
        servers = [builders.server('vm1'), builders.server('vm2')]

        self.assertEqual(
            {'servers': {'order': ['vm2', 'vm1']}},
            changes.find(
                builders.observation(servers),
                builders.observation(servers[::-1]),
            ),
        )


@ddt.ddt
class TestSize(unittest.TestCase):
    """Only what is new is told."""

    SEEN = builders.observation(
        [builders.server(f'vm{n}') for n in range(9)],
        [builders.migration(n) for n in range(1, 4)],
    )

    @ddt.data(
        # what changes, what is told
        (
            {
                'servers': {
                    **SEEN.servers,
                    'vm3': builders.server('vm3', seen_at=1001.0),
                }
            },
            {'servers': {'changed': {'vm3': {'seen_at': 1001.0}}}},
        ),
        (
            {'servers': {k: s for k, s in SEEN.servers.items() if k != 'vm3'}},
            {'servers': {'gone': ['vm3']}},
        ),
        (
            {
                'migrations': {
                    **SEEN.migrations,
                    2: builders.migration(2, 'completed'),
                },
                'migrations_at': 1001.0,
            },
            {
                'migrations': {'changed': {'2': {'status': 'completed'}}},
                'migrations_at': 1001.0,
            },
        ),
        (
            {'failures': {2: 'No valid host'}},
            {'failures': {'changed': {'2': 'No valid host'}}},
        ),
    )
    @ddt.unpack
    def test_told(self, new, expected):
        found = changes.find(self.SEEN, dataclasses.replace(self.SEEN, **new))

        self.assertEqual(expected, through_json(found))
