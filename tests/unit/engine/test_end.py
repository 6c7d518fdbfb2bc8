# SPDX-License-Identifier: Apache-2.0

"""How soon a run ends after the last move, in virtual time."""

import hypothesis
from hypothesis import strategies

from osc_hostmaint import exceptions
from tests import unit
from tests.unit.engine import examples
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import restoring
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

of = examples.of
few = hypothesis.settings(max_examples=unit.examples(20))
OTHERS = ('cmp07', 'cmp08', 'cmp09')
SOURCES = ('cmp01', 'cmp02', 'cmp03')
#: By then Nova knows that a host is silent.
SILENT_SECONDS = 20.0
#: Longer than any move.
RESTED_SECONDS = 500.0


def servers(states: tuple[str, ...]):
    """Return servers of one host: state, seconds of its move, GiB.

    The larger ones mostly take longer.
    """
    seconds = of((1.0, 4.0, 10.0, 60.0, 300.0)).flatmap(
        lambda most: strategies.floats(most / 2, most)
    )
    return examples.some(
        strategies.tuples(of(states), seconds, strategies.integers(1, 3)).map(
            lambda drawn: (*drawn[:2], drawn[2] + round(drawn[1] / 10))
        ),
        least=1,
    )


def fill(cloud: clouds.Cloud, host: str, those) -> None:
    for vm_state, seconds, gib in those:
        cloud.add(host, vm_state, seconds=seconds, memory_mb=1024 * gib)


class TestEnd(unit.TestCase):
    def assert_soon(self, run: scene.Run) -> None:
        self.assertEqual(exceptions.ExitCode.DONE, run.exit_code, run.reasons)
        ended = (work.ended or 0.0 for work in run.cloud.works)
        self.assertLess(run.ended - max(run.began, *ended), 5)

    # State; seconds of the move of the first server, and of the last; slots.
    @unit.cases(
        ('active', 4, 4, 1),
        ('active', 60, 60, 1),
        # There is no end before it to foretell it by.
        ('active', 0, 10, 1),
        ('active', 0, 60, 1),
        ('active', 0, 600, 1),
        ('active', 60, 60, 2),
        # It is much smaller, or larger.
        ('active', 120, 24, 1),
        ('active', 30, 90, 1),
        ('active', 300, 60, 2),
        ('stopped', 0, 60, 1),
        ('stopped', 60, 60, 1),
        ('suspended', 0, 60, 1),
        ('suspended', 30, 30, 1),
    )
    def test_a_drain_ends_soon_after_the_last_move(self, *shape) -> None:
        vm_state, first, last, slots = shape
        for guided in (False, True):
            for suspended in {'suspended': ('resume', 'shelve')}.get(
                vm_state, ('leave',)
            ):
                with self.subTest(guided=guided, suspended=suspended):
                    cloud = scene.cloud(slots=slots)
                    for seconds in filter(None, (first, last)):
                        cloud.add(
                            scene.SOURCE,
                            vm_state,
                            seconds=seconds,
                            # The largest goes first.
                            memory_mb=2048 if seconds == first else 1024,
                        )
                    run = scene.run(cloud, guided=guided, suspended=suspended)
                    self.assert_soon(run)

    @few
    @hypothesis.given(
        examples.some(
            servers(('active', 'active', 'active', 'stopped', 'suspended')),
            least=1,
            most=3,
        ),
        of((1, 2, 4)),
        strategies.booleans(),
        of(('resume', 'shelve')),
    )
    def test_drain(self, hosts, slots, guided, suspended) -> None:
        sources = SOURCES[: len(hosts)]
        cloud = scene.cloud(hosts=(*sources, *OTHERS), slots=slots, source=())
        for host, those in zip(sources, hosts, strict=True):
            fill(cloud, host, those)
            cloud.disable(host)
        self.assert_soon(
            scene.run(cloud, sources, guided=guided, suspended=suspended)
        )

    @few
    @hypothesis.given(
        examples.some(
            servers(('active', 'active', 'stopped', 'error')), least=1, most=3
        ),
        strategies.booleans(),
    )
    def test_evacuation(self, hosts, guided) -> None:
        sources = SOURCES[: len(hosts)]
        cloud = scene.cloud(hosts=(*sources, *OTHERS), source=())
        for host, those in zip(sources, hosts, strict=True):
            fill(cloud, host, those)
            cloud.disable(host)
            cloud.power_off(host)
            cloud.force_down(host)
        cloud.timeline.run_until(cloud.timeline.now + SILENT_SECONDS)
        self.assert_soon(
            scene.run(cloud, sources, guided=guided, evacuate=True)
        )

    @few
    @hypothesis.given(
        servers(('active', 'active', 'active', 'stopped')), of((1, 2, 4))
    )
    def test_restore(self, those, slots) -> None:
        cloud = scene.cloud(
            hosts=(scene.SOURCE, *OTHERS), slots=slots, source=()
        )
        fill(cloud, scene.SOURCE, those)
        clock = timeline.VirtualClock(cloud.timeline)
        for number, server in enumerate(list(cloud.servers.values())):
            away = OTHERS[number % len(OTHERS)]
            if server.vm_state == 'active':
                cloud.live_migrate(server.id, away)
            else:
                cloud.cold_migrate(server.id, away, 'migration')
            clock.sleep(RESTED_SECONDS)
            if server.vm_state == 'resized':
                cloud.confirm(server.id)
                clock.sleep(RESTED_SECONDS)
        self.assert_soon(restoring.restore(cloud))
