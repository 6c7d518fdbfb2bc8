# SPDX-License-Identifier: Apache-2.0

"""Why a host has no batch."""

from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.batches import rules as batch_rules
from osc_hostmaint.planning.batches import unplanned
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders

Code = codes.Code
Phase = server_status.Phase


class UnplannedTestCase(unit.TestCase):
    @unit.cases(
        ((Phase.WAITING, Phase.BUSY, Phase.MOVING), None),
        ((Phase.MOVED, Phase.GONE, Phase.SKIPPED), None),
        ((), None),
        ((Phase.WAITING, Phase.BLOCKED), 'one server cannot be moved (1 '),
        ((Phase.BLOCKED, Phase.BLOCKED), '2 servers cannot be moved (2 '),
    )
    def test_servers_that_stay(self, phases, words) -> None:
        rows = [
            builders.row(f'vm{n}', phase=phase, code=Code.SUSPENDED)
            for n, phase in enumerate(phases)
        ]
        found = unplanned.stays('cmp01', rows)
        if words is None:
            self.assertIsNone(found)
        else:
            self.assertEqual(Code.SERVERS_STAY, found.code)
            self.assertIn(f'{words}suspended)', found.reason)
            self.assertIn('drain --dry-run cmp01', found.reason)

    @unit.cases(
        ('b', 'b of aggregate rack (20 hosts) is out of service'),
        ('bcde', 'b, c, d, e of aggregate'),
        ('bcdef', 'b, c, d and 2 others of aggregate rack (20 hosts) are out'),
    )
    def test_share_used(self, out, words) -> None:
        rack = batch_rules.Area(
            'aggregate rack', frozenset('abcdefghijklmnopqrst')
        )
        rules = batch_rules.Rules((rack,), frozenset(out), share=7)
        found = unplanned.share_used(rack, rules)
        self.assertEqual(Code.SHARE_USED, found.code)
        self.assertIn(words, found.reason)
        self.assertIn('--share 7 allows no more', found.reason)
