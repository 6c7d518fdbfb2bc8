# SPDX-License-Identifier: Apache-2.0

import dataclasses
import json

import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import records
from osc_hostmaint.recording import writer
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
MIGRATIONS = strategies.dictionaries(
    strategies.integers(1, 5), strategies.sampled_from(['running', 'error'])
)
JSON = strategies.recursive(
    strategies.none() | strategies.integers(0, 2) | strategies.text('ab'),
    lambda values: (
        strategies.lists(values, max_size=2)
        | strategies.dictionaries(strategies.text('abc', max_size=1), values)
    ),
)
POLICY = policies.Policy(running=policies.Running.COLD, parallel=3)
ACTION = memories.Action(
    memories.ActionKind.ABORT, 'vm1', host='cmp02', record_id=7, why='stalled'
)
OUTCOME = memories.Outcome(memories.SendStatus.REFUSED, 12.6, 'No', final=True)


@strategies.composite
def observations(draw) -> model.Observation:
    """Return an observation with all that may be in it."""
    servers = [
        builders.server(k, status, seen_at=at, updated_at=updated)
        for k, (status, at, updated) in draw(SERVERS).items()
    ]
    migrations = draw(MIGRATIONS)
    resumed = model.InstanceAction('resume', builders.SINCE)
    return builders.observation(
        servers,
        [builders.migration(i, status) for i, status in migrations.items()],
        servers[:1],
        host=draw(strategies.sampled_from(['cmp01', 'cmp02'])),
        servers_at=draw(strategies.sampled_from([float('-inf'), 0.0, 1.5])),
        ahead=draw(strategies.none() | strategies.floats(-1, 1)),
        consumers=draw(
            strategies.none() | strategies.frozensets(strategies.text('ab'))
        ),
        failures={i: f'no {status}' for i, status in migrations.items()},
        failed_on=dict.fromkeys(migrations, frozenset({'cmp02'})),
        progress={i: model.Progress(i, 9, 1.0) for i in migrations},
        histories={
            s.id: (resumed,) * draw(strategies.integers(0, 2)) for s in servers
        },
        down=frozenset(draw(strategies.sets(strategies.text('cmp')))),
    )


def orders(seen: list[model.Observation]) -> list[list[object]]:
    """Return the keys of all mappings, in their order."""
    return [
        list(value)
        for each in seen
        for field in dataclasses.fields(each)
        if isinstance(value := getattr(each, field.name), dict)
    ]


class TestDifference(unit.TestCase):
    @hypothesis.given(JSON, JSON)
    def test_leads_from_one_value_to_the_other(self, old, new):
        change = records.difference(old, new)
        # The text has the order of members, too.
        self.assertEqual(
            json.dumps(new), json.dumps(records.changed(old, change))
        )

    def test_has_only_what_differs(self):
        old = {'a': {'x': 1, 'y': None}, 'b': [1], 'c': {}}
        new = {'a': {'x': 1, 'y': 2}, 'b': [1], 'd': None}
        self.assertEqual(
            {'c': None, 'a': {'y': [2]}, 'd': [None]},
            records.difference(old, new),
        )
        self.assertEqual({}, records.difference(old, {**old}))

    def test_another_order_is_a_new_value(self):
        self.assertEqual(
            {'a': [{'y': 2, 'x': 1}]},
            records.difference(
                {'a': {'x': 1, 'y': 2}}, {'a': {'y': 2, 'x': 1}}
            ),
        )


class RecordsTestCase(unit.TestCase):
    def setUp(self):
        self.path = self.new_folder() / 'seen.jsonl'

    def write(self, *seen):
        """Record a drain that has two servers at first and one at last."""
        with writer.Recording(
            str(self.path), names=True, warn=self.fail
        ) as recording:
            for number, each in enumerate(seen, 1):
                rows = [builders.row(f'vm{n}') for n in range(number, 3)]
                recording.decided(
                    each,
                    POLICY,
                    1000.0,
                    builders.decision(rows, actions=(ACTION,)),
                )
                recording.acted('cmp01', ACTION, OUTCOME, 7)

    def read(self):
        return [record for _line, record in records.read(str(self.path))]


class TestRead(RecordsTestCase):
    @hypothesis.settings(max_examples=unit.examples(30))
    @hypothesis.given(strategies.lists(observations(), min_size=1))
    def test_what_was_written(self, seen):
        """Down to the order of what Nova listed."""
        self.path.unlink(missing_ok=True)
        self.write(*seen)
        began, *others = self.read()
        decided, acted = others[::2], others[1::2]

        self.assertEqual(records.FORMAT, began.format)
        again = [each.seen for each in decided]
        self.assertEqual(seen, again)
        self.assertEqual(orders(seen), orders(again))
        self.assertEqual({'vm1', 'vm2'}, set(decided[0].statuses))
        for statuses in [each.statuses for each in decided[1:2]]:
            self.assertEqual({'vm2': ('moved', '')}, statuses)
        for each in decided:
            self.assertEqual((POLICY, (ACTION,)), (each.policy, each.actions))
        self.assertEqual(
            [records.Acted('cmp01', ACTION, OUTCOME, 7)] * len(seen), acted
        )

    def test_an_empty_file(self):
        self.path.touch()
        self.assertEqual([], self.read())


class TestDamage(RecordsTestCase):
    SEEN = builders.observation([builders.server('vm1')])

    def refused(self, lines):
        """Return the reason why a file with these lines is refused."""
        self.path.write_text(''.join(lines))
        with self.assertRaises(ValueError) as caught:
            self.read()
        message = str(caught.exception)
        self.assertIn(f'{self.path}, line ', message)
        self.assertNotIn('\n', message)
        return message

    def lines(self):
        self.write(self.SEEN, self.SEEN)
        return self.path.read_text().splitlines(keepends=True)

    def test_a_last_line_that_was_cut_off(self):
        lines = self.lines()
        for cut in range(1, len(lines[-1])):
            self.path.write_text(''.join(lines)[: -cut - 1])
            self.assertEqual(4, len(self.read()))

    def test_a_line_of_an_earlier_drain_that_was_cut_off(self):
        self.path.write_text(''.join(self.lines())[:-9])
        self.write(self.SEEN)
        kinds = [type(record) for record in self.read()]
        self.assertEqual(7, len(kinds))
        self.assertEqual(records.Began, kinds[4])

    def test_a_line_in_the_middle_that_was_cut_off(self):
        lines = self.lines()
        lines[2] = '{"acted":{"h\n'
        self.assertIn('line 3', self.refused(lines))

    @unit.cases((0, 'no recording'), (1, 'before it are missing'))
    def test_a_missing_line(self, number, words):
        lines = self.lines()
        del lines[number]
        self.assertIn(words, self.refused(lines))

    @unit.cases(1, records.FORMAT + 1)
    def test_another_format(self, number):
        line = json.dumps({'began': {'format': number}}, separators=(',', ':'))
        self.assertIn(
            f'it has format {number}; only format 4 can be read',
            self.refused([line]),
        )

    @unit.cases(
        *('null', '7', '[]', '{}', '"x"', '{"x":{}}'),
        '{"acted":{"host":"cmp01","action":{"kind":"dream"}}}',
        '{"acted":null}',
        '{"decided":7}',
        '{"decided":{}}',
        '{"decided":{"cmp01":null}}',
        '{"decided":{"cmp01":7}}',
        '{"decided":{"cmp01":[{"now":1.0}]}}',
        '{"began":{"format":4,"version":7}}',
    )
    def test_a_line_that_is_none(self, line):
        began, *_others = self.lines()
        self.assertIn('line 2', self.refused([began, f'{line}\n']))
