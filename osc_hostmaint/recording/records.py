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
import dataclasses
import json
import typing as ty

import cattrs
from cattrs.preconf import json as preconf

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

#: Counted up when older readers cannot read the lines any more.
FORMAT = 2
#: What every recording begins with.
BEGINNING = '{"began":{"format":'

CONVERTER = preconf.make_converter()

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
    with open(path, encoding='utf-8', errors='replace') as file:
        lines = list(file)
    hosts: dict[str, ty.Any] = {}
    for number, line in enumerate(lines, 1):
        try:
            if not lines[0].startswith(BEGINNING):
                raise ValueError('this is no recording')
            yield number, _record(json.loads(line), hosts)
        except (ValueError, TypeError, cattrs.BaseValidationError) as error:
            is_last = all(e.startswith(BEGINNING) for e in lines[number:][:1])
            if isinstance(error, json.JSONDecodeError) and is_last:
                continue
            reason: object = error
            if isinstance(error, cattrs.BaseValidationError):
                reason = '; '.join(cattrs.transform_error(error))
            raise ValueError(f'{path}, line {number}: {reason}') from error


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
