# SPDX-License-Identifier: Apache-2.0

"""Several drains side by side that are one to who asked for them.

Servers come home from many hosts, and from one host in several ways; each is
a drain to the loop.
"""

from collections import abc
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning.host import decision as decisions

_DONE = decisions.Stage.DONE
_Ids = abc.Set[str]


class CombinedReporter(reporting.HostReporter):
    """Publishes the events of several drains as those of one host."""

    def __init__(
        self,
        host: str,
        report: ports.Reporter,
        rows: abc.Iterable[decisions.Row],
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


class SharedDestinations:
    """Destinations for one of several drains of the same host.

    Who knows where moves are to go keeps count by host, and takes each of
    them for all that there is.
    """

    def __init__(
        self,
        inner: ports.Destinations,
        drains: 'list[SharedDestinations]',
        servers: _Ids,
    ):
        """:param drains: of the same host; this one is added.

        :param servers: those that this drain is about.
        """
        self.direct = inner.direct
        self.leave_to_scheduler = inner.leave_to_scheduler
        self.renew = inner.renew
        self.drop = inner.drop
        #: The servers that nothing is awaited of any more.
        self.over: _Ids = frozenset()
        self.ended = False
        self._inner = inner
        self._drains = drains
        self._servers = servers
        drains.append(self)

    def note(self, seen: model.Observation, over: _Ids) -> None:
        """Take note of what has become of the host's moves."""
        self.over = over
        everywhere = (drain.over for drain in self._drains)
        self._inner.note(seen, frozenset().union(*everywhere))

    def leave(self, host: str) -> None:
        """Take note that this drain has ended.

        What it gave up in the end may go on, but nobody awaits it.
        """
        self.over, self.ended = self._servers, True
        if all(drain.ended for drain in self._drains):
            self._inner.leave(host)


def share(
    inner: ports.Destinations, drains: abc.Iterable[tuple[str, _Ids]]
) -> list[SharedDestinations]:
    """Return the destinations of several drains.

    :param drains: the host of each, in order, and its servers; some hosts
        may be the same.
    """
    by_host: dict[str, list[SharedDestinations]] = {}
    return [
        SharedDestinations(inner, by_host.setdefault(host, []), servers)
        for host, servers in drains
    ]
