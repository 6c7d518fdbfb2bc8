# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong: who is to come home does, and nobody else."""

import unittest

import hypothesis
from hypothesis import strategies

from tests.unit.engine import examples
from tests.unit.engine import homeways
from tests.unit.engine import scenario as scenarios
from tests.unit.simulation import others

HERE = ('cmp01',)
#: What is done with servers while they are away.
AWAY = (
    'delete',
    'stop',
    'start',
    'resize',
    'confirm',
    'revert',
    'live',
    'cold',
    'shelve',
    'live here',
)

#: The tests of this module share what is asked for.
many = examples.shared_by(6)


class TestRandomRestores(unittest.TestCase):
    def check(self, homeway: homeways.Homeway) -> None:
        self.assertEqual([], homeways.play(homeway), homeway)

    @many
    @hypothesis.given(homeways.homeways())
    def test_faults(self, homeway) -> None:
        self.check(homeway)

    @many
    @hypothesis.given(homeways.homeways(earlier=scenarios.deeds(AWAY, most=8)))
    def test_what_was_done_meanwhile(self, homeway) -> None:
        self.check(homeway)

    @many
    @hypothesis.given(
        homeways.homeways(
            earlier=scenarios.deeds(AWAY, most=3),
            deeds=scenarios.deeds(
                (*others.OWNERS, *others.ADMINS, *others.ARRIVALS)
            ),
        )
    )
    def test_others_at_the_same_time(self, homeway) -> None:
        self.check(homeway)

    @many
    @hypothesis.given(homeways.homeways(kills=examples.KILLS))
    def test_killed_and_run_again(self, homeway) -> None:
        self.check(homeway)

    @many
    @hypothesis.given(
        homeways.homeways(
            deeds=scenarios.deeds(
                (*others.HOSTS, *others.PLACEMENT, *others.CONTROL)
            ),
            **examples.ENDINGS,
        )
    )
    def test_hosts_that_die_and_users_that_stop(self, homeway) -> None:
        self.check(homeway)

    @many
    @hypothesis.given(
        homeways.homeways(
            runs=strategies.just((HERE, HERE)),
            lag=examples.LAGS,
        )
    )
    def test_two_at_once(self, homeway) -> None:
        self.check(homeway)
