# SPDX-License-Identifier: Apache-2.0

"""sqlite under real OpenStack services: safe with threads, quick to make."""

from __future__ import annotations

import collections
from collections import abc
import contextlib
import fcntl
import os
import shutil
import sqlite3
import threading

from oslo_db.sqlalchemy import enginefacade
from oslo_db.sqlalchemy import engines
import sqlalchemy
from sqlalchemy import pool


def patch() -> None:
    """Make oslo.db and sqlite files safe in one multi-threaded process."""
    _serialise_writers()
    _pool_connections()


def _serialise_writers() -> None:
    # oslo.db emits its own deferred BEGIN, so a transaction that reads and
    # then writes after another thread has committed gets "database is
    # locked" at once, and no busy timeout helps. One writer at a time per
    # database, as Nova's own DatabaseWriteLock fixture does; readers run
    # freely thanks to WAL.
    guard = threading.Lock()
    locks: dict[str, threading.RLock] = collections.defaultdict(
        threading.RLock
    )
    manager = enginefacade._TransactionContextManager
    original = manager._transaction_scope

    @contextlib.contextmanager
    def locked(self, context):
        if self._mode is not enginefacade._WRITER:
            with original(self, context) as result:
                yield result
            return
        url = str(self.reader.get_engine().url)
        with guard:
            lock = locks[url]
        with lock, original(self, context) as result:
            yield result

    manager._transaction_scope = locked


def _pool_connections() -> None:
    # oslo.db forces NullPool for sqlite files: a new connection, two
    # create_function() and a few PRAGMAs for every transaction. Pooled they
    # cost nothing.
    def make(url, **kwargs):
        if str(url).startswith('sqlite') and url.database:
            kwargs['poolclass'] = pool.QueuePool
            kwargs['pool_size'] = 20
            kwargs['max_overflow'] = 500
            kwargs['connect_args'] = dict(
                kwargs.get('connect_args') or {},
                check_same_thread=False,
                timeout=60,
            )
        engine = sqlalchemy.create_engine(url, **kwargs)
        return engine, engine

    # create_engine() is wrapped by debtcollector in some releases, which
    # moves the defaults: look in both places.
    function = engines.create_engine
    named = function.__kwdefaults__
    if named and '_engine_target' in named:
        named['_engine_target'] = make
    else:
        function.__defaults__ = tuple(
            make if value is engines._create_engine else value
            for value in function.__defaults__
        )


def write_ahead(path: str) -> None:
    """Let readers go on while somebody writes; kept in the file itself."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute('PRAGMA journal_mode=WAL')


def provide(
    cache: str, name: str, path: str, migrate: abc.Callable[[], object]
) -> None:
    """Put an empty, migrated database at path.

    The migrations of one service take seconds, a copy takes milliseconds.
    Several clouds may ask at the same time: the first one runs the
    migrations, the others wait for its template. A template is only ever
    renamed into its place, never changed.

    :param name: what is in it, with the release that made it.
    :param migrate: runs the service's own migrations on path.
    """
    template = os.path.join(cache, name + '.sqlite')
    with _locked(template + '.lock'):
        if not os.path.exists(template):
            write_ahead(path)
            migrate()
            part = f'{template}.{os.getpid()}'
            with (
                contextlib.closing(sqlite3.connect(path)) as source,
                contextlib.closing(sqlite3.connect(part)) as target,
            ):
                source.backup(target)
            os.rename(part, template)
            return
    shutil.copy(template, path)
    write_ahead(path)


@contextlib.contextmanager
def _locked(path: str) -> abc.Iterator[None]:
    with open(path, 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
