# SPDX-License-Identifier: Apache-2.0

"""How many batches some hosts need at least."""

from osc_hostmaint.planning.batches import rules as batch_rules
from tests import unit

RACK = batch_rules.Area('aggregate rack', frozenset('abcd'))


class LeastBatchesTestCase(unit.TestCase):
    @unit.cases(
        # At once, share, hosts, those that are out of service, batches.
        (1, 100, 'abcd', '', 4),
        (3, 100, 'abcd', '', 2),
        (9, 50, 'abcd', '', 2),
        (9, 50, 'abcd', 'ab', 1),
        (9, 50, 'abxyz', '', 1),
        (2, 50, 'abxyz', '', 3),
        (9, 1, 'ab', '', 2),
        (4, 25, '', '', 0),
    )
    def test_least(self, at_once, share, hosts, out, expected) -> None:
        rules = batch_rules.Rules((RACK,), at_once=at_once, share=share)
        self.assertEqual(expected, rules.least_batches(hosts, set(out)))
