# SPDX-License-Identifier: Apache-2.0

import json
import unittest

import ddt

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.recording import records
from tests.unit import builders

ACTION = memories.Action(
    memories.Kind.ABORT, 'vm1', host='cmp02', record_id=7, why='stalled'
)
NOTES = (
    records.Began(1, '1.2.3', '2026-11-21T08:00:00+00:00', names=False),
    records.Decided(
        host='cmp01',
        now=12.5,
        seen={'servers_at': 12.0},
        whole=False,
        policy=policies.Policy(running=policies.Running.COLD, parallel=3),
        actions=(ACTION,),
        stands={
            'vm1': (server_status.Phase.MOVING, 'stalled'),
            'vm2': None,
        },
        done=True,
    ),
    records.Decided('cmp01', 0.0, {}, False, None, (), {}, False),
    *(
        records.Acted(
            'cmp01',
            ACTION,
            memories.Outcome(answer, 12.6, 'No', final=True),
            7,
        )
        for answer in memories.Answer
    ),
)


@ddt.ddt
class TestNotes(unittest.TestCase):
    @ddt.data(*NOTES)
    def test_are_found_again(self, note):
        line = json.dumps(records.unstructure(note))

        self.assertEqual(note, records.structure(json.loads(line)))

    @ddt.data(
        None,
        7,
        [],
        {},
        {'dreamt': {}},
        {'began': None},
        {'began': {'format': 1}},
        {'began': {'format': 'x', 'version': '', 'at': '', 'names': False}},
        {'acted': {}, 'decided': {}},
        {'acted': {'host': 'cmp01', 'action': {'kind': 'dream'}}},
    )
    def test_what_is_none_is_told(self, tree):
        with self.assertRaises(ValueError):
            records.structure(tree)

    def test_where_servers_stand(self):
        decision = builders.decision(
            [builders.row(), builders.row('vm2', reason='x')]
        )

        self.assertEqual(
            {
                'vm1': (server_status.Phase.MOVED, ''),
                'vm2': (server_status.Phase.MOVED, 'x'),
            },
            records.stands_of(decision),
        )
