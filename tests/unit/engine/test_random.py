# SPDX-License-Identifier: Apache-2.0

"""Whatever goes wrong, wherever: a drain ends, and tells the truth."""

from hypothesis import strategies

from tests import unit
from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.simulation import others

OWNERS = others.OWNERS
meanwhile = scenarios.meanwhile

#: The tests of this module share what is asked for.
played = examples.played(scenarios.play, tests=7)


def drains(**fields):
    return strategies.builds(
        scenarios.Scenario,
        **{
            'servers': scenarios.servers(),
            'policy': scenarios.policy(),
            'setting': scenarios.settings(),
            'slots': strategies.integers(1, 3),
            'shelved_offload_time': examples.of((-1, -1, 0)),
            'failing': scenarios.failing(),
            **fields,
        },
    )


class TestRandomDrains(unit.TestCase):
    test_faults = played(drains())
    test_others_meanwhile = played(
        drains(
            **meanwhile(
                *(*OWNERS, *others.ADMINS, *others.ARRIVALS, *others.KEPT),
                # What is easily taken for a drain's, or missed.
                *('resize', 'create') * 3,
            )
        )
    )
    test_killed_and_run_again = played(
        drains(kills=examples.KILLS, **meanwhile(*others.KEPT, most=2))
    )
    test_interrupted = played(
        drains(**examples.ENDINGS, **meanwhile(*OWNERS, most=2))
    )
    test_hosts_die = played(
        drains(
            **meanwhile(
                *(*others.HOSTS, *OWNERS, *others.PLACEMENT, *others.CONTROL),
                *others.KEPT,
            )
        )
    )
    test_little_room = played(
        drains(
            servers=scenarios.crowd(),
            setting=scenarios.settings(examples.TIGHT, least_teams=1),
            **meanwhile(*others.PLACEMENT, *others.HOSTS, *others.ADMINS),
        )
    )
    test_several_at_once = played(
        drains(
            servers=scenarios.servers(examples.TWO),
            **examples.SEVERAL,
            **meanwhile(*others.KEPT, most=2),
        )
    )
