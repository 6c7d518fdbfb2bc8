# SPDX-License-Identifier: Apache-2.0

"""Destinations that fail every move, or died; a control plane that breaks."""

import collections
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from tests.unit.engine import drain_base
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults
from tests.unit.simulation import outcomes
from tests.unit.simulation import request_checks
from tests.unit.simulation import scene

Code, TWO = drain_base.Code, drain_base.TWO
MoveOutcome = outcomes.MoveOutcome
HOLE = 'cmp02'


def cloud(active: int = 0, stopped: int = 0, **options) -> clouds.Cloud:
    """Return a cloud with servers, and more on all hosts but one."""
    made = scene.cloud(active, **options)
    for _number in range(stopped):
        made.add(scene.SOURCE, 'stopped')
    for host in ('cmp03', 'cmp04'):
        made.add(host, memory_mb=8192)
    return made


def black_hole(*args, hole: str = HOLE, **options) -> clouds.Cloud:
    """Return a cloud in which all moves to the emptiest host fail."""
    made = cloud(*args, **options)
    made.hosts[hole].black_hole_since = made.timeline.now
    return made


class BadDestinationsTestCase(drain_base.DrainTestCase):
    OPTIONS: ty.ClassVar = {'guided': True}

    def sent(self, run: scene.Run) -> list[str]:
        return [
            request.host
            for request, _answer in run.client.posted
            if request.kind in ('live_migrate', 'cold_migrate')
        ]


class TestBlackHole(BadDestinationsTestCase):
    def test_running_servers(self) -> None:
        run = self.drained(black_hole(20))
        self.assertLessEqual(self.sent(run).count(HOLE), 4)
        (told,) = (t for t in run.recorder.troubles if 'excluded' in t)
        self.assertIn('2 servers failed', told)

    def test_stopped_servers(self) -> None:
        run = self.drain(black_hole(0, 8), code=Code.LEFT)
        self.assertEqual(7, [*run.results.values()].count('moved'))
        self.assertEqual(1, self.sent(run).count(HOLE))

    def test_the_scheduler_picks(self) -> None:
        """Until it has picked one that is not used any more."""
        run = self.drain(black_hole(4, 6), spread=policies.Spread.SCHEDULER)
        sent = self.sent(run)
        self.assertEqual('', sent[0])
        self.assertNotIn('', sent[-2:])
        self.assertLessEqual([*run.results.values()].count('failed'), 1)

    def test_capacity_is_unknown(self) -> None:
        """Only the scheduler picks, and it may pick that host again."""
        made = black_hole(0, 6)
        self.drain(made, guided=False)
        states = [s.vm_state for s in made.servers.values()]
        self.assertEqual(1, states.count('error'))

    def test_the_only_destination(self) -> None:
        run = self.drain(black_hole(5, 3), to=HOLE, code=Code.LEFT)
        self.assertLessEqual(len(self.sent(run)), 5)
        self.assertIn('not sent to cmp02', str(run.reasons))

    def test_one_that_fails_without_harm(self) -> None:
        """Whether it is in ERROR is seen before others are refused."""
        made = cloud(0, 3)
        first = made.servers[min(made.servers)]
        first.outcomes.append(MoveOutcome.ROLLED_BACK)
        self.drained(made, to='cmp03')

    def test_one_that_fails_a_single_server(self) -> None:
        """Another move that is under way there shows that it works."""
        made = scene.cloud(0, source=TWO)
        servers = [
            made.add(host, 'stopped', seconds=seconds)
            for host, seconds in (
                ('cmp01', 1.0),
                ('cmp01', 4.0),
                ('cmp02', 20.0),
                ('cmp02', 1.0),
            )
        ]
        servers[1].outcomes.append(MoveOutcome.BROKEN)
        run = self.drain(made, *TWO, to='cmp03')
        self.assertEqual(3, [*run.results.values()].count('moved'))

    def test_earlier_failures_make_it_last_choice(self) -> None:
        made = black_hole(3)
        self.drain(made, kill_after=4.0)
        self.assertNotIn(HOLE, self.sent(self.drained(made)))

    def test_a_server_that_fails_everywhere(self) -> None:
        made = cloud(6)
        for server in [*made.servers.values()][:2]:
            server.outcomes.extend([MoveOutcome.PRE] * 9)
        run = self.drain(made, retries=3)
        self.assertEqual(4, [*run.results.values()].count('moved'))


class TestUnnamed(BadDestinationsTestCase):
    """A policy does not allow to name destinations."""

    def forbid(self, kind: str) -> faults.Faults:
        policy = f'os_compute_api:os-migrate-server:{kind}:host'
        error = exceptions.NotPermitted(policy, policy=policy)
        fault = faults.Fault(lambda: error)
        return lambda r: fault if r.kind == kind and r.host else None

    def test_the_scheduler_picks(self) -> None:
        run = self.drained(cloud(4, 2), faults=self.forbid('live_migrate'))
        hosts = collections.defaultdict(list)
        for request, _answer in run.client.posted:
            hosts[request.kind].append(request.host)
        self.assertEqual(4 * [''], hosts['live_migrate'][1:])
        self.assertTrue(all(hosts['cold_migrate']))
        (told,) = run.recorder.troubles
        self.assertIn('not allow you to name the destination', told)
        self.assertEqual({1}, {row.attempts for row in run.result.rows})

    def test_the_scheduler_may_pick_avoided_hosts(self) -> None:
        options = {'faults': self.forbid('live_migrate')}
        run = self.drained(cloud(4), avoid=frozenset({'cmp03'}), **options)
        (_unnamed, told) = run.recorder.troubles
        self.assertIn('may pick hosts of --avoid', told)

    def test_stopped_servers_probe_one_at_a_time(self) -> None:
        made = black_hole(0, 6)
        self.drain(made, faults=self.forbid('cold_migrate'), code=Code.LEFT)

    def test_requested_destination_is_not_excluded(self) -> None:
        options = {'faults': self.forbid('live_migrate'), 'to': 'cmp03'}
        run = self.drain(cloud(3), code=Code.FAILED, **options)
        self.assertIn(':host', run.result.errors[scene.SOURCE])


class TestControlPlane(BadDestinationsTestCase):
    def test_max_failures_stops_the_drain(self) -> None:
        made = cloud(12, seconds=10.0)
        made.broken = True
        run = self.drain(made, code=Code.LEFT)
        states = [s.vm_state for s in made.servers.values()]
        # One was in flight, and one waited behind it.
        self.assertLessEqual(states.count('error'), 5)
        (told,) = (t for t in run.recorder.troubles if 'one after' in t)
        self.assertIn('each by live migration', told)
        self.assertIn('each is in ERROR now', told)
        blocked = [r for r in run.reasons.values() if 'no other move' in r]
        self.assertLess(6, len(blocked))

    def test_over_all_hosts(self) -> None:
        made = cloud(4, source=TWO, seconds=10.0)
        made.broken = True
        run = self.drain(made, *TWO, max_failures=2)
        states = [s.vm_state for s in made.servers.values()]
        self.assertLessEqual(states.count('error'), 6)
        self.assertEqual(Code.LEFT, run.exit_code)

    def test_off(self) -> None:
        made = cloud(6)
        made.broken = True
        run = self.drain(made, max_failures=0)
        self.assertEqual(['failed'] * 6, [*run.results.values()])
        # The check would find that.
        run.policy = policies.Policy(max_failures=3)
        self.assertTrue(request_checks.after_max_failures(run))


class TestJustDied(BadDestinationsTestCase):
    """Nova calls it up for a minute more."""

    def test_the_source_does_not_idle(self) -> None:
        made = cloud(4, seconds=5.0)
        made.crash(HOLE)
        run = self.drained(made)
        arrived = sorted(
            record.updated_at or 0.0
            for record in made.records.values()
            if record.status == 'completed'
        )
        # Those that were sent there take a minute to fail.
        self.assertLess(arrived[0] - run.began, 40.0)
        said = [
            row.reason
            for _time, _host, decision in run.recorder.timed
            for row in decision.rows
            if 'cmp02 has not started it yet' in row.reason
        ]
        self.assertTrue(said)
