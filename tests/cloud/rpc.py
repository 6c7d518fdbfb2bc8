#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""oslo.messaging's in-memory transport, woken by events.

Its listeners poll every 50 ms: with two RPC servers a host that is both slow
and, with many hosts, most of what the process does.
"""

from __future__ import annotations

import collections
import threading
import time

from oslo_messaging._drivers import base
from oslo_messaging._drivers import impl_fake

# A message that slipped past its event waits no longer than this.
_PATIENCE = 5.0


def patch() -> None:
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
