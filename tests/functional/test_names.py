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

"""Names are tenants' input: harmless on a terminal, intact in JSON."""

from tests.functional import base

NAMES = {
    'escape': 'red\x1b[31m\x1b]0;title\x07\x9b2J',
    'markup': '[bold red]x[/] [/y] [link=file:///z]',
    'override': 'cmp\u202e10pmc\u2066\u200b\ufeff',
    'lines': 'one\ntwo\r\nthree\ttab\u2028four\x85',
    'formula': "=cmd|'/C calc'!A0",
    'format': '%s {0} %(x)s \\x41 $HOME `id`',
    'long': 'x' * 255,
    'wide': '\u6f22\u5b57' * 30 + '\u0301\U0001f468\u200d\U0001f469',
}


class TestNames(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        self.ids = {}
        servers = self.cloud.boot_many(
            [
                {'name': name, 'host': 'cmp01', 'state': 'SHUTOFF'}
                for name in NAMES
            ]
        )
        for server, name in zip(servers, NAMES.values(), strict=True):
            self.cloud.rename(server, name)
            self.ids[server.id] = name

    def assert_harmless(self, text: str) -> None:
        for line in text.split('\n'):
            self.assertTrue(line.isprintable(), repr(line))

    def test_table_and_progress(self) -> None:
        done = self.run_command('host maintenance drain cmp01')

        self.assertEqual(0, done.code, done.err)
        self.assert_harmless(done.out)
        self.assert_harmless(done.err)
        for text in (done.out, done.err):
            self.assertIn(r'red\x1b[31m', text)
            self.assertIn(NAMES['markup'], text)
            self.assertIn(r'cmp\u202e10pmc', text)
            self.assertIn(r'one\ntwo\r\nthree\ttab', text)
            self.assertIn(NAMES['format'], text)
        # One line a server, whatever its name says.
        self.assertEqual(4 + len(NAMES), len(done.out.splitlines()))

    def test_json(self) -> None:
        rows = self.drain('--stopped leave cmp01', code=3)

        self.assertEqual(
            self.ids, {row['Server ID']: row['Name'] for row in rows}
        )
