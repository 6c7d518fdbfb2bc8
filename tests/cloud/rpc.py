# SPDX-License-Identifier: Apache-2.0

"""oslo.messaging's in-memory transport, made more like RabbitMQ, and quick.

Its listeners poll every 50 ms: with two RPC servers a host that is both slow
and, with many hosts, most of what the process does. Here events wake them.

And it keeps every message for ever, and a caller waits ``long_rpc_timeout``
whether or not anybody works on the call. RabbitMQ keeps casts until somebody
takes them, calls as long as their time-out, and who works on a call for long
sends heartbeats: without them the caller waits ``rpc_response_timeout`` only.
An error goes back as text, and comes out as what can be made of that.
"""

from __future__ import annotations

import collections
import functools
import math
import queue
import threading
import time
from typing import Any

import oslo_messaging
from oslo_messaging._drivers import base
from oslo_messaging._drivers import common
from oslo_messaging._drivers import impl_fake

from tests.cloud import life

# A message that slipped past its event waits no longer than this.
_PATIENCE = 5.0
# How soon a caller that was killed stops waiting for the answer.
_LOOK = 0.5
_HEARTBEAT = object()
# The conductor and the scheduler never die here, and their answers are waited
# for as long as it takes. A call that waits in the queue of the scheduler,
# which has one thread, sends no heartbeat: on a busy machine many builds at
# once would end in ERROR for rpc_response_timeout ("No reply on topic
# scheduler"), which is there for the compute services.
_CONTROLLER = ('conductor', 'scheduler')


class _Replies(queue.Queue[Any]):
    """Where a caller waits for the answer to one call.

    :ivar server: who alone can answer, if it is one.
    :ivar silence: how long nothing may be heard of the call, in seconds;
        None for as long as the answer may take.
    :ivar expires: when the message is not worth being worked on any more.
    """

    def __init__(
        self,
        server: str | None,
        timeout: float | None,
        silence: float | None,
    ) -> None:
        super().__init__()
        now = time.monotonic()
        self.server = server
        self.silence = silence
        self.expires = None if timeout is None else now + timeout
        self._heard = now

    def await_one(self) -> tuple[Any, Any]:
        """:raises queue.Empty: when it took too long."""
        while True:
            life.check()
            left = self._left()
            if left <= 0:
                raise queue.Empty
            try:
                found = self.get(timeout=min(left, _LOOK))
            except queue.Empty:
                continue
            if found is not _HEARTBEAT:
                answer: tuple[Any, Any] = found
                return answer
            self._heard = time.monotonic()

    def _left(self) -> float:
        ends = [math.inf if self.expires is None else self.expires]
        if self.silence:
            ends.append(self._heard + self.silence)
        return min(ends) - time.monotonic()


# The calls that are waited for.
_calls: set[_Replies] = set()


def waiting() -> list[str]:
    """The queues whose messages nobody has taken yet."""
    return [
        f'messages for {topic}, {whose}'
        for exchange in list(impl_fake.FakeExchangeManager._exchanges.values())
        for queues in (exchange._topic_queues, exchange._server_queues)
        for (topic, whose), messages in list(queues.items())
        if messages
    ]


def drop_all_but(alive: set[str]) -> None:
    """Drop what was sent to dead hosts, and have their callers give up.

    A host that is started again would take up what was asked of it before.

    :param alive: the hosts whose messages are kept.
    """
    for exchange in list(impl_fake.FakeExchangeManager._exchanges.values()):
        with exchange._queues_lock:
            for (_, server), messages in exchange._server_queues.items():
                if server not in alive:
                    messages.clear()
    for replies in list(_calls):
        if replies.server and replies.server not in alive:
            replies.expires = time.monotonic()


def patch() -> None:
    _let_calls_expire()
    _wake_listeners()


def _let_calls_expire() -> None:
    driver = impl_fake.FakeDriver
    incoming = impl_fake.FakeIncomingMessage
    exchange = impl_fake.FakeExchange
    plain_init, plain_poll = incoming.__init__, exchange.poll

    def send(
        self,
        target,
        ctxt,
        message,
        wait_for_reply=None,
        timeout=None,
        call_monitor_timeout=None,
        retry=None,
        transport_options=None,
    ):
        life.check()
        self._check_serialize(message)
        replies = None
        if wait_for_reply:
            if target.topic in _CONTROLLER:
                timeout = call_monitor_timeout = None
            replies = _Replies(target.server, timeout, call_monitor_timeout)
            _calls.add(replies)
        self._exchange_manager.get_exchange(target.exchange).deliver_message(
            target.topic,
            ctxt,
            message,
            server=target.server,
            fanout=target.fanout,
            reply_q=replies,
        )
        if replies is None:
            return None
        try:
            reply, failure = replies.await_one()
        except queue.Empty:
            raise oslo_messaging.MessagingTimeout(
                f'No reply on topic {target.topic}'
            ) from None
        finally:
            _calls.discard(replies)
        if failure:
            # As a process sees the error of another: of Nova's own kinds it
            # knows the class again, all others are a RemoteError.
            raise common.deserialize_remote_exception(
                failure, self._allowed_remote_exmods
            )
        return reply

    @functools.wraps(plain_init)
    def init(self, ctxt, message, reply_q, requeue):
        plain_init(self, ctxt, message, reply_q, requeue)
        self.client_timeout = reply_q.silence if reply_q else None

    def reply(self, reply=None, failure=None):
        if self._reply_q is not None:
            if failure:
                failure = common.serialize_remote_exception(failure)
            self._reply_q.put((reply, failure))

    def heartbeat(self):
        self._reply_q.put(_HEARTBEAT)

    @functools.wraps(plain_poll)
    def poll(self, target, pool):
        while True:
            found = plain_poll(self, target, pool)
            replies = found[2]
            if (
                replies is None
                or replies.expires is None
                or time.monotonic() < replies.expires
            ):
                return found

    driver.send = send
    incoming.__init__ = init
    incoming.reply = reply
    incoming.heartbeat = heartbeat
    exchange.poll = poll


def _wake_listeners() -> None:
    # (topic, server or None) -> events of those who listen there
    waiters: dict[tuple, set[threading.Event]] = collections.defaultdict(set)
    guard = threading.Lock()
    listener = impl_fake.FakeListener
    exchange = impl_fake.FakeExchange
    plain_init, plain_stop = listener.__init__, listener.stop
    plain_deliver = exchange.deliver_message

    def init(self, exchange_manager, targets, pool=None):
        self._wake = threading.Event()
        plain_init(self, exchange_manager, targets, pool)
        with guard:
            for target in targets:
                waiters[target.topic, target.server].add(self._wake)

    def stop(self):
        plain_stop(self)
        with guard:
            for target in self._targets:
                waiters[target.topic, target.server].discard(self._wake)
        self._wake.set()

    def deliver(
        self, topic, ctxt, message, server=None, fanout=False, reply_q=None
    ):
        plain_deliver(
            self,
            topic,
            ctxt,
            message,
            server=server,
            fanout=fanout,
            reply_q=reply_q,
        )
        with guard:
            events = [
                event
                for (name, where), those in waiters.items()
                if name == topic and (fanout or where == server)
                for event in those
            ]
        for event in events:
            event.set()

    @base.batch_poll_helper
    def poll(self, timeout=None):
        end = None if timeout is None else time.monotonic() + timeout
        while not self._stopped.is_set():
            # Before the look, or a message between the two would be missed.
            self._wake.clear()
            for target in self._targets:
                found = self._exchange_manager.get_exchange(
                    target.exchange
                ).poll(target, self._pool)
                ctxt, message, reply_q, requeue = found
                if message is not None:
                    return impl_fake.FakeIncomingMessage(
                        ctxt, message, reply_q, requeue
                    )
            left = _PATIENCE if end is None else end - time.monotonic()
            if left <= 0:
                return None
            self._wake.wait(min(left, _PATIENCE))
        return None

    listener.__init__ = init
    listener.stop = stop
    listener.poll = poll
    exchange.deliver_message = deliver
