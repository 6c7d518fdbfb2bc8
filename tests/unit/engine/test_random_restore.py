#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Whatever goes wrong on the way home: nobody is moved twice, or restarted."""

import hypothesis
from hypothesis import strategies

from tests.unit.engine import examples
from tests.unit.engine import homecomings
from tests.unit.engine import scenario as scenarios
from tests.unit.simulation import others

#: The tests of this module share what is asked for.
many = examples.shared_by(5)


class RandomFaultsTestCase(homecomings.HomecomingTestCase):
    @many
    @hypothesis.given(homecomings.homecomings())
    def test_faults(self, played) -> None:
        self.check(played)


class RandomKillsTestCase(homecomings.HomecomingTestCase):
    @many
    @hypothesis.given(
        homecomings.homecomings(
            kills=strategies.lists(
                strategies.floats(0.1, 40), min_size=1, max_size=3
            ).map(tuple)
        )
    )
    def test_killed_and_run_again(self, played) -> None:
        self.check(played)


class RandomInterruptsTestCase(homecomings.HomecomingTestCase):
    @many
    @hypothesis.given(
        homecomings.homecomings(
            interrupt_after=strategies.none() | strategies.floats(0.1, 40),
            stop_after=strategies.none() | strategies.floats(20, 60),
            timeout=strategies.none() | strategies.floats(1, 60),
        )
    )
    def test_interrupted(self, played) -> None:
        self.check(played)


class RandomOthersTestCase(homecomings.HomecomingTestCase):
    @many
    @hypothesis.given(
        homecomings.homecomings(
            deeds=scenarios.deeds((*others.OWNERS, *others.ADMINS))
        )
    )
    def test_others_meanwhile(self, played) -> None:
        self.check(played)


class RandomCrashesTestCase(homecomings.HomecomingTestCase):
    @many
    @hypothesis.given(
        homecomings.homecomings(
            deeds=scenarios.deeds(
                (*others.HOSTS, *others.OWNERS, *others.PLACEMENT)
            )
        )
    )
    def test_hosts_die(self, played) -> None:
        self.check(played)
