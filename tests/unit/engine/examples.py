# SPDX-License-Identifier: Apache-2.0

"""How many drains, evacuations and restores are drawn at random.

With ``SCENARIOS=10000`` the tests of each module play so many between them,
and others on every run.
"""

import os

import hypothesis
from hypothesis import strategies

TWO = ('cmp01', 'cmp02')
#: Memory of a host that has room for few, in MiB.
TIGHT = (4096, 6144, 8192)
KILLS = strategies.lists(
    strategies.floats(0.1, 40), min_size=1, max_size=3
).map(tuple)
#: Users that stop a run, in one way or another.
ENDINGS = {
    'interrupt_after': strategies.none() | strategies.floats(0.1, 40),
    'stop_after': strategies.none() | strategies.floats(20, 60),
    'timeout': strategies.none() | strategies.floats(1, 60),
}
#: Ids as the cloud gives them to its first servers.
EXCLUDED = strategies.frozensets(
    strategies.sampled_from((1, 2, 3, 5)).map(
        lambda number: f'00000000-0000-0000-0000-{number:012x}'
    ),
    min_size=1,
    max_size=2,
)
LAGS = strategies.sampled_from((0.0, 0.01, 1.0, 7.0))
#: Several runs at the same time, on one host or on two.
SEVERAL = {
    'runs': strategies.sampled_from(
        (
            (('cmp01',), ('cmp01',)),
            (('cmp01',), ('cmp02',)),
            (TWO,),
            (TWO, ('cmp02',)),
        )
    ),
    'lag': LAGS,
}

#: Of each kind, the same ones on every run, unless somebody asks for more.
FEW = 30


def shared_by(tests: int) -> hypothesis.settings:
    """Return the settings of each of the tests of a module."""
    wanted = os.environ.get('SCENARIOS')
    return hypothesis.settings(
        max_examples=-(-int(wanted) // tests) if wanted else FEW,
        derandomize=not wanted,
        database=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
