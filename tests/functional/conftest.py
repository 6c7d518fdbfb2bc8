# SPDX-License-Identifier: Apache-2.0

"""Which functional tests stay together, and in which order they run."""

import typing as ty

import pytest
from xdist import scheduler

#: Where each class has a cloud of its own, which one process has to keep.
OWN_CLOUDS = ('/test_conformance.py', '/functional/cloud/')
#: Tests, or classes of tests, that take long, the longest first; the others
#: come after them. One that begins last holds up the whole run.
LONG: tuple[str, ...] = (
    'test_conformance.TestConformance',
    'test_pages.TestPages.test_tutorial',
    'test_rolling.TestLongRoll',
    'test_rolling.TestShortRoll',
    'test_rolling_failures.TestFailures',
    'test_rolling_resumed.TestResumed',
    'test_rolling_failures.TestAway',
    'test_restore.TestRestore.test_there_and_back',
    'test_evacuate.TestDeadHost',
    'test_states.TestComing.test_servers_moving_or_busy',
    'test_restore.TestRestore',
    'test_interruption.TestBadDays',
    'test_examples.TestScript.test_rack',
    'test_rights.TestLooking.test_all',
    'test_states.TestOptions.test_all_that_can_be_moved',
    'test_evacuate.TestLife.test_confirmation_asked_for_a_silent_host',
    'test_older_nova.TestOlderNova',
    'test_maintenance.TestMaintenance.test_not_back_into_service_yet',
    'test_names.TestNames',
    'test_spread.TestLimits',
    'test_spread.TestEven',
    'test_stall.TestStall',
    'test_interruption.TestInterruption',
    'test_signals.TestSignals',
    'test_drain.TestMeanwhile',
)


def _rank(item: pytest.Item) -> int:
    name = item.nodeid.rpartition('/')[2]
    name = name.replace('.py::', '.').replace('::', '.')
    for rank, long in enumerate(LONG):
        if name.startswith(long):
            return rank
    return len(LONG)


class Scheduling(scheduler.LoadScopeScheduling):
    """Hands out tests one by one, but for those of a class with a cloud."""

    def _split_scope(self, nodeid: str) -> str:
        if any(place in nodeid for place in OWN_CLOUDS):
            return super()._split_scope(nodeid)
        return nodeid


def pytest_xdist_make_scheduler(
    config: pytest.Config, log: ty.Any
) -> Scheduling:
    # xdist's own groups (--dist loadgroup) have no effect with pytest 9.
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest."""
    items.sort(key=_rank)
