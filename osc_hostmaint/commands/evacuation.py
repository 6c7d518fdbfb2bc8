# SPDX-License-Identifier: Apache-2.0

"""The options for hosts that have died, and their question."""

import argparse
import sys
import typing as ty

from osc_hostmaint import text
from osc_hostmaint.commands import policy as policy_options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api
    from osc_hostmaint import interrupt

#: Fields of the policy that say how a server leaves a host that is alive.
MEANINGLESS = (
    'running',
    'stopped',
    'suspended',
    'shelved',
    'resized',
    'on_stall',
    'stall_after',
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add ``--evacuate`` and the options that go with it."""
    parser.add_argument(
        '--evacuate',
        action='store_true',
        help=_(
            'The hosts have died: rebuild their servers elsewhere; local '
            'disks are lost unless shared (default: off)'
        ),
    )
    parser.add_argument(
        '--fenced',
        action='store_true',
        help=_(
            'You vouch that the hosts are powered off: force them down at '
            'once; unset undoes it (default: ask)'
        ),
    )
    parser.add_argument(
        '--leave-stopped',
        action='store_true',
        help=_(
            'With --evacuate: leave rebuilt servers stopped (default: the '
            'state that each had)'
        ),
    )


def problem(parsed_args: argparse.Namespace) -> str:
    """Return why options cannot be combined, or ''."""
    if not parsed_args.evacuate:
        wrong = [
            option
            for option, given in (
                ('--fenced', parsed_args.fenced),
                ('--leave-stopped', parsed_args.leave_stopped),
            )
            if given
        ]
        words = _('%s: can only be used with --evacuate')
        return words % ', '.join(wrong) if wrong else ''
    from osc_hostmaint.planning import policy as policies

    asked, default = policy_options.read(parsed_args), policies.Policy()
    wrong = [
        f'--{field.replace("_", "-")}'
        for field in MEANINGLESS
        if getattr(asked, field) != getattr(default, field)
    ]
    words = _(
        '%s: cannot be used with --evacuate, which only rebuilds servers'
    )
    return words % ', '.join(wrong) if wrong else ''


def confirm(stop: 'interrupt.Interrupt') -> 'api.Confirm | None':
    """Return a function that asks the user; None without a terminal.

    :param stop: a signal also ends the question.
    """
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stderr)):
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


def _is_terminal(stream: ty.TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        # Closed.
        return False
