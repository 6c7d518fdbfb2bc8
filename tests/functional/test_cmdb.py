# SPDX-License-Identifier: Apache-2.0

"""The guide's table of hosts, with the events of real commands."""

import http.server
import json
import sqlite3
import typing as ty
import uuid

import requests

from tests import receivers
from tests.cloud import waiting
from tests.functional import base
from tests.functional import receivers_base

SIGNATURE = receivers_base.SIGNATURE
OPERATIONAL = ('operational', None, None, None, None)


class TestCmdb(receivers_base.ReceiverTest):
    script = 'cmdb'

    def setUp(self) -> None:
        super().setUp()
        self.database = self.directory / 'cmdb.sqlite'

    def start_cmdb(self, *words: str) -> receivers_base.Receiver:
        """Start it, and wait for the first list."""
        receiver = self.receive(
            *('--database', str(self.database), '--pause', '0'), *words
        )
        waiting.wait_for(lambda: 'cmp04' in self.table(), 'the first list')
        return receiver

    def query(self, statement: str) -> list[tuple[ty.Any, ...]]:
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def table(self) -> dict[str, tuple[ty.Any, ...]]:
        """Mode, since, owner, reason, servers left by host."""
        rows = self.query(
            'SELECT host, mode, since, owner, reason, servers_left FROM hosts'
        )
        return {host: tuple(row) for host, *row in rows}

    def everything(self) -> tuple[object, object]:
        """The table, and the ids that are known."""
        return self.table(), self.query('SELECT DISTINCT id FROM seen')

    def wait_until(
        self, host: str, *wanted: object, timeout: float = 60.0
    ) -> None:
        waiting.wait_for(
            lambda: self.table().get(host, ())[: len(wanted)] == wanted,
            f'{wanted} in {self.database}',
            timeout,
        )

    def assert_listed(self, left: int | None, host: str = 'cmp01') -> None:
        """The table has what the list says of the hosts' modes."""
        out = self.openstack('host maintenance list --all --long -f json')
        wanted = {}
        for row in json.loads(out):
            out_of_service = row['Mode'] != 'operational'
            wanted[row['Host']] = (
                *(row['Mode'], row['Since'], row['Set By']),
                row['Reason'] if out_of_service else None,
                left if row['Host'] == host else None,
            )
        self.assertEqual(wanted, self.table())

    def test_maintenance(self) -> None:
        self.cloud.boot_many(
            [
                {'name': 'web-1', 'host': 'cmp01'},
                {'name': 'old-wiki', 'host': 'cmp01', 'state': 'SUSPENDED'},
            ]
        )
        cmdb = self.start_cmdb()
        self.assertEqual(OPERATIONAL, self.table()['cmp01'])

        reason = "kernel'); DROP TABLE hosts; --"
        self.notify('set cmp01 --reason', reason, url=cmdb.url)
        self.assertEqual(reason, self.table()['cmp01'][3])
        self.assertEqual(base.OPERATOR, self.table()['cmp01'][2])
        self.assert_listed(None)

        self.notify('drain cmp01', url=cmdb.url, code=3)
        self.assert_listed(1)

        # How a drain ends is news once, with the servers that it had.
        self.notify('drain cmp01', url=cmdb.url, code=3)
        self.assert_listed(1)
        before = self.everything()
        self.notify('drain cmp01', url=cmdb.url, code=3)
        self.assertEqual(before, self.everything())

        # Nothing that was answered is lost.
        cmdb.kill()
        self.assertEqual(before, self.everything())
        self.assertEqual([], cmdb.asked())
        cmdb = self.start_cmdb()
        self.notify('unset --restore cmp01', url=cmdb.url)
        self.assertEqual(2, len(self.cloud.servers('cmp01')))
        self.assert_listed(None)
        self.assertEqual([], cmdb.asked())

    def test_gap(self) -> None:
        """The first event of a run does not get through a proxy."""
        cmdb = self.start_cmdb()
        dropped = []

        def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
            posted = proxy.posted[-1]
            kind = posted.event['type']
            if kind.endswith('.set'):
                dropped.append(kind)
                receivers.answers(400)(handler)
                return
            names = ('content-type', SIGNATURE.lower())
            passed = {name: posted.headers[name] for name in names}
            answer = requests.post(
                cmdb.url, posted.body, headers=passed, timeout=30
            )
            receivers.answers(answer.status_code)(handler)

        proxy = self.enterContext(receivers.Receiver(behave))
        done = self.notify('drain cmp02 --reason fan', url=proxy.url())
        self.assertIn('was not delivered', done.err)
        self.assertEqual(['osc-hostmaint.maintenance.set'], dropped)
        self.wait_until('cmp02', 'maintenance')
        waiting.wait_for(
            lambda: self.table()['cmp02'][3:] == ('fan', 0), 'the list'
        )
        self.assertIn('2 comes after 0', cmdb.asked()[0])
        self.assert_listed(0, 'cmp02')

    def test_lost_without_a_gap(self) -> None:
        """No later event tells that the last ones of a run are missing."""
        cmdb = self.start_cmdb()
        cmdb.kill()
        done = self.notify('set cmp02', url=cmdb.url)
        self.assertIn('was not delivered', done.err)
        self.assertEqual(OPERATIONAL, self.table()['cmp02'])
        cmdb = self.start_cmdb('--interval', '1')
        self.wait_until('cmp02', 'maintenance')
        self.openstack('host maintenance set cmp03')
        self.wait_until('cmp03', 'maintenance')
        self.assertEqual([], cmdb.asked())

    def test_reason_there_and_back(self) -> None:
        """The third event says what the first one said."""
        cmdb = self.start_cmdb()
        for reason in ('disk', 'fan', 'disk'):
            self.notify(f'set cmp01 --reason {reason}', url=cmdb.url)
            shown = self.show('cmp01')
            self.wait_until(
                'cmp01', 'maintenance', shown['since'], base.OPERATOR, reason
            )

    def start_without_list(self) -> receivers_base.Receiver:
        """Start it where ``openstack`` is not installed."""
        words = ('--database', str(self.database), '--pause', '600')
        cmdb = self.receive(*words, PATH='')
        waiting.wait_for(cmdb.asked, 'the first list to fail')
        (why,) = cmdb.asked()
        self.assertIn('No such file or directory', why)
        return cmdb

    def test_late_events(self) -> None:
        cmdb = self.start_without_list()
        first, second = '2026-11-30T01:00:00Z', '2026-11-30T02:00:00Z'
        who = {'by': 'alice', 'reason': 'fan'}
        took = self.event('maintenance.set', 'cmp01', since=first, **who)
        over = self.event('maintenance.unset', 'cmp01', 2, since=first)
        began = self.event('drain.started', 'cmp01', 3, servers_left=7)
        began['time'] = took['time']
        self.runid = str(uuid.uuid4())
        again = self.event('maintenance.set', 'cmp01', since=second, **who)
        # By a machine whose clock is fast.
        late = self.event('maintenance.unset', 'cmp01', 2, since=first)
        late['time'] = '2999-12-31T00:00:00Z'
        left = self.event('drain.started', 'cmp01', 3, servers_left=3)

        self.assertEqual(204, self.post(cmdb.url, over))
        self.assertIn('2 comes after 0', cmdb.asked()[-1])
        for each, why in ((took, 'maintenance.set'), (began, 'drain.started')):
            self.assertEqual(204, self.post(cmdb.url, each))
            self.assertEqual(OPERATIONAL, self.table()['cmp01'])
            self.assertIn(f"{why} of 'cmp01' is", cmdb.asked()[-1])
        self.assertEqual(204, self.post(cmdb.url, again))
        wanted = ('maintenance', second, 'alice', 'fan')
        self.assertEqual((*wanted, None), self.table()['cmp01'])
        asked = cmdb.asked()
        self.assertEqual(204, self.post(cmdb.url, late))
        self.assertEqual(len(asked) + 1, len(cmdb.asked()))
        self.assertEqual(204, self.post(cmdb.url, left))
        self.assertEqual((*wanted, 3), self.table()['cmp01'])
        # A receiver whose answer is lost gets an event once more.
        self.assertEqual(204, self.post(cmdb.url, left))
        self.assertEqual((*wanted, 3), self.table()['cmp01'])
        self.assertEqual(len(asked) + 1, len(cmdb.asked()))

        # Another reason, and back to the first one, whose event is known.
        data = {'since': second, 'by': 'alice', 'reason': 'disk'}
        other = self.event('maintenance.set', 'cmp01', 4, **data)
        self.assertEqual(204, self.post(cmdb.url, other))
        back = self.event('maintenance.set', 'cmp01', 5, **{**data, **who})
        back['id'] = again['id']
        self.assertEqual(204, self.post(cmdb.url, back))
        self.assertEqual('disk', self.table()['cmp01'][3])
        self.assertEqual(len(asked) + 2, len(cmdb.asked()))
        # Whoever put it back into service found no maintenance then.
        early = self.event('maintenance.unset', 'cmp01', 6, since=None)
        self.assertEqual(204, self.post(cmdb.url, early))
        self.assertEqual('maintenance', self.table()['cmp01'][0])
        self.assertEqual(len(asked) + 3, len(cmdb.asked()))

    def test_refuses(self) -> None:
        cmdb = self.start_without_list()
        self.assert_refuses(cmdb.url)
        data: dict[str, ty.Any] = {'since': {}, 'by': [], 'reason': ''}
        wrong = self.event('maintenance.set', 'cmp01', **data)
        self.assertEqual(400, self.post(cmdb.url, wrong))
        data = {'since': None, 'by': {}, 'reason': '\ud800'}
        wrong = self.event('maintenance.set', 'cmp01', **data)
        self.assertEqual(400, self.post(cmdb.url, wrong))
        self.assertEqual(({}, []), self.everything())

        event = self.event('later.kind', 'cmp01')
        self.assertEqual(204, self.post(cmdb.url, event))
        other = self.event('later.kind', 'cmp02')
        other['source'] = 'http://other-keystone#RegionOne'
        self.assertEqual(403, self.post(cmdb.url, other))
        self.assertEqual(['cmp01'], list(self.table()))
        self.assertNotIn('Traceback', cmdb.log.read_text())
