# SPDX-License-Identifier: Apache-2.0

import argparse
import collections.abc
import typing as ty

from osc_hostmaint.commands import options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to do with servers."""
    _add_states(parser)
    add_exclusion(parser)
    _add_destinations(parser)
    _add_moves(parser)
    add_stalls(parser)


def _add_states(parser: argparse.ArgumentParser) -> None:
    from osc_hostmaint.planning import policy as policies

    default = policies.Policy()
    add_choice(
        parser,
        '--running',
        default.running,
        _(
            'ACTIVE, PAUSED servers; cold restarts them, live-or-cold only '
            'where live migration fails'
        ),
    )
    add_choice(
        parser,
        '--stopped',
        default.stopped,
        _('SHUTOFF servers: cold-migrate them or leave them'),
    )
    add_choice(
        parser,
        '--suspended',
        default.suspended,
        _(
            'SUSPENDED servers; resume also suspends them again after the '
            'move, shelve offloads them'
        ),
    )
    add_choice(
        parser,
        '--shelved',
        default.shelved,
        _(
            'SHELVED servers that are still on the host: offload them or '
            'leave them'
        ),
    )
    add_choice(
        parser,
        '--resized',
        default.resized,
        _(
            'Servers whose owner has not confirmed a resize; confirm makes '
            'it final'
        ),
    )


def add_exclusion(parser: argparse.ArgumentParser) -> None:
    """Add ``--exclude``."""
    parser.add_argument(
        '--exclude',
        metavar='<server>',
        action='append',
        default=[],
        help=_(
            'Leave this server where it is (id, or name if unique); may be '
            'repeated (default: none)'
        ),
    )


def _add_moves(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--parallel',
        metavar='<n>',
        type=options.count,
        help=_(
            'Most moves in flight per host (default: one live migration '
            'more than Nova runs, two cold ones)'
        ),
    )
    add_retries(parser)


def add_retries(parser: argparse.ArgumentParser) -> None:
    """Add ``--retries`` and ``--max-failures``."""
    parser.add_argument(
        '--retries',
        metavar='<n>',
        type=options.number,
        default=2,
        help=_(
            'Further attempts for a move that failed or was refused '
            '(default: %(default)s)'
        ),
    )
    parser.add_argument(
        '--max-failures',
        metavar='<n>',
        type=options.number,
        default=3,
        help=_(
            'Start no more moves after this many servers failed in a row; '
            '0 never stops (default: %(default)s)'
        ),
    )


def _add_destinations(parser: argparse.ArgumentParser) -> None:
    from osc_hostmaint.planning import policy as policies

    parser.add_argument(
        '--to',
        metavar='<host>',
        default='',
        help=_(
            'Move servers to this host only, if the scheduler agrees '
            '(default: any host)'
        ),
    )
    add_choice(
        parser,
        '--spread',
        policies.Policy().spread,
        _(
            'balance picks the least loaded host, falling back to the '
            'scheduler'
        ),
    )
    parser.add_argument(
        '--parallel-per-destination',
        dest='per_destination',
        metavar='<n>',
        type=options.count,
        help=_(
            'Most moves in flight to one host, including those of others '
            '(default: no limit)'
        ),
    )


def add_stalls(parser: argparse.ArgumentParser) -> None:
    """Add the options for moves that stall or take too long."""
    from osc_hostmaint.planning import policy as policies

    add_choice(
        parser,
        '--on-stall',
        policies.Policy().on_stall,
        _(
            'Live migration that stalls; force-complete stops the server '
            'until it is done'
        ),
    )
    parser.add_argument(
        '--stall-after',
        metavar='<duration>',
        type=options.duration,
        default='10m',
        help=_(
            'A live migration stalls if the memory left to copy has not '
            'decreased for this long (default: %(default)s)'
        ),
    )
    parser.add_argument(
        '--server-timeout',
        metavar='<duration>',
        type=options.duration,
        help=_(
            'Give up a move that takes longer than this; Nova aborts it if '
            'it can (default: never)'
        ),
    )


def add_choice(
    parser: argparse.ArgumentParser, option: str, default: ty.Any, words: str
) -> None:
    """Add an option with the values of an enumeration."""
    values = [v.value for v in type(default)]
    add_words(parser, option, values, default.value, words)


def add_words(
    parser: argparse.ArgumentParser,
    option: str,
    values: collections.abc.Sequence[str],
    default: str,
    words: str,
) -> None:
    """Add an option with one of some values."""
    parser.add_argument(
        option,
        choices=values,
        default=default,
        help=_('%(words)s (default: %(default)s)')
        % {'words': words, 'default': default},
    )


def read(parsed_args: argparse.Namespace) -> 'api.Policy':
    """Return the policy that the options ask for."""
    from osc_hostmaint.planning import policy as policies

    return policies.Policy(
        running=policies.Running(parsed_args.running),
        stopped=policies.Stopped(parsed_args.stopped),
        suspended=policies.Suspended(parsed_args.suspended),
        shelved=policies.Shelved(parsed_args.shelved),
        resized=policies.Resized(parsed_args.resized),
        evacuate=parsed_args.evacuate,
        leave_stopped=parsed_args.leave_stopped,
        exclude=frozenset(parsed_args.exclude),
        to=parsed_args.to,
        spread=policies.Spread(parsed_args.spread),
        per_destination=parsed_args.per_destination,
        parallel=parsed_args.parallel,
        retries=parsed_args.retries,
        max_failures=parsed_args.max_failures,
        on_stall=policies.OnStall(parsed_args.on_stall),
        stall_after=parsed_args.stall_after,
        server_timeout=parsed_args.server_timeout,
    )
