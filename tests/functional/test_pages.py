# SPDX-License-Identifier: Apache-2.0

"""The console blocks of the documentation, followed literally."""

import io
import pathlib

from tests.cloud import options
from tests.cloud import supervisor
from tests.functional import base
from tests.functional import shell
from tests.pages import blocks
from tests.pages import play

TUTORIAL = blocks.ROOT / 'doc' / 'source' / 'user' / 'tutorial.rst'


class TestPages(base.FunctionalTest):
    #: As in a cloud that a reader starts.
    options = {'max_live': 1}

    def follow(self, page: pathlib.Path) -> None:
        texts = play.play(page, self.cloud, shell.FACTOR)
        self.assertTrue(texts)
        if found := list(play.differences(texts)):
            self.fail('\n'.join(found))


def _add_tests() -> None:
    """Make a test of each page, so that they may run side by side."""
    for page in play.played():

        def test(self: TestPages, page: pathlib.Path = page) -> None:
            self.follow(page)

        setattr(TestPages, f'test_{page.stem.replace("-", "_")}', test)


_add_tests()


class TestGreeting(base.FunctionalTest):
    def test_tutorial_shows_what_a_cloud_says(self) -> None:
        state = '/home/alice/osc-hostmaint/.cloud'
        blueprint = options.Blueprint(options.Options(4, state), {})
        printed = io.StringIO()
        supervisor._greet(blueprint, 12.0, printed)
        (start,) = (
            step
            for block in blocks.read(TUTORIAL)
            for step in block.steps
            if 'tox.py -e cloud' in step.command[0] and step.output
        )
        self.assertEqual(printed.getvalue().splitlines(), [*start.output])
