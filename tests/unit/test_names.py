# SPDX-License-Identifier: Apache-2.0

"""Which hosts are meant, and which can't be."""

from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import names
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
