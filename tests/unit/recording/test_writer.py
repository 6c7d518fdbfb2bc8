# SPDX-License-Identifier: Apache-2.0

import dataclasses
import errno
import ipaddress
import json
import os
import re
import stat
from unittest import mock

import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import anonymizer
from osc_hostmaint.recording import records
from osc_hostmaint.recording import writer
from tests import unit
from tests.unit import builders

SEEN = builders.observation([builders.server('vm1'), builders.server('vm2')])
POLICY = policies.Policy(retries=0)
ACTION = memories.Action(memories.ActionKind.LIVE_MIGRATE, 'vm1')
OUTCOME = memories.Outcome(memories.SendStatus.ACCEPTED, 1000.5)
FULL = OSError(errno.ENOSPC, 'No space left on device')


class RecordingTestCase(unit.TestCase):
    def setUp(self):
        self.path = self.new_folder() / 'seen.jsonl'
        self.warn = mock.Mock()

    def open(self, **kwargs):
        recording = writer.Recording(str(self.path), warn=self.warn, **kwargs)
        self.addCleanup(recording.close)
        return recording

    def lines(self):
        return [json.loads(line) for line in self.path.open()]

    def kinds(self):
        return [next(iter(line)) for line in self.lines()]

    def decide(self, recording, seen=SEEN, policy=POLICY, **kwargs):
        rows = kwargs.pop('rows', [builders.row()])
        recording.decided(
            seen, policy, 1000.0, builders.decision(rows, **kwargs)
        )


class TestLines(RecordingTestCase):
    def test_are_in_the_file_at_once(self):
        """Whatever kills us then."""
        recording = self.open()
        self.assertEqual(['began'], self.kinds())
        self.decide(recording)
        self.assertEqual(['began', 'decided'], self.kinds())
        recording.acted('cmp01', ACTION, OUTCOME, 7)
        self.assertEqual(['began', 'decided', 'acted'], self.kinds())

    def test_beginning(self):
        self.open(names=True)
        (line,) = self.lines()
        began = line['began']
        self.assertEqual(
            (records.FORMAT, True), (began['format'], began['names'])
        )
        self.assertTrue(began['version'])
        self.assertTrue(began['at'].endswith('+00:00'), began)

    def test_have_what_has_changed(self):
        stopped = dataclasses.replace(POLICY, stop=builders.INTERRUPTED)
        seen = dataclasses.replace(SEEN, servers_at=1001.0)
        other = dataclasses.replace(SEEN, host='cmp02')
        rows = [builders.row('vm2', reason='x')]
        with self.open() as recording:
            self.decide(recording)
            self.decide(recording, other)
            self.decide(recording)
            self.decide(recording, seen, stopped, rows=rows)
        first, second, third, fourth = [
            line['decided'] for line in self.lines()[1:]
        ]

        # All of it, in one list.
        self.assertIsInstance(first['cmp01'], list)
        self.assertIsInstance(second['cmp02'], list)
        self.assertEqual({'cmp01': {}}, third)
        self.assertEqual(
            {
                'seen': {'servers_at': [1001.0]},
                'policy': {
                    'stop': [{'reason': 'interrupted', 'code': 'interrupted'}]
                },
                'statuses': {'vm1': None, 'vm2': [['moved', 'x']]},
            },
            fourth['cmp01'],
        )

    def test_after_an_interruption_everything_is_recorded_again(self):
        """Ctrl-C may come at any moment, before the line is written."""
        with self.open() as recording:
            self.decide(recording)
            with (
                mock.patch.object(
                    writer.json, 'dumps', side_effect=KeyboardInterrupt
                ),
                self.assertRaises(KeyboardInterrupt),
            ):
                self.decide(recording)
            self.decide(recording)
        self.assertIsInstance(self.lines()[-1]['decided']['cmp01'], list)


class TestNames(RecordingTestCase):
    SEEN = builders.observation(
        [builders.server(name='customer', addresses=('10.0.0.5',))],
        failures={7: 'No route to 10.0.0.5'},
    )

    def written(self, **kwargs):
        """Return the file's text after all kinds of lines."""
        reason = 'it had 10.0.0.5'
        with self.open(**kwargs) as recording:
            self.decide(
                recording,
                self.SEEN,
                dataclasses.replace(
                    POLICY,
                    stop=dataclasses.replace(builders.LATE, reason=reason),
                ),
                rows=[builders.row(name='customer', reason=reason)],
            )
            recording.acted(
                'cmp01', ACTION, dataclasses.replace(OUTCOME, reason=reason), 7
            )
        return self.path.read_text()

    @unit.cases((False, '', '198.18.0.1'), (True, 'customer', '10.0.0.5'))
    def test_are_kept_only_if_they_are_asked_for(self, names, name, address):
        text = self.written(names=names)
        self.assertIn(f'"name":"{name}"', text)
        self.assertEqual(names, 'customer' in text)
        self.assertEqual(names, '10.0.0.5' in text)
        self.assertEqual(5, text.count(address))


class TestFile(RecordingTestCase):
    def refused(self, path=None):
        """Return why a file can't be a recording; it is left as it is."""
        path = path or self.path
        with self.assertRaises(exceptions.HostMaintenanceError) as caught:
            writer.Recording(str(path), warn=self.warn)
        message = str(caught.exception)
        self.assertTrue(message.isprintable(), message)
        self.assertIn('Name another file', message)
        self.warn.assert_not_called()
        return message

    def test_file_mode_is_private(self):
        self.addCleanup(os.umask, os.umask(0))
        self.open()
        self.assertEqual(0o600, stat.S_IMODE(self.path.stat().st_mode))

    def test_is_appended_to(self):
        """The same command again goes on with a drain."""
        for _time in range(2):
            with self.open() as recording:
                self.decide(recording)
        self.assertEqual(['began', 'decided'] * 2, self.kinds())
        self.assertIsInstance(self.lines()[3]['decided']['cmp01'], list)

    def test_append_after_a_truncated_line(self):
        with self.open():
            pass
        with self.path.open('a') as file:
            file.write('{"decided":{"ho')
        self.open()
        lines = self.path.read_text().splitlines()
        self.assertEqual(3, len(lines))
        self.assertTrue(lines[2].startswith('{"began"'))

    @unit.cases('clouds:\n', '{"beg', '{"began":{"format":1,', '\x00', '\n')
    def test_of_something_else(self, text):
        self.path.write_text(text)
        self.assertIn('contains something else', self.refused())
        self.assertEqual(text, self.path.read_text())

    def test_link_or_pipe(self):
        """A link might lead anywhere; nobody reads the pipe."""
        aim = self.path.with_name('aim')
        self.path.symlink_to(aim)
        self.assertIn('it is a symbolic link', self.refused())
        self.assertFalse(aim.exists())
        self.path.unlink()
        os.mkfifo(self.path)
        self.assertIn('not a regular file', self.refused())

    @unit.cases(
        # the path, what is said
        ('none/such', 'No such file or directory'),
        ('', 'Is a directory'),
        ('\x1b[2J/x', 'No such file or directory'),
        ('x' * 300, 'name too long'),
    )
    def test_that_can_not_be(self, name, words):
        self.assertIn(words, self.refused(self.path.parent / name))

    def test_of_another_user(self):
        with self.open():
            pass
        with mock.patch('os.geteuid', return_value=12345):
            self.assertIn('another user', self.refused())

    def test_that_another_drain_writes(self):
        self.open()
        self.assertIn('another drain is writing to it', self.refused())
        self.assertEqual(['began'], self.kinds())

    def test_on_a_full_disk(self):
        """Said before anything is touched."""
        with mock.patch.object(writer.Recording, '_write', side_effect=FULL):
            self.assertIn('No space left', self.refused())


class TestErrors(RecordingTestCase):
    """They never end a drain."""

    def full(self, method):
        recording = self.open()
        recording._file = mock.Mock(wraps=recording._file)
        getattr(recording._file, method).side_effect = FULL
        return recording

    def test_a_full_disk(self):
        recording = self.full('flush')
        for _time in range(3):
            self.decide(recording)
            recording.acted('cmp01', ACTION, OUTCOME, 7)
        recording.close()
        ((words,), _kwargs) = self.warn.call_args
        self.warn.assert_called_once()
        for part in ('No space left', 'drain continues without', 'seen.jsonl'):
            self.assertIn(part, words)

    def test_a_disk_that_is_full_at_the_end(self):
        self.full('close').close()
        self.assertIn('No space left', self.warn.call_args.args[0])

    def test_a_mistake_of_ours(self):
        recording = self.open()
        with mock.patch.object(
            writer.records, 'difference', side_effect=TypeError('a set')
        ):
            self.decide(recording)
            self.decide(recording)
        (call,) = self.warn.call_args_list
        self.assertIn('a set', call.args[0])


ADDRESSES = strategies.ip_addresses().map(str)


class TestHide(unit.TestCase):
    def setUp(self):
        self.hide = anonymizer.Anonymizer().hide

    def test_names_are_replaced(self):
        tree = {'s': {'vm1': {'id': 'vm1', 'name': 'web\x1b', 'host': 'a'}}}
        self.assertEqual(
            {'s': {'vm1': {'id': 'vm1', 'name': '', 'host': 'a'}}},
            self.hide(tree),
        )

    def test_a_name_that_has_changed(self):
        """Differences have a changed value in a list."""
        self.assertEqual({'name': ['']}, self.hide({'name': ['web']}))

    @unit.cases(
        ('live', 'live'),
        ('', ''),
        ('not before Monday', ''),
        (['cold', 'x'], ['cold', '']),
    )
    def test_wishes(self, wish, kept):
        """Free text of an owner says nothing to a drain."""
        self.assertEqual({'wish': kept}, self.hide({'wish': wish}))

    @unit.cases(
        # an address, its replacement
        ('10.0.0.5', '198.18.0.1'),
        ('fd00::5', '2001:db8::1'),
        ('2A00:1450:4001:830::200e', '2001:db8::1'),
        ('::ffff:10.0.0.5', '2001:db8::1'),
    )
    def test_an_address_is_replaced_by_one_of_its_kind(self, real, other):
        for text in (
            '{}',
            'at {}',
            'from {}: no answer',
            'from {}.',
            '({})',
            '[{}]',
            '{}/24',
            "u'{}', x",
        ):
            self.assertEqual(text.format(other), self.hide(text.format(real)))

    @unit.cases('http://10.0.0.5:8774/v2.1', 'http://[fd00::5]:8774/v2.1')
    def test_addresses_in_urls(self, url):
        hidden = self.hide(url)
        self.assertNotRegex(hidden, '10.0.0.5|fd00')
        self.assertTrue(hidden.endswith(':8774/v2.1'), hidden)

    @unit.cases(
        *(None, True, 0, 4.2, '', 'ACTIVE', [], {}, [1, 'x', None]),
        *('2026-11-20T23:31:07+00:00', '23:31:07', 'took 1:02:03.456'),
        *('microversion 2.104', 'version 34.0.0', 'nova::compute'),
        *('7d1c5b5e-0000-4000-8000-000000000001', 'cmp01.example.org'),
        *('300.1.2.3', '1.2.3.4.5', 'fa:16:3e:12:34:56'),
    )
    def test_what_is_no_address_stays(self, value):
        self.assertEqual(value, self.hide(value))

    def test_the_same_address_is_replaced_by_the_same_everywhere(self):
        hidden = self.hide(
            {
                'addresses': ['10.0.0.5', 'fd00::5', '10.0.0.6'],
                'reason': 'it had 10.0.0.6, fd00:0::5 and 10.0.0.5',
            }
        )
        a, b, c = hidden['addresses']
        self.assertEqual(f'it had {c}, {b} and {a}', hidden['reason'])
        self.assertEqual(3, len({a, b, c}))

    @hypothesis.given(strategies.lists(ADDRESSES, unique=True))
    def test_no_two_share_a_replacement(self, addresses):
        hidden = anonymizer.Anonymizer().hide(addresses)
        self.assertEqual(len(addresses), len(set(hidden)))
        for real, other in zip(addresses, hidden, strict=True):
            self.assertEqual(
                ipaddress.ip_address(real).version,
                ipaddress.ip_address(other).version,
            )

    @hypothesis.given(
        strategies.lists(
            strategies.one_of(
                ADDRESSES, strategies.text('a:.1 /'), strategies.text()
            )
        )
    )
    def test_any_text_is_accepted(self, parts):
        text = ' '.join(parts)
        hidden = anonymizer.Anonymizer().hide(text)
        plain = re.compile('[^0-9A-Fa-f:.]')
        self.assertEqual(plain.findall(text), plain.findall(hidden))
