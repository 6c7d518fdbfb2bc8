# SPDX-License-Identifier: Apache-2.0

"""Names are tenants' input: harmless on a terminal, intact in JSON."""

from tests.functional import base

NAMES = {
    'escape': 'red\x1b[31m\u202e\u200b\x9b2J\x1b]0;title\x07\u2066\ufeff',
    'lines': 'one\ntwo\r\nthree\ttab\u2028four\x85',
    'format': '[bold red]%s{0}%(x)s[/] $HOME `id`',
    'formula': "=cmd|'/C calc'!A0" + 'x' * 235,
    'wide': '\u6f22\u5b57' * 30 + '\u0301\U0001f468\u200d\U0001f469',
}


class TestNames(base.FunctionalTest):
    def test_reasons(self) -> None:
        compute = self.cloud.connection().compute
        theirs = NAMES['escape'] + NAMES['lines']
        compute.disable_service(
            self.cloud.service('cmp01').id, disabled_reason=theirs
        )
        for line in ('list --all', 'show cmp01'):
            for form in (
                'table',
                'value',
                'shell' if 'show' in line else 'csv',
            ):
                out = self.openstack(f'host maintenance {line} -f {form}')
                self.assert_harmless(out)
                self.assertIn('x1b[31m', out)
        self.assertEqual(theirs, self.show('cmp01')['reason'])

    def boot_named(self) -> dict[str, str]:
        """Boot a server of each name, and return the names by id."""
        servers = self.cloud.boot_many(
            [{'name': name, 'host': 'cmp01'} for name in NAMES]
        )
        ids = {}
        for server, name in zip(servers, NAMES.values(), strict=True):
            self.cloud.rename(server, name)
            ids[server.id] = name
        return ids

    def assert_harmless(self, text: str) -> None:
        for line in text.split('\n'):
            self.assertTrue(line.isprintable(), repr(line))

    def test_names(self) -> None:
        ids = self.boot_named()

        rows = self.drain('--running leave cmp01', code=3)

        self.assertEqual(ids, {row['Server ID']: row['Name'] for row in rows})
        for line in ('value', 'csv', 'table --max-width 200'):
            done = self.run_command(
                f'host maintenance drain --dry-run -f {line} cmp01'
            )
            self.assertEqual(0, done.code, done.err)
            self.assert_harmless(done.out)
            self.assertIn(NAMES['format'], done.out)

        done = self.run_command('host maintenance drain cmp01')

        self.assertEqual(0, done.code, done.err)
        for text in (done.out, done.err):
            self.assert_harmless(text)
            self.assertIn(r'red\x1b[31m\u202e', text)
            self.assertIn(r'one\ntwo\r\nthree\ttab', text)
            self.assertIn(NAMES['format'], text)
        # One line a server, whatever its name says.
        self.assertEqual(4 + len(NAMES), len(done.out.splitlines()))
