# SPDX-License-Identifier: Apache-2.0

"""The lines of a recording, and how they are read.

A recording is a text file of JSON objects, one a line, each with one member:

``began``
  A drain begins. What came before has nothing to do with it.
``decided``
  By host, what differs between this decision and the one before it.
``acted``
  The outcome of an action.
"""

from collections import abc
import contextlib
import dataclasses
import itertools
import json
import typing as ty

import cattrs
from cattrs.preconf import json as preconf

from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

#: Counted up when older readers cannot read the lines any more.
FORMAT = 4
#: What every recording begins with.
BEGINNING = '{"began":{"format":'

#: Longest line, in characters: some thousand servers.
MAX_LINE = 2**24
#: Longest reason in a message, in characters.
_MAX_REASON = 500

CONVERTER = preconf.make_converter()


def _only(*types: type) -> abc.Callable[[ty.Any, ty.Any], ty.Any]:
    """Return a hook that takes values as they are, but only of some types."""

    def check(value: ty.Any, wanted: ty.Any) -> ty.Any:
        if type(value) not in types:
            raise TypeError(f'this is no {wanted.__name__}')
        return wanted(value)

    return check


# Without these, null is read as 'None', and any text as true.
CONVERTER.register_structure_hook(str, _only(str))
CONVERTER.register_structure_hook(bool, _only(bool))
CONVERTER.register_structure_hook(float, _only(float, int))
# The keys of an object are text.
CONVERTER.register_structure_hook(int, _only(int, str))

#: A server's phase, and the reason.
Status = tuple[server_status.Phase, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Began:
    """A drain begins."""

    format: int
    #: Of this package.
    version: str
    #: In UTC, ISO 8601.
    at: str
    #: Names and addresses are the real ones.
    names: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Decided:
    """A decision for one host, and all that it was made from but memory."""

    now: float
    seen: model.Observation
    policy: policies.Policy
    actions: tuple[memories.Action, ...]
    #: By the servers' ids.
    statuses: abc.Mapping[str, Status]
    done: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Acted:
    """The outcome of an action."""

    host: str
    action: memories.Action
    outcome: memories.Outcome
    highest_id: int


Record = Began | Decided | Acted


def statuses(decision: decisions.Decision) -> dict[str, Status]:
    """Return the servers' phases and reasons, by id."""
    return {row.server_id: (row.phase, row.reason) for row in decision.rows}


def difference(old: ty.Any, new: ty.Any) -> ty.Any:
    """Return what turns one JSON value into another.

    A list holds a new value. An object has the members that differ; null is
    a member that is gone. The order of members is kept, since a decision may
    depend on the order in which Nova lists.
    """
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [new]
    gone = {}
    if [*old] != [*new]:
        gone = {key: None for key in old if key not in new}
        kept = [key for key in old if key in new]
        if [*new][: len(kept)] != kept:
            return [new]
    changes = {
        key: change
        for key, value in new.items()
        if isinstance(value, dict) or key not in old or value != old[key]
        if (change := difference(old.get(key), value))
    }
    return {**gone, **changes}


def changed(old: ty.Any, change: ty.Any) -> ty.Any:
    """Return a JSON value with a difference applied.

    :raises ValueError: the difference is from another value.
    """
    match change:
        case [value]:
            return value
        case dict() if isinstance(old, dict):
            new = {**old}
            for key, value in change.items():
                if value is None:
                    new.pop(key, None)
                else:
                    new[key] = changed(old.get(key), value)
            return new
    raise ValueError('the lines before it are missing')


def read(path: str) -> abc.Iterator[tuple[int, Record]]:
    """Yield the records of a file with the numbers of their lines.

    A line that was cut off when its drain was killed is left out.

    :raises OSError: it cannot be read.
    :raises ValueError: it is no recording, is damaged, or has another format.
    """
    hosts: dict[str, ty.Any] = {}
    with open(path, encoding='utf-8', errors='replace') as file:
        # A line may be the last of its drain: another begins after it.
        lines = itertools.chain(_lines(path, file), [(0, BEGINNING)])
        for (number, line), (_next, after) in itertools.pairwise(lines):
            with located(path, number):
                if number == 1 and not line.startswith(BEGINNING):
                    raise ValueError('this is no recording')
                try:
                    tree = json.loads(line)
                except json.JSONDecodeError:
                    if after.startswith(BEGINNING):
                        continue
                    raise
                record = _record(tree, hosts)
            yield number, record


@contextlib.contextmanager
def located(path: str, number: int) -> abc.Iterator[None]:
    """Say of whatever goes wrong with a line, in which one that is.

    :raises ValueError: in place of any other exception.
    """
    try:
        yield
    except Exception as error:
        reason = str(error)
        if isinstance(error, cattrs.BaseValidationError):
            reason = '; '.join(cattrs.transform_error(error))
        elif isinstance(error, RecursionError):
            reason = 'it is nested too deeply'
        elif not isinstance(error, ValueError | TypeError):
            reason = repr(error)
        reason = text.shorten(reason, _MAX_REASON)
        raise ValueError(f'{path}, line {number}: {reason}') from error


def _lines(path: str, file: ty.TextIO) -> abc.Iterator[tuple[int, str]]:
    """Yield lines with their numbers; a file may never end one."""
    for number in itertools.count(1):
        line = file.readline(MAX_LINE + 1)
        if len(line) > MAX_LINE:
            words = f'it is longer than {MAX_LINE} characters'
            raise ValueError(f'{path}, line {number}: {words}')
        if not line:
            return
        yield number, line


def _record(tree: ty.Any, hosts: dict[str, ty.Any]) -> Record:
    """Return what a line holds.

    :param hosts: the latest decisions of the drain by host; updated.
    """
    match tree:
        case {'began': {'format': found}} if found != FORMAT:
            raise ValueError(
                f'it has format {found}; only format {FORMAT} can be read'
            )
        case {'began': value}:
            hosts.clear()
            return CONVERTER.structure(value, Began)
        case {'decided': dict() as change} if len(change) == 1:
            hosts.update(changed(hosts, change))
            (host,) = change
            return CONVERTER.structure(hosts.get(host), Decided)
        case {'acted': value}:
            return CONVERTER.structure(value, Acted)
    raise ValueError('this is no line of a recording')
