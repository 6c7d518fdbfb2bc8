# SPDX-License-Identifier: Apache-2.0

"""How many drains, evacuations and restores are drawn at random.

With ``SCENARIOS=10000`` the tests of each module play so many between them,
and others on every run.
"""

from collections import abc
import os
import typing as ty

import hypothesis
from hypothesis import strategies

from tests import unit

#: A short name for what is drawn more often than anything else.
of = strategies.sampled_from


def some(
    each: strategies.SearchStrategy[ty.Any], least: int = 0, most: int = 6
):
    return strategies.lists(each, min_size=least, max_size=most).map(tuple)


TWO = ('cmp01', 'cmp02')
#: Memory of a host that has room for few, in MiB.
TIGHT = (4096, 6144, 8192)
KILLS = some(strategies.floats(0.1, 40), 1, 3)
#: Users that stop a run, in one way or another.
ENDINGS = {
    'interrupt_after': strategies.none() | strategies.floats(0.1, 40),
    'stop_after': strategies.none() | strategies.floats(20, 60),
    'timeout': strategies.none() | strategies.floats(1, 60),
    'until_after': strategies.none() | strategies.floats(0, 40),
}
#: Ids as the cloud gives them to its first servers.
EXCLUDED = strategies.frozensets(
    of([f'00000000-0000-0000-0000-{n:012x}' for n in (1, 2, 3, 5)]),
    min_size=1,
    max_size=2,
)
#: Hosts to be taken last: they may be all that there are.
AVOIDED = strategies.frozensets(of(['cmp02', 'cmp03', 'cmp04']), min_size=1)
LAGS = of((0.0, 0.01, 1.0, 7.0))
#: Several runs at the same time, on one host or on two.
SEVERAL = {
    'runs': of(
        [
            (('cmp01',), ('cmp01',)),
            (('cmp01',), ('cmp02',)),
            (TWO,),
            (TWO, ('cmp02',)),
        ]
    ),
    'lag': LAGS,
}

#: Of each kind, the same ones on every run, unless somebody asks for more.
FEW = 30


def shared_by(tests: int) -> hypothesis.settings:
    wanted = os.environ.get('SCENARIOS')
    return hypothesis.settings(
        max_examples=-(-int(wanted) // tests) if wanted else FEW,
        derandomize=not wanted,
        database=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


def played(play: abc.Callable[[ty.Any], list[str]], tests: int):
    """Return what makes a test of scenarios, one of so many of a module."""

    def make(scenarios: strategies.SearchStrategy[ty.Any]) -> ty.Any:
        @shared_by(tests)
        @hypothesis.given(scenarios)
        def check(self: unit.TestCase, scenario: ty.Any) -> None:
            self.assertEqual([], play(scenario), scenario)

        return check

    return make
