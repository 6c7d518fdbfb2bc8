# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong with dead hosts: nothing is built twice, or started."""

import unittest

import hypothesis
from hypothesis import strategies

from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.engine import random_evacuations
from tests.unit.simulation import others

#: The tests of this module share what is asked for.
many = examples.shared_by(9)


class TestRandomEvacuations(unittest.TestCase):
    def check(self, evacuation: random_evacuations.RandomEvacuation) -> None:
        self.assertEqual([], scenarios.play(evacuation), evacuation)

    @many
    @hypothesis.given(random_evacuations.evacuations())
    def test_faults(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.evacuations(
            others_actions=scenarios.others_actions(
                (
                    *others.OWNERS,
                    *others.RESCUERS * 2,
                    *('evacuate', 'crash', 'come back') * 3,
                )
            )
        )
    )
    def test_others_meanwhile(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.evacuations(
            earlier=scenarios.others_actions(
                (
                    *others.OWNERS,
                    *others.ARRIVALS,
                    *('live', 'cold', 'resize') * 4,
                )
            ),
            after=strategies.floats(0.1, 15),
            others_actions=scenarios.others_actions(others.OWNERS, most=2),
        )
    )
    def test_moves_in_flight_when_it_dies(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(random_evacuations.evacuations(kills=examples.KILLS))
    def test_killed_and_run_again(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.last_evacuations(
            kills=strategies.lists(strategies.floats(0.1, 40), max_size=3).map(
                tuple
            )
        )
    )
    def test_every_server_is_evacuated_in_the_end(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.evacuations(
            **examples.ENDINGS,
            others_actions=scenarios.others_actions(others.OWNERS, most=2),
        )
    )
    def test_interrupted(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.evacuations(
            others_actions=scenarios.others_actions(
                (
                    *others.HOSTS,
                    *others.FENCES,
                    *others.PLACEMENT,
                    *others.CONTROL,
                )
            )
        )
    )
    def test_other_hosts_die_and_this_one_comes_back(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.evacuations(
            servers=random_evacuations.servers(least=3, most=12),
            setting=scenarios.settings(examples.TIGHT, least_teams=1),
        )
    )
    def test_little_room(self, evacuation) -> None:
        self.check(evacuation)

    @many
    @hypothesis.given(
        random_evacuations.evacuations(
            servers=random_evacuations.servers(examples.TWO),
            **examples.SEVERAL,
        )
    )
    def test_several_at_once(self, evacuation) -> None:
        self.check(evacuation)
