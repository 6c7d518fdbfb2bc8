# SPDX-License-Identifier: Apache-2.0

"""Sends the events of a run to receivers and a log."""

import collections
from collections import abc
import contextlib
import logging
import ssl
import time
import typing as ty

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.i18n import ngettext
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import event_log as event_logs
from osc_hostmaint.notifications import receiver
from osc_hostmaint.planning import timing

LOG = logging.getLogger(__name__)
Operation = events.Operation


class Notifier:
    """Sends events as CloudEvents 1.0: a listener, and a context manager.

    It never makes a run wait, nor fail: each receiver has a queue and a thread
    of its own.
    """

    def __init__(
        self,
        urls: abc.Iterable[str] = (),
        *,
        cacert: str | None = None,
        secret: str = '',
        event_log: str | None = None,
        warn: abc.Callable[[str], object],
    ):
        """:param urls: receivers, by ``http`` or ``https``.

        :param cacert: a file of CA certificates that ``https`` receivers
            are verified with.
        :param secret: signs what is posted, with HMAC-SHA256.
        :param event_log: a file that the events are appended to.
        :param warn: is given how many events were not delivered, in words.
        :raises HostMaintenanceError: a file cannot be used.
        :raises ValueError: it is no such URL.
        """
        _check_certificates(cacert)
        receivers = [
            receiver.Receiver(url, cacert=cacert, secret=secret)
            for url in urls
        ]
        _number(receivers)
        targets: list[delivery.Target] = [*receivers]
        if event_log is not None:
            targets.append(event_logs.EventLog(event_log))
        self._deliveries = [delivery.Delivery(target) for target in targets]
        self._warn = warn
        self._given_up = False
        self._writer: cloud_events.Writer | None = None

    def __enter__(self) -> ty.Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def begin(
        self, cloud: str, operation: Operation = Operation.DRAIN
    ) -> ty.Self:
        """Take the events of a run from now on.

        :param cloud: :attr:`osc_hostmaint.api.Maintenance.cloud`.
        :param operation: what the run is.
        """
        self._writer = cloud_events.Writer(cloud, operation)
        return self

    def publish(self, event: events.Event) -> None:
        """Have an event delivered, if it is one for receivers."""
        if not self._writer:
            return
        if written := self._writer.write(event):
            for each in self._deliveries:
                each.put(written)

    def give_up(self) -> None:
        """Have :meth:`close` end soon; signal handlers may call this."""
        self._given_up = True

    def close(self) -> None:
        """Deliver what is left, for 10 s at most, and say what was not."""
        deadline = time.monotonic() + timing.NOTIFY_DELIVERY_SECONDS
        for each in self._deliveries:
            each.end()
        # All that was asked for is done, and its result is known.
        with contextlib.suppress(KeyboardInterrupt):
            self._wait(deadline)
        for each in self._deliveries:
            each.give_up()
            count, reason = each.undelivered
            if count:
                self._say_undelivered(each.name, count, reason)
        self._deliveries = []

    def _wait(self, deadline: float) -> None:
        late = self._late(time.monotonic() + timing.NOTIFY_SAID_AFTER_SECONDS)
        if late and not self._given_up:
            words = _(
                'Delivering the last events to %(names)s, for at most '
                '%(seconds).0f s (Ctrl-C gives up)'
            )
            told = {
                'names': ', '.join(each.name for each in late),
                'seconds': max(0.0, deadline - time.monotonic()),
            }
            LOG.warning('%s', text.printable(words % told))
        self._late(deadline)

    def _late(self, until: float) -> list[delivery.Delivery]:
        """Wait, and return those that have not delivered all by then."""
        late = self._deliveries
        while late and not self._given_up:
            left = until - time.monotonic()
            if left <= 0:
                break
            seconds = min(left, timing.STOP_CHECK_SECONDS) / len(late)
            late = [each for each in late if not each.has_ended(seconds)]
        return late

    def _say_undelivered(self, name: str, count: int, reason: str) -> None:
        words = ngettext(
            '%(count)d event was not delivered to %(name)s: %(reason)s',
            '%(count)d events were not delivered to %(name)s: %(reason)s',
            count,
        )
        told = {
            'count': count,
            'name': name,
            'reason': reason or _('there was no time left'),
        }
        self._warn(text.printable(words % told))


def _number(receivers: abc.Collection[receiver.Receiver]) -> None:
    """Give receivers on one server names that tell them apart."""
    counts = collections.Counter(each.name for each in receivers)
    for number, each in enumerate(receivers, 1):
        if counts[each.name] > 1:
            each.name += _(' (receiver %d)') % number


def _check_certificates(path: str | None) -> None:
    """Check that a file has certificates.

    :raises HostMaintenanceError: it has none, or cannot be read.
    """
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        raise exceptions.HostMaintenanceError(
            _('Cannot read CA certificates from %(path)s: %(reason)s')
            % {
                'path': text.printable(repr(path)),
                'reason': getattr(error, 'strerror', '') or str(error),
            }
        ) from error
