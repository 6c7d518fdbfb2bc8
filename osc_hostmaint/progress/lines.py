# SPDX-License-Identifier: Apache-2.0

"""Events in words: a line on stderr for each that is worth one."""

import collections
from collections import abc
import dataclasses
import typing as ty

from osc_hostmaint import events
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.i18n import ngettext
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories

#: So wide a name is shown, in columns; the id beside it tells them apart.
NAME_COLUMNS = 40
#: So many servers are named in a line that several have together.
MOST_NAMED = 3
#: So wide a line may be, in columns: with what a reason advises at its end,
#: but not with all that Nova may have to say.
LINE_COLUMNS = 4000

Kind = memories.ActionKind
Fits = forecast.Fits

_Why = tuple[decisions.Result | None, str]
#: What has become of a server, and its line.
_Told = tuple[decisions.Row, str]

#: What is asked for, in words that ``... asked for`` can follow, where the
#: kind itself does not say it.
_REQUESTS = {
    Kind.RESET: _('resetting its state'),
    Kind.RESUME: _('resuming'),
    Kind.SUSPEND: _('suspending again'),
    Kind.UNTAG: _('removal of its tag'),
    Kind.SHELVE: _('shelving'),
    Kind.OFFLOAD: _('offloading'),
    Kind.ABORT: _('abort of its migration'),
    Kind.FORCE_COMPLETE: _('forced completion of its migration'),
}
_FITS = {
    Fits.YES: _('fit'),
    Fits.NO: _('do not fit'),
    Fits.UNKNOWN: _('may fit'),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Endings:
    """What is said of a host in the end."""

    well: str
    badly: str


DRAINED = Endings(_('drained'), _('not drained'))
EVACUATED = Endings(_('evacuated'), _('not evacuated'))
HOME = Endings(_('all back'), _('not all back'))
ENDINGS: abc.Mapping[events.Operation, Endings] = {
    events.Operation.DRAIN: DRAINED,
    events.Operation.EVACUATION: EVACUATED,
    events.Operation.RESTORE: HOME,
}


class Stream(ty.Protocol):
    """What lines are written to: a text file, or what acts like one."""

    def write(self, words: str, /) -> object:
        """Write some text."""

    def flush(self) -> object:
        """Let it be read at once."""


class Progress:
    """Writes events as lines for people.

    A stream that breaks (a closed terminal, a closed pipe) does not end a
    drain: nothing more is written then.
    """

    def __init__(
        self,
        stream: Stream | None,
        endings: Endings = DRAINED,
        stamp: abc.Callable[[], str] | None = None,
        grouped: abc.Container[codes.Code] = codes.OF_THE_RUN,
        kind: type[events.Event] = events.Event,
    ):
        """:param stamp: returns the time that each line begins with.

        :param grouped: servers that end for one of these have a line together.
        :param kind: of events that have lines at all.
        """
        self._stream = stream
        self._endings = endings
        self._stamp = stamp
        self._grouped = grouped
        self._kind = kind
        #: What is not written yet, by host, by what it has in common, and by
        #: the server's id.
        self._alike: dict[str, dict[_Why, dict[str, _Told]]] = {}

    def publish(self, event: events.Event) -> None:
        """Write the line of an event, if it has one.

        Servers that end at one look, and for one reason, have one line.
        """
        if isinstance(event, events.LookEnded | events.HostEnded):
            self._end_groups(event.host)
        line = _line(event, self._endings)
        if line is None or not isinstance(event, self._kind):
            return
        if isinstance(event, events.ServerEvent) and self._is_grouped(event):
            groups = self._alike.setdefault(event.host, {})
            alike = groups.setdefault(_why(event.row), {})
            alike[event.server_id] = event.row, line
        else:
            self._write(event.host, line)

    def _is_grouped(self, event: events.ServerEvent) -> bool:
        return event.row.result is not None and event.row.code in self._grouped

    def _end_groups(self, host: str) -> None:
        for (result, reason), alike in self._alike.pop(host, {}).items():
            _row, line = next(iter(alike.values()))
            if len(alike) > 1:
                words = _(
                    '%(count)d servers %(result)s (%(names)s): %(reason)s'
                )
                line = words % {
                    'count': len(alike),
                    'result': result,
                    'names': _some_names(alike),
                    'reason': reason,
                }
            self._write(host, line)

    def _write(self, host: str, line: str) -> None:
        if self._stream is None:
            return
        line = text.printable(f'{host}: {line}')
        if self._stamp:
            line = f'{self._stamp()} {line}'
        try:
            self._stream.write(f'{text.shorten(line, LINE_COLUMNS)}\n')
            self._stream.flush()
        except (OSError, ValueError):
            # ValueError: somebody closed the stream.
            self._stream = None


def _why(row: decisions.Row) -> _Why:
    """Return what servers have in common that end for the same reason."""
    return row.result, text.in_general(row.reason, row.server_id)


def _line(event: events.Event, endings: Endings) -> str | None:
    """Return an event in words, None where it is not worth a line."""
    match event:
        case events.Notice():
            return event.reason
        case events.Waiting():
            return _('waiting for %s') % event.reason
        case events.HostStarted():
            count = event.total
            words = ngettext('%d server', '%d servers', count) % count
            moves = (row.move for row in event.rows if row.move)
            return _counted(words, '%d by %s', collections.Counter(moves))
        case events.HostEnded():
            words = endings.well if event.drained else endings.badly
            return _counted(words, '%d %s', event.results)
        case events.ServerEvent():
            if news := _server_news(event):
                done = f'[{event.done}/{event.total}]'
                return f'{done} {_name(event.row)}: {news}'
    return None


def _counted(words: str, each: str, counts: abc.Mapping[ty.Any, int]) -> str:
    listed = ', '.join(each % (n, k) for k, n in sorted(counts.items()))
    return f'{words} ({listed})' if listed else words


def _server_news(event: events.ServerEvent) -> str | None:
    """Return what has happened to a server, None if that is no news."""
    row = event.row
    match event:
        case events.RequestSent():
            words = _REQUESTS.get(event.request, event.request)
            if host := event.destination:
                words = _('%(move)s to %(host)s') % {
                    'move': words,
                    'host': host,
                }
            return _('%s asked for') % words
        case events.MoveAdopted():
            if row.record and row.record.in_flight:
                return _('is being moved already')
            return _('has left the host; its move is to be confirmed')
        case events.RetryScheduled():
            return _('will be tried again: %s') % row.reason
        case events.ServerBusy():
            return _('waiting: %s') % row.reason
        case events.MoveDelayed():
            return row.reason
        case events.ServerChanged() | events.MoveProgressed():
            return None
    return _result(row)


def _result(row: decisions.Row) -> str:
    parts = [str(row.result)]
    moving = row.result is decisions.Result.MOVING
    if row.destination and (moving or row.result is decisions.Result.MOVED):
        parts.append(_('to %s') % row.destination)
    if row.seconds is not None:
        words = _('for %.0f s') if moving else _('in %.0f s')
        parts.append(words % row.seconds)
    line = ' '.join(parts)
    return f'{line}: {row.reason}' if row.reason else line


def preview_lines(
    preview: dry_runs.Preview, *, coming_home: bool = False
) -> abc.Iterator[str]:
    """Yield what would be done, in sum: lines for people."""
    seen, count = preview.capacity_forecast, len(preview.rows)
    verdicts = collections.Counter(each.fits for each in seen.fits.values())
    servers = ngettext('%d server', '%d servers', count) % count
    words = _('%(servers)s; none needs room %(where)s')
    if seen.fits:
        words = _(
            '%(servers)s; %(moving)d with %(memory).1f GiB of memory need '
            'room %(where)s: %(verdicts)s'
        )
    if preview.errors:
        # Their servers may not have been looked at.
        but = ', '.join(sorted(preview.errors))
        servers = _('%(servers)s, without %(hosts)s') % {
            'servers': servers,
            'hosts': but,
        }
    if count or not preview.errors:
        yield words % {
            'servers': servers,
            'moving': len(seen.fits),
            'memory': preview.memory_mb / 1024,
            'where': _('at home') if coming_home else _('on another host'),
            'verdicts': ', '.join(
                f'{verdicts[fits]} {_FITS[fits]}'
                for fits in _FITS
                if verdicts[fits]
            ),
        }
    if seen.utilizations:
        yield _('%(hosts)s may take any of them: %(fills)s') % {
            'hosts': ngettext('%d host', '%d hosts', seen.hosts) % seen.hosts,
            'fills': ', '.join(map(_utilization, seen.utilizations)),
        }
        tightest = seen.utilizations[0].resource_class
        yield _('the tightest resource is %s') % tightest
    if losing := sum(row.local_disk is True for row in preview.rows):
        words = ngettext(
            '%d server loses its local disk, unless the hosts share it',
            '%d servers lose their local disks, unless hosts share them',
            losing,
        )
        yield words % losing
    yield from seen.suggestions
    yield from preview.notes


#: How hosts are left that are not drained, as servers do not fit elsewhere.
MARKED = _('Nothing was moved; maintenance stays set on %s')
UNTOUCHED = _('Nothing was evacuated or changed on %s')


def misfit(hosts: str, preview: dry_runs.Preview, state: str = MARKED) -> str:
    """Return why a drain is refused before anything moves.

    :param state: how the hosts are left, with ``%s`` for their names.
    """
    words = _(
        'Not drained: %(misfits)d of %(servers)d servers do not fit on the '
        'other hosts (%(reasons)s). %(state)s. --dry-run shows which servers; '
        '--skip-capacity-check moves those that fit.'
    )
    return words % {**_misfits(preview), 'state': state % hosts}


def no_room_at_home(home: str, preview: dry_runs.Preview) -> str:
    """Return why servers are not brought back to a host."""
    words = _(
        'Nothing was brought back to %(host)s: %(misfits)d of %(servers)d '
        'servers do not fit there (%(reasons)s). openstack host maintenance '
        'restore --dry-run %(host)s shows which servers; '
        '--skip-capacity-check moves those that fit.'
    )
    left = sum(not row.skipped for row in preview.rows)
    return words % {**_misfits(preview), 'host': home, 'servers': left}


def _misfits(preview: dry_runs.Preview) -> dict[str, ty.Any]:
    """Return how many servers do not fit, why, and what would help."""
    seen = preview.capacity_forecast
    reasons = collections.Counter(seen.fits[i].reason for i in seen.misfits)
    why = (f'{n}: {words}' for words, n in reasons.most_common(3))
    return {
        'misfits': len(seen.misfits),
        'servers': len(preview.rows),
        'reasons': '; '.join((*why, *seen.suggestions)),
    }


def loss(row: dry_runs.Row) -> str:
    """Return what an evacuation costs a server."""
    words = _(
        '%s: what is on its local disk is lost, unless the hosts share it'
    )
    return words % _name(row)


def _utilization(utilization: forecast.Utilization) -> str:
    return _('%(name)s %(before).0f %% full, %(after).0f %% after') % {
        'name': utilization.resource_class,
        'before': 100 * utilization.before / utilization.capacity,
        'after': 100 * utilization.after / utilization.capacity,
    }


def _some_names(alike: abc.Mapping[str, _Told]) -> str:
    rows = [row for row, _line in alike.values()]
    names = [_short(row) or row.server_id for row in rows[:MOST_NAMED]]
    if left := len(rows) - len(names):
        names.append(_('%d more') % left)
    return ', '.join(names)


def _short(row: decisions.Row | dry_runs.Row) -> str:
    return text.shorten(text.printable(row.name), NAME_COLUMNS)


def _name(row: decisions.Row | dry_runs.Row) -> str:
    name = _short(row)
    return f'{name} ({row.server_id})' if name else row.server_id
