# SPDX-License-Identifier: Apache-2.0

"""Events of real runs, to real receivers."""

import json
import pathlib
import signal
import tempfile
import threading
import typing as ty

from osc_hostmaint.commands import options
from tests import receivers
from tests.cloud import waiting
from tests.functional import base
from tests.functional import output


class NotifyTest(base.FunctionalTest):
    def listen(
        self, behave: receivers.Behaviour = receivers.takes
    ) -> receivers.Receiver:
        return self.enterContext(receivers.Receiver(behave))

    def run_notified(
        self, line: str, *servers: receivers.Receiver, code: int = 0
    ) -> base.Done:
        urls = ' '.join(each.url('/secret', 'me:secret') for each in servers)
        env = {options.NOTIFY: urls, 'NO_PROXY': '*'}
        done = self.run_command(f'host maintenance {line}', **env)
        self.assertEqual(code, done.code, done.err)
        self.assertNotIn('secret', done.err)
        return done


class TestEvents(NotifyTest):
    def boot(self) -> None:
        self.cloud.boot_many(
            [
                {'name': state.lower(), 'host': 'cmp01', 'state': state}
                for state in ('ACTIVE', 'SHUTOFF', 'SUSPENDED')
            ]
        )

    def test_there_and_back(self) -> None:
        self.boot()
        server = self.listen()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        log = pathlib.Path(folder, 'events.jsonl')
        drain = f'drain --reason kernel --event-log {log} cmp01'
        self.run_notified(drain, server, code=3)
        drained = server.events
        self.run_notified(drain, server, code=3)
        again = server.events[len(drained) :]
        self.run_notified('unset --restore cmp01', server)
        back = server.events[len(drained) + len(again) :]

        for event in server.events:
            output.check_event(event)
        self.assertEqual(
            [
                *('maintenance.set', 'drain.started', 'server.blocked'),
                *('server.moved', 'server.moved', 'drain.ended'),
            ],
            names(drained),
        )
        # What is said again is recognised. The second run had less to do, so
        # its end is another one.
        self.assertEqual(ids(drained)[:3], ids(again)[:3])
        self.assertEqual(names(drained)[:3] + ['drain.ended'], names(again))
        self.assertNotIn(ids(again)[3], ids(drained))
        self.assertEqual(
            [
                *('maintenance.unset', 'restore.started', 'server.moved'),
                *('server.moved', 'restore.ended'),
            ],
            names(back),
        )
        self.assertEqual(
            {'cmp01'}, {each['subject'] for each in server.events}
        )
        (source,) = {each['source'] for each in server.events}
        self.assertRegex(source, '^http://127.0.0.1:[0-9]+/v3#RegionOne$')
        written = [json.loads(line) for line in log.open()]
        self.assertEqual(drained + again, written)
        set_, _started, _blocked, *moved, ended = drained
        self.assertEqual(
            {'maintenance', 'kernel', base.OPERATOR},
            {set_['data'][name] for name in ('mode', 'reason', 'by')},
        )
        self.assertEqual([2, 1], [m['data']['servers_left'] for m in moved])
        self.assertEqual({'blocked': 1, 'moved': 2}, ended['data']['results'])


class TestKilled(NotifyTest):
    options: ty.ClassVar[dict[str, ty.Any]] = {'max_live': 1}

    def test_killed_and_run_again(self) -> None:
        """What both runs tell has one id."""
        self.cloud.knobs(lm_seconds=2)
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 3))
        server = self.listen()
        line = f'host maintenance drain --notify {server.url()} cmp01'
        process = self.start(line, NO_PROXY='*')
        waiting.wait_for(
            lambda: 'osc-hostmaint.server.moved' in server.types,
            'the first move to be told',
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        first = server.events
        self.run_notified('drain cmp01', server)

        second = server.events[len(first) :]
        self.assertEqual(ids(first)[:2], ids(second)[:2])
        self.assertEqual('drain.ended', names(second)[-1])
        moved = [
            (event['data']['server_id'], event['id'])
            for event in server.events
            if event['type'].endswith('.moved')
        ]
        self.assertEqual(len({*moved}), len({server for server, _ in moved}))


class TestBadReceivers(NotifyTest):
    def test_change_nothing(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        over = threading.Event()
        self.addCleanup(over.set)
        with receivers.Receiver() as gone:
            pass
        elsewhere = self.listen()
        away = receivers.answers(307, Location=elsewhere.url())
        good, endless, odd, slow, failing, lying, moved, putting_off = (
            self.listen(behave)
            for behave in (
                receivers.takes,
                receivers.without_end(200),
                receivers.says(b'HTTP/1.1 204 OK\r\nhostile \x1b\r\n\r\n'),
                receivers.holds(over),
                receivers.answers(503, Retry_After='999999999'),
                receivers.talks_nonsense,
                away,
                receivers.waits_on,
            )
        )
        done = self.run_notified(
            'drain -f json cmp01',
            *(gone, slow, failing, lying, moved, endless, odd, putting_off),
            good,
        )

        self.assertEqual(['moved'] * 2, [row['Result'] for row in done.json])
        self.assertEqual(5, len(good.posted))
        for server in (endless, odd):
            self.assertEqual(ids(good.events), ids(server.events))
        self.assertNotIn('hostile', done.err)
        self.assertEqual([], elsewhere.posted)
        for server, why in (
            (gone, 'the connection fails'),
            (slow, 'it does not answer in time|there was no time left'),
            (putting_off, 'it does not answer in time'),
            (failing, 'it answers HTTP 503'),
            (lying, 'the connection fails'),
            (moved, 'it redirects to another server'),
        ):
            self.assertRegex(
                done.err,
                f'(?m)^5 events were not delivered to {server.origin}: {why}$',
            )
        for server in (good, endless, odd):
            self.assertNotIn(f'delivered to {server.origin}', done.err)

    def test_table_first(self) -> None:
        """It is printed while a receiver has answered nothing yet."""
        self.cloud.boot('server', host='cmp01')
        over = threading.Event()
        self.addCleanup(over.set)
        server = self.listen(receivers.holds(over))
        process = self.start(
            f'host maintenance drain -f json --notify {server.url()} cmp01',
            NO_PROXY='*',
        )
        assert process.stdout is not None
        read = ''
        while not read.endswith(']'):
            char = process.stdout.read(1)
            self.assertTrue(char, read)
            read += char
        over.set()
        _rest, err = process.communicate(timeout=base.LIMIT)
        self.assertEqual(0, process.returncode, err)
        self.assertNotIn('not delivered', err)
        self.assertIn('osc-hostmaint.drain.ended', server.types)


def ids(events: ty.Iterable[ty.Any]) -> list[str]:
    return [event['id'] for event in events]


def names(events: ty.Iterable[ty.Any]) -> list[str]:
    return [event['type'].removeprefix('osc-hostmaint.') for event in events]
