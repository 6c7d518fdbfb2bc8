# SPDX-License-Identifier: Apache-2.0

"""Passes events from the loop to all listeners."""

from collections import abc
import logging

from osc_hostmaint import events
from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import decision as decisions

LOG = logging.getLogger(__name__)


class Publisher:
    """Passes events on to any number of listeners.

    A listener that fails does not end a drain: the failure is logged, and it
    receives no more events.
    """

    def __init__(self, *listeners: ports.Reporter | None):
        """:param listeners: called in this order; None is left out."""
        self._listeners = [each for each in listeners if each is not None]

    @property
    def watches_moves(self) -> bool:
        """Some listener wants to know how far live migrations are."""
        listeners = self._listeners
        return any(getattr(li, 'watches_moves', False) for li in listeners)

    def publish(self, event: events.Event) -> None:
        """Pass an event on."""
        for listener in tuple(self._listeners):
            try:
                listener.publish(event)
            except Exception as error:
                self._listeners.remove(listener)
                LOG.warning(
                    '%s failed and receives no more events: %s',
                    type(listener).__name__,
                    text.printable(repr(error)),
                )
                LOG.debug('Why it failed', exc_info=True)


class Preparation:
    """Publishes how far a run is, if what it does first takes long."""

    def __init__(
        self,
        report: ports.Reporter,
        clock: ports.Clock,
        stopping: abc.Callable[[], bool] = bool,
    ):
        """:param stopping: tells whether to end it."""
        self._report = report
        self._clock = clock
        self._stopping = stopping
        self._published_at = clock.now()

    def each(
        self, hosts: abc.Collection[str], doing: str
    ) -> abc.Iterator[str]:
        """Yield hosts, for something to be done for one after the other.

        :param doing: what, in words.
        :raises KeyboardInterrupt: it is to end.
        """
        for done, host in enumerate(hosts, start=1):
            yield host
            if self._stopping():
                raise KeyboardInterrupt
            now = self._clock.now()
            pause = now - self._published_at
            if pause >= timing.PREPARATION_SAID_SECONDS and done < len(hosts):
                self._published_at = now
                words = _('%(doing)s: %(done)d of %(all)d hosts done')
                words %= {'doing': doing, 'done': done, 'all': len(hosts)}
                self._report.publish(events.Notice(host, words))


class HostReporter:
    """Publishes the events of one host, from decision to decision."""

    def __init__(self, host: str, report: ports.Reporter):
        """:param host: the host that its events name."""
        self.host = host
        self._report = report
        self._before: decisions.Decision | None = None

    def decided(self, decision: decisions.Decision) -> None:
        """Publish what has happened since the decision before."""
        found = [*events.between(self.host, self._before, decision)]
        for event in found:
            self._report.publish(event)
        if found and not isinstance(found[-1], events.HostEnded):
            done, total = found[-1].done, found[-1].total
            self._report.publish(events.LookEnded(self.host, done, total))
        self._before = decision

    def progressed(self, row: decisions.Row, progress: model.Progress) -> None:
        """Publish how far the live migration of a server is."""
        rows = self._before.rows if self._before else ()
        done = sum(each.result is not None for each in rows)
        self._report.publish(
            events.MoveProgressed(self.host, done, len(rows), row, progress)
        )

    def trouble(self, reason: str) -> None:
        """Publish that the cloud does not answer as it should."""
        self._report.publish(events.Trouble(self.host, reason))
