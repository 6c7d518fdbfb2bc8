# SPDX-License-Identifier: Apache-2.0

"""The lines of a diary, and what they hold.

A diary is a text file of JSON values, one a line, each an object with one
member, whose name says what the line is:

``began``
  A drain begins: all that came before has nothing to do with it.
``decided``
  A decision for one host: what it was made from, and what it was.
``acted``
  What came of an action that was decided.
"""

import collections.abc
import dataclasses
import functools
import typing as ty

import cattrs
from cattrs.preconf import json as preconf

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

#: Of the lines below; counted up when older readers can't read them.
FORMAT = 1

#: Where a server stands, and why.
Stand = tuple[server_status.Phase, str]


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
    """A decision for one host."""

    host: str
    now: float
    #: What was seen differs in this from what was seen before it.
    seen: collections.abc.Mapping[str, ty.Any]
    #: Everything was seen for the first time.
    whole: bool
    #: None: as before.
    policy: policies.Policy | None
    actions: tuple[memories.Action, ...]
    #: By the server's id, where that has changed; None: it has no row any
    #: more.
    stands: collections.abc.Mapping[str, Stand | None]
    done: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Acted:
    """What came of an action."""

    host: str
    action: memories.Action
    outcome: memories.Outcome
    highest_id: int


Note = Began | Decided | Acted
#: What each line is, by the name of its member.
KINDS: collections.abc.Mapping[str, type[Note]] = {
    'began': Began,
    'decided': Decided,
    'acted': Acted,
}


@functools.cache
def converter() -> cattrs.Converter:
    """Return what turns values into JSON values and back."""
    return preconf.make_converter()


def unstructure(note: Note) -> dict[str, ty.Any]:
    """Return a line as a JSON value."""
    (name,) = (n for n, kind in KINDS.items() if kind is type(note))
    return {name: converter().unstructure(note)}


def structure(tree: ty.Any) -> Note:
    """Return what a JSON value holds.

    :raises ValueError: it is no line of a diary.
    """
    match tree:
        case dict() if len(tree) == 1 and (kind := KINDS.get(*tree)):
            (value,) = tree.values()
        case _:
            raise ValueError('this is no line of a diary')
    try:
        return converter().structure(value, kind)
    except cattrs.BaseValidationError as error:
        reasons = '; '.join(cattrs.transform_error(error))
        raise ValueError(reasons) from error


def stands_of(
    decision: decisions.Decision,
) -> dict[str, Stand]:
    """Return where the servers of a decision stand, by id."""
    return {row.server_id: (row.phase, row.reason) for row in decision.rows}


def structure_seen(tree: ty.Any) -> model.Observation:
    """Return an observation from a JSON value.

    :raises ValueError: it is none.
    """
    try:
        return converter().structure(tree, model.Observation)
    except cattrs.BaseValidationError as error:
        reasons = '; '.join(cattrs.transform_error(error))
        raise ValueError(reasons) from error
