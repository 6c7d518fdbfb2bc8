# SPDX-License-Identifier: Apache-2.0

"""The guide's tables of states are what the rules say."""

import csv
import dataclasses
import io
import pathlib

from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.server import verdicts
from tests import unit
from tests.unit import builders
from tools import states

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = ROOT / 'doc' / 'source' / 'user'
TABLE = GUIDE / 'states.csv'
#: The table of hosts that have died.
EVACUATED = GUIDE / 'evacuated.csv'
#: Each table, what it is made of, and the option of the tool.
TABLES = (
    (TABLE, states.rows, ''),
    (EVACUATED, states.evacuated, '--evacuate '),
)


def statuses(table: pathlib.Path) -> set[str]:
    with table.open(newline='') as file:
        return {row['Status'] for row in csv.DictReader(file)}


class StatesTestCase(unit.TestCase):
    def test_the_tables_are_up_to_date(self) -> None:
        for table, rows, option in TABLES:
            written = io.StringIO()
            states.write(written, rows())
            self.assertEqual(
                table.read_text(),
                written.getvalue(),
                f'run: python tools/states.py {option}> '
                f'doc/source/user/{table.name}',
            )

    def test_what_is_blocked_says_why(self) -> None:
        for _table, rows, _option in TABLES:
            for status, option, happens, why in rows():
                with self.subTest(status=status, option=option):
                    self.assertTrue(why or happens != 'blocked')
                    self.assertNotIn('{', why)

    def test_every_status_that_a_host_may_have_is_in_both(self) -> None:
        every = {*nova_states.Status} - {
            nova_states.Status.DELETED,
            nova_states.Status.UNKNOWN,
        }
        self.assertLessEqual(every, statuses(TABLE))
        every.remove(nova_states.Status.SHELVED_OFFLOADED)
        self.assertLessEqual(every, statuses(EVACUATED))

    def test_who_was_off_and_who_is_to_be_are_the_same(self) -> None:
        policy = policies.Policy(evacuate=True)
        leave = dataclasses.replace(policy, leave_stopped=True)
        leave = verdicts.Terms(requested.operation(leave))
        off = verdicts.Terms(requested.operation(policy), was_stopped=True)
        for vm_state, _task in states.DEAD.values():
            server = builders.server(vm_state=vm_state)
            self.assertEqual(
                verdicts.judge(server, leave), verdicts.judge(server, off)
            )

    def test_the_state_below_is_that_of_the_status(self) -> None:
        for status, (vm_state, _task) in states.DEAD.items():
            known = builders.VM_STATES.get(status, vm_state)
            self.assertEqual(known, vm_state)
