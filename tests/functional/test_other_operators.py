# SPDX-License-Identifier: Apache-2.0

"""Others who change the same compute service, before or meanwhile."""

from tests.cloud import waiting
from tests.functional import base
from tests.functional import test_evacuate

THEIRS = 'do not enable'


class OperatorsTest(base.FunctionalTest):
    def set_forced_down(self, host: str) -> None:
        self.cloud.connection().compute.update_service_forced_down(
            self.cloud.service(host).id, forced=True
        )

    def run_held_up(
        self, line: str, path: str, after: str, meanwhile: str
    ) -> base.Done:
        """Run a command, and another one while it waits for an answer.

        :param path: of the request that is answered late.
        :param after: the path of one that comes just before it.
        """
        self.cloud.requests.reset()
        self.cloud.faults.add(method='GET', path=path, delay=10, times=1)
        process = self.start(line)
        waiting.wait_for(
            lambda: any(
                request.path.endswith(after)
                for request in self.cloud.requests.log()
            ),
            'the command to look',
        )
        self.openstack(meanwhile, '--reason', THEIRS)
        return self.end(process)

    def assert_refused(self, done: base.Done) -> None:
        self.assertEqual(1, done.code, done.err)
        error = done.err.splitlines()[-1]
        self.assertIn(f'by {base.OPERATOR} (reason: {THEIRS!r})', error)
        self.assertIn('run this again', error)
        service = self.cloud.service('cmp01')
        self.assertEqual('disabled', service.status)
        self.assertIn(THEIRS, service.disabled_reason)


class TestMeanwhile(OperatorsTest):
    def test_unset_does_not_end_another_maintenance(self) -> None:
        self.openstack('host maintenance set cmp01')
        self.set_forced_down('cmp01')
        done = self.run_held_up(
            'host maintenance unset cmp01',
            path='/os-hypervisors/[0-9a-f-]{36}$',
            after='/os-hypervisors/detail',
            meanwhile='host maintenance set cmp01',
        )
        self.assertIn('waiting for a heartbeat', done.err)
        self.assert_refused(done)

    def test_drain_does_not_take_over_another_maintenance(self) -> None:
        server = self.cloud.boot('s', host='cmp01')
        for options in ('', '--evacuate --fenced'):
            done = self.run_held_up(
                f'host maintenance drain {options} --reason mine cmp01',
                path='/os-hypervisors/detail',
                after='/os-migrations',
                meanwhile='host maintenance set cmp01',
            )
            self.assert_refused(done)
            self.assertFalse(self.cloud.service('cmp01').is_forced_down)
            self.assertEqual([], self.records('cmp01'))
            self.openstack('host maintenance unset cmp01')
        self.assertEqual(
            [server.id], [s['id'] for s in self.cloud.servers('cmp01')]
        )

    def test_both_want_the_same(self) -> None:
        self.cloud.boot('s', host='cmp01')
        done = self.run_held_up(
            f'{test_evacuate.DRAIN} cmp01',
            path='/os-hypervisors/detail',
            after='/os-migrations',
            meanwhile='host maintenance set cmp01',
        )
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(THEIRS, self.show('cmp01')['reason'])


class TestOverwritten(OperatorsTest):
    def disable(self, **reason: str) -> None:
        """Disable cmp01 as other tools do, with a reason or without."""
        compute = self.cloud.connection().compute
        compute.disable_service(self.cloud.service('cmp01').id, **reason)

    def test_drain_goes_on(self) -> None:
        self.cloud.knobs(cm_seconds=2)
        self.cloud.boot_many(base.lot('cmp01', 'SHUTOFF', 2))
        process = self.start('host maintenance drain -f json cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='migrating'), 'it to move'
        )
        since = self.show('cmp01')['since']
        self.disable(disabled_reason='host failed \u202e')
        done = self.end(process)
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(['moved'] * 2, [r['Result'] for r in done.json])
        reason = r"'host failed \u202e'"
        (said,) = [x for x in done.err.splitlines() if 'overwritten' in x]
        self.assertRegex(said, 'Z cmp01: somebody else .* need --force')
        self.assertTrue(said.endswith(f': {reason}'), said)
        self.assertIn(since, said)

        for line in ('drain', 'unset', 'unset --restore'):
            done = self.run_command(f'host maintenance {line} cmp01')
            self.assertEqual(1, done.code, done.err)
            self.assertIn(f'(their reason: {reason})', done.err)
            self.assertIn('use --force', done.err)
        self.disable()
        done = self.run_command('host maintenance unset --force cmp01')
        self.assertEqual(0, done.code, done.err)
        self.assertNotIn('erased', done.err)
        self.assertIn('restore cmp01 --since <time>', done.err)


class TestForce(OperatorsTest):
    def test_the_reason_that_is_erased_is_said(self) -> None:
        compute = self.cloud.connection().compute
        for line in ('set', 'unset', 'drain'):
            compute.disable_service(
                self.cloud.service('cmp01').id, disabled_reason=THEIRS
            )
            done = self.run_command(f'host maintenance {line} --force cmp01')
            self.assertEqual(0, done.code, done.err)
            self.assertEqual(1, done.err.count(repr(THEIRS)), done.err)


class TestHeartbeat(OperatorsTest):
    def test_nova_compute_was_just_started(self) -> None:
        for forced in (False, True):
            self.openstack('host maintenance set cmp01')
            self.cloud.kill_host('cmp01')
            self.cloud.wait_service('cmp01', 'down')
            if forced:
                self.set_forced_down('cmp01')
            process = self.start(
                'host maintenance unset cmp01', TIMING_FACTOR='1.5'
            )
            self.read_until(process, 'waiting for a heartbeat')
            self.cloud.start_host('cmp01')
            done = self.end(process)
            self.assertEqual(0, done.code, done.err)
            self.assertEqual('up', self.show('cmp01')['service_state'])


class TestEnabledByOthers(test_evacuate.EvacuationTest):
    def test_not_cleaned_up(self) -> None:
        self.cloud.boot('s', host='cmp01')
        self.die()
        self.openstack(f'{test_evacuate.LINE} cmp01')
        # Horizon's button.
        self.cloud.connection().compute.enable_service(
            self.cloud.service('cmp01').id
        )
        for line in ('unset', 'unset --force', 'unset --restore'):
            done = self.run_command(f'host maintenance {line} cmp01')
            self.assertEqual(1, done.code, done.err)
            error = done.err.splitlines()[-1]
            self.assertIn('tart nova-compute on cmp01', error)
            self.assertNotIn('compute service set --up', done.err)
        self.openstack('host maintenance set cmp01')
        done = self.run_command('host maintenance unset cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('stays disabled. Nova: PUT /os-services', done.err)
        self.cloud.start_host('cmp01')
        self.openstack('host maintenance unset cmp01')
        self.assert_back_in_service()
