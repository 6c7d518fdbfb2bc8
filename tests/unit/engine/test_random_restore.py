# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong: who is to come home does, and nobody else."""

from hypothesis import strategies

from tests import unit
from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.engine.random_restores import restores
from tests.unit.simulation import others

HERE = ('cmp01',)
others_actions = scenarios.others_actions
meanwhile = scenarios.meanwhile
#: What is done with servers while they are away.
AWAY = (
    *('delete', 'stop', 'start', 'resize', 'confirm', 'revert'),
    *('live', 'cold', 'shelve', 'live here', 'damage'),
)

#: The tests of this module share what is asked for.
played = examples.played(scenarios.play, tests=6)


class TestRandomRestores(unit.TestCase):
    test_faults = played(restores())
    test_what_was_done_meanwhile = played(
        restores(earlier=others_actions(AWAY, most=8))
    )
    test_others_at_the_same_time = played(
        restores(
            earlier=others_actions(AWAY, most=3),
            **meanwhile(
                *(*others.OWNERS, *others.ADMINS, *others.ARRIVALS),
                *('disable', *others.KEPT),
            ),
        )
    )
    test_killed_and_run_again = played(restores(kills=examples.KILLS))
    test_hosts_that_die_and_users_that_stop = played(
        restores(
            **meanwhile(*others.HOSTS, *others.PLACEMENT, *others.CONTROL),
            **examples.ENDINGS,
        )
    )
    test_two_at_once = played(
        restores(runs=strategies.just((HERE, HERE)), lag=examples.LAGS)
    )
