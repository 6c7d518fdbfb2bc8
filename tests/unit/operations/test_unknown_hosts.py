# SPDX-License-Identifier: Apache-2.0

import ddt

from osc_hostmaint import exceptions
from tests.unit import builders
from tests.unit.operations import base


@ddt.ddt
class UnknownHostTest(base.MaintenanceTestCase):
    VERBS = ('set', 'unset', 'show', 'drain')

    def unknown(self, verb: str, host: str) -> str:
        """Return what a verb says of a host that is not there."""
        argument = [host] if verb == 'drain' else host
        with self.assertRaises(exceptions.UnknownHost) as caught:
            getattr(self.maintenance, verb)(argument)
        self.assert_untouched()
        message = str(caught.exception)
        self.assertTrue(message.isprintable(), repr(message))
        return message

    @ddt.data(*VERBS)
    def test_near_match(self, verb: str) -> None:
        self.given(
            builders.service(host='compute-01'),
            builders.service(host='gpu-node-7'),
        )
        message = self.unknown(verb, 'compute-10')
        self.assertIn("'compute-10'", message)
        self.assertIn('did you mean compute-01?', message)
        self.assertNotIn('gpu', message)

    @ddt.data(*VERBS)
    def test_hypervisor_hostname(self, verb: str) -> None:
        message = self.unknown(verb, 'cmp02.example.org')
        self.assertIn('hypervisor hostname of cmp02', message)
        self.assertNotIn('did you mean', message)

    @ddt.data('cmp', 'cmp0', 'cmp*', 'cmp0?', 'cmp0[12]', 'CMP01', ' cmp01')
    def test_never_a_pattern(self, host: str) -> None:
        self.assertIn('cmp01', self.unknown('drain', host))

    @ddt.data(['nope', 'cmp01'], ['cmp01', 'nope'])
    def test_one_of_several(self, hosts: list[str]) -> None:
        with self.assertRaisesRegex(exceptions.UnknownHost, "'nope'"):
            self.maintenance.drain(hosts)
        self.assert_untouched()
        self.gateway.servers.assert_not_called()
