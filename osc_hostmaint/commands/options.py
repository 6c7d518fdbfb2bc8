# SPDX-License-Identifier: Apache-2.0

"""Options, arguments and values that several commands share."""

import argparse
import re

from osc_hostmaint.i18n import _

_UNITS = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}
_NUMBER = re.compile('[0-9]{1,9}')
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


def count(text: str) -> int:
    """Return a number of at least one.

    :raises argparse.ArgumentTypeError: it is not.
    """
    return _number(text, 1)


def number(text: str) -> int:
    """Return a number of at least zero.

    :raises argparse.ArgumentTypeError: it is not.
    """
    return _number(text, 0)


def _number(text: str, least: int) -> int:
    # Unlike isdecimal() this is true of 0 to 9 only.
    if not _NUMBER.fullmatch(text) or int(text) < least:
        raise argparse.ArgumentTypeError(
            _('%(text)r is not a number of at least %(least)d')
            % {'text': text, 'least': least}
        )
    return int(text)


def add_host(parser: argparse.ArgumentParser) -> None:
    """Add an argument for one host."""
    parser.add_argument('host', metavar='<host>', help=_HOST)


def add_hosts(parser: argparse.ArgumentParser) -> None:
    """Add an argument for one or more hosts."""
    parser.add_argument('hosts', metavar='<host>', nargs='+', help=_HOST)


def add_mark(parser: argparse.ArgumentParser) -> None:
    """Add ``--reason`` and ``--force``."""
    parser.add_argument(
        '--reason',
        metavar='<text>',
        help=_(
            'Why the host is out of service, for everybody to read (default: '
            'none, or the reason it has)'
        ),
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help=_('Take over a host that somebody else disabled (default: off)'),
    )
