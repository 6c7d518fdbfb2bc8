# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong with dead hosts: nothing is built twice, or started."""

from hypothesis import strategies

from osc_hostmaint import nova_states
from tests import unit
from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.engine import random_evacuations
from tests.unit.engine.random_evacuations import evacuations
from tests.unit.engine.random_evacuations import last_evacuations
from tests.unit.engine.random_evacuations import servers
from tests.unit.simulation import faults
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
                *(*OWNERS, *others.RESCUERS * 2, *others.KEPT),
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
    test_killed_and_run_again = played(
        evacuations(kills=examples.KILLS, **meanwhile(*others.KEPT, most=2))
    )
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
        evacuations(
            servers=servers(examples.TWO),
            **examples.SEVERAL,
            **meanwhile(*others.KEPT, most=2),
        )
    )

    def test_a_lost_request_keeps_no_destination_from_others(self) -> None:
        """Lists take a minute, so its retry never had a turn."""
        like = {'host': 'cmp01', 'seconds': 1.0, 'memory_mb': 512}
        off = {
            'vm_state': 'error',
            'power_state': nova_states.PowerState.SHUTDOWN,
        }
        not_now = {'refusals': random_evacuations.REFUSALS[:1]}
        scenario = random_evacuations.RandomEvacuation(
            servers=tuple(like | each for each in ({}, not_now, off, not_now)),
            policy={
                'evacuate': True,
                'server_timeout': 15.0,
                'exclude': frozenset({'00000000-0000-0000-0000-000000000001'}),
                'per_destination': 1,
            },
            failing=({0: faults.LOST, 9: faults.LOST},),
            others_actions=(
                others.OthersAction(2.0, 'silence slowly', host=1),
            ),
            fenced=False,
        )
        self.assertEqual([], scenarios.play(scenario))
