# SPDX-License-Identifier: Apache-2.0

"""Fifty hosts in one call, and what ends it before all are done."""

from osc_hostmaint.planning import timing
from tests import unit
from tests.unit.engine import drain_base
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import scene
from tests.unit.simulation import timeline

Code = drain_base.Code
HOSTS = tuple(f'cmp{number:02}' for number in range(1, 56))
SOURCES = HOSTS[:50]


def cloud(seconds: float = 10) -> clouds.Cloud:
    """Return a cloud with two servers on each of fifty hosts."""
    return scene.cloud(2, source=SOURCES, hosts=HOSTS, seconds=seconds)


class TestManyHosts(drain_base.DrainTestCase):
    @unit.cases(
        ('timeout', Code.TIMEOUT, '--timeout passed'),
        ('stop_after', Code.INTERRUPTED, 'interrupted'),
    )
    def test_hosts_that_were_not_looked_at_are_named(self, end, code, why):
        """They have no rows: nobody would know that they are not drained."""
        run = self.drain(cloud(), *SOURCES, code=code, **{end: 5.0})
        looked_at = {row.host for row in run.result.rows}
        self.assertTrue(looked_at)
        self.assertEqual({}, run.result.errors)
        ((names, words),) = zip(
            run.recorder.troubled, run.recorder.troubles, strict=True
        )
        self.assertEqual({*SOURCES} - looked_at, {*names.split(', ')})
        self.assertIn(f'not looked at; {why}', words)

    @unit.cases(faults.DROPPED, faults.DROPPED_LATE)
    def test_an_outage_is_that_of_all_hosts(self, fault: faults.Fault) -> None:
        """Where no answer comes for long, the hosts do not wait in turn."""
        begin = timeline.START + 60
        run = self.drain(
            cloud(seconds=300),
            *SOURCES,
            faults=lambda r: fault if r.time >= begin else None,
            code=Code.FAILED,
        )
        self.assertEqual({*SOURCES}, {*run.result.errors})
        self.assertEqual(100, len(run.result.rows))
        self.assertLess(
            run.seconds,
            60 + timing.OUTAGE_LIMIT_SECONDS + 2 * fault.seconds + 60,
        )

    def test_an_outage_is_said_for_one_host(self) -> None:
        """Fifty lines a round would be all that one sees."""
        begin = timeline.START + 60
        outage = faults.outage(begin, begin + 40)
        run = self.drained(cloud(seconds=100), *SOURCES, faults=outage)
        (host,) = {*run.recorder.troubled}
        self.assertIn(host, SOURCES)
        # Each time that it has looked in vain.
        self.assertGreater(len(run.recorder.troubled), 1)

    def test_a_refusal_ends_an_outage(self) -> None:
        """The API answers again, if not as one host needs it."""
        times: list[float] = []
        again: list[faults.Request] = []

        def fails(request: faults.Request) -> faults.Fault | None:
            if request.time < timeline.START + 60:
                return None
            times.append(request.time)
            if request.time < times[0] + timing.OUTAGE_LIMIT_SECONDS:
                return faults.DROPPED
            again.append(request)
            return faults.NOT_PERMITTED if len(again) == 1 else None

        run = self.drain(
            cloud(seconds=100), *SOURCES[:2], faults=fails, code=Code.FAILED
        )
        self.assertEqual(1, len(run.result.errors))
