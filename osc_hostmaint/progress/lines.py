# SPDX-License-Identifier: Apache-2.0

"""Progress on stderr: a line when something has become of a server."""

import collections
import collections.abc
import dataclasses
import typing as ty

from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.i18n import ngettext
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

#: So wide a name is shown, in columns; the id beside it tells them apart.
NAME_COLUMNS = 40
#: So wide a line may be, in columns. The table has reasons in full.
LINE_COLUMNS = 250

#: What is asked for, in words that ``... asked for`` can follow.
_REQUESTS: collections.abc.Mapping[memories.Kind, str] = {
    memories.Kind.LIVE_MIGRATE: _('live migration'),
    memories.Kind.COLD_MIGRATE: _('cold migration'),
    memories.Kind.EVACUATE: _('evacuation'),
    memories.Kind.RESET: _('resetting its state'),
    memories.Kind.CONFIRM: _('confirmation'),
    memories.Kind.RESUME: _('resuming'),
    memories.Kind.SUSPEND: _('suspending again'),
    memories.Kind.SHELVE: _('shelving'),
    memories.Kind.OFFLOAD: _('offloading'),
    memories.Kind.ABORT: _('abort of its migration'),
    memories.Kind.FORCE_COMPLETE: _('forced completion of its migration'),
}


_FITS: collections.abc.Mapping[forecast.Fits, str] = {
    forecast.Fits.YES: _('fit'),
    forecast.Fits.NO: _('do not fit'),
    forecast.Fits.UNKNOWN: _('may fit'),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Endings:
    """What is said of a host in the end."""

    well: str
    badly: str


DRAINED = Endings(_('drained'), _('not drained'))
EVACUATED = Endings(_('evacuated'), _('not evacuated'))
HOME = Endings(_('all home'), _('not all home'))


class Silence:
    """A reporter that tells nobody."""

    def decided(self, host: str, decision: decisions.Decision) -> None:
        """Take no note."""

    def trouble(self, host: str, text: str) -> None:
        """Take no note."""

    def ended(self, host: str, decision: decisions.Decision | None) -> None:
        """Take no note."""


class Progress:
    """A reporter that writes lines for people.

    A stream that breaks (a closed terminal, a pipe that nobody reads) is no
    reason to end a drain: nothing more is told then.
    """

    def __init__(self, stream: ty.TextIO, endings: Endings = DRAINED):
        self._stream: ty.TextIO | None = stream
        self._endings = endings
        self._rows: dict[str, dict[str, decisions.Row]] = {}
        self._waiting: dict[str, str] = {}

    def decided(self, host: str, decision: decisions.Decision) -> None:
        """Tell what has changed since the decision before."""
        before = self._rows.get(host)
        if before is None:
            self._opening(host, decision)
            before = {}
        rows = {row.server_id: row for row in decision.rows}
        asked = {action.server_id for action in decision.actions}
        done = sum(row.result is not None for row in decision.rows)
        count = f'[{done}/{len(decision.rows)}]'
        for row in decision.rows:
            old = before.get(row.server_id)
            if _is_news(row, old):
                line = _became(row, old, asked=row.server_id in asked)
                if line:
                    self._say(host, f'{count} {_name(row)}: {line}')
        for action in decision.actions:
            row = rows[action.server_id]
            self._say(host, f'{count} {_name(row)}: {_asked(action)}')
        self._rows[host] = rows
        waiting = decision.waiting_for
        if waiting and waiting != self._waiting.get(host):
            self._say(host, _('waiting for %s') % waiting)
        self._waiting[host] = waiting

    def trouble(self, host: str, text: str) -> None:
        """Tell that the cloud does not answer as it should."""
        self._say(host, text)

    def ended(self, host: str, decision: decisions.Decision | None) -> None:
        """Tell how it ended."""
        if decision is None:
            return
        results = collections.Counter(
            str(row.result) for row in decision.rows if row.result
        )
        counts = ', '.join(f'{n} {r}' for r, n in sorted(results.items()))
        endings = self._endings
        words = endings.well if decision.drained else endings.badly
        self._say(host, f'{words} ({counts})' if counts else words)

    def _opening(self, host: str, decision: decisions.Decision) -> None:
        moves = collections.Counter(
            row.move for row in decision.rows if row.move
        )
        counts = ', '.join(f'{n} by {m}' for m, n in sorted(moves.items()))
        count = len(decision.rows)
        words = ngettext('%d server', '%d servers', count) % count
        self._say(host, f'{words} ({counts})' if counts else words)

    def _say(self, host: str, line: str) -> None:
        if self._stream is None:
            return
        line = text.shorten(text.printable(f'{host}: {line}'), LINE_COLUMNS)
        try:
            self._stream.write(f'{line}\n')
            self._stream.flush()
        except (OSError, ValueError):
            # ValueError: somebody closed the stream.
            self._stream = None


def preview_lines(
    preview: dry_runs.Preview, *, coming_home: bool = False
) -> collections.abc.Iterator[str]:
    """Yield what would be done, in sum: lines for people."""
    where = _('at home') if coming_home else _('on another host')
    outlook = preview.outlook
    count, moving = len(preview.rows), len(outlook.fits)
    servers = ngettext('%d server', '%d servers', count) % count
    if not moving:
        yield _('%(servers)s; none needs room %(where)s') % {
            'servers': servers,
            'where': where,
        }
    else:
        verdicts = collections.Counter(f.fits for f in outlook.fits.values())
        yield _(
            '%(servers)s; %(moving)d with %(memory).1f GiB of memory need '
            'room %(where)s: %(verdicts)s'
        ) % {
            'servers': servers,
            'moving': moving,
            'memory': preview.memory_mb / 1024,
            'where': where,
            'verdicts': ', '.join(
                _('%(count)d %(fits)s') % {'count': n, 'fits': _FITS[fits]}
                for fits in _FITS
                if (n := verdicts[fits])
            ),
        }
    if outlook.fills:
        hosts = outlook.hosts
        yield _('%(hosts)s may take any of them: %(fills)s') % {
            'hosts': ngettext('%d host', '%d hosts', hosts) % hosts,
            'fills': ', '.join(_fill(fill) for fill in outlook.fills),
        }
        yield _('the tightest resource is %s') % (
            outlook.fills[0].resource_class
        )
    if losing := sum(row.local_disk is True for row in preview.rows):
        yield (
            ngettext(
                '%d server loses its local disk, unless the hosts share it',
                '%d servers lose their local disks, unless hosts share them',
                losing,
            )
            % losing
        )
    yield from outlook.remedies
    yield from preview.notes


#: How hosts are left that are not drained, as servers don't fit elsewhere.
MARKED = _('Nothing was moved off %s, where maintenance stays set')
UNTOUCHED = _('Nothing was evacuated off %s, nor changed there')


def misfit(hosts: str, preview: dry_runs.Preview, state: str = MARKED) -> str:
    """Return why a drain is refused before anything moves.

    :param state: how the hosts are left, with ``%s`` for their names.
    """
    outlook = preview.outlook
    return _(
        '%(state)s: %(misfits)d of %(servers)d servers do not fit elsewhere '
        '(%(reasons)s). --dry-run shows which; --skip-capacity-check moves '
        'those that do fit.'
    ) % {
        'state': state % hosts,
        'misfits': len(outlook.misfits),
        'servers': len(preview.rows),
        'reasons': _reasons(outlook),
    }


def no_room_at_home(home: str, preview: dry_runs.Preview) -> str:
    """Return why servers are not brought home to a host."""
    outlook = preview.outlook
    return _(
        'Nothing was brought home to %(host)s: %(misfits)d of %(servers)d '
        'servers do not fit there (%(reasons)s). openstack host maintenance '
        'restore --dry-run %(host)s shows which; with --skip-capacity-check '
        'it brings those that do fit.'
    ) % {
        'host': home,
        'misfits': len(outlook.misfits),
        'servers': sum(not row.skipped for row in preview.rows),
        'reasons': _reasons(outlook),
    }


def _reasons(outlook: forecast.Outlook) -> str:
    """Return why servers do not fit, and what would help."""
    reasons = collections.Counter(
        outlook.fits[server_id].reason for server_id in outlook.misfits
    )
    words = (f'{n}: {words}' for words, n in reasons.most_common(3))
    return '; '.join((*words, *outlook.remedies))


def loss(row: dry_runs.Row) -> str:
    """Return what an evacuation costs a server."""
    return _(
        '%s: what is on its local disk is lost, unless the hosts share it'
    ) % _name(row)


def _fill(fill: forecast.Fill) -> str:
    return _('%(name)s %(before).0f %% full, %(after).0f %% after') % {
        'name': fill.resource_class,
        'before': 100 * fill.before / fill.capacity,
        'after': 100 * fill.after / fill.capacity,
    }


def _name(row: decisions.Row | dry_runs.Row) -> str:
    name = text.shorten(text.printable(row.name), NAME_COLUMNS)
    return f'{name} ({row.server_id})' if name else row.server_id


def _asked(action: memories.Action) -> str:
    words = _REQUESTS[action.kind]
    if action.host:
        words = _('%(move)s to %(host)s') % {
            'move': words,
            'host': action.host,
        }
    return _('%s asked for') % words


def _is_news(row: decisions.Row, old: decisions.Row | None) -> bool:
    if old is None or old.phase is not row.phase:
        return True
    # Why a move failed may be known later than that it has.
    return (
        old.reason != row.reason and row.phase is not server_status.Phase.BUSY
    )


def _became(
    row: decisions.Row, old: decisions.Row | None, *, asked: bool
) -> str | None:
    """Return what has become of a server, None where that is no news.

    :param asked: something was just asked for it, which has its own line.
    """
    reason = row.reason
    # Without a pause it waits no more than for its turn.
    at_once = (
        row.phase is server_status.Phase.WAITING
        and old is not None
        and row.attempts > 0
        and row.reason != old.reason
    )
    if (row.phase is server_status.Phase.SETTLING or at_once) and reason:
        return _('will be tried again: %s') % reason
    if row.phase is server_status.Phase.BUSY:
        return _('waiting for it: %s') % reason
    if row.phase is server_status.Phase.MOVING and reason:
        return reason
    if row.phase is server_status.Phase.MOVING and not row.attempts:
        # Nobody has told of it yet: we did not ask for it.
        return None if old or asked else _adopted(row)
    if row.result is None:
        return None
    parts = [str(row.result)]
    moving = row.result is decisions.Result.MOVING
    if row.destination and (moving or row.result is decisions.Result.MOVED):
        parts.append(_('to %s') % row.destination)
    if row.seconds is not None:
        words = _('for %.0f s') if moving else _('in %.0f s')
        parts.append(words % row.seconds)
    line = ' '.join(parts)
    return f'{line}: {reason}' if reason else line


def _adopted(row: decisions.Row) -> str | None:
    """Return how far a move is that was not asked for by this run."""
    record = row.record
    if record and record.in_flight:
        return _('moving already')
    if record and record.awaits_confirmation:
        return _('has left already, and is to be confirmed')
    return None
