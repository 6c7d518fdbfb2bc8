# SPDX-License-Identifier: Apache-2.0


from osc_hostmaint import exceptions
from osc_hostmaint.engine import exclusion
from tests import unit

A, B, C, D = (f'00000000-0000-4000-8000-00000000000{x}' for x in 'abcd')
HOSTILE = '\x1b[2J\u202ehi\n'
SERVERS = {A: 'web', B: 'db', C: 'web', D: HOSTILE}
ELSEWHERE = '00000000-0000-4000-8000-0000000000ff'
MANY = {f'{n}': 'same' for n in range(1000)}


class TestResolve(unit.TestCase):
    @unit.cases(
        ([], []),
        ([A], [A]),
        ([A.upper()], [A]),
        (['db', 'db', B, C], [B, C]),
        ([HOSTILE], [D]),
    )
    def test_excluded_by_id_or_unique_name(self, wanted, ids):
        found = exclusion.resolve(wanted, SERVERS, 'on cmp01')
        self.assertEqual(frozenset(ids), found)

    @unit.cases(
        (
            ['db', 'dbx'],
            SERVERS,
            "no server on cmp01 has the id or the name 'dbx'",
        ),
        ([''], SERVERS, "the name ''"),
        ([HOSTILE + 'x'], SERVERS, r"'\x1b[2J\u202ehi\nx'"),
        # A tenant has named a server like another one's id.
        ([ELSEWHERE], {A: ELSEWHERE}, f"the name '{ELSEWHERE}'"),
        (
            ['web', 'x'],
            SERVERS,
            "2 servers on cmp01 have the name 'web': give the id instead "
            f"({A}, {C}); no server on cmp01 has the id or the name 'x'",
        ),
        (['same'], MANY, 'id instead (0, 1, 10, 100, 101 and others)'),
    )
    def test_unknown_or_ambiguous_exclusion_is_refused(
        self, wanted, servers, words
    ):
        with self.assertRaises(exceptions.Refused) as caught:
            exclusion.resolve(wanted, servers, 'on cmp01')
        self.assertIn(words, str(caught.exception))
        self.assertTrue(str(caught.exception).isprintable())
        self.assertTrue(str(caught.exception).startswith('--exclude: '))
        self.assertIn('. Nothing was changed: ', str(caught.exception))

    def test_moved_servers_are_listed_only_if_needed(self):
        asked = []

        def ask():
            asked.append(1)
            return {'x': 'web', 'y': 'gone'}

        self.assertEqual({B}, exclusion.resolve(['db'], SERVERS, '', ask))
        self.assertEqual([], asked)

        found = exclusion.resolve(['db', 'gone'], SERVERS, '', ask)
        self.assertEqual({B, 'y'}, found)
        self.assertEqual([1], asked)
