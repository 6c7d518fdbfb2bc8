# SPDX-License-Identifier: Apache-2.0

"""Delivery of events in their order, on a thread beside the run."""

import collections
import logging
import threading
import typing as ty

from osc_hostmaint.i18n import _
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.planning import timing

LOG = logging.getLogger(__name__)

#: The name of the threads.
THREAD = 'osc-hostmaint-notify'


class NotDelivered(Exception):
    """An event was not delivered; the text says why."""

    def __init__(
        self,
        reason: str,
        *,
        may_retry: bool = False,
        retry_after: float | None = None,
    ):
        """:param may_retry: trying again may help.

        :param retry_after: not before so many seconds, if that is known.
        """
        super().__init__(reason)
        self.may_retry = may_retry
        self.retry_after = retry_after


class Target(ty.Protocol):
    """Where events are delivered to."""

    #: What messages call it.
    name: str

    def deliver(self, event: cloud_events.CloudEvent) -> None:
        """Deliver an event.

        :raises NotDelivered: it was not, or perhaps not.
        """

    def close(self) -> None:
        """Deliver nothing more."""


class Delivery:
    """Delivers events to one target, one after the other.

    An event that cannot be delivered now is tried again as long as the run
    goes on, and the others wait for it. If too many wait, the oldest are lost.
    """

    def __init__(self, target: Target):
        self._target = target
        #: Guards the attributes below.
        self._changed = threading.Condition()
        self._queue: collections.deque[cloud_events.CloudEvent] = (
            collections.deque()
        )
        #: An event is being delivered; it stays so once that is given up.
        self._at_work = False
        self._ending = False
        self._given_up = False
        self._lost = 0
        #: Why the last of them was lost.
        self._reason = ''
        #: Why the event at work was not delivered so far.
        self._failure = ''
        self._thread = threading.Thread(
            target=self._run, name=THREAD, daemon=True
        )
        self._thread.start()

    @property
    def name(self) -> str:
        """What messages call the target."""
        return self._target.name

    def put(self, event: cloud_events.CloudEvent) -> None:
        """Have an event delivered, after those before it. Never waits."""
        with self._changed:
            self._queue.append(event)
            if len(self._queue) > timing.EVENTS_AT_ONCE:
                self._queue.popleft()
                self._lost += 1
                self._reason = _('too many waited for it')
            self._changed.notify_all()

    def end(self) -> None:
        """Have the thread end once all is delivered."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def has_ended(self, seconds: float) -> bool:
        """Tell whether it has, within this time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def give_up(self) -> None:
        """Deliver nothing more."""
        with self._changed:
            self._given_up = True
            self._changed.notify_all()

    @property
    def undelivered(self) -> tuple[int, str]:
        """How many events were not delivered so far, and the last reason.

        The receiver may have taken the last of them and not said so.
        """
        with self._changed:
            count = self._lost + len(self._queue) + self._at_work
            return count, self._failure or self._reason

    def _run(self) -> None:
        try:
            while (event := self._next()) is not None:
                lost = not self._deliver(event)
                with self._changed:
                    if self._given_up:
                        return
                    self._at_work = False
                    if lost:
                        self._lost += 1
                        self._reason = self._failure
                    self._failure = ''
        finally:
            self._target.close()

    def _next(self) -> cloud_events.CloudEvent | None:
        """Return the next event, None once there will be none."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._queue or self._ending or self._given_up
            )
            if self._given_up or not self._queue:
                return None
            self._at_work = True
            return self._queue.popleft()

    def _deliver(self, event: cloud_events.CloudEvent) -> bool:
        """Deliver an event; tell whether it was."""
        pause = timing.NOTIFY_PAUSE_SECONDS
        while not self._given_up:
            try:
                self._target.deliver(event)
            except NotDelivered as error:
                failure = error
            except Exception as error:
                LOG.debug('An event cannot be delivered', exc_info=True)
                failure = NotDelivered(type(error).__name__)
            else:
                return True
            with self._changed:
                self._failure = str(failure)
                if not failure.may_retry:
                    return False
                self._rest(max(pause, failure.retry_after or 0.0))
            pause *= 2
        return False

    def _rest(self, pause: float) -> None:
        """Wait until it is tried again; not for long after the run."""
        ending = self._ending
        self._changed.wait_for(
            lambda: self._given_up or self._ending != ending,
            timing.NOTIFY_PAUSE_SECONDS
            if ending
            else min(pause, timing.NOTIFY_PAUSE_MOST_SECONDS),
        )
