# SPDX-License-Identifier: Apache-2.0

"""Several drains side by side that are one to who asked for them.

Servers come home from many hosts, and from one host in several ways; each is
a drain to the loop.
"""

import collections.abc
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories

_DONE = decisions.Stage.DONE


class CombinedReporter(reporting.HostReporter):
    """Publishes the events of several drains as those of one host."""

    def __init__(
        self,
        host: str,
        report: ports.Reporter,
        rows: collections.abc.Iterable[decisions.Row],
        drains: int,
    ):
        """:param host: the host whose events they are to be.

        :param rows: what each of them will begin with, together.
        :param drains: how many there are.
        """
        super().__init__(host, report)
        self._rows = {row.server_id: row for row in rows}
        self._going_on = drains
        self._last: list[decisions.Decision] = []

    def decided(self, decision: decisions.Decision) -> None:
        """Publish what a decision about some of the servers changes."""
        if self._before is None:
            # How they were before anything was asked for.
            opening = self._whole(decision, actions=(), wait=decision.wait)
            super().decided(opening)
        self._rows.update({row.server_id: row for row in decision.rows})
        if decision.done:
            self._last.append(decision)
            self._going_on -= 1
        super().decided(self._whole(decision))

    def close(self) -> None:
        """Publish, once, that all is over, if anything was begun."""
        if self._going_on and self._last:
            self._going_on = 0
            super().decided(self._whole(self._last[-1], actions=()))

    def _whole(
        self, decision: decisions.Decision, **changes: ty.Any
    ) -> decisions.Decision:
        """Return a decision about all servers."""
        stages = (last.stage for last in self._last)
        troubles = (last.trouble for last in self._last)
        return dataclasses.replace(
            decision,
            rows=tuple(self._rows.values()),
            done=not self._going_on,
            stage=next((s for s in stages if s is not _DONE), _DONE),
            trouble=next(filter(None, troubles), ''),
            **{'wait': None, **changes},
        )


@dataclasses.dataclass(slots=True)
class _Shared:
    """What the drains of one host know together of destinations."""

    inner: ports.Destinations
    #: How many of them go on.
    going_on: int = 0
    #: The servers that each of them awaits nothing of any more.
    over: dict[int, collections.abc.Set[str]] = dataclasses.field(
        default_factory=dict
    )


class SharedDestinations:
    """Destinations for one of several drains of the same host.

    Who knows where moves are to go keeps count by host, and takes each of
    them for all that there is.
    """

    def __init__(self, shared: _Shared, servers: collections.abc.Set[str]):
        """:param servers: those that this drain is about."""
        self._shared = shared
        self._servers = servers
        self._number = shared.going_on
        shared.going_on += 1

    def note(
        self, seen: model.Observation, over: collections.abc.Set[str]
    ) -> None:
        """Take note of what has become of the host's moves."""
        shared = self._shared
        shared.over[self._number] = over
        shared.inner.note(seen, frozenset().union(*shared.over.values()))

    def direct(
        self, host: str, action: memories.Action, highest_id: int
    ) -> memories.Action | None:
        """Return an action with its destination; None: not now."""
        return self._shared.inner.direct(host, action, highest_id)

    def leave_to_scheduler(
        self, host: str, kind: memories.ActionKind, policy: str
    ) -> None:
        """Take note that the destination of such moves must not be named."""
        self._shared.inner.leave_to_scheduler(host, kind, policy)

    def renew(self) -> None:
        """Look at who has room again, if it is time to."""
        self._shared.inner.renew()

    def drop(self, action: memories.Action) -> None:
        """Take note that Nova did not take an action."""
        self._shared.inner.drop(action)

    def leave(self, host: str) -> None:
        """Take note that this drain has ended.

        What it gave up in the end may go on, but nobody awaits it.
        """
        self._shared.over[self._number] = self._servers
        self._shared.going_on -= 1
        if not self._shared.going_on:
            self._shared.inner.leave(host)


def share(
    inner: ports.Destinations,
    drains: collections.abc.Iterable[tuple[str, collections.abc.Set[str]]],
) -> list[SharedDestinations]:
    """Return the destinations of several drains.

    :param drains: the host of each, in order, and its servers; some hosts
        may be the same.
    """
    shared: dict[str, _Shared] = {}
    return [
        SharedDestinations(shared.setdefault(host, _Shared(inner)), servers)
        for host, servers in drains
    ]
