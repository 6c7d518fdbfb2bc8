# SPDX-License-Identifier: Apache-2.0

"""Options, arguments and values that several commands share."""

import argparse
from collections import abc
import functools
import re
import typing as ty

from osc_hostmaint.i18n import _

_UNITS = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}
_DURATION = re.compile(r'(?P<number>[0-9]{1,9})(?P<unit>[smhd]?)')
_HOST = _(
    'Compute host, by its exact name (see openstack compute service list)'
)


def duration(text: str) -> int:
    """Return the seconds in ``90``, ``90s``, ``15m``, ``2h`` or ``7d``.

    :raises argparse.ArgumentTypeError: it is none of these, or nothing.
    """
    match = _DURATION.fullmatch(text)
    seconds = int(match['number']) * _UNITS[match['unit']] if match else 0
    if not seconds:
        raise argparse.ArgumentTypeError(
            _('%r is not a duration: write 90, 90s, 15m, 2h or 7d') % text
        )
    return seconds


def spelled(seconds: float) -> str:
    """Return a duration as :func:`duration` reads it, in its largest unit."""
    each, unit = max((n, u) for u, n in _UNITS.items() if seconds % n == 0)
    return f'{seconds / each:.0f}{unit}'


def number(text: str, least: int = 0) -> int:
    """Return a number of at least so much.

    :raises argparse.ArgumentTypeError: it is not.
    """
    # Unlike isdecimal() this is true of 0 to 9 only.
    if not re.fullmatch('[0-9]{1,9}', text) or int(text) < least:
        raise argparse.ArgumentTypeError(
            _('%(text)r is not a number of at least %(least)d')
            % {'text': text, 'least': least}
        )
    return int(text)


def host(text: str) -> str:
    """Return the name of a host.

    :raises argparse.ArgumentTypeError: it is empty, as a shell's variable is
        that is not set.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError(_('the name of a host is empty'))
    return text


#: Kinds of options: what :meth:`argparse.ArgumentParser.add_argument` gets.
FLAG = {'action': 'store_true'}
NUMBER = {'metavar': '<n>', 'type': number}
COUNT = {'metavar': '<n>', 'type': functools.partial(number, least=1)}
DURATION = {'metavar': '<duration>', 'type': duration}


def add(
    parser: argparse.ArgumentParser,
    kind: abc.Mapping[str, ty.Any],
    **helps: str,
) -> None:
    """Add options of one kind, each with its help."""
    for name, words in helps.items():
        parser.add_argument(written(name), **kind, help=words)


def written(name: str) -> str:
    """Return an option as it is typed."""
    return f'--{name.replace("_", "-")}'


def add_host(parser: argparse.ArgumentParser) -> None:
    """Add an argument for one host."""
    parser.add_argument('host', metavar='<host>', type=host, help=_HOST)


def add_hosts(parser: argparse.ArgumentParser) -> None:
    """Add an argument for one or more hosts."""
    parser.add_argument(
        'hosts', metavar='<host>', nargs='+', type=host, help=_HOST
    )


def add_mark(parser: argparse.ArgumentParser) -> None:
    """Add ``--reason`` and ``--force``."""
    add(
        parser,
        {'metavar': '<text>'},
        reason=_(
            'Why the host is out of service, for everybody to read (default: '
            'none, or the reason it has)'
        ),
    )
    add(
        parser,
        FLAG,
        force=_('Take over a host that somebody else disabled (default: off)'),
    )


def add_run(
    parser: argparse.ArgumentParser, *, skip_capacity_check: str
) -> None:
    """Add ``--timeout``, ``--dry-run`` and ``--skip-capacity-check``.

    :param skip_capacity_check: the help of that.
    """
    add(
        parser,
        DURATION,
        timeout=_(
            'End with exit code 4 after this time (90, 90s, 15m, 2h); moves '
            'in flight continue (default: never)'
        ),
    )
    add(
        parser,
        FLAG,
        dry_run=_(
            'Show the moves and change nothing; exit code 0 if all would move '
            'and fit, 3 if not (default: off)'
        ),
        skip_capacity_check=skip_capacity_check,
    )
