# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong with dead hosts: nothing is built twice, or started."""

from hypothesis import strategies

from tests import unit
from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.engine.random_evacuations import evacuations
from tests.unit.engine.random_evacuations import last_evacuations
from tests.unit.engine.random_evacuations import servers
from tests.unit.simulation import others

OWNERS = others.OWNERS
MOMENTS = strategies.floats(0.1, 40)
meanwhile = scenarios.meanwhile

#: The tests of this module share what is asked for.
played = examples.played(scenarios.play, tests=9)


class TestRandomEvacuations(unit.TestCase):
    test_faults = played(evacuations())
    test_others_meanwhile = played(
        evacuations(
            **meanwhile(
                *(*OWNERS, *others.RESCUERS * 2),
                *('evacuate', 'crash', 'come back') * 3,
            )
        )
    )
    test_moves_in_flight_when_it_dies = played(
        evacuations(
            earlier=scenarios.others_actions(
                (*OWNERS, *others.ARRIVALS, *('live', 'cold', 'resize') * 4)
            ),
            after=strategies.floats(0.1, 15),
            **meanwhile(*OWNERS, most=2),
        )
    )
    test_killed_and_run_again = played(evacuations(kills=examples.KILLS))
    test_every_server_is_evacuated_in_the_end = played(
        last_evacuations(kills=examples.some(MOMENTS, most=3))
    )
    test_interrupted = played(
        evacuations(**examples.ENDINGS, **meanwhile(*OWNERS, most=2))
    )
    test_other_hosts_die_and_this_one_comes_back = played(
        evacuations(
            **meanwhile(
                *(*others.HOSTS, *others.FENCES),
                *(*others.PLACEMENT, *others.CONTROL),
            )
        )
    )
    test_little_room = played(
        evacuations(
            servers=servers(least=3, most=12),
            setting=scenarios.settings(examples.TIGHT, least_teams=1),
        )
    )
    test_several_at_once = played(
        evacuations(servers=servers(examples.TWO), **examples.SEVERAL)
    )
