# SPDX-License-Identifier: Apache-2.0

import errno
import json
import os
import stat
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import event_log
from tests import unit
from tests.unit import builders


def written(host):
    writer = cloud_events.Writer('https://keystone', events.Operation.DRAIN)
    return writer.write(events.MaintenanceSet(host, builders.mark()))


class EventLogTestCase(unit.TestCase):
    def setUp(self):
        self.path = self.new_folder() / 'events.jsonl'

    def open(self):
        log = event_log.EventLog(str(self.path))
        self.addCleanup(log.close)
        return log

    def hosts(self):
        return [json.loads(line)['subject'] for line in self.path.open()]

    def refused(self):
        with self.assertRaises(exceptions.HostMaintenanceError) as caught:
            self.open()
        return str(caught.exception)


class TestFile(EventLogTestCase):
    def test_a_line_each(self):
        log = self.open()
        log.deliver(written('cmp01'))
        log.deliver(written('cmp02'))
        self.assertEqual(['cmp01', 'cmp02'], self.hosts())
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_several_runs_share_it(self):
        first, second = self.open(), self.open()
        first.deliver(written('cmp01'))
        second.deliver(written('cmp02'))
        first.deliver(written('cmp03'))
        self.assertEqual(['cmp01', 'cmp02', 'cmp03'], self.hosts())

    def test_one_write_each(self):
        log = self.open()
        with mock.patch('os.write', wraps=os.write) as write:
            log.deliver(written('cmp01'))
        write.assert_called_once()

    def test_a_last_line_that_was_cut_off(self):
        self.open().deliver(written('cmp01'))
        with self.path.open('a') as file:
            file.write('{"specver')
        self.open().deliver(written('cmp02'))
        lines = self.path.read_text().splitlines()
        self.assertEqual('{"specver', lines[1])
        self.assertEqual('cmp02', json.loads(lines[2])['subject'])


class TestReplaced(EventLogTestCase):
    """While it is open."""

    def setUp(self):
        super().setUp()
        self.log = self.open()
        self.log.deliver(written('cmp01'))

    def test_removed(self):
        self.path.unlink()
        self.log.deliver(written('cmp02'))
        self.assertEqual(['cmp02'], self.hosts())
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_moved_away(self):
        self.path.rename(self.path.with_name('old'))
        self.log.deliver(written('cmp02'))
        self.assertEqual(['cmp02'], self.hosts())

    def deliver_refused(self, words):
        with self.assertRaisesRegex(delivery.NotDelivered, words):
            self.log.deliver(written('cmp02'))

    def test_by_something_else(self):
        self.path.unlink()
        self.path.symlink_to('/dev/null')
        self.deliver_refused('symbolic link')
        # Until somebody mends that.
        self.path.unlink()
        self.path.touch(0o600)
        self.log.deliver(written('cmp02'))
        self.assertEqual(['cmp02'], self.hosts())

    def test_by_one_that_others_may_read(self):
        self.path.unlink()
        self.path.touch()
        self.path.chmod(0o640)
        for _try in range(2):
            self.deliver_refused('mode 0640')
        self.assertEqual([], self.hosts())


class TestRefused(EventLogTestCase):
    def test_a_link(self):
        target = self.path.with_name('target')
        target.touch(0o600)
        self.path.symlink_to(target)
        self.assertIn('symbolic link', self.refused())

    def test_another_name(self):
        self.path.touch(0o600)
        self.path.with_name('other').hardlink_to(self.path)
        self.assertIn('hard link', self.refused())

    def test_a_pipe(self):
        os.mkfifo(self.path, 0o600)
        self.assertIn('not a regular file', self.refused())

    @unit.cases(
        'something else\n',
        '{"began": {}}\n',
        '[]\n',
        '{"type": "org.example"}\n',
        '{"type": null}',
        '"osc-hostmaint."',
        '\x00',
    )
    def test_another_file(self, contents):
        self.path.touch(0o600)
        self.path.write_text(contents)
        self.assertIn('contains something else', self.refused())
        self.assertEqual(contents, self.path.read_text())

    def test_one_that_others_may_read(self):
        self.open().deliver(written('cmp01'))
        self.path.chmod(0o640)
        self.assertIn('mode 0640', self.refused())

    def test_of_another_user(self):
        self.path.touch(0o600)
        with mock.patch('os.geteuid', return_value=12345):
            self.assertIn('belongs to another user', self.refused())

    def test_a_folder(self):
        self.path.mkdir()
        self.assertIn('Is a directory', self.refused())


class TestFullDisk(EventLogTestCase):
    def test_nothing_is_written(self):
        log = self.open()
        full = OSError(errno.ENOSPC, 'No space left on device')
        with (
            mock.patch('os.write', side_effect=full),
            self.assertRaises(delivery.NotDelivered) as caught,
        ):
            log.deliver(written('cmp01'))
        self.assertTrue(caught.exception.may_retry)
        log.deliver(written('cmp01'))
        self.assertEqual(['cmp01'], self.hosts())

    def test_a_part_is_written(self):
        log = self.open()
        write = os.write

        def in_part(fd, line):
            return write(fd, line[:10])

        with (
            mock.patch('os.write', in_part),
            self.assertRaises(delivery.NotDelivered),
        ):
            log.deliver(written('cmp01'))
        log.deliver(written('cmp01'))
        cut, whole = self.path.read_text().splitlines()
        self.assertTrue(whole.startswith(cut))
        self.assertEqual('cmp01', json.loads(whole)['subject'])

    def test_a_part_is_written_and_the_log_removed(self):
        log = self.open()
        with (
            mock.patch('os.write', return_value=1),
            self.assertRaises(delivery.NotDelivered),
        ):
            log.deliver(written('cmp01'))
        self.path.unlink()
        log.deliver(written('cmp01'))
        self.open().deliver(written('cmp02'))
        self.assertEqual(['cmp01', 'cmp02'], self.hosts())
