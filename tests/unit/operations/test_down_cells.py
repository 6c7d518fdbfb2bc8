# SPDX-License-Identifier: Apache-2.0

"""Hosts whose cell does not answer."""

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

SILENT = model.Service('', 'cmp09', '', up=False, enabled=False, silent=True)
WORDS = '^host cmp09: its cell does not answer, '


class DownCellTest(base.MaintenanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.given(builders.service(), SILENT)

    @unit.cases('set', 'unset', 'show')
    def test_one_host(self, verb: str) -> None:
        with self.assertRaisesRegex(exceptions.SilentCell, WORDS):
            getattr(self.maintenance, verb)('cmp09')
        self.assert_untouched()

    def test_other_hosts_are_drained(self) -> None:
        evacuate = policies.Policy(evacuate=True)
        for result in (
            self.maintenance.drain(['cmp09', 'cmp01']),
            self.maintenance.preview(['cmp09', 'cmp01']),
            self.maintenance.drain(['cmp09'], policy=evacuate, fenced=True),
            self.maintenance.restore(['cmp09']),
            self.maintenance.unset_and_restore(['cmp09']),
        ):
            self.assertEqual(['cmp09'], list(result.errors))
            self.assertRegex(result.errors['cmp09'], WORDS)

    def test_nothing_is_sent_to_a_down_cell(self) -> None:
        to = policies.Policy(to='cmp09')
        with self.assertRaisesRegex(exceptions.Refused, 'its cell does not'):
            self.maintenance.drain(['cmp01'], policy=to)

    def test_listed_in_any_mode(self) -> None:
        for mode in model.Mode:
            found = self.maintenance.list({mode})
            listed = {h.service.host: h.servers for h in found}
            self.assertIsNone(listed['cmp09'])

    def test_it_falls_silent_before_it_is_looked_at(self) -> None:
        here = builders.service()
        gone = model.Service(
            '', 'cmp01', '', up=False, enabled=False, silent=True
        )
        self.gateway.services.side_effect = [[here], [gone]]
        with self.assertRaises(exceptions.SilentCell):
            self.maintenance.show('cmp01')
        self.gateway.services.side_effect = [[here], [gone]]
        (listed,) = self.maintenance.list({model.Mode.MAINTENANCE})
        self.assertIsNone(listed.servers)
        self.gateway.services.side_effect = [[here], [gone]]
        self.assertIn('cmp01', self.maintenance.preview(['cmp01']).errors)
