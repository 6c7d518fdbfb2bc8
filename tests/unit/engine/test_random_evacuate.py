# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong with dead hosts: nothing is built twice, or started."""

import unittest

import hypothesis
from hypothesis import strategies

from tests.unit.engine import deaths
from tests.unit.engine import examples
from tests.unit.engine import scenario as scenarios
from tests.unit.simulation import others

#: The tests of this module share what is asked for.
many = examples.shared_by(9)


class TestRandomEvacuations(unittest.TestCase):
    def check(self, death: deaths.Death) -> None:
        self.assertEqual([], scenarios.play(death), death)

    @many
    @hypothesis.given(deaths.deaths())
    def test_faults(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.deaths(
            deeds=scenarios.deeds(
                (
                    *others.OWNERS,
                    *others.RESCUERS * 2,
                    *('evacuate', 'crash', 'come back') * 3,
                )
            )
        )
    )
    def test_others_meanwhile(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.deaths(
            earlier=scenarios.deeds(
                (
                    *others.OWNERS,
                    *others.ARRIVALS,
                    *('live', 'cold', 'resize') * 4,
                )
            ),
            after=strategies.floats(0.1, 15),
            deeds=scenarios.deeds(others.OWNERS, most=2),
        )
    )
    def test_moves_in_flight_when_it_dies(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(deaths.deaths(kills=examples.KILLS))
    def test_killed_and_run_again(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.last_deaths(
            kills=strategies.lists(strategies.floats(0.1, 40), max_size=3).map(
                tuple
            )
        )
    )
    def test_all_get_away_in_the_end(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.deaths(
            **examples.ENDINGS,
            deeds=scenarios.deeds(others.OWNERS, most=2),
        )
    )
    def test_interrupted(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.deaths(
            deeds=scenarios.deeds(
                (
                    *others.HOSTS,
                    *others.FENCES,
                    *others.PLACEMENT,
                    *others.CONTROL,
                )
            )
        )
    )
    def test_other_hosts_die_and_this_one_comes_back(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.deaths(
            servers=deaths.servers(least=3, most=12),
            setting=scenarios.settings(examples.TIGHT, least_teams=1),
        )
    )
    def test_little_room(self, death) -> None:
        self.check(death)

    @many
    @hypothesis.given(
        deaths.deaths(
            servers=deaths.servers(examples.TWO),
            **examples.SEVERAL,
        )
    )
    def test_several_at_once(self, death) -> None:
        self.check(death)
