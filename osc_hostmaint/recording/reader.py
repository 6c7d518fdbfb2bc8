# SPDX-License-Identifier: Apache-2.0

"""Reads what a drain saw and did."""

import collections.abc
import dataclasses
import json
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import changes
from osc_hostmaint.recording import records


@dataclasses.dataclass(frozen=True, slots=True)
class Decided:
    """A decision, and all that it was made from but the memory."""

    #: In the file, counted from 1.
    line: int
    now: float
    seen: model.Observation
    policy: policies.Policy
    actions: tuple[memories.Action, ...]
    #: Where every server stood.
    stands: collections.abc.Mapping[str, records.Stand]
    done: bool


Entry = records.Began | Decided | records.Acted


def read(path: str) -> collections.abc.Iterator[Entry]:
    """Yield what a diary holds, in its order.

    A line that is torn, because its drain was killed, is left out.

    :raises OSError: it can't be read.
    :raises ValueError: it is no diary, is damaged, or has a newer format;
        the text says in which line.
    """
    reader = _Reader()
    with open(path, encoding='utf-8', errors='replace') as file:
        for number, tree in _trees(file):
            try:
                yield reader.take_in(number, records.structure(tree))
            except ValueError as error:
                raise ValueError(f'{path}, line {number}: {error}') from error


def _trees(
    file: collections.abc.Iterable[str],
) -> collections.abc.Iterator[tuple[int, ty.Any]]:
    """Yield lines as JSON values, with their numbers."""
    torn: int | None = None
    for number, line in enumerate(file, 1):
        try:
            tree = json.loads(line)
        except ValueError:
            # One that follows another can't be the last of its drain.
            tree = None
        if torn is not None and not (
            isinstance(tree, dict) and 'began' in tree
        ):
            yield torn, None
        torn = number if tree is None else None
        if tree is not None:
            yield number, tree


class _Reader:
    """Puts together what the lines of one drain tell piece by piece."""

    def __init__(self) -> None:
        self._began = False
        self._trees: dict[str, dict[str, ty.Any]] = {}
        self._policies: dict[str, policies.Policy] = {}
        self._stands: dict[str, dict[str, records.Stand]] = {}

    def take_in(self, number: int, note: records.Note) -> Entry:
        """Return what a line tells, after all those before it.

        :raises ValueError: it can't follow on those before it.
        """
        match note:
            case records.Began():
                self._began = False
                for held in (self._trees, self._policies, self._stands):
                    held.clear()
                if note.format != records.FORMAT:
                    raise ValueError(
                        f'format {note.format}; only {records.FORMAT} can be '
                        'read'
                    )
                self._began = True
                return note
            case records.Decided() if self._began:
                return self._decided(number, note)
            case records.Acted() if note.host in self._trees:
                return note
        raise ValueError('the lines before it are missing')

    def _decided(self, number: int, note: records.Decided) -> Decided:
        host = note.host
        if note.whole:
            self._trees[host], self._stands[host] = {}, {}
        elif host not in self._trees:
            raise ValueError('the lines before it are missing')
        try:
            tree = changes.apply(self._trees[host], note.seen)
        except KeyError as error:
            raise ValueError(f'{error} was never seen before') from error
        self._trees[host] = tree
        if note.policy:
            self._policies[host] = note.policy
        stands = {**self._stands[host], **note.stands}
        self._stands[host] = {k: s for k, s in stands.items() if s}
        return Decided(
            line=number,
            now=note.now,
            seen=records.structure_seen(tree),
            policy=self._policies[host],
            actions=note.actions,
            stands=self._stands[host],
            done=note.done,
        )
