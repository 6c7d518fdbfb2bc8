# SPDX-License-Identifier: Apache-2.0

"""The lives of the compute services, which share one process.

Killing a process ends its threads wherever they are. Here each thread knows
whose life it belongs to, and ends where it next reaches for the world: the
database, the message bus, Placement, Neutron or the hypervisor.
"""

from __future__ import annotations

from collections import abc
import contextlib
import functools
import threading

_thread = threading.local()


class Killed(BaseException):
    """This nova-compute is dead: what it was doing simply stops.

    Not an Exception, or Nova's handlers would clean up, report and roll
    back: a process that was killed does none of that.
    """


class Life:
    """From the start of one compute service to its end."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._over = threading.Event()

    def end(self) -> None:
        self._over.set()

    def check(self) -> None:
        """Raise Killed after the end."""
        if self._over.is_set():
            raise Killed(self._host)


def current() -> Life | None:
    """The life that this thread belongs to, if it is one's."""
    return getattr(_thread, 'life', None)


def check() -> None:
    """Raise Killed in the threads of a dead compute service."""
    life = current()
    if life is not None:
        life.check()


@contextlib.contextmanager
def lived(life: Life | None) -> abc.Iterator[None]:
    """What runs in here belongs to this life, and what it starts too."""
    before = current()
    _thread.life = life
    try:
        yield
    finally:
        _thread.life = before


def patch() -> None:
    """Hand lives on from thread to thread, and look at them on the way."""
    _follow_messages()
    _follow_threads()
    _guard_databases()
    _guard_requests()


def _follow_messages() -> None:
    from oslo_messaging.rpc import dispatcher

    plain = dispatcher.RPCDispatcher._do_dispatch

    @functools.wraps(plain)
    def _do_dispatch(self, endpoint, method, ctxt, args):
        # A compute service's manager stands behind Nova's wrapper.
        manager = vars(endpoint).get('_endpoint', endpoint)
        with lived(vars(manager).get('life')):
            return plain(self, endpoint, method, ctxt, args)

    dispatcher.RPCDispatcher._do_dispatch = _do_dispatch


def _follow_threads() -> None:
    import futurist

    plain = futurist.ThreadPoolExecutor.submit

    @functools.wraps(plain)
    def submit(self, fn, /, *args, **kwargs):
        life = current()
        if life is None:
            return plain(self, fn, *args, **kwargs)

        def run():
            with lived(life):
                life.check()
                return fn(*args, **kwargs)

        return plain(self, run)

    futurist.ThreadPoolExecutor.submit = submit


def _guard_databases() -> None:
    from oslo_db.sqlalchemy import enginefacade

    manager = enginefacade._TransactionContextManager
    plain = manager._transaction_scope

    @contextlib.contextmanager
    def scope(self, context):
        check()
        with plain(self, context) as result:
            yield result

    manager._transaction_scope = scope


def _guard_requests() -> None:
    from keystoneauth1 import session

    plain = session.Session.request

    @functools.wraps(plain)
    def request(self, *args, **kwargs):
        check()
        return plain(self, *args, **kwargs)

    session.Session.request = request
