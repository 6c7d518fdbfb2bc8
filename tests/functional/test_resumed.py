# SPDX-License-Identifier: Apache-2.0

"""What a drain resumed is suspended again, also after a kill -9."""

import signal
import typing as ty

import pytest

from osc_hostmaint import mark
from tests.cloud import waiting
from tests.functional import base

LINE = 'host maintenance drain -f json --suspended resume'


class TestResumed(base.FunctionalTest):
    def kill_when(
        self, condition: ty.Callable[[], object], description: str
    ) -> None:
        process = self.start(f'{LINE} cmp01')
        waiting.wait_for(condition, description, interval=0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def assert_suspended_elsewhere(self, server: ty.Any) -> None:
        now = self.cloud.server(server)
        self.assertEqual('SUSPENDED', now.status)
        self.assertNotEqual('cmp01', now.compute_host)
        self.assert_tags(server, [])
        actions = self.cloud.connection().compute.server_actions(server.id)
        names = [action.action for action in actions]
        self.assertEqual(1, names.count('resume'))
        self.assertEqual(2, names.count('suspend'))
        self.assertEqual(1, names.count('live-migration'))

    def assert_tags(self, server: ty.Any, tags: list[str]) -> None:
        compute = self.cloud.connection().compute
        found = compute.get_server(server.id).fetch_tags(compute).tags
        self.assertEqual(sorted(tags), sorted(found))

    @pytest.mark.soak
    def test_killed_while_it_moves(self) -> None:
        self.cloud.knobs(lm_seconds=4)
        server = self.cloud.boot('s', host='cmp01', state='SUSPENDED')
        self.kill_when(
            lambda: self.cloud.migrations(status='running'), 'it to move'
        )

        (row,) = self.drain('--suspended resume cmp01')

        self.assertEqual(
            ('SUSPENDED', 'moved'), (row['Status'], row['Result'])
        )
        self.assert_suspended_elsewhere(server)

    def test_killed_and_moved_before_the_next_run(self) -> None:
        server = self.cloud.boot(
            's',
            host='cmp01',
            state='SUSPENDED',
            metadata={'lm_seconds': '2'},
        )
        self.kill_when(
            lambda: self.cloud.migrations(status='running'), 'it to move'
        )
        self.cloud.wait_server(server, 'ACTIVE')

        (row,) = self.drain('cmp01')

        self.assertEqual(
            ('SUSPENDED', 'moved'), (row['Status'], row['Result'])
        )
        self.assert_suspended_elsewhere(server)
        self.assertEqual([], self.drain('--suspended resume cmp01'))

    def test_a_move_that_fails_leaves_it_suspended(self) -> None:
        server = self.cloud.boot(
            's',
            host='cmp01',
            state='SUSPENDED',
            metadata={'lm_fail': 'precheck'},
        )

        (row,) = self.drain('--suspended resume --retries 1 cmp01', code=3)

        self.assertEqual('failed', row['Result'])
        self.assertIn('lm_fail=precheck', row['Reason'])
        now = self.cloud.server(server)
        self.assertEqual(
            ('SUSPENDED', 'cmp01'), (now.status, now.compute_host)
        )
        self.assert_tags(server, [])

    def test_not_resumed_without_the_tag(self) -> None:
        server = self.cloud.boot('s', host='cmp01', state='SUSPENDED')
        compute = self.cloud.connection().compute
        tagged = compute.get_server(server.id)
        others = [f'tag {n}' for n in range(50)]
        tagged.set_tags(compute, others)

        (row,) = self.drain('--suspended resume cmp01', code=3)

        self.assertEqual('blocked', row['Result'])
        self.assertIn('per-server limit 50', row['Reason'])
        self.assertIn('remove one of its tags', row['Reason'])
        self.assert_tags(server, others)

        others.pop()
        tagged.set_tags(compute, others)
        policy = 'os_compute_api:os-server-tags:update'
        self.cloud.set_policy({policy: '!'})

        (row,) = self.drain('--suspended resume cmp01', code=3)

        self.assertEqual('blocked', row['Result'])
        self.assertIn(policy, row['Reason'])
        self.assertEqual('SUSPENDED', self.cloud.server(server).status)

        # A run was killed before it resumed it: Nova refuses any 51st.
        self.cloud.set_policy({})
        tagged.set_tags(compute, [*others, mark.RESUMED_TAG])

        (row,) = self.drain('--suspended resume cmp01')

        self.assertEqual('moved', row['Result'])
        self.assertEqual('SUSPENDED', self.cloud.server(server).status)
        self.assert_tags(server, others)

    def test_resumed_by_hand_stays_running(self) -> None:
        server = self.cloud.boot('s', host='cmp01', state='SUSPENDED')
        self.openstack('host maintenance set cmp01')
        self.cloud.connection().compute.resume_server(server.id)
        self.cloud.wait_server(server, 'ACTIVE')

        (row,) = self.drain('--suspended resume cmp01')

        self.assertEqual(('ACTIVE', 'moved'), (row['Status'], row['Result']))
        self.assertEqual('ACTIVE', self.cloud.server(server).status)

        # As if a run had resumed it, and been killed.
        compute = self.cloud.connection().compute
        compute.get_server(server.id).set_tags(compute, [mark.RESUMED_TAG])

        done = self.run_command('host maintenance unset cmp01')

        self.assertIn(f's ({server.id}) on cmp0', done.err)
        self.assertIn(f'openstack server suspend {server.id}', done.err)
