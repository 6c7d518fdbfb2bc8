# SPDX-License-Identifier: Apache-2.0

"""The console blocks of the documentation are run, or say why not."""

import pathlib
import tempfile

from tests import unit
from tests.pages import blocks
from tests.pages import scenes

PAGE = """\
Title
=====

.. scene: empty

.. press Ctrl-C at: one; two

.. code-block:: console

   $ first \\
       --more
   printed

     indented
   $ second

.. screen at: three

.. code-block:: text

   a screen

* item

  .. not run: why

  .. code-block:: console

     $ third
"""


class PagesTestCase(unit.TestCase):
    def test_each_block_is_run_or_says_why_not(self) -> None:
        for page in blocks.pages():
            for block in blocks.read(page):
                with self.subTest(str(block)):
                    self.assertTrue(block.scene or block.not_run)
                    self.assertIn(block.scene, ['', *scenes.SCENES])

    def test_each_command_is_in_a_console_block(self) -> None:
        for page in blocks.pages():
            known = {
                number
                for block in blocks.read(page)
                for number in range(block.line, block.line + len(block.text))
            }
            for number in blocks.prompts(page) - known:
                self.fail(f'{page}:{number + 1} is in no console block')

    def test_each_scene_is_used(self) -> None:
        used = {b.scene for page in blocks.pages() for b in blocks.read(page)}
        self.assertEqual(set(scenes.SCENES), used - {''})


class BlocksTestCase(unit.TestCase):
    def setUp(self) -> None:
        super().setUp()
        directory = self.enterContext(tempfile.TemporaryDirectory())
        self.page = pathlib.Path(directory) / 'page.rst'
        self.page.write_text(PAGE)

    def test_read(self) -> None:
        first, screen, third = blocks.read(self.page)
        self.assertEqual('empty', first.scene)
        self.assertEqual(('one', 'two'), first.interrupt)
        self.assertEqual(
            [
                blocks.Step(
                    ('first \\', '    --more'),
                    ('printed', '', '  indented'),
                ),
                blocks.Step(('second',), ()),
            ],
            first.steps,
        )
        self.assertEqual(('three',), screen.screen)
        self.assertEqual([], screen.steps)
        self.assertEqual('why', third.not_run)
        self.assertEqual(
            (False, True), (third.shows_output, first.shows_output)
        )

    def test_write(self) -> None:
        first, screen, third = blocks.read(self.page)
        blocks.write(
            self.page,
            {
                block: blocks.transcript(block.steps)
                for block in (first, third)
            },
        )
        self.assertEqual(PAGE, self.page.read_text())
        blocks.write(self.page, {screen: ('other', '', 'lines')})
        self.assertEqual(
            PAGE.replace('a screen', 'other\n\n   lines'),
            self.page.read_text(),
        )

    def test_fold(self) -> None:
        table = '|' + ' word' * 20
        self.assertEqual((table,), blocks.fold(table))
        self.assertEqual(('', 'short'), blocks.fold('\nshort'))
        folded = blocks.fold('word ' * 20)
        self.assertEqual('  word', folded[1][:6])
        self.assertGreaterEqual(blocks.COLUMNS, max(map(len, folded)))

    def test_normalize(self) -> None:
        one = """\
+------+-------+-------+
| Name | Host  | Since |
| db   | cmp02 | now   |
| web  | cmp03 | 2026-11-30T09:02:05Z |
cmp01: web (e814d5c7-577e-497e-9593-2fd52e67bd0c): moved in 2 s
"""
        other = """\
+------+-------+----------+
| Name | Host  | Since    |
| web  | cmp02 | 2027-01-02T10:00:00Z |
| db   | cmp04 | now      |
cmp01: web (00000000-577e-497e-9593-2fd52e67bd0c): moved in 12.5
  s
"""
        self.assertEqual(blocks.normalize(one), blocks.normalize(other))
        for word in ('web', 'cmp01', 'moved', 'now', 'Host'):
            changed = one.replace(word, 'else')
            self.assertNotEqual(
                blocks.normalize(one), blocks.normalize(changed)
            )
