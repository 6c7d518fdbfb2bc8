# SPDX-License-Identifier: Apache-2.0

"""What is seen of a drain while it goes on."""

import json
import os
import re

from tests.cloud import waiting
from tests.functional import base
from tests.functional import terminal

DRAIN = 'host maintenance drain -f json cmp01'
ESCAPE = '\x1b['
#: Of a letter, or of what is behind it.
COLOR = re.compile(r'\x1b\[([0-9]+;)*([34][0-8]|9[0-7]|10[0-7])[;m]')
HIDDEN, SHOWN = '\x1b[?25l', '\x1b[?25h'


class TestTerminal(base.FunctionalTest):
    def setUp(self) -> None:
        super().setUp()
        # Of 2 GiB each.
        self.cloud.knobs(lm_gib_per_second=0.5)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))

    def begin(self, *options: str, **env: str) -> terminal.Terminal:
        words = [*base.OPENSTACK, *options, *DRAIN.split()]
        environ = {**self.environ(), 'TERM': 'xterm', **env}
        shell = terminal.Terminal(words, environ)
        self.addCleanup(shell.close)
        return shell

    def end(self, shell: terminal.Terminal, code: int = 0) -> str:  # type: ignore[override]
        """Expect an exit code and JSON, and return what stderr had."""
        done = shell.end()
        self.assertEqual(code, done.code, done.err)
        self.assertNotIn('Traceback', done.err)
        self.assertEqual(2, len(json.loads(done.out)))
        return done.err

    def assert_clean(self, shown: str) -> None:
        """The cursor is visible again."""
        self.assertIn(HIDDEN, shown)
        self.assertGreater(shown.rindex(SHOWN), shown.rindex(HIDDEN))

    def test_live_view(self) -> None:
        self.cloud.requests.reset()
        shown = self.end(self.begin())
        self.assertRegex(shown, r'active-\d to cmp\d+ .*of 2.0 GiB')
        self.assertIn('cmp01: drained (2 moved)', shown)
        self.assertRegex(shown, COLOR)
        self.assert_clean(shown)
        asked = [
            request
            for request in self.cloud.requests.log()
            if re.search(r'/servers/[^/]+/migrations/\d+$', request.path)
            and request.method == 'GET'
        ]
        self.assertTrue(asked)
        changes = [r for r in self.changes() if r.action == 'os-migrateLive']
        self.assertEqual(2, len(changes))

    def test_no_color_and_ascii_only(self) -> None:
        """Python itself takes ``LANG=C`` for UTF-8."""
        self.cloud.boot('caf\xe9', host='cmp01')
        ascii_only = {'LC_ALL': 'C', 'PYTHONIOENCODING': 'ascii'}
        shell = self.begin(NO_COLOR='1', **ascii_only)
        seen = (r'caf\xe9 to cmp', 'of 2.0 GiB', '-----')
        waiting.wait_for(
            lambda: all(each in shell.said for each in seen), 'a live view'
        )
        self.assertNotRegex(shell.said, COLOR)
        self.assertTrue(shell.said.isascii())

    def test_interrupted(self) -> None:
        shell = self.begin()
        waiting.wait_for(lambda: 'GiB' in shell.said, 'a live view')
        os.kill(shell.process.pid, base.signal.SIGINT)
        shown = self.end(shell, 130)
        self.assertIn('Interrupted: nothing new is started', shown)
        self.assert_clean(shown)

    def test_killed(self) -> None:
        """Nobody is left to mend the terminal."""
        shell = self.begin()
        waiting.wait_for(lambda: 'GiB' in shell.said, 'a live view')
        shell.process.kill()
        shell.process.wait()
        self.assert_clean(shell.said)

    def test_plain(self) -> None:
        """Where nothing may move about."""
        shown = self.end(self.begin(TERM='dumb'))
        self.assertNotIn(ESCAPE, shown)
        self.assertIn('live migration to cmp', shown)
        # As of before the drain.
        self.assertEqual([], self.cloud.servers('cmp01'))

    def test_quiet(self) -> None:
        self.assertEqual('', self.end(self.begin('--quiet')))
