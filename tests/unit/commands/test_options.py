# SPDX-License-Identifier: Apache-2.0

"""What can be typed."""

import argparse
import dataclasses
import datetime
import enum
import os
import time
from unittest import mock

from openstackclient import shell as openstack

from osc_hostmaint.commands import drain as commands
from osc_hostmaint.commands import options
from osc_hostmaint.commands import policy as moves
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.commands import shell

DURATION = options.DURATION['type']
NUMBER = options.NUMBER['type']
COUNT = options.COUNT['type']
NO_NUMBERS = ('', '-1', '1.5', 'two', '²', '٣', '1e3', '1' * 5000)
NO_DURATIONS = (
    *('', '0', '0h', '-1', '1.5h', '2w', '2 h', 'h', 'd', '1h30m', '15M'),
    *('15 m', '15m ', 'soon', '٣m', f'{10**9}s'),
)
NO_TIMES = (
    '9999-12-31T23:59-23:00',
    '0001-01-01T00:00',
    '',
    '24:00',
    '6:00',
    '06:60',
    '06:00Z',
    '90',
    'soon',
)


class TestTypes(unit.TestCase):
    @unit.cases(
        *((DURATION, '90', 90), (DURATION, '90s', 90)),
        *((DURATION, '15m', 900), (DURATION, '2h', 7200), (DURATION, '1', 1)),
        *((DURATION, '048h', 172800), (DURATION, '7d', 604800)),
        *((NUMBER, '0', 0), (NUMBER, '1', 1), (NUMBER, '12', 12)),
        *((COUNT, '1', 1), (COUNT, '12', 12)),
        (options.hosts, 'cmp01', ['cmp01']),
        (options.hosts, 'cmp01, cmp02,cmp01', ['cmp01', 'cmp02', 'cmp01']),
    )
    def test_accepted(self, kind, text, value):
        self.assertEqual(value, kind(text))

    @unit.cases('90s', '10m', '25h', '7d')
    def test_spelled(self, text):
        self.assertEqual(text, options.spelled(float(DURATION(text))))

    @unit.cases(
        (DURATION, NO_DURATIONS, 'write 90, 90s, 15m, 2h or 7d'),
        (NUMBER, NO_NUMBERS, 'not a number of at least 0'),
        (COUNT, ('0', *NO_NUMBERS), 'not a number of at least 1'),
        (options.host, ('', ' '), 'the name of a host is empty'),
        (options.hosts, ('', 'a,', 'a, ,b'), 'the name of a host is empty'),
        (options.hosts, ('@', '@no/such file'), 'cannot read .*: No such'),
        (options.hosts, ('@/',), "cannot read '/': Is a directory"),
    )
    def test_refused(self, kind, texts, words):
        for text in texts:
            with (
                self.subTest(text),
                self.assertRaisesRegex(argparse.ArgumentTypeError, words),
            ):
                kind(text)


class TestHostsOfAFile(unit.TestCase):
    def read(self, text):
        path = self.new_folder() / 'next hosts'
        path.write_bytes(text)
        return options.hosts(f'@{path}')

    @unit.cases(
        (b'cmp01,cmp02\n', ['cmp01', 'cmp02']),
        (b'# rack 7\r\n\na,\r\n\tb c # last', ['a', 'b', 'c']),
        (b'# none is left\n', []),
        (b'\xef\xbb\xbfcmp01\r\n', ['cmp01']),
    )
    def test_names(self, text, expected):
        self.assertEqual(expected, self.read(text))

    def test_no_text(self):
        with self.assertRaisesRegex(argparse.ArgumentTypeError, "can't dec"):
            self.read(b'\xff\xfe')


class TestUntil(unit.TestCase):
    @unit.cases(
        # what is typed, what time it is, what it means
        ('06:00', '2026-11-30T04:59Z', '2026-11-30 06:00:00+01:00'),
        ('06:00', '2026-11-30T05:00Z', '2026-12-01 06:00:00+01:00'),
        # Clocks are set forward past it, or back.
        ('02:30', '2026-03-28T20:00Z', '2026-03-29 03:00:00+02:00'),
        ('02:30', '2026-03-29T01:10Z', '2026-03-30 02:30:00+02:00'),
        ('02:30', '2026-10-24T20:00Z', '2026-10-25 02:30:00+02:00'),
        ('02:30', '2026-10-25T00:45Z', '2026-10-25 02:30:00+01:00'),
        ('2026-10-25T02:30', '2026-10-25T00:45Z', '2026-10-25 02:30:00+01:00'),
        ('2026-11-30T06-05', '2026-11-30T05:00Z', '2026-11-30 12:00:00+01:00'),
        ('2026-11-30T05Z', '2026-11-30T05:00Z', 'it is 2026-11-30 06:00'),
        ('2026-11-30T05:59', '2026-11-30T05:00Z', 'is in the past'),
        *((text, '2026-11-30T05:00Z', 'is not a time') for text in NO_TIMES),
    )
    def test_until(self, text, now, words):
        class Clock(datetime.datetime):
            @classmethod
            def now(cls, tz=None):
                return cls.fromisoformat(now).astimezone(tz)

        # Without the system's table of time zones.
        zone = mock.patch.dict(os.environ, TZ='CET-1CEST,M3.5.0,M10.5.0/3')
        self.addCleanup(time.tzset)
        self.enterContext(zone)
        time.tzset()
        with mock.patch.object(datetime, 'datetime', Clock):
            try:
                found = options.local(options.until(text))
            except argparse.ArgumentTypeError as error:
                found = str(error)
        self.assertIn(words, found)


#: What the API fills in, or the loop.
OTHERS = {
    *('stagger', 'stop', 'abandon', 'settled_from'),
    # These are for the way back.
    *('only', 'home', 'since', 'most_starts'),
}
FIELDS = dataclasses.asdict(policies.Policy())


class TestPolicy(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def policy(self, arguments: str = '') -> policies.Policy:
        self.run_command(f'{arguments} cmp01')
        return self.asked.call_args.kwargs['policy']

    @unit.cases(
        # what is typed, the field, its value
        *[
            (f'--{name.replace("_", "-")} {value}', name, value)
            for name, default in FIELDS.items()
            if isinstance(default, enum.Enum)
            for value in type(default)
        ],
        ('--to cmp09', 'to', 'cmp09'),
        ('--parallel 3', 'parallel', 3),
        ('--parallel-per-destination 2', 'per_destination', 2),
        ('--retries 0', 'retries', 0),
        ('--retries 7', 'retries', 7),
        ('--max-failures 0', 'max_failures', 0),
        ('--stall-after 90', 'stall_after', 90),
        ('--stall-after 2h', 'stall_after', 7200),
        ('--server-timeout 15m', 'server_timeout', 900),
        ('--evacuate', 'evacuate', True),
        ('--exclude a,b --exclude c', 'exclude', frozenset({'a,b', 'c'})),
    )
    def test_options(self, arguments, field, value):
        policy = self.policy(arguments)
        self.assertEqual(
            dataclasses.replace(policies.Policy(), **{field: value}), policy
        )
        self.assertIs(type(value), type(getattr(policy, field)))

    def test_every_field_has_its_option(self):
        _command, parsed = self.parse('cmp01')
        self.assertEqual(set(), {*FIELDS} - OTHERS - {*vars(parsed)})
        self.assertEqual(policies.Policy(), moves.read(parsed))


class TestGlobalParser(shell.CommandTestCase):
    """It sees the line first, and takes what may be short for its own."""

    command = commands.DrainHostMaintenance

    def test_every_option_arrives(self):
        command, _parsed = self.parse('cmp01')
        options_ = {
            option
            for action in command.get_parser('openstack')._actions
            for option in action.option_strings
            if option.startswith('--')
        } - {'--help'}
        self.assertLessEqual({'--to', '--timeout', '--save-names'}, options_)
        parser = openstack.OpenStackShell().parser
        for option in options_:
            line = ['host', 'maintenance', 'drain', option, 'x']
            _known, left = parser.parse_known_args(line)
            self.assertEqual(line, left, option)
