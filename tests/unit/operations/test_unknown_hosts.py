# SPDX-License-Identifier: Apache-2.0


from osc_hostmaint import exceptions
from tests import unit
from tests.unit.operations import base


class UnknownHostTest(base.MaintenanceTestCase):
    def unknown(self, verb: str, host: str) -> str:
        """Return what a verb says of a host that is not there."""
        with self.assertRaises(exceptions.UnknownHost) as caught:
            getattr(self.maintenance, verb)(
                [host] if verb == 'drain' else host
            )
        self.assert_untouched()
        return str(caught.exception)

    @unit.cases('set', 'unset', 'show', 'drain')
    def test_hypervisor_hostname(self, verb: str) -> None:
        message = self.unknown(verb, 'cmp02.example.org')
        self.assertIn('hypervisor hostname of cmp02', message)
        self.assertIn('did you mean', self.unknown(verb, 'cmp2'))

    @unit.cases('cmp', 'cmp0', 'cmp*', 'cmp0?', 'cmp0[12]', 'CMP01', ' cmp01')
    def test_never_a_pattern(self, host: str) -> None:
        self.assertIn('cmp01', self.unknown('drain', host))

    @unit.cases(['nope', 'cmp01'], ['cmp01', 'nope'])
    def test_one_of_several(self, hosts: list[str]) -> None:
        with self.assertRaisesRegex(exceptions.UnknownHost, "'nope'"):
            self.maintenance.drain(hosts)
        self.assert_untouched()
        self.gateway.servers.assert_not_called()
