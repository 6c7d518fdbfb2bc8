#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Keep a table of a cloud's hosts, from the events of osc-hostmaint.

It also asks ``openstack host maintenance list``, with the credentials in its
environment: when it starts, at an interval, and whenever it is in doubt.
"""

import argparse
import datetime
import hashlib
import hmac
from http import HTTPStatus
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import typing as ty

SECRET = os.environ.get('HOSTMAINT_NOTIFY_SECRET', '').encode()
LIST = 'openstack host maintenance list --all --long -f json'.split()
MOST_BYTES = 1_000_000
#: For how long events are remembered: for longer than any run lasts.
KEPT = datetime.timedelta(days=30)
#: servers_left is NULL for hosts in service, and where it is not known.
TABLES = """
CREATE TABLE IF NOT EXISTS hosts (host TEXT PRIMARY KEY, mode TEXT,
    since TEXT, owner TEXT, reason TEXT, servers_left INTEGER, time TEXT);
CREATE TABLE IF NOT EXISTS seen (
    source TEXT, id TEXT, runid TEXT, sequence INTEGER, time TEXT);
CREATE INDEX IF NOT EXISTS ids ON seen (id);
CREATE INDEX IF NOT EXISTS runs ON seen (runid, sequence);
"""
#: What an event that makes no sense leads to.
WRONG = (AttributeError, KeyError, RecursionError, TypeError, ValueError)
UNBOUND = (OverflowError, sqlite3.InterfaceError, sqlite3.ProgrammingError)
#: Mode, since, owner, reason, servers left; and how the list calls them.
Row = tuple[ty.Any, ...]
LISTED = ('Mode', 'Since', 'Set By', 'Reason', 'Servers')
IN_SERVICE: Row = ('operational', None, None, None, None)
UNKNOWN: Row = ('unknown', None, None, None, None)


def utc(when: datetime.datetime) -> str:
    """Return a time as a text that sorts."""
    return when.astimezone(datetime.UTC).isoformat(timespec='microseconds')


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def after(kind: str, data: dict[str, ty.Any], row: Row) -> Row:
    """Return what an event makes of the row of its host."""
    if kind == 'maintenance.set':
        left = row[4] if row[1] == data['since'] else None
        return 'maintenance', data['since'], data['by'], data['reason'], left
    if kind == 'maintenance.unset':
        return IN_SERVICE
    # In a restore, those are left that are not back yet.
    operation = data.get('operation') or kind.partition('.')[0]
    if operation in ('drain', 'evacuation') and 'servers_left' in data:
        return *row[:4], data['servers_left']
    return row


class Table:
    def __init__(self, path: str, source: str = ''):
        self._source = source
        self._db = sqlite3.connect(path, check_same_thread=False)
        self._db.executescript(TABLES)
        self._lock = threading.Lock()
        #: Hosts that events have changed since the list was asked for.
        self._changed: set[str] = set()
        self._doubted = threading.Event()

    def rows(self) -> dict[str, tuple[Row, str]]:
        """Return the row of each host, and the time of its latest news."""
        rows = self._db.execute('SELECT * FROM hosts ORDER BY host')
        return {host: (tuple(row), when) for host, *row, when in rows}

    def _put(self, host: str, row: Row, when: str) -> None:
        put = 'INSERT OR REPLACE INTO hosts VALUES (?, ?, ?, ?, ?, ?, ?)'
        self._db.execute(put, (host, *row, when))

    def _doubt(self, why: str) -> None:
        say('The list is asked for:', why)
        self._doubted.set()

    def take(self, event: dict[str, ty.Any]) -> HTTPStatus:
        """Commit an event, and return what to answer."""
        prefix, _, kind = event['type'].partition('.')
        if event['specversion'] != '1.0' or prefix != 'osc-hostmaint':
            return HTTPStatus.BAD_REQUEST
        source, id_, run = event['source'], event['id'], event['runid']
        when = utc(datetime.datetime.fromisoformat(event['time']))
        host, number = event['subject'], int(event['sequence'])
        with self._lock, self._db as db:
            # A table is of one cloud, as the list is.
            first = db.execute('SELECT source FROM seen LIMIT 1').fetchone()
            ours = self._source or (first[0] if first else source)
            if source != ours:
                say(f'An event of {source!r} is refused, not of {ours!r}')
                return HTTPStatus.FORBIDDEN
            get = 'SELECT max(sequence) FROM seen WHERE runid = ?'
            last = db.execute(get, (run,)).fetchone()[0] or 0
            if number > last + 1:
                self._doubt(f'of run {run!r}, {number} comes after {last}')
            is_new = not db.execute(
                'SELECT 1 FROM seen WHERE id = ? AND source = ?', (id_, source)
            ).fetchone()
            # A repeat is also counted by its run, which may be another one.
            put = 'INSERT INTO seen VALUES (?, ?, ?, ?, ?)'
            db.execute(put, (source, id_, run, number, utc(now())))
            row, latest = self.rows().get(host, (UNKNOWN, ''))
            wanted = after(kind, event['data'], row)
            # Of a maintenance before the one that the table has.
            since = event['data'].get('since', row[1]) or ''
            late = when < latest or since < (row[1] or '')
            # A repeat that agrees confirms the row as of its own time.
            if (is_new or wanted == row) and not late:
                self._put(host, wanted, when)
                self._changed.add(host)
            elif wanted != row:
                self._doubt(f'{kind} of {host!r} is a repeat, or late')
        return HTTPStatus.NO_CONTENT

    def refresh(self) -> None:
        """Replace the table by what the list says."""
        self._doubted.clear()
        with self._lock:
            self._changed.clear()
        pipe = subprocess.PIPE
        done = subprocess.run(LIST, stdout=pipe, check=True, timeout=600)
        listed = {}
        for each in json.loads(done.stdout):
            row: Row = tuple(each[name] for name in LISTED)
            in_service = row[0] == 'operational'
            listed[each['Host']] = IN_SERVICE if in_service else row
        with self._lock, self._db as db:
            for host, (row, _) in self.rows().items():
                if host not in self._changed:
                    db.execute('DELETE FROM hosts WHERE host = ?', (host,))
                # Its servers may go on leaving.
                elif listed.pop(host, ())[:4] != row[:4]:
                    self._doubt(f'{host!r} has changed meanwhile')
            for host, row in listed.items():
                # Events from before this time may be known already, or not.
                self._put(host, row, utc(now()))
            db.execute('DELETE FROM seen WHERE time < ?', (utc(now() - KEPT),))

    def keep_fresh(self, interval: float, pause: float) -> None:
        """Ask for the list, again and again."""
        failures = (*WRONG, OSError, subprocess.SubprocessError)
        while True:
            try:
                self.refresh()
            except (*failures, sqlite3.Error) as error:
                self._doubt(f'again, as it failed: {error}')
            time.sleep(pause)
            self._doubted.wait(interval)


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 10
    table: Table

    def do_POST(self) -> None:
        self.send_response(self._status())
        self.end_headers()

    def _status(self) -> HTTPStatus:
        length = self.headers.get('Content-Length', '')
        if not length.isdecimal():
            return HTTPStatus.LENGTH_REQUIRED
        if len(length) > 9 or int(length) > MOST_BYTES:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = self.rfile.read(int(length))
        digest = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        given = self.headers.get('X-Hub-Signature-256', '').encode()
        wanted = f'sha256={digest}'.encode()
        if SECRET and not hmac.compare_digest(given, wanted):
            return HTTPStatus.UNAUTHORIZED
        if self.headers.get_content_type() != 'application/cloudevents+json':
            return HTTPStatus.BAD_REQUEST
        try:
            return self.table.take(json.loads(body))
        except (*WRONG, *UNBOUND) as error:
            say('This is no event of osc-hostmaint:', repr(error))
            return HTTPStatus.BAD_REQUEST
        except sqlite3.Error as error:
            say('The event cannot be kept:', repr(error))
            return HTTPStatus.SERVICE_UNAVAILABLE


def show(table: Table) -> None:
    names = ('host', 'mode', 'since', 'owner', 'reason', 'servers_left')
    rows = [names, *((host, *row) for host, (row, _) in table.rows().items())]
    for row in rows:
        cells = ('' if cell is None else str(cell) for cell in row)
        text = ' | '.join(cells)
        print(''.join(c if c.isprintable() else '?' for c in text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--show', action='store_true', help='print the table, and end')
    add('--database', default='cmdb.sqlite', help='file of the table')
    add('--address', default='127.0.0.1')
    add('--port', type=int, default=8920, help='0: any')
    add('--source', default='', help='of the events (default: of the first)')
    add('--interval', type=float, default=900, help='of the list, in s')
    add('--pause', type=float, default=30, help='after a list, in s')
    args = parser.parse_args()
    Handler.table = table = Table(args.database, args.source)
    if args.show:
        show(table)
        return
    address = args.address, args.port
    server = http.server.ThreadingHTTPServer(address, Handler)
    say('Listening on port', server.server_port)
    if not SECRET:
        say('HOSTMAINT_NOTIFY_SECRET is not set: anybody may send events')
    how = (args.interval, args.pause)
    threading.Thread(target=table.keep_fresh, args=how, daemon=True).start()
    server.serve_forever()


if __name__ == '__main__':
    main()
