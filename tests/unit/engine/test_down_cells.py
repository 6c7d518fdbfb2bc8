# SPDX-License-Identifier: Apache-2.0

"""Drains on a cloud some of whose cells do not answer."""

import itertools

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import down_cells
from tests import unit
from tests.unit.engine import drain_base
from tests.unit.simulation import others
from tests.unit.simulation import scene

Code = drain_base.Code
FALLS = ('silence', 'silence slowly')


class DownCellTestCase(drain_base.DrainTestCase):
    def fall(self, code, *others_actions, **options) -> scene.Run:
        cloud = scene.cloud(5)
        others.plan(cloud, others_actions)
        return self.drain(cloud, code=code, limit=2000, **options)

    @unit.cases(
        {},
        {'guided': True},
        {'guided': True, 'per_destination': 1},
        {'running': 'cold'},
    )
    def test_other_hosts_continue_with_slow_lists(self, options):
        slow = others.OthersAction(0, 'silence slowly', host=3)
        run = self.fall(Code.DONE, slow, **options)
        self.assertEqual({'moved'}, set(run.results.values()))

    def test_servers_moved_during_slow_lists_are_not_moved_on(self):
        slow = others.OthersAction(0, 'silence slowly', host=3)
        move = others.OthersAction(370, 'live', server=1, host=1)
        self.fall(Code.DONE, slow, move, guided=True, per_destination=1)

    # The latter while it is looked for the last time whether all is well.
    @unit.cases(*itertools.product(FALLS, ((6, 200), (24, 30))))
    def test_it_answers_again(self, falls, times):
        begin, end = times
        self.fall(
            Code.DONE,
            others.OthersAction(begin, falls, host=0),
            others.OthersAction(end, 'answer', host=0),
        )

    @unit.cases(*itertools.product(FALLS, (0, 6)))
    def test_it_does_not(self, falls, begin):
        run = self.fall(Code.FAILED, others.OthersAction(begin, falls, host=0))
        self.assertEqual(
            down_cells.words(scene.SOURCE), run.result.errors[scene.SOURCE]
        )
        self.assertEqual(5 if begin else 0, len(run.results))
        self.assertGreaterEqual(run.seconds, timing.OUTAGE_LIMIT_SECONDS)
