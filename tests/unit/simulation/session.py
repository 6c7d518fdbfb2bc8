# SPDX-License-Identifier: Apache-2.0

"""How requests reach the simulated cloud, or don't, and what is kept of it."""

import collections
from collections import abc
import contextlib
import copy
import itertools
import typing as ty

from osc_hostmaint import exceptions
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import world

T = ty.TypeVar('T')

#: What asks all cells.
_ALL_CELLS = faults_.OF_CELLS | {'server_count'}

#: What took so long to be answered hung: Nova waits a minute for a cell.
HUNG_SECONDS = 50.0


class Session:
    """One user of the cloud; every request takes time, and may fail."""

    def __init__(self, cloud, clock, *, latency=0.1, faults=faults_.none):
        """:param latency: how long a request takes, in seconds."""
        self.log: list[faults_.Request] = []
        #: What was asked for, and what came of each: '' if the cloud took
        #: it, None if it never got there, else why not.
        self.posted: list[tuple[faults_.Request, str | None]] = []
        #: Moves asked for to one host, and how that host was then.
        self.directed: list[tuple[faults_.Request, world.Host]] = []
        #: When what only reads was first answered, by kind.
        self.answered: dict[str, float] = {}
        #: The servers that any list of a host has shown, by host.
        self.listed: dict[str, set[str]] = collections.defaultdict(set)
        #: When it was last looked whether anything is left on a host.
        self.last_look: dict[str, float] = {}
        #: When its migrations were last listed, which comes before.
        self.last_records: dict[str, float] = {}
        self.actor = world.operator()
        self._cloud = cloud
        self._clock = clock
        self._latency = latency
        self._faults = faults

    def counts(self) -> collections.Counter[str]:
        return collections.Counter(request.kind for request in self.log)

    def could_look(self, since: float, until: float) -> float:
        """Return for how many seconds it did not wait for lists that hung."""
        return (until - since) - sum(
            min(until, end) - max(since, start)
            for start, end in self._hung()
            if start < until and end > since
        )

    def _hung(self) -> abc.Iterator[tuple[float, float]]:
        for request, following in itertools.pairwise(self.log):
            waited = following.time - request.time
            if request.kind in _ALL_CELLS and waited > HUNG_SECONDS:
                yield request.time, following.time

    def _post(self, kind, server_id, call, host='') -> None:
        number = len(self.posted)

        def send() -> None:
            request, _answer = self.posted[number]
            try:
                self._reach(server_id)
                call()
            except exceptions.CloudError as error:
                self.posted[number] = (request, str(error))
                raise
            self.posted[number] = (request, '')

        request = faults_.Request(
            len(self.log), self._clock.now(), kind, server_id, host
        )
        self.posted.append((request, None))
        if host in self._cloud.hosts:
            there = copy.copy(self._cloud.hosts[host])
            self.directed.append((request, there))
        self._send(request, send)

    def _ask(self, kind, subject, answer) -> T:
        now = self._clock.now()
        request = faults_.Request(len(self.log), now, kind, subject)
        return self._send(request, answer)

    def _send(self, request, answer) -> T:
        self.log.append(request)
        fault, half = self._fault(request), self._latency / 2
        if fault is not None:
            self.actor.hindered = True
            if fault.took:
                late = fault.late > 0
                self._cloud.timeline.after(
                    half + fault.late, lambda: self._try(answer, late=late)
                )
            self._clock.sleep(2 * half + fault.seconds)
            raise fault.error()
        if not request.changes:
            self._clock.sleep(half)
            wait = half + self._wait(request)
            try:
                found = answer()
            finally:
                self._clock.sleep(wait)
            self.answered.setdefault(request.kind, self._clock.now())
            return found
        # It gets there even if whoever sent it is killed meanwhile.
        answers: list[T] = []
        errors: list[exceptions.CloudError] = []

        def arrive() -> None:
            try:
                answers.append(answer())
            except exceptions.CloudError as error:
                errors.append(error)

        self._cloud.timeline.after(half, arrive)
        self._clock.sleep(2 * half + self._wait(request))
        if errors:
            raise errors[0]
        return answers[0]

    def _hides(self, server_id: str) -> bool:
        """Tell whether a server is in a cell that does not answer."""
        server = self._cloud.servers.get(server_id)
        if server is None or server.deleted or server.host is None:
            return False
        return self._cloud.hosts[server.host].silent is not None

    def _reach(self, server_id: str) -> None:
        """Let a request to a server through, if its cell answers."""
        if self._hides(server_id):
            raise exceptions.Unavailable('HTTP 500, NovaException')

    def _wait(self, request: faults_.Request) -> float:
        """Return how long Nova waits for cells that do not answer."""
        server = self._cloud.servers.get(request.subject)
        return max(
            (
                host.silent or 0.0
                for host in self._cloud.hosts.values()
                if request.kind in _ALL_CELLS
                or (server and server.host == host.name)
            ),
            default=0.0,
        )

    def _fault(self, request: faults_.Request) -> faults_.Fault | None:
        fault = self._faults(request)
        if fault is None and request.kind in faults_.PLACEMENT:
            return self._cloud.placement
        return fault

    def _try(self, call, *, late) -> None:
        self.actor.late = late
        with contextlib.suppress(exceptions.CloudError):
            call()
        self.actor.late = False
