# SPDX-License-Identifier: Apache-2.0

"""Several drains side by side that are one to who asked for them.

Servers come home from many hosts, and from one host in several ways; each is
a drain to the loop.
"""

import collections.abc
import dataclasses

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories

_DONE = decisions.Stage.DONE


class Teller:
    """Tells of several drains as if they were that of one host."""

    def __init__(
        self,
        report: ports.Reporter,
        host: str,
        rows: collections.abc.Iterable[decisions.Row],
        drains: int,
    ):
        """:param host: whose drain they are to look like.

        :param rows: what each of them will begin with, together.
        :param drains: how many there are.
        """
        self._report = report
        self._host = host
        self._rows = {row.server_id: row for row in rows}
        self._going_on = drains
        self._begun = False
        self._last: list[decisions.Decision] = []
        self._closed = False

    def decided(self, host: str, decision: decisions.Decision) -> None:
        """Tell of a decision for a part of the servers."""
        if not self._begun:
            self._begun = True
            # How they were before anything was asked for.
            opening = dataclasses.replace(
                decision, rows=tuple(self._rows.values()), actions=()
            )
            self._report.decided(self._host, opening)
        self._rows.update({row.server_id: row for row in decision.rows})
        whole = dataclasses.replace(
            decision, rows=tuple(self._rows.values()), wait=None
        )
        self._report.decided(self._host, whole)

    def trouble(self, host: str, text: str) -> None:
        """Tell that the cloud does not answer as it should."""
        self._report.trouble(self._host, text)

    def ended(self, host: str, decision: decisions.Decision | None) -> None:
        """Take note that one of the drains has ended."""
        if decision is not None:
            self._last.append(decision)
        self._going_on -= 1
        if not self._going_on:
            self.close()

    def close(self) -> None:
        """Tell, once, that all is over, if anything was begun."""
        if self._closed or not self._last:
            return
        self._closed = True
        troubles = (decision.trouble for decision in self._last)
        self._report.ended(
            self._host,
            dataclasses.replace(
                self._last[-1],
                rows=tuple(self._rows.values()),
                stage=next(
                    (d.stage for d in self._last if d.stage is not _DONE),
                    _DONE,
                ),
                trouble=next(filter(None, troubles), ''),
            ),
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


class Guide:
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
        self, host: str, kind: memories.Kind, policy: str
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


def guides(
    inner: ports.Destinations,
    drains: collections.abc.Iterable[tuple[str, collections.abc.Set[str]]],
) -> list[Guide]:
    """Return the destinations of several drains.

    :param drains: the host of each, in order, and its servers; some hosts
        may be the same.
    """
    shared: dict[str, _Shared] = {}
    return [
        Guide(shared.setdefault(host, _Shared(inner)), servers)
        for host, servers in drains
    ]
