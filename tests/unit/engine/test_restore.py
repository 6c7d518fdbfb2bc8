# SPDX-License-Identifier: Apache-2.0

"""Bringing servers home in the simulated cloud."""

from osc_hostmaint import exceptions
from osc_hostmaint.engine.restore import loop
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.engine import restore_base
from tests.unit.simulation import faults
from tests.unit.simulation import scene

Code = exceptions.ExitCode
Running = policies.Running
HOME, AWAY, FAR, FARTHEST = scene.HOSTS
LIVE, COLD = restore_base.LIVE, restore_base.COLD
LIVE_MOVE, COLD_MOVE = 'live migration', 'cold migration'


class TestWays(restore_base.RestoreTestCase):
    @unit.cases(
        # how it was, how it left, what the operator wants; how it comes home
        ('active', LIVE, None, LIVE_MOVE),
        ('paused', LIVE, None, LIVE_MOVE),
        ('stopped', COLD, None, COLD_MOVE),
        ('active', COLD, None, COLD_MOVE),
        ('active', LIVE, Running.COLD, COLD_MOVE),
        ('active', COLD, Running.LIVE, LIVE_MOVE),
        ('active', COLD, Running.LIVE_OR_COLD, LIVE_MOVE),
    )
    def test_as_it_left_or_is_wanted(self, state, kind, running, way):
        server = self.leave(state, kind=kind)
        done = self.restore(running=running)
        self.assert_done(done, {server.id: 'moved'})
        self.assertEqual({server.id: way}, done.ways)
        self.assert_home(server)
        self.assertEqual({server.id: 1}, self.restored())
        if running:
            self.assertEqual(0, done.client.counts()['history'])

    def test_a_suspended_one(self):
        server = self.leave()
        self.cloud.suspend(server.id)
        self.rest()
        done = self.restore()
        self.assertEqual({server.id: 'blocked'}, done.results)
        self.assertIn('--suspended resume', done.reasons[server.id])
        done = self.restore(policy=restore_base.SHELVE)
        self.assertEqual({server.id: 'blocked'}, done.results)
        done = self.restore(policy=restore_base.RESUME)
        self.assertEqual({server.id: 'moved'}, done.results)
        self.assert_home(server)
        self.assertEqual('suspended', server.vm_state)


class TestAll(restore_base.RestoreTestCase):
    def test_all_come_home(self):
        """Of all kinds, and from everywhere."""
        hosts = (AWAY, FAR, FARTHEST)
        states = ('active', 'active', 'stopped', 'paused')
        servers = [
            self.leave(state, hosts[number % 3], seconds=2.0)
            for number, state in enumerate(states * 3)
        ]
        servers.append(self.leave(kind=COLD))
        done = self.restore()
        self.assert_done(done, {s.id: 'moved' for s in servers})
        self.assert_home(*servers)
        self.assertEqual({HOME}, {row.destination for row in done.result.rows})
        self.assertEqual({s.id: 1 for s in servers}, self.restored())

    def test_no_server_has_left(self):
        self.add()
        done = self.restore()
        self.assertEqual((), done.result.rows)
        self.assertIs(Code.DONE, done.result.exit_code)
        # The services twice: its cell may have fallen silent meanwhile.
        self.assertEqual(
            {
                'check_hosts_shown': 1,
                'check_servers_shown': 1,
                'services': 2,
                'left': 1,
                'deleted': 1,
            },
            done.client.counts(),
        )

    def test_two_homes(self):
        """Who has left both comes home to the one it left last."""
        first, second = self.leave(), self.move(self.cloud.add(FAR), AWAY)
        third = self.leave(dest=FAR)
        self.move(third, FARTHEST)
        done = self.restore(HOME, FAR)
        self.assertEqual(
            dict.fromkeys((first.id, second.id, third.id), 'moved'),
            done.results,
        )
        self.assert_home(first)
        self.assert_home(second, third, home=FAR)
        self.assertEqual([HOME, FAR], sorted(done.recorder.ended_hosts))

    def test_home_is_disabled_during_restore(self):
        servers = [self.leave(seconds=20.0) for _number in range(4)]
        self.cloud.timeline.after(25.0, lambda: self.cloud.disable(HOME))
        done = self.restore()
        self.assert_failed(done, 'in maintenance', AWAY)
        self.assertEqual({s.id for s in servers}, done.results.keys())
        self.assertEqual(2, list(done.results.values()).count('moved'))
        self.assertEqual(
            [HOME, HOME, AWAY, AWAY], sorted(s.host or '' for s in servers)
        )
        for server in servers:
            self.assertIsNone(server.task_state)


class TestInterrupted(restore_base.RestoreTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.servers = [
            self.leave(state, host, seconds=6.0)
            for state, host in (
                *(('active', AWAY),) * 3,
                *(('stopped', FAR),) * 3,
                ('paused', FARTHEST),
            )
        ]
        self.suspended = self.leave(seconds=6.0)
        self.cloud.suspend(self.suspended.id)
        self.rest()
        self.servers.append(self.suspended)

    def test_killed_before_the_last_was_suspended_again(self):
        """Nothing else is to come home from there any more."""
        for server in self.servers:
            if server is not self.suspended:
                self.cloud.delete(server.id)

        class Stop(BaseException):
            pass

        def kill(request: faults.Request) -> None:
            if self.suspended.host == HOME:
                raise Stop

        with self.assertRaises(Stop):
            self.restore(policy=restore_base.RESUME, faults=kill)
        self.rest()
        self.assertEqual('active', self.suspended.vm_state)
        # Its former host is gone, which does not matter.
        del self.cloud.hosts[AWAY]
        ahead = self.preview(policy=restore_base.RESUME)
        self.assertTrue(ahead.done, ahead.rows)
        self.assertIn('already on cmp01', ahead.rows[0].reason)
        done = self.restore(policy=restore_base.RESUME)
        self.assert_home(self.suspended)
        self.assertEqual('moved', done.results[self.suspended.id])
        self.assertEqual({self.suspended.id: 1}, self.restored())
        last = self.restore(policy=restore_base.RESUME)
        self.assertNotIn(self.suspended.id, last.results)

    def test_ctrl_c(self):
        done = self.restore(interrupt_after=3.0)
        self.assertIs(Code.INTERRUPTED, done.result.exit_code)
        self.assertEqual({s.id for s in self.servers}, done.results.keys())
        for server in self.servers:
            self.assertIsNone(server.task_state)
            self.assertNotEqual('resized', server.vm_state)
        again = self.restore(policy=restore_base.RESUME)
        self.assertIs(Code.DONE, again.result.exit_code)
        self.assert_home(*self.servers)

    def test_stopped_before_all_hosts_were_looked_at(self):
        """There is a row of each server all the same."""
        plan = self.preview().rows

        hosts = set()

        def press_twice(request: faults.Request) -> None:
            if request.kind == 'migrations':
                hosts.add(request.subject)
            if len(hosts) > 1:
                raise KeyboardInterrupt

        done = self.restore(faults=press_twice)
        self.assertIs(Code.INTERRUPTED, done.result.exit_code)
        self.assertEqual({row.server_id for row in plan}, set(done.results))
        self.assertIn(
            'it was not moved yet: run the same command again',
            done.reasons.values(),
        )
        self.assertEqual([HOME], done.recorder.ended_hosts)

    def test_a_host_that_may_not_be_looked_at(self):
        def refuse(request: faults.Request) -> None:
            if (request.kind, request.subject) == ('migrations', FAR):
                raise exceptions.NotPermitted('no')

        done = self.restore(faults=refuse)
        found = {
            row.code
            for row in done.result.rows
            if row.reason == loop.NOTHING_DONE
        }
        self.assertEqual({codes.Code.NOT_PERMITTED}, found)

    def test_timeout(self):
        done = self.restore(timeout=3.0)
        self.assertIs(Code.TIMEOUT, done.result.exit_code)
        self.assertEqual({s.id for s in self.servers}, done.results.keys())
        self.assertEqual(0, done.client.counts()['deleted'])
