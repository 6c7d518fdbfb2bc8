# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong, wherever: a drain ends, and tells the truth."""

import unittest

import hypothesis
from hypothesis import strategies

from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.simulation import others

SLOTS = strategies.integers(1, 3)

#: The tests of this module share what is asked for.
many = examples.shared_by(7)


def drains(**fields):
    """Return drains of servers in any state, with any options."""
    return strategies.builds(
        scenarios.Scenario,
        **{
            'servers': scenarios.servers(),
            'policy': scenarios.policy(),
            'setting': scenarios.settings(),
            'slots': SLOTS,
            'shelved_offload_time': strategies.sampled_from((-1, -1, 0)),
            'failing': scenarios.failing(),
            **fields,
        },
    )


class TestRandomDrains(unittest.TestCase):
    def check(self, scenario: scenarios.Scenario) -> None:
        self.assertEqual([], scenarios.play(scenario), scenario)

    @many
    @hypothesis.given(drains())
    def test_faults(self, scenario) -> None:
        self.check(scenario)

    @many
    @hypothesis.given(
        drains(
            others_actions=scenarios.others_actions(
                (
                    *others.OWNERS,
                    *others.ADMINS,
                    *others.ARRIVALS,
                    # What is easily taken for a drain's, or missed.
                    *('resize', 'create') * 3,
                )
            )
        )
    )
    def test_others_meanwhile(self, scenario) -> None:
        self.check(scenario)

    @many
    @hypothesis.given(drains(kills=examples.KILLS))
    def test_killed_and_run_again(self, scenario) -> None:
        self.check(scenario)

    @many
    @hypothesis.given(
        drains(
            **examples.ENDINGS,
            others_actions=scenarios.others_actions(others.OWNERS, most=2),
        )
    )
    def test_interrupted(self, scenario) -> None:
        self.check(scenario)

    @many
    @hypothesis.given(
        drains(
            others_actions=scenarios.others_actions(
                (
                    *others.HOSTS,
                    *others.OWNERS,
                    *others.PLACEMENT,
                    *others.CONTROL,
                )
            )
        )
    )
    def test_hosts_die(self, scenario) -> None:
        self.check(scenario)

    @many
    @hypothesis.given(
        drains(
            servers=scenarios.crowd(),
            setting=scenarios.settings(examples.TIGHT, least_teams=1),
            others_actions=scenarios.others_actions(
                (*others.PLACEMENT, *others.HOSTS, *others.ADMINS)
            ),
        )
    )
    def test_little_room(self, scenario) -> None:
        self.check(scenario)

    @many
    @hypothesis.given(
        drains(
            servers=scenarios.servers(examples.TWO),
            **examples.SEVERAL,
        )
    )
    def test_several_at_once(self, scenario) -> None:
        self.check(scenario)
