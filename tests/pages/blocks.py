# SPDX-License-Identifier: Apache-2.0

"""The console blocks of the documentation, and what is said of them.

A comment above a block says what it needs:

``.. scene: <name>``
  This block and those after it are run, in order, on a cloud that has been
  prepared by that function of :mod:`tests.pages.scenes`.
``.. not run: <why>``
  This block is not run.
``.. before: <command>``
  This is done before the commands of the block: what a reader does elsewhere.
``.. press Ctrl-C at: <words>``
  Ctrl-C is pressed once each of these words, separated by ``;``, stands on
  the screen. It is for the last command of the block.
``.. screen at: <words>``
  Not a console block but the text block below is what stood on the screen
  then, during the last command of the console block before it.

A block in which no command has an output shows commands alone: what they
print is not compared, nor written down.
"""

from collections import abc
import dataclasses
import pathlib
import re
import textwrap

ROOT = pathlib.Path(__file__).parents[2]
_BLOCK = re.compile(r'^(?P<indent> *)\.\. code-block:: (?P<kind>\w+)$')
_MARK = re.compile(
    r'^ *\.\. (?P<mark>scene|not run|before|press Ctrl-C at|screen at): '
    r'(?P<text>.+)'
)
_PROMPT = '$ '
#: As wide as what is indented in a page.
COLUMNS = 76
#: The host that pages drain.
HOST = 'cmp01'


@dataclasses.dataclass(frozen=True)
class Step:
    """A command, as it is written, and what it printed."""

    command: tuple[str, ...]
    output: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Block:
    """A console block of a page, or the text of a screen.

    :ivar line: number of its first line of text in the page, from 0 on.
    :ivar number: how many scenes the page has had, this one included.
    :ivar screen: words that stood on the screen when it was taken; empty for
        a console block.
    """

    page: pathlib.Path
    line: int
    indent: str
    text: tuple[str, ...]
    scene: str = ''
    number: int = 0
    not_run: str = ''
    before: str = ''
    interrupt: tuple[str, ...] = ()
    screen: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f'{self.page.relative_to(ROOT)}:{self.line + 1}'

    @property
    def steps(self) -> list[Step]:
        """Its commands with their outputs."""
        found: list[tuple[list[str], list[str]]] = []
        for line in () if self.screen else self.text:
            if line.startswith(_PROMPT):
                found.append(([line.removeprefix(_PROMPT)], []))
            elif not found[-1][1] and found[-1][0][-1].endswith('\\'):
                found[-1][0].append(line)
            else:
                found[-1][1].append(line)
        return [Step(tuple(c), tuple(o)) for c, o in found]

    @property
    def shows_output(self) -> bool:
        return any(step.output for step in self.steps)


def read(page: pathlib.Path) -> list[Block]:
    """Return the console blocks of a page, and its screens."""
    lines = page.read_text().splitlines()
    marks: dict[str, str] = {}
    scene, scenes = '', 0
    found = []
    for number, line in enumerate(lines):
        if mark := _MARK.match(line):
            marks[mark['mark']] = mark['text']
            continue
        if not (block := _BLOCK.match(line)):
            continue
        if named := marks.pop('scene', ''):
            scene, scenes = named, scenes + 1
        screen = _words(marks.pop('screen at', ''))
        if block['kind'] == 'console' or screen:
            indent = block['indent'] + ' ' * 3
            text = _text(lines[number + 2 :], indent)
            found.append(
                Block(
                    page,
                    number + 2,
                    indent,
                    text,
                    scene,
                    scenes,
                    marks.pop('not run', ''),
                    marks.pop('before', ''),
                    _words(marks.pop('press Ctrl-C at', '')),
                    screen,
                )
            )
    return found


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(';') if word.strip())


def _text(lines: abc.Sequence[str], indent: str) -> tuple[str, ...]:
    """What is indented that much, without the indentation."""
    found = []
    for line in lines:
        if line and not line.startswith(indent):
            break
        found.append(line.removeprefix(indent))
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def pages() -> list[pathlib.Path]:
    """All pages of the documentation."""
    return [
        *sorted(ROOT.glob('*.rst')),
        *sorted((ROOT / 'doc' / 'source').rglob('*.rst')),
    ]


def prompts(page: pathlib.Path) -> set[int]:
    """Return the numbers of the lines that look like commands."""
    return {
        number
        for number, line in enumerate(page.read_text().splitlines())
        if line.lstrip().startswith(_PROMPT)
    }


def transcript(steps: abc.Iterable[Step]) -> tuple[str, ...]:
    """Commands with their outputs, as they stand in a block."""
    return tuple(
        line
        for step in steps
        for line in (
            _PROMPT + step.command[0],
            *step.command[1:],
            *step.output,
        )
    )


def fold(text: str) -> tuple[str, ...]:
    """Return the lines of an output, none longer than a page has room for.

    Tables are left alone.
    """
    return tuple(
        part
        for line in text.splitlines()
        for part in (
            [line]
            if len(line) <= COLUMNS or line[0] in '+|'
            else textwrap.wrap(
                line,
                COLUMNS,
                subsequent_indent='  ',
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
    )


def write(
    page: pathlib.Path, texts: abc.Mapping[Block, tuple[str, ...]]
) -> None:
    """Put other texts into blocks of a page."""
    lines = page.read_text().splitlines()
    for block in sorted(texts, key=lambda each: each.line, reverse=True):
        lines[block.line : block.line + len(block.text)] = [
            (block.indent + line).rstrip() for line in texts[block]
        ]
    page.write_text('\n'.join(lines) + '\n')


#: What differs from one run to the next, and what stands for it.
_CHANGES = (
    # Where lines are broken depends on all that follows.
    (r'\s+', ' '),
    (r'\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b', '<id>'),
    (
        r'\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?'
        r'(?:Z|[+-]\d\d:\d\d)?',
        '<time>',
    ),
    (r'\b\d+(?:\.\d+)? ?(?:s|min|h|ms|seconds)\b', '<duration>'),
    (r'"seconds": [\d.]+', '<duration>'),
    (r'\b\d+ MiB\b', '<memory>'),
    # How many of the servers have ended by then.
    (r'\[\d+/', '[<n>/'),
    (r'\b(?:\d+\.){3}\d+(?::\d+)?\b', '<address>'),
    # Which of several equal hosts a server goes to depends on how long
    # others take to get to theirs.
    (rf'\b(?!{HOST}\b)cmp\d\d\b', '<host>'),
    # The width of tables.
    (r'-{2,}', '-'),
)


def normalize(text: str) -> list[str]:
    """What of an output has to be the same on every run.

    The lines are sorted: which server is the first may depend on ids, and the
    order of a table's rows on hosts.
    """
    whole: list[str] = []
    for line in text.splitlines():
        if whole and line.startswith('  '):
            whole[-1] += line
        else:
            whole.append(line)
    return sorted(map(_normalized, whole))


def _normalized(text: str) -> str:
    for pattern, words in _CHANGES:
        text = re.sub(pattern, words, text)
    return text.strip()
