# SPDX-License-Identifier: Apache-2.0

"""What a terminal shows of a table, and the sentences below it."""

from osc_hostmaint.commands import terminal
from osc_hostmaint.planning import code
from tests import unit
from tests.unit import builders

TABLE = {'Name': ['web-1', 'データベ'], 'Move': ['live'], 'Code': ['x' * 30]}
SUSPENDED = 'suspended: resume it (openstack server resume vm1) and go on'


def row(number=1, reason=SUSPENDED, **kwargs):
    server_id = f'vm{number}'
    kwargs = {'name': f'web-{number}', 'code': code.Code.SUSPENDED, **kwargs}
    words = reason.replace('vm1', server_id)
    return builders.row(server_id, reason=words, **kwargs)


class TestFitting(unit.TestCase):
    @unit.cases(
        # how wide it is, what is folded, what is left
        (52, '', ['Name', 'Move', 'Code']),
        (51, '', ['Name', 'Code']),
        (44, '', ['Code']),
        (9, '', ['Code']),
        (0, '', ['Name', 'Move', 'Code']),
        (42, 'Code', ['Name', 'Move', 'Code']),
        (41, 'Code', ['Name', 'Code']),
    )
    def test_columns(self, width, folded, expected):
        dispensable = ('Nothing', 'Move', 'Name')
        found = terminal.fitting(TABLE, width, dispensable, folded)
        self.assertEqual(expected, found)


class TestSentences(unit.TestCase):
    def lines(self, *rows):
        return list(terminal.sentences(rows))

    def test_one_server(self):
        """The command can be copied as it is."""
        expected = ['', f'suspended: {SUSPENDED}', '  web-1 (vm1)']
        self.assertEqual(expected, self.lines(row()))

    def test_same_reason(self):
        first, *lines = self.lines(*map(row, range(1, 14)), row(14, 'other'))
        self.assertEqual('', first)
        self.assertIn('(openstack server resume <server>)', lines[0])
        self.assertEqual('  web-1 (vm1)', lines[1])
        self.assertEqual('  and 3 more', lines[1 + terminal.MOST_NAMED])
        self.assertEqual(['suspended: other', '  web-14 (vm14)'], lines[-2:])

    def test_hostile(self):
        (_blank, *lines) = self.lines(row(reason='\x1b[2J', name='\u202e'))
        self.assertEqual([r'suspended: \x1b[2J', r'  \u202e (vm1)'], lines)

    def test_nothing_to_say(self):
        self.assertEqual([], self.lines(row(reason='')))

    @unit.cases((('a', 'b'), False), (('a', 'a'), True), (('a', ''), True))
    def test_alike(self, names, expected):
        rows = [row(n, name=name) for n, name in enumerate(names)]
        self.assertIs(expected, terminal.alike(rows))
