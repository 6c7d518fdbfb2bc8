# SPDX-License-Identifier: Apache-2.0

"""Which hosts are meant; and that no name, whoever chose it, does harm."""

from unittest import mock

import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint import names
from osc_hostmaint import text
from osc_hostmaint.planning import host_identity
from tests import unit
from tests.unit import builders

SERVICES = {
    host: builders.service(host=host, enabled=True)
    for host in ('cmp01', 'cmp02', 'Gpu-7')
}


#: Every name is known, so nobody needs to ask for hypervisors.
NOBODY = mock.Mock(side_effect=AssertionError)


class TestPick(unit.TestCase):
    @unit.cases(
        (['cmp02'], ['cmp02']),
        (['cmp02', 'cmp01'], ['cmp02', 'cmp01']),
        (['cmp02', 'cmp01', 'cmp02'], ['cmp02', 'cmp01']),
        ([], []),
    )
    def test_each_once_in_their_order(self, hosts, expected):
        found = names.pick(iter(hosts), SERVICES, NOBODY)
        self.assertEqual(tuple(SERVICES[h] for h in expected), found)

    @unit.cases(
        ('cmp03', "named 'cmp03'; did you mean cmp01 or cmp02?"),
        ('GPU-8', "named 'GPU-8'; did you mean Gpu-7?"),
        ('zebra', "named 'zebra': see openstack compute service list."),
        ('a\x1b[2J', r"named 'a\x1b[2J'"),
        ('node1', r'that is the hypervisor hostname of cmp\x1b.'),
    )
    def test_unknown(self, host, words):
        ask = mock.Mock(return_value={'node1': 'cmp\x1b'})
        with self.assertRaises(exceptions.UnknownHost) as caught:
            names.pick([host], SERVICES, ask)
        message = str(caught.exception)
        ask.assert_called_once_with()
        self.assertIn(words, message)
        self.assertTrue(message.isprintable())

    def test_two_services_of_exactly_one_name(self):
        up, down = (builders.service(id=name, up=name == 'a') for name in 'ab')
        (found,) = host_identity.by_host([up, down]).values()
        self.assertTrue(found.up)
        with self.assertRaisesRegex(
            exceptions.Refused, '2 compute services .* named cmp01.*: a, b'
        ):
            names.pick(['cmp01'], {'cmp01': found}, NOBODY)


class TestDestination(unit.TestCase):
    def test_it_may_be_one(self):
        service = builders.service(host='cmp02', enabled=True)
        self.assertIsNone(names.check_destination(service, ['cmp01']))

    @unit.cases(
        # the service, the hosts to be drained, why not
        ({'enabled': True}, ['cmp02'], 'it is also to be drained'),
        # What is the user's own doing comes first.
        ({'enabled': True, 'up': False}, ['cmp02'], 'to be drained'),
        ({}, ['cmp02'], 'to be drained'),
        (
            {},
            ['cmp01'],
            'maintenance (to end that: openstack host maintenance',
        ),
        ({'up': False}, ['cmp01'], 'maintenance unset cmp02'),
        ({'disabled_reason': 'fan'}, ['cmp01'], 'somebody disabled it (fan)'),
        (
            {'disabled_reason': '\x1b[2J', 'up': False},
            ['cmp01'],
            r'somebody disabled it (\x1b[2J)',
        ),
        ({'disabled_reason': None}, ['cmp01'], '(no reason given)'),
        ({'disabled_reason': ''}, ['cmp01'], '(no reason given)'),
        ({'enabled': True, 'up': False}, ['cmp01'], 'service is down'),
    )
    def test_it_may_not(self, service, drained, words):
        with self.assertRaises(exceptions.Refused) as caught:
            names.check_destination(
                builders.service(host='cmp02', **service), drained
            )
        message = str(caught.exception)
        self.assertIn('moved to cmp02, because', message)
        self.assertIn(words, message)
        self.assertIn('leave it to the scheduler', message)
        self.assertTrue(message.isprintable())


class TestPrintable(unit.TestCase):
    @unit.cases(
        ('clear screen \x1b[2J', r'clear screen \x1b[2J'),
        ('title \x1b]0;owned\x07', r'title \x1b]0;owned\x07'),
        ('C1 control \x9b31m', r'C1 control \x9b31m'),
        ('two\nlines', r'two\nlines'),
        ('over\rwritten', r'over\rwritten'),
        ('a\ttab', r'a\ttab'),
        ('gpj.\u202eexe', r'gpj.\u202eexe'),
        ('isolate \u2066x\u2069', r'isolate \u2066x\u2069'),
        ('zero\u200bwidth', r'zero\u200bwidth'),
        ('line\u2028separator', r'line\u2028separator'),
        ('\ufeffbom', r'\ufeffbom'),
        ('lone surrogate \ud800', r'lone surrogate \ud800'),
        ('tag \U000e0041', r'tag \U000e0041'),
    )
    def test_what_acts_on_a_terminal_becomes_visible(self, hostile, shown):
        self.assertEqual(shown, text.printable(hostile))

    @unit.cases(
        'web-01.example.org',
        '[bold red]not markup for us[/]',
        'żółć',
        'сервер базы данных',
        'خادم',
        'שרת',
        'データベース',
        'सर्वर',
        'e\u0301',
        '🚀 production',
        'x' * 255,
        '',
    )
    def test_ordinary_text_stays_as_it_is(self, name):
        self.assertEqual(name, text.printable(name))

    @hypothesis.given(strategies.text())
    def test_result_is_one_printable_line(self, hostile):
        shown = text.printable(hostile)
        self.assertTrue(shown.isprintable())
        self.assertEqual(shown, text.printable(shown))
        shown.encode()


class TestShorten(unit.TestCase):
    @unit.cases(
        # the text, so many columns, what is left
        ('', 5, ''),
        ('web', 5, 'web'),
        ('web-1', 5, 'web-1'),
        ('web-10', 5, 'web-…'),
        ('データ', 6, 'データ'),
        ('データ', 5, 'デー…'),
        ('データベ', 6, 'デー…'),
        ('e\u0301e\u0301e\u0301', 3, 'e\u0301e\u0301e\u0301'),
        ('e\u0301e\u0301e\u0301e\u0301', 3, 'e\u0301e\u0301…'),
        ('🚀🚀', 3, '🚀…'),
    )
    def test_cut(self, full, columns, expected):
        self.assertEqual(expected, text.shorten(full, columns))

    @hypothesis.given(
        strategies.text('aデe\u0301🚀'), strategies.integers(1, 20)
    )
    def test_what_fits_stays_and_what_is_cut_is_a_beginning(self, full, n):
        shown = text.shorten(full, n)
        self.assertEqual(shown, text.shorten(shown, n))
        if shown != full:
            self.assertTrue(full.startswith(shown.removesuffix('…')))
            self.assertLess(n, 2 * len(full))
