# SPDX-License-Identifier: Apache-2.0

"""Values that are shown differently to people and to machines."""

from collections import abc
import datetime
import re
import typing as ty

from cliff import columns

from osc_hostmaint import mark
from osc_hostmaint import text

_T = ty.TypeVar('_T')
#: What a command that shows something returns: names, and values or rows.
Output = tuple[abc.Sequence[str], abc.Iterable[ty.Any]]


class Printable(columns.FormattableColumn[str]):
    """A tenant's text: escaped for a terminal, intact for a machine."""

    def human_readable(self) -> str:
        return text.printable(self._value)


class _Escaped(columns.FormattableColumn[columns.FormattableColumn[ty.Any]]):
    """A value that is escaped in machine-readable formats as well."""

    def human_readable(self) -> str:
        return text.printable(self._value.human_readable())

    def machine_readable(self) -> ty.Any:
        value = self._value.machine_readable()
        if value is None:
            return ''
        return text.printable(value) if isinstance(value, str) else value


def harmless(
    values: abc.Iterable[ty.Any], formatter: str
) -> tuple[ty.Any, ...]:
    """Return values so that, in a format, none acts on a terminal.

    JSON and YAML have escapes of their own, and a word for what is unknown.
    All other formats print text as it is, whether people or machines read it,
    and nothing for what is unknown.
    """
    if formatter in ('json', 'yaml'):
        return tuple(values)
    found = map(_harmless, values)
    return tuple(map(_for_shells, found) if formatter == 'shell' else found)


def shown(value: ty.Any) -> str:
    """Return a value as people see it."""
    if isinstance(value, columns.FormattableColumn):
        return str(value.human_readable())
    return str(value)


def _for_shells(value: ty.Any) -> ty.Any:
    """Return a value that a shell only stores: cliff escapes ``"`` alone."""
    if isinstance(value, columns.FormattableColumn):
        value = value.machine_readable()
    if isinstance(value, bool | int | float):
        return value
    return re.sub(r'([\\$`])', r'\\\1', str(value))


def _harmless(value: ty.Any) -> ty.Any:
    if value is None:
        return ''
    if isinstance(value, Listed):
        return value
    if isinstance(value, str):
        value = Printable(value)
    formattable = isinstance(value, columns.FormattableColumn)
    return _Escaped(value) if formattable else value


class Name(Printable):
    """A name, which may be long: short for people, whole for a machine."""

    #: So wide it is shown, in columns.
    WIDTH: ty.ClassVar[int] = 60

    def human_readable(self) -> str:
        return text.shorten(super().human_readable(), self.WIDTH)


class Reason(Name):
    """A reason, which may have a fault in Nova's own words, of any length."""

    WIDTH = 2000


class _Optional(columns.FormattableColumn[_T | None]):
    """A value, or none, which ``--sort-column`` puts last as cliff does."""

    def __lt__(self, other: object) -> bool:
        theirs = getattr(other, '_value', None)
        if self._value is None or theirs is None:
            return self._value is not None
        return super().__lt__(other)


class Count(_Optional[int]):
    """A number; empty where there is none."""

    def human_readable(self) -> str:
        return '' if self._value is None else str(self._value)


class Seconds(_Optional[float]):
    """A time that something took; empty where it never began."""

    def human_readable(self) -> str:
        return '' if self._value is None else f'{self._value:.1f}'

    def machine_readable(self) -> float | None:
        return None if self._value is None else round(self._value, 1)


class Age(_Optional[ty.Any]):
    """For how long something has been so: in seconds for machines."""

    def human_readable(self) -> str:
        if self._value is None:
            return ''
        minutes = int(self._value.total_seconds()) // 60
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        if days:
            return f'{days}d {hours}h'
        return f'{hours}h {minutes}m' if hours else f'{minutes}m'

    def machine_readable(self) -> int | None:
        if self._value is None:
            return None
        return int(self._value.total_seconds())


class Time(_Optional[str]):
    """A time in UTC; empty where there is none."""

    def __init__(self, time: datetime.datetime | None):
        super().__init__(None if time is None else mark.iso(time))

    def human_readable(self) -> str:
        return self._value or ''


class Word(columns.FormattableColumn[str]):
    """A word of ours; empty where there is none."""

    def __init__(self, value: object):
        super().__init__(str(value or ''))

    def human_readable(self) -> str:
        return self._value


class LocalDisk(Word):
    """What becomes of what is on local disks (dry_run.Row.local_disk)."""

    def __init__(self, lost: bool | None):
        words = {None: '', True: 'lost unless shared', False: 'kept'}
        super().__init__(words[lost])


class Listed(columns.FormattableColumn[list[dict[str, ty.Any]]]):
    """Several things: lines for people, a list for machines."""

    def __init__(
        self, value: list[dict[str, ty.Any]], lines: abc.Iterable[str]
    ):
        super().__init__(value)
        self._lines = tuple(lines)

    def human_readable(self) -> str:
        return '\n'.join(map(text.printable, self._lines))
