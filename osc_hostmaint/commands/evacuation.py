# SPDX-License-Identifier: Apache-2.0

"""Options for hosts that have died, and the question that goes with them."""

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
    """Let it be said that hosts have died, and who vouches for that."""
    parser.add_argument(
        '--evacuate',
        action='store_true',
        help=_(
            'The hosts have died: rebuild their servers on other hosts. '
            'ACTIVE, SHUTOFF and ERROR servers are evacuated and keep their '
            'ids, addresses and volumes, but not what is on local disks, '
            'unless the hosts share these. Refused while the compute service '
            'is up'
        ),
    )
    parser.add_argument(
        '--fenced',
        action='store_true',
        help=_(
            'With --evacuate: you vouch that the hosts are powered off. They '
            'are forced down first, which "host maintenance unset" takes '
            'back, so that nobody has to wait until Nova misses them. '
            'Without it you are asked on a terminal'
        ),
    )
    parser.add_argument(
        '--leave-stopped',
        action='store_true',
        help=_(
            'With --evacuate: servers stay stopped once they are rebuilt '
            '(default: each gets the state back that it had)'
        ),
    )


def problem(parsed_args: argparse.Namespace) -> str:
    """Return why options do not go together, '' if they do."""
    if not parsed_args.evacuate:
        wrong = [
            option
            for option, given in (
                ('--fenced', parsed_args.fenced),
                ('--leave-stopped', parsed_args.leave_stopped),
            )
            if given
        ]
        words = _('%s: only with --evacuate, off a host that has died')
        return words % ', '.join(wrong) if wrong else ''
    from osc_hostmaint.planning import policy as policies

    asked, default = policy_options.read(parsed_args), policies.Policy()
    wrong = [
        f'--{field.replace("_", "-")}'
        for field in MEANINGLESS
        if getattr(asked, field) != getattr(default, field)
    ]
    words = _('%s: not with --evacuate, which can only rebuild servers')
    return words % ', '.join(wrong) if wrong else ''


def confirm(stop: 'interrupt.Interrupt') -> 'api.Confirm | None':
    """Return who asks the user, None where nobody can be asked.

    :param stop: a signal ends the question, too.
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
