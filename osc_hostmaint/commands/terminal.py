# SPDX-License-Identifier: Apache-2.0

"""What of a table a terminal has room for, and the lines around it."""

import argparse
import collections
from collections import abc
import datetime
import os
import sys
import typing as ty

from osc_hostmaint import mark
from osc_hostmaint import text
from osc_hostmaint.i18n import _

if ty.TYPE_CHECKING:
    from osc_hostmaint import api
    from osc_hostmaint.progress import lines as progress_lines

    Rows = abc.Sequence[api.Row | api.PreviewRow]

#: So many servers are named below a sentence.
MOST_NAMED = 10
#: A column that is folded keeps at least so many columns of the terminal.
_LEAST = 20


def _now() -> str:
    return mark.iso(datetime.datetime.now(datetime.UTC))


def lines(
    *, quiet: bool, endings: 'progress_lines.Endings | None' = None
) -> 'progress_lines.Progress':
    """Return what writes events to stderr, a line each.

    :param quiet: only trouble.
    :param endings: what is said of a host in the end, if anything is.
    """
    from osc_hostmaint import events
    from osc_hostmaint.progress import lines as progress_lines

    # None: it was closed before Python began.
    stream: ty.TextIO | None = sys.stderr
    people = stream is not None and stream.isatty()
    return progress_lines.Progress(
        stream,
        endings or progress_lines.DRAINED,
        stamp=None if people else _now,
        kind=events.Trouble if quiet else events.Event,
    )


def width_for(
    parsed_args: argparse.Namespace, stdout: ty.TextIO
) -> int | None:
    """Return how wide a table may be, None where that does not matter.

    0: a terminal that does not know. It does not matter where something else
    than a terminal reads the table, or where columns or a width were chosen.
    """
    chosen = parsed_args.columns or parsed_args.max_width > 0
    if parsed_args.formatter != 'table' or chosen or not stdout.isatty():
        return None
    try:
        return os.get_terminal_size(stdout.fileno()).columns
    except OSError:
        # It was closed meanwhile.
        return None


def fitting(
    table: abc.Mapping[str, abc.Iterable[str]],
    width: int,
    dispensable: abc.Iterable[str],
    folded: str = '',
) -> list[str]:
    """Return the names of the columns that a terminal has room for.

    :param table: the values of each column, by its name.
    :param width: the terminal's, in columns; 0: it does not know.
    :param dispensable: what is left out if need be, the first one first.
    :param folded: a column that may take several lines.
    """
    widths = {
        name: max(map(text.width, (name, *values)))
        for name, values in table.items()
    }
    if folded in widths:
        widths[folded] = min(widths[folded], _LEAST)
    chosen = list(table)
    for name in dispensable:
        # Each has a border and two blanks.
        needed = 1 + sum(3 + widths[each] for each in chosen)
        if not 0 < width < needed:
            break
        if name in chosen:
            chosen.remove(name)
    return chosen


def fit(
    parsed_args: argparse.Namespace,
    stdout: ty.TextIO,
    table: abc.Mapping[str, abc.Iterable[str]],
    dispensable: abc.Iterable[str],
    folded: str = '',
) -> bool:
    """Have a table printed so that it fits a terminal: see :func:`fitting`.

    Nothing else is changed, nor columns or a width that were chosen.

    :returns: whether it is printed so.
    """
    width = width_for(parsed_args, stdout)
    if width is None:
        return False
    parsed_args.columns = fitting(table, width, dispensable, folded)
    parsed_args.fit_width = True
    return True


def alike(rows: 'Rows') -> bool:
    """Tell whether names do not tell servers apart."""
    return len({row.name for row in rows if row.name}) < len(rows)


def sentences(rows: 'Rows') -> abc.Iterator[str]:
    """Yield lines with the reasons of rows, each with its servers.

    They are left to the terminal to fold: what it folds can be copied whole,
    and of an advised command a part could be another one.
    """
    groups = collections.defaultdict[tuple[str, str], list[ty.Any]](list)
    for row in rows:
        if row.reason:
            words = text.in_general(row.reason, row.server_id)
            groups[row.code, words].append(row)
    for (code, words), servers in groups.items():
        reason = servers[0].reason if len(servers) == 1 else words
        yield ''
        yield text.printable(f'{code}: {reason}' if code else reason)
        for row in servers[:MOST_NAMED]:
            label = f'{row.name} ({row.server_id})'.strip()
            yield f'  {text.printable(label)}'
        if len(servers) > MOST_NAMED:
            yield _('  and %d more') % (len(servers) - MOST_NAMED)
