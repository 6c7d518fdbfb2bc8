# SPDX-License-Identifier: Apache-2.0

"""Drains on a cloud some of whose cells do not answer."""

import unittest

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import down_cells
from tests.unit.simulation import others
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene

Code = exceptions.ExitCode
FALLS = ('silence', 'silence slowly')


@ddt.ddt
class DownCellTestCase(unittest.TestCase):
    def drain(
        self, *others_actions: others.OthersAction, **options
    ) -> scene.Run:
        cloud = scene.cloud(5)
        others.plan(cloud, others_actions)
        run = scene.run(cloud, **{'limit': 2000, **options})
        self.assertEqual([], report_checks.violations(run))
        return run

    @ddt.data(
        {},
        {'guided': True},
        {'guided': True, 'per_destination': 1},
        {'running': 'cold'},
    )
    def test_other_hosts_continue_with_slow_lists(self, options):
        run = self.drain(
            others.OthersAction(0, 'silence slowly', host=3), **options
        )
        self.assertEqual(Code.DONE, run.exit_code)
        self.assertEqual({'moved'}, set(run.results.values()))

    @ddt.data(*FALLS)
    def test_it_answers_again(self, falls):
        run = self.drain(
            others.OthersAction(6, falls, host=0),
            others.OthersAction(200, 'answer', host=0),
        )
        self.assertEqual(Code.DONE, run.exit_code)

    @ddt.data(*FALLS)
    def test_it_does_not(self, falls):
        run = self.drain(others.OthersAction(6, falls, host=0))
        self.assertEqual(Code.FAILED, run.exit_code)
        self.assertEqual(
            down_cells.words(scene.SOURCE), run.result.errors[scene.SOURCE]
        )
        self.assertEqual(5, len(run.results))
        self.assertGreaterEqual(run.seconds, timing.OUTAGE_LIMIT_SECONDS)

    @ddt.data(*FALLS)
    def test_it_never_answers(self, falls):
        run = self.drain(others.OthersAction(0, falls, host=0))
        self.assertEqual(Code.FAILED, run.exit_code)

    @ddt.data(*FALLS)
    def test_down_during_the_final_check(self, falls):
        run = self.drain(
            others.OthersAction(24, falls, host=0),
            others.OthersAction(30, 'answer', host=0),
        )
        self.assertEqual(Code.DONE, run.exit_code)
