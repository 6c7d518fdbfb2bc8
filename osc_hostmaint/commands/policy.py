# SPDX-License-Identifier: Apache-2.0

import argparse
import collections.abc
import typing as ty

from osc_hostmaint.commands import options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api


def add(parser: argparse.ArgumentParser) -> None:
    """Let it be said what is to be done with which server."""
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
            'ACTIVE and PAUSED servers: live-migrate them; or cold-migrate '
            'those that Nova refuses to live-migrate, or that failed to, '
            'which restarts them; or cold-migrate all; or leave them'
        ),
    )
    add_choice(
        parser,
        '--stopped',
        default.stopped,
        _('SHUTOFF servers: cold-migrate them; or leave them'),
    )
    add_choice(
        parser,
        '--suspended',
        default.suspended,
        _(
            'SUSPENDED servers, which can be neither live- nor '
            'cold-migrated: leave them; or resume, live-migrate and suspend '
            'them again; or shelve and offload them'
        ),
    )
    add_choice(
        parser,
        '--shelved',
        default.shelved,
        _(
            'SHELVED servers that still lie on the host: offload them; or '
            'leave them'
        ),
    )
    add_choice(
        parser,
        '--resized',
        default.resized,
        _(
            'Servers that wait for their owner to confirm a resize, and '
            'still hold something on the host: leave them; or confirm the '
            'resize, which can not be reverted then'
        ),
    )


def add_exclusion(parser: argparse.ArgumentParser) -> None:
    """Let servers be named that are left alone."""
    parser.add_argument(
        '--exclude',
        metavar='<server>',
        action='append',
        default=[],
        help=_(
            'Leave this server where it is: its id, or its name if only one '
            'has it; may be repeated (default: none)'
        ),
    )


def _add_moves(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--parallel',
        metavar='<n>',
        type=options.count,
        help=_(
            'At most so many moves in flight per host (default: as many '
            'live migrations as Nova runs at once and one that waits, '
            'and two cold migrations)'
        ),
    )
    add_retries(parser)


def add_retries(parser: argparse.ArgumentParser) -> None:
    """Let it be said how often a move is tried, and how many may fail."""
    parser.add_argument(
        '--retries',
        metavar='<n>',
        type=options.number,
        default=2,
        help=_(
            'Further attempts for a move that failed, or that Nova refused '
            '(default: %(default)s)'
        ),
    )
    parser.add_argument(
        '--max-failures',
        metavar='<n>',
        type=options.number,
        default=3,
        help=_(
            'Start no other move once this many servers have failed one '
            'after another, over all hosts; 0 never stops (default: '
            '%(default)s)'
        ),
    )


def _add_destinations(parser: argparse.ArgumentParser) -> None:
    from osc_hostmaint.planning import policy as policies

    parser.add_argument(
        '--to',
        metavar='<host>',
        default='',
        help=_(
            'Move servers to this host only, each as far as the scheduler '
            'agrees (default: any host)'
        ),
    )
    add_choice(
        parser,
        '--spread',
        policies.Policy().spread,
        _(
            'Who picks a host for each server: balance asks for the one that '
            'leaves all hosts most even, and where the scheduler does not '
            'agree, it picks one; with scheduler it always does, and puts '
            'many live migrations in a row on one host'
        ),
    )
    parser.add_argument(
        '--parallel-per-destination',
        dest='per_destination',
        metavar='<n>',
        type=options.count,
        help=_(
            'At most so many moves in flight to one host, those of others '
            'included (default: no bound)'
        ),
    )


def add_stalls(parser: argparse.ArgumentParser) -> None:
    """Let it be said how long is waited for one move."""
    from osc_hostmaint.planning import policy as policies

    add_choice(
        parser,
        '--on-stall',
        policies.Policy().on_stall,
        _(
            'A live migration that stalls: wait for it; or have Nova '
            'complete it, which stops the server for as long as the rest '
            'takes; or abort it'
        ),
    )
    parser.add_argument(
        '--stall-after',
        metavar='<duration>',
        type=options.duration,
        default='10m',
        help=_(
            'A live migration stalls when the memory it has still to copy '
            'has not become less for this time (default: %(default)s)'
        ),
    )
    parser.add_argument(
        '--server-timeout',
        metavar='<duration>',
        type=options.duration,
        help=_(
            'Give up a move that takes longer than this: it is aborted '
            'where Nova can (default: never)'
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
    """Return how to drain."""
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
