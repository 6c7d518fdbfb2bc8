# SPDX-License-Identifier: Apache-2.0

"""--notify, --notify-cacert and --event-log."""

import json
import os
import signal
import threading
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain
from osc_hostmaint.commands import mark
from osc_hostmaint.commands import options
from osc_hostmaint.commands import restore
from osc_hostmaint.notifications import delivery
from osc_hostmaint.planning import timing
from tests import receivers
from tests import unit
from tests.unit import builders
from tests.unit.commands import shell

SET = events.MaintenanceSet('cmp01', builders.mark())
COMMANDS = (
    *(drain.DrainHostMaintenance, restore.RestoreHostMaintenance),
    *(mark.SetHostMaintenance, mark.UnsetHostMaintenance),
)


class NotifyTestCase(shell.CommandTestCase):
    command = drain.DrainHostMaintenance

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.dict(os.environ, {'NO_PROXY': '*'}))
        self.maintenance.cloud = 'https://keystone/v3#RegionOne'
        methods = ('drain', 'restore', 'unset_and_restore', 'set', 'unset')
        for name in methods:
            getattr(self.maintenance, name).side_effect = self.carry_out

    def carry_out(self, hosts, **kwargs):
        if kwargs['report']:
            kwargs['report'].publish(SET)
            kwargs['report'].publish(builders.ended(builders.row()))
        if isinstance(hosts, str):
            return builders.service()
        return shell.result(builders.row())

    def listen(self, behave=receivers.takes, **kwargs):
        server = receivers.Receiver(behave, **kwargs)
        return self.enterContext(server)


class TestSent(NotifyTestCase):
    @unit.cases(
        (COMMANDS[0], '', 'drain'),
        (COMMANDS[0], '--evacuate', 'evacuation'),
        (COMMANDS[1], '', 'restore'),
        (COMMANDS[2], '', 'drain'),
        (COMMANDS[3], '', 'drain'),
        (COMMANDS[3], '--restore', 'restore'),
    )
    def test_by_each_command(self, command, arguments, operation):
        self.command = command
        server = self.listen()
        done = self.run_command(f'{arguments} --notify {server.url()} cmp01')
        self.assertEqual(0, done.code)
        self.assertEqual([], done.errors)
        self.assertEqual(
            [
                'osc-hostmaint.maintenance.set',
                f'osc-hostmaint.{operation}.ended',
            ],
            server.types,
        )
        (source,) = {event['source'] for event in server.events}
        self.assertEqual(self.maintenance.cloud, source)

    def test_to_several(self):
        first, second = self.listen(), self.listen()
        self.run_command(
            f'--notify {first.url()} --notify {second.url()} cmp01'
        )
        self.assertEqual(2, len(first.posted))
        self.assertEqual(first.events, second.events)

    def test_to_those_of_the_environment(self):
        first, second, given = (self.listen() for _each in range(3))
        os.environ[options.NOTIFY] = f' {first.url()}\n{second.url()} '
        self.run_command('cmp01')
        self.run_again(f'--notify {given.url()} cmp01')
        counts = [len(server.posted) for server in (first, second, given)]
        self.assertEqual([2, 2, 2], counts)

    def run_again(self, arguments):
        self.made.reset_mock()
        return self.run_command(arguments)

    def test_signed(self):
        server = self.listen()
        os.environ[options.NOTIFY_SECRET] = 'secret'
        self.run_command(f'--notify {server.url()} cmp01')
        self.assertIn('x-hub-signature-256', server.posted[0].headers)

    def test_by_tls(self):
        cacert, tls = receivers.certificate(self.new_folder())
        server = self.listen(tls=tls)
        self.run_command(
            f'--notify {server.url()} --notify-cacert {cacert} cmp01'
        )
        self.assertEqual(2, len(server.posted))

    def test_to_a_log(self):
        path = self.new_folder() / 'events.jsonl'
        self.run_command(f'--event-log {path} cmp01')
        hosts = [json.loads(line)['subject'] for line in path.open()]
        self.assertEqual(['cmp01', 'cmp01'], hosts)

    def test_not_by_a_dry_run(self):
        self.maintenance.preview.return_value = mock.Mock(
            rows=(), notes=(), errors={}, done=True
        )
        path = self.new_folder() / 'events.jsonl'
        server = self.listen()
        self.run_command(
            f'--progress none --dry-run --event-log {path} '
            f'--notify {server.url()} cmp01'
        )
        self.assertEqual([], server.posted)
        self.assertFalse(path.exists())

    def test_what_was_done_before_a_failure(self):
        def fail(hosts, **kwargs):
            self.carry_out(hosts, **kwargs)
            raise exceptions.Refused('no room')

        self.maintenance.drain.side_effect = fail
        server = self.listen()
        with self.assertRaises(exceptions.Refused):
            self.run_command(f'--notify {server.url()} cmp01')
        self.assertEqual(2, len(server.posted))


class TestTable(NotifyTestCase):
    def test_is_printed_before_the_last_events_are_delivered(self):
        printed = []
        over = threading.Event()
        self.addCleanup(over.set)

        def behave(handler):
            over.wait()
            receivers.takes(handler)

        server = self.listen(behave)
        command, parsed = self.parse(f'--notify {server.url()} cmp01')
        produce_output = command.produce_output

        def produce(*args):
            code = produce_output(*args)
            printed.append(self.stdout.getvalue())
            over.set()
            return code

        with mock.patch.object(command, 'produce_output', produce):
            self.assertEqual(0, command.run(parsed))
        self.assertIn('name of vm1', printed[0])
        self.assertEqual(2, len(server.posted))

    @unit.cases(COMMANDS[0], COMMANDS[2])
    def test_a_receiver_that_fails_changes_no_result(self, command):
        self.command = command
        seconds = mock.patch.object(timing, 'NOTIFY_DELIVERY_SECONDS', 0.1)
        server = self.listen(receivers.hangs_up)
        with seconds:
            done = self.run_command(
                f'--notify {server.url("/secret", "me:secret")} cmp01'
            )
        self.assertEqual(0, done.code)
        self.assertEqual(
            [
                f'2 events were not delivered to {server.origin}: the '
                'connection fails'
            ],
            done.errors,
        )

    @unit.cases(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    def test_signals_change_no_exit_code(self, number):
        over = threading.Event()
        self.addCleanup(over.set)
        server = self.listen(receivers.holds(over))

        def interrupt(*_args):
            for _time in range(3):
                signal.raise_signal(number)
            return False

        with mock.patch.object(delivery.Delivery, 'has_ended', interrupt):
            done = self.run_command(f'--notify {server.url()} cmp01')
        self.assertEqual(0, done.code)
        self.assertIn('2 events were not delivered', done.errors[0])


class TestRefused(NotifyTestCase):
    """Before anything is changed."""

    @unit.cases(*COMMANDS)
    def test_no_url(self, command):
        self.command = command
        for url in ('ftp://me:secret@cmdb', 'secret', ''):
            with self.subTest(url=url):
                words = 'argument --notify: not an http or https URL'
                self.assert_usage(['--notify', url, 'cmp01'], words)

    def usage(self, arguments):
        """Return why a command is refused once its line was read."""
        command, parsed = self.parse(arguments)
        with self.logged() as errors:
            self.assertEqual(2, command.run(parsed))
        self.made.assert_not_called()
        (error,) = errors
        return error

    @unit.cases(*COMMANDS)
    def test_no_url_in_the_environment(self, command):
        self.command = command
        os.environ[options.NOTIFY] = 'https://cmdb/ ftp://me:secret@cmdb'
        error = self.usage('cmp01')
        self.assertIn('OS_HOSTMAINT_NOTIFY: not an http', error)
        self.assertNotIn('secret', error)

    def test_an_empty_secret(self):
        os.environ[options.NOTIFY_SECRET] = ''
        self.assertEqual(
            'HOSTMAINT_NOTIFY_SECRET is set, but empty',
            self.usage('--notify http://cmdb cmp01'),
        )

    @unit.cases(*COMMANDS)
    def test_certificates_for_nobody(self, command):
        self.command = command
        self.assertEqual(
            '--notify-cacert: needs --notify <url>',
            self.usage('--notify-cacert x cmp01'),
        )

    @unit.cases(
        ('--event-log', 'Cannot log events to'),
        ('--notify https://cmdb --notify-cacert', 'Cannot read CA'),
    )
    def test_a_file_that_cannot_be_used(self, option, words):
        path = self.new_folder() / 'file'
        path.write_text('something else')
        command, parsed = self.parse(f'{option} {path} cmp01')
        with self.assertRaisesRegex(exceptions.HostMaintenanceError, words):
            command.run(parsed)
        self.made.assert_not_called()
