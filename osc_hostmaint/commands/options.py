# SPDX-License-Identifier: Apache-2.0

"""Options, arguments and values that several commands share."""

import argparse
from collections import abc
import contextlib
import datetime
import functools
import logging
import os
import re
import typing as ty

from osc_hostmaint.i18n import _
from osc_hostmaint.notifications import url as urls

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

LOG = logging.getLogger(__name__)

_UNITS = {'': 1, 's': 1, 'm': 60, 'h': 3600, 'd': 86400}
_DURATION = re.compile(r'(?P<number>[0-9]{1,9})(?P<unit>[smhd]?)')
_TIME_OF_DAY = re.compile('(?:[01][0-9]|2[0-3]):[0-5][0-9]')
_MINUTE = datetime.timedelta(seconds=_UNITS['m'])
_DAY = datetime.timedelta(seconds=_UNITS['d'])
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


def until(text: str) -> datetime.datetime:
    """Return the time, as a local one, that ``HH:MM`` or ISO 8601 means.

    ``HH:MM`` is the next such local time. ISO 8601 without an offset is also
    local time.

    :raises argparse.ArgumentTypeError: it is neither, or in the past.
    """
    now = datetime.datetime.now(datetime.UTC)
    # astimezone() raises both near the years 1 and 9999.
    with contextlib.suppress(ValueError, OverflowError):
        for time in _meant(text, now):
            if time > now:
                return time.astimezone()
        raise argparse.ArgumentTypeError(
            _('%(text)r is in the past: it is %(now)s')
            % {'text': text, 'now': local(now)}
        )
    raise argparse.ArgumentTypeError(
        _('%r is not a time: write 06:00 or 2026-11-30T06:00:00+01:00') % text
    )


def local(time: datetime.datetime) -> str:
    """Return a time as local time with its offset from UTC, for people."""
    return time.astimezone().isoformat(' ', 'seconds')


def _meant(text: str, now: datetime.datetime) -> list[datetime.datetime]:
    """Return the times that a text may mean, the earliest first.

    :raises ValueError: it means none.
    """
    if not _TIME_OF_DAY.fullmatch(text):
        time = datetime.datetime.fromisoformat(text)
        return [time] if time.tzinfo else _local(time)
    wanted, today = datetime.time.fromisoformat(text), now.astimezone().date()
    days = (today, today + _DAY)
    return [
        time
        for day in days
        for time in _local(datetime.datetime.combine(day, wanted))
    ]


def _local(naive: datetime.datetime) -> list[datetime.datetime]:
    """Return when local clocks show a time: twice if they are set back.

    If they are set forward past it, this is when that happens.
    """
    times = [
        naive.replace(fold=fold).astimezone(datetime.UTC) for fold in (0, 1)
    ]

    def shown(time: datetime.datetime) -> datetime.datetime:
        return time.astimezone().replace(tzinfo=None)

    if naive not in map(shown, times):
        skipped = min(times)
        while shown(skipped) < naive:
            skipped += _MINUTE
        times = [skipped]
    return times


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


def hosts(text: str) -> list[str]:
    """Return the names in ``cmp01,cmp02``, or in a file (``@file``).

    White space also separates names in a file, and ``#`` begins a comment.

    :raises argparse.ArgumentTypeError: a name is empty, or the file cannot be
        read.
    """
    if not text.startswith('@'):
        return [host(name.strip()) for name in text.split(',')]
    path = text[1:]
    try:
        # Some editors begin a file with a byte order mark.
        with open(path, encoding='utf-8-sig') as file:
            lines = [line.partition('#')[0] for line in file]
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            _('cannot read %(path)r: %(error)s')
            % {'path': path, 'error': getattr(error, 'strerror', error)}
        ) from error
    return ' '.join(lines).replace(',', ' ').split()


#: Kinds of options: what :meth:`argparse.ArgumentParser.add_argument` gets.
FLAG = {'action': 'store_true'}
NUMBER = {'metavar': '<n>', 'type': number}
COUNT = {'metavar': '<n>', 'type': functools.partial(number, least=1)}
DURATION = {'metavar': '<duration>', 'type': duration}
HOSTS = {'metavar': '<host>', 'action': 'extend', 'type': hosts, 'default': []}


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


def add_hosts(parser: argparse.ArgumentParser, nargs: str = '+') -> None:
    """Add an argument for several hosts, by default for at least one."""
    parser.add_argument(
        'hosts', metavar='<host>', nargs=nargs, type=host, help=_HOST
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


def add_until(parser: argparse.ArgumentParser) -> None:
    """Add ``--until``."""
    add(
        parser,
        {'metavar': '<time>', 'type': until},
        until=_(
            'Start no move after this local time (06:00 or ISO 8601); await '
            'those in flight (default: never)'
        ),
    )


def echo_until(time: datetime.datetime | None) -> None:
    """Print when no more moves are started, if ever."""
    if time:
        LOG.warning(_('No move starts after %s (--until).'), local(time))


#: What ``--progress`` can be.
PROGRESS = ('auto', 'live', 'lines', 'none')


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Add ``--progress``."""
    add(
        parser,
        {'choices': PROGRESS, 'default': 'auto'},
        progress=_(
            'What standard error shows: a live view, lines, or only trouble; '
            'auto: live on a terminal (default: %(default)s)'
        ),
    )


#: What has the URLs of receivers by default, and the secret that signs.
#: OpenStackClient's --debug prints all variables that begin with OS_.
NOTIFY = 'OS_HOSTMAINT_NOTIFY'
NOTIFY_SECRET = 'HOSTMAINT_NOTIFY_SECRET'  # noqa: S105 - Its name.


def receiver(text: str) -> str:
    """Return the URL of a receiver.

    :raises argparse.ArgumentTypeError: it is none.
    """
    try:
        urls.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def add_notify(parser: argparse.ArgumentParser) -> None:
    """Add what sends events elsewhere."""
    add(
        parser,
        {'metavar': '<url>', 'action': 'append', 'type': receiver},
        notify=_(
            'Post events to this URL as CloudEvents; repeat for several '
            '(default: the URLs in OS_HOSTMAINT_NOTIFY)'
        ),
    )
    add(
        parser,
        {'metavar': '<file>'},
        notify_cacert=_(
            'CA certificates that verify https receivers (default: those of '
            'the Python package requests)'
        ),
        event_log=_(
            'Append the same events to this file, as lines of JSON (default: '
            'not logged)'
        ),
    )


def _receivers(parsed_args: argparse.Namespace) -> list[str]:
    """Return the URLs that events are posted to."""
    given: list[str] | None = parsed_args.notify
    return os.environ.get(NOTIFY, '').split() if given is None else given


def notify_problem(parsed_args: argparse.Namespace) -> str:
    """Return why events cannot be sent as asked for, or ''."""
    found = _receivers(parsed_args)
    if parsed_args.notify_cacert is not None and not found:
        return _('--notify-cacert: needs --notify <url>')
    if found and os.environ.get(NOTIFY_SECRET) == '':
        return _('%s is set, but empty') % NOTIFY_SECRET
    for url in found:
        try:
            urls.split(url)
        except ValueError as error:
            return f'{NOTIFY}: {error}'
    return ''


@contextlib.contextmanager
def notifying(
    parsed_args: argparse.Namespace,
) -> abc.Iterator['api.Notifier | None']:
    """Send events elsewhere meanwhile, if that is asked for.

    :raises HostMaintenanceError: a file cannot be used.
    """
    found, log = _receivers(parsed_args), parsed_args.event_log
    # A dry run changes nothing that there could be events of.
    if getattr(parsed_args, 'dry_run', False) or not (found or log):
        yield None
        return
    from osc_hostmaint import api
    from osc_hostmaint import interrupt

    notifier = api.Notifier(
        found,
        cacert=parsed_args.notify_cacert,
        secret=os.environ.get(NOTIFY_SECRET, ''),
        event_log=log,
        # Also with --quiet.
        warn=functools.partial(LOG.error, '%s'),
    )
    try:
        yield notifier
    finally:
        # The exit code is known by now, whatever comes.
        with interrupt.calling(notifier.give_up):
            notifier.close()


def add_run(
    parser: argparse.ArgumentParser, *, skip_capacity_check: str
) -> None:
    """Add what limits the time, ``--dry-run``, ``--skip-capacity-check``.

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
    add_until(parser)
    add(
        parser,
        FLAG,
        dry_run=_(
            'Show the moves and change nothing; exit code 0 if all would move '
            'and fit, 3 if not (default: off)'
        ),
        skip_capacity_check=skip_capacity_check,
    )
