# SPDX-License-Identifier: Apache-2.0

"""How far live migrations are, asked beside the loop for those who watch.

Nothing is decided by it. So the loop never waits for an answer, and one that
fails is left out.
"""

from collections import abc
import dataclasses
import logging
import queue
import threading

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import in_flight

LOG = logging.getLogger(__name__)

#: Of the thread that asks.
NAME = 'progress of live migrations'
#: A host, one of its servers, and the id of the migration record.
_Target = tuple[host_loop.HostLoop, decisions.Row, int]


class Watch:
    """Asks for one live migration at a time, at most once a second."""

    def __init__(self, gateway: ports.Gateway, clock: ports.Clock):
        self._gateway = gateway
        self._clock = clock
        self._asked_at = -timing.PROGRESS_RECHECK_SECONDS
        self._asked: _Target | None = None
        self._answers = queue.SimpleQueue[model.Progress | None]()
        #: Those that were asked for in this round.
        self._seen: set[int] = set()

    def poll(self, hosts: abc.Iterable[host_loop.HostLoop]) -> None:
        """Publish the answer, if there is one, and ask for the next one."""
        if self._asked and not self._publish(*self._asked[:2]):
            return
        now = self._clock.now()
        if now - self._asked_at < timing.PROGRESS_RECHECK_SECONDS:
            return
        if target := self._next(hosts):
            self._asked, self._asked_at = target, now
            # A hung request must not keep the command from ending.
            thread = threading.Thread(
                name=NAME, target=self._ask, args=target[1:], daemon=True
            )
            try:
                thread.start()
            except RuntimeError:
                # The system has no thread for it.
                self._asked = None

    def _publish(self, host: host_loop.HostLoop, row: decisions.Row) -> bool:
        """Tell whether the answer has come, and publish it."""
        try:
            progress = self._answers.get_nowait()
        except queue.Empty:
            return False
        self._asked = None
        if progress and not host.done:
            host.progressed(row, progress)
        return True

    def _next(self, hosts: abc.Iterable[host_loop.HostLoop]) -> _Target | None:
        running = {
            row.record.id: (host, row, row.record.id)
            for host in hosts
            if host.decision and not host.done
            for row in host.decision.rows
            if row.record and in_flight.has_progress(row.record)
        }
        if self._seen.issuperset(running):
            self._seen.clear()
        for record_id, target in running.items():
            if record_id not in self._seen:
                self._seen.add(record_id)
                return target
        return None

    def _ask(self, row: decisions.Row, record_id: int) -> None:
        found = None
        try:
            answer = self._gateway.progress(
                row.server_id, record_id, repeated=False
            )
            if answer:
                now = self._clock.now()
                found = dataclasses.replace(answer, seen_at=now)
        except exceptions.CloudError:
            LOG.debug('No progress of %s', row.server_id, exc_info=True)
        finally:
            self._answers.put(found)
