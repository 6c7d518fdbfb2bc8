# SPDX-License-Identifier: Apache-2.0

"""The options for hosts that have died, and their question."""

import argparse
import os
import sys
import typing as ty

from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.commands import options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api
    from osc_hostmaint import interrupt

#: Fields of the policy that say how a server leaves a host that is alive.
MEANINGLESS = (
    *('running', 'stopped', 'suspended', 'shelved', 'resized'),
    *('on_stall', 'stall_after'),
)
#: What says nothing about a host that is alive.
ONLY_HERE = ('fenced', 'leave_stopped')


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``--evacuate`` and the options that go with it."""
    options.add(
        parser,
        options.FLAG,
        evacuate=_(
            'The hosts have died: rebuild their servers elsewhere; local '
            'disks are lost unless shared (default: off)'
        ),
        fenced=_(
            'You vouch that the hosts are powered off: force them down at '
            'once; unset undoes it (default: ask)'
        ),
        leave_stopped=_(
            'With --evacuate: leave rebuilt servers stopped (default: the '
            'state that each had)'
        ),
    )


def problem(parsed_args: argparse.Namespace) -> str:
    """Return why options cannot be combined, or ''."""
    from osc_hostmaint.planning import policy as policies

    names: tuple[str, ...] = ONLY_HERE
    words = _('%s: can only be used with --evacuate')
    if parsed_args.evacuate:
        names = MEANINGLESS
        words = _(
            '%s: cannot be used with --evacuate, which only rebuilds servers'
        )
    default = policies.Policy()
    wrong = [
        options.written(name)
        for name in names
        if getattr(parsed_args, name) != getattr(default, name, False)
    ]
    return words % ', '.join(wrong) if wrong else ''


def confirm(stop: 'interrupt.Interrupt') -> 'api.Confirm | None':
    """Return a function that asks the user; None without a terminal.

    :param stop: a signal also ends the question.
    """
    fds = [streams.descriptor(each) for each in (sys.stdin, sys.stderr)]
    if not all(fd is not None and os.isatty(fd) for fd in fds):
        return None

    def ask(question: str) -> bool:
        from rich import console
        from rich import prompt
        from rich import text as rich_text

        try:
            with stop.asking():
                return prompt.Confirm.ask(
                    rich_text.Text(text.printable(question)),
                    console=console.Console(stderr=True),
                    default=False,
                )
        except EOFError:
            return False

    return ask
