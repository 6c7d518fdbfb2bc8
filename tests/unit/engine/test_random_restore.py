# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong: who is to come home does, and nobody else."""

import unittest

import hypothesis
from hypothesis import strategies

from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.engine import random_restores
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
    def check(self, restore: random_restores.RandomRestore) -> None:
        self.assertEqual([], random_restores.play(restore), restore)

    @many
    @hypothesis.given(random_restores.restores())
    def test_faults(self, restore) -> None:
        self.check(restore)

    @many
    @hypothesis.given(
        random_restores.restores(
            earlier=scenarios.others_actions(AWAY, most=8)
        )
    )
    def test_what_was_done_meanwhile(self, restore) -> None:
        self.check(restore)

    @many
    @hypothesis.given(
        random_restores.restores(
            earlier=scenarios.others_actions(AWAY, most=3),
            others_actions=scenarios.others_actions(
                (*others.OWNERS, *others.ADMINS, *others.ARRIVALS)
            ),
        )
    )
    def test_others_at_the_same_time(self, restore) -> None:
        self.check(restore)

    @many
    @hypothesis.given(random_restores.restores(kills=examples.KILLS))
    def test_killed_and_run_again(self, restore) -> None:
        self.check(restore)

    @many
    @hypothesis.given(
        random_restores.restores(
            others_actions=scenarios.others_actions(
                (*others.HOSTS, *others.PLACEMENT, *others.CONTROL)
            ),
            **examples.ENDINGS,
        )
    )
    def test_hosts_that_die_and_users_that_stop(self, restore) -> None:
        self.check(restore)

    @many
    @hypothesis.given(
        random_restores.restores(
            runs=strategies.just((HERE, HERE)),
            lag=examples.LAGS,
        )
    )
    def test_two_at_once(self, restore) -> None:
        self.check(restore)
