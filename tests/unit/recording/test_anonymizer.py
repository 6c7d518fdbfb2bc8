# SPDX-License-Identifier: Apache-2.0

import ipaddress
import re

import hypothesis
from hypothesis import strategies

from osc_hostmaint.recording import anonymizer
from tests import unit

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
