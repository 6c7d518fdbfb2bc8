# SPDX-License-Identifier: Apache-2.0

import argparse
from collections import abc
import enum
import typing as ty

from osc_hostmaint.commands import options
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api


def add_states(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what to do with servers, by status."""
    add_choices(
        parser,
        running=_(
            'ACTIVE, PAUSED servers; cold restarts them, live-or-cold only '
            'where live migration fails (default: %(default)s)'
        ),
        stopped=STOPPED,
        suspended=_(
            'SUSPENDED servers; resume also suspends them again after the '
            'move, shelve offloads them (default: %(default)s)'
        ),
        shelved=_(
            'SHELVED servers that are still on the host: offload them or '
            'leave them (default: %(default)s)'
        ),
        resized=_(
            'Servers whose owner has not confirmed a resize; confirm makes '
            'it final (default: %(default)s)'
        ),
    )


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to drain a host."""
    from osc_hostmaint.planning import timing

    add_states(parser)
    add_exclusion(parser)
    add_tenant_policy(parser)
    options.add(
        parser,
        {'metavar': '<host>', 'type': options.host},
        to=_(
            'Move servers to this host only, if the scheduler agrees '
            '(default: any host)'
        ),
    )
    options.add(
        parser,
        options.HOSTS,
        avoid=_(
            'Use these hosts last (several with commas, or @<file> with their '
            'names); may be repeated (default: none)'
        ),
    )
    add_choices(
        parser,
        spread=_(
            'balance picks the least loaded host, falling back to the '
            'scheduler (default: %(default)s)'
        ),
    )
    options.add(
        parser,
        {**options.COUNT, 'dest': 'per_destination'},
        parallel_per_destination=_(
            'Most moves in flight to one host, including those of others '
            '(default: no limit)'
        ),
    )
    options.add(
        parser,
        options.COUNT,
        parallel=_(
            'Most moves in flight per host (default: one live migration '
            'more than Nova runs, cold ones: %d)'
        )
        % timing.UNQUEUED_MOVES_AT_ONCE,
    )
    add_failures(parser)


STOPPED = _(
    'Servers that are off: cold-migrate or leave them (default: %(default)s)'
)


def add_exclusion(parser: argparse.ArgumentParser) -> None:
    """Add ``--exclude``."""
    options.add(
        parser,
        {'metavar': '<server>', 'action': 'append', 'default': []},
        exclude=_(
            'Leave this server where it is (id, or name if unique); may be '
            'repeated (default: none)'
        ),
    )


def add_tenant_policy(parser: argparse.ArgumentParser) -> None:
    """Add ``--tenant-policy``."""
    add_choices(
        parser,
        tenant_policy=_(
            "Follow what servers' owners want by maintenance:policy and "
            'maintenance:leave, or not (default: %(default)s)'
        ),
    )


def add_failures(parser: argparse.ArgumentParser) -> None:
    """Add the options for moves that fail, stall or take too long."""
    from osc_hostmaint.planning import policy as policies

    options.add(
        parser,
        options.NUMBER,
        retries=_(
            'Further attempts for a move that failed or was refused '
            '(default: %(default)s)'
        ),
        max_failures=_(
            'Start no more moves after this many servers failed in a row; '
            '0 never stops (default: %(default)s)'
        ),
    )
    add_choices(
        parser,
        on_stall=_(
            'Live migration that stalls; force-complete stops the server '
            'until it is done (default: %(default)s)'
        ),
    )
    options.add(
        parser,
        options.DURATION,
        stall_after=_(
            'A live migration stalls if the memory left to copy has not '
            'decreased for this long (default: %(default)s)'
        ),
        server_timeout=_(
            'Give up a move that takes longer than this; Nova aborts it if '
            'it can (default: never)'
        ),
    )
    default = policies.Policy()
    parser.set_defaults(
        retries=default.retries,
        max_failures=default.max_failures,
        stall_after=options.spelled(default.stall_after),
    )


def add_choices(parser: argparse.ArgumentParser, **helps: str) -> None:
    """Add options with the values of the policy's enumerations."""
    from osc_hostmaint.planning import policy as policies

    for name, words in helps.items():
        default = getattr(policies.Policy(), name)
        values = [each.value for each in type(default)]
        kind = {'choices': values, 'default': default.value}
        options.add(parser, kind, **{name: words})


def read(
    parsed_args: argparse.Namespace, but: abc.Container[str] = ()
) -> 'api.Policy':
    """Return the policy that the options ask for.

    :param but: options that are no fields of it.
    """
    from osc_hostmaint.planning import policy as policies

    default = policies.Policy()
    values = {
        name: value
        for name, value in vars(parsed_args).items()
        if hasattr(default, name) and name not in but and value is not None
    }
    for name, value in values.items():
        kind = type(getattr(default, name))
        if issubclass(kind, (enum.Enum, frozenset)):
            values[name] = kind(value)
    return policies.Policy(**values)
