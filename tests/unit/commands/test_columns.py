# SPDX-License-Identifier: Apache-2.0

"""Shown to people harmlessly, and to machines intact."""

from osc_hostmaint.commands import columns
from tests import unit

HOSTILE = 'a\x1b[31m\n\u202eb'


class TestColumns(unit.TestCase):
    @unit.cases(
        # the column, for people, for machines
        (columns.Printable(HOSTILE), r'a\x1b[31m\n\u202eb', HOSTILE),
        (columns.Name('web'), 'web', 'web'),
        (columns.Name('x' * 255), 'x' * 59 + '…', 'x' * 255),
        (columns.Name('\x1b' * 99), r'\x1b' * 14 + r'\x1…', '\x1b' * 99),
        (columns.Reason('x' * 2001), 'x' * 1999 + '…', 'x' * 2001),
        (columns.Seconds(4.26), '4.3', 4.3),
        (columns.Seconds(0.0), '0.0', 0.0),
        (columns.Seconds(None), '', None),
        (columns.Count(12), '12', 12),
        (columns.Count(0), '0', 0),
        (columns.Count(None), '', None),
    )
    def test_values(self, column, people, machines):
        self.assertEqual(people, column.human_readable())
        self.assertEqual(machines, column.machine_readable())

    @unit.cases(
        *((form, ('', '', 3, r'\x1b')) for form in ('table', 'csv', 'value')),
        ('json', (None, None, 3, '\x1b')),
    )
    def test_what_is_unknown(self, formatter, expected):
        """Numbers stay numbers: CSV quotes everything else."""
        values = (None, columns.Count(None), columns.Count(3), '\x1b')
        found = columns.harmless(values, formatter)
        shown = (
            getattr(v, 'machine_readable', lambda v=v: v)() for v in found
        )
        self.assertEqual(expected, tuple(shown))

    def test_a_shell_only_stores_it(self):
        """cliff puts it between double quotes, and escapes only these."""
        name = '`id` $(id) $HOME \\ "x"'
        values = (name, columns.Listed([{'name': name}], [name]), None, 3)
        shown, listed, unknown, number = columns.harmless(values, 'shell')
        self.assertEqual(r'\`id\` \$(id) \$HOME \\ "x"', shown)
        self.assertNotRegex(listed, r'(?<!\\)[$`]')
        self.assertEqual(('', 3), (unknown, number))
