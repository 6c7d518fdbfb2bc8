# SPDX-License-Identifier: Apache-2.0

"""Follow a page literally: run its commands in a terminal, one by one."""

from collections import abc
import difflib
import itertools
import os
import pathlib
import re
import sys
import tempfile

from tests import cloud as clouds
from tests import openstack
from tests import preloaded
from tests.pages import blocks
from tests.pages import scenes
from tests.pages import session

#: What a page calls ``openstack``; and what waits until a maintenance that
#: begins is told from the moves before it, which takes 5 s for clocks that
#: differ (timing.CLOCK_SKEW_SECONDS).
_FUNCTIONS = f"""
python -m {preloaded.__name__} "$PRELOADED" &
until [ -S "$PRELOADED" ]; do sleep 0.1; done
openstack() {{ python -S {preloaded.__file__} "$PRELOADED" "$@"; }}
heard_of() {{
    local now=$(date -u -d '6 seconds' +%FT%T)
    until openstack compute service list --host "$1" -f value -c 'Updated At' |
        awk -v now="$now" '$1 > now {{ heard = 1 }} END {{ exit !heard }}'
    do sleep 0.5; done
}}
"""

#: Shows the exit code of the command before, which may be any then.
_ASK = ('echo $?',)

#: Until when a restore looks back, in an output and in the next command.
_SINCE = re.compile(r'--since (\d{4}-\S+Z)')

Texts = dict[blocks.Block, tuple[str, ...]]


def played() -> list[pathlib.Path]:
    """Return the pages of which something is run."""
    return [
        page
        for page in blocks.pages()
        if any(block.scene for block in blocks.read(page))
    ]


def play(page: pathlib.Path, cloud: clouds.Cloud, factor: float) -> Texts:
    """Run what is run of a page, and return what its blocks are to show.

    :param factor: of all durations of the commands.
    :raises AssertionError: a command does not end as the page has it.
    """
    texts: Texts = {}
    run = [block for block in blocks.read(page) if not block.not_run]
    for number, group in itertools.groupby(run, lambda block: block.number):
        if number > 1:
            cloud.purge()
        texts.update(_play_scene(list(group), cloud, factor))
    return texts


def _play_scene(
    group: list[blocks.Block], cloud: clouds.Cloud, factor: float
) -> Texts:
    scenes.SCENES[group[0].scene](cloud)
    with tempfile.TemporaryDirectory() as where:
        (pathlib.Path(where) / '.cloud').symlink_to(cloud.state)
        env = _environ(cloud, factor)
        env['PRELOADED'] = os.path.join(where, '.preloaded')
        player = _Player(env, pathlib.Path(where))
        try:
            for block, following in itertools.zip_longest(group, group[1:]):
                if not block.screen:
                    player.play(block, following)
        finally:
            player.close()
    return player.texts


def _environ(cloud: clouds.Cloud, factor: float) -> dict[str, str]:
    """The environment of the shell."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith('OS_')},
        **cloud.env(),
        openstack.FACTOR: str(factor),
        'PATH': f'{os.path.dirname(sys.executable)}:{os.environ["PATH"]}',
        'PYTHONPATH': str(blocks.ROOT),
        'PYTHONIOENCODING': 'utf-8',
        'LANG': 'C.UTF-8',
        'TZ': 'UTC',
    }


class _Player:
    """Plays the blocks of a scene, one after the other; has to be closed."""

    def __init__(self, env: abc.Mapping[str, str], where: pathlib.Path):
        self.texts: Texts = {}
        self._since = ''
        self._shell = session.Session(env, where)
        self._shell.run(_FUNCTIONS)

    def close(self) -> None:
        self._shell.close()

    def play(
        self, block: blocks.Block, following: blocks.Block | None
    ) -> None:
        """Run a block, and note what it is to show.

        :param following: what comes after it, maybe a screen.
        """
        if block.before:
            self._run(block.before + '\n')
        screen = following if following and following.screen else None
        played: list[blocks.Step] = []
        steps = block.steps
        watched = [step for step in steps if step.command != _ASK][-1]
        for step, after in itertools.zip_longest(steps, steps[1:]):
            command = tuple(map(self._as_printed, step.command))
            ended = self._shell.run(
                '\n'.join(command) + '\n',
                screen.screen if screen and step is watched else (),
                block.interrupt if step is watched else (),
            )
            if ended.code and not (after and after.command == _ASK):
                raise AssertionError(f'{block}: {command}: {ended}')
            if screen and step is watched:
                self.texts[screen] = blocks.fold(ended.seen)
            for since in _SINCE.findall(ended.text):
                self._since = since
            output = blocks.fold(ended.text) if block.shows_output else ()
            played.append(blocks.Step(command, output))
        self.texts[block] = blocks.transcript(played)

    def _run(self, script: str) -> None:
        ended = self._shell.run(script)
        if ended.code:
            raise AssertionError(f'{script}{ended.text}')

    def _as_printed(self, line: str) -> str:
        """A line of a command, with the time that an output told to use."""
        if not self._since:
            return line
        return _SINCE.sub(f'--since {self._since}', line)


def differences(texts: Texts) -> abc.Iterator[str]:
    """Yield in words what a page shows that is not so."""
    for block, text in texts.items():
        if block.screen:
            # Another one on every run: it has the words, and that is all.
            continue
        shown = blocks.normalize('\n'.join(block.text))
        printed = blocks.normalize('\n'.join(text))
        if shown != printed:
            lines = difflib.unified_diff(
                shown, printed, f'{block} shows', 'printed', lineterm=''
            )
            yield '\n'.join(lines)
