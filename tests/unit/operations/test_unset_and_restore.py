# SPDX-License-Identifier: Apache-2.0

"""Hosts that are put back into service, and whose servers follow."""

import typing as ty
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import exceptions
from tests import unit
from tests.unit.engine import restore_base
from tests.unit.engine.restore_base import AWAY
from tests.unit.engine.restore_base import FAR
from tests.unit.engine.restore_base import HOME
from tests.unit.simulation import client as clients
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import scene

Code = exceptions.ExitCode


class TestUnsetAndRestore(restore_base.RestoreTestCase):
    """Back into service, and home, in one go."""

    def setUp(self) -> None:
        super().setUp()
        self.old = self.leave()
        self.rest(100.0)
        self.cloud.disable(HOME)
        self.server = self.leave()

    def restore(self, *homes: str, **options: ty.Any) -> scene.Run:
        with mock.patch.object(
            api.Maintenance, 'restore', api.Maintenance.unset_and_restore
        ):
            return super().restore(*homes, **options)

    def test_servers_that_left_since_the_mark(self):
        done = self.restore()
        self.assert_done(done, {self.server.id: 'moved'})
        self.assertTrue(self.cloud.hosts[HOME].enabled)
        self.assert_home(self.server)
        self.assertEqual(AWAY, self.old.host)
        self.assertEqual([], done.recorder.troubles)

    def test_killed_and_run_again(self):
        with self.assertRaises(scene.Killed):
            self.restore(kill_after=2.0)
        self.assertTrue(self.cloud.hosts[HOME].enabled)
        self.restore()
        self.assert_home(self.server)

    def test_interrupted_the_way_on_is_said(self):
        done = self.restore(interrupt_after=1.0)
        words = rf'restore {HOME} --since \S+Z$'
        self.assertRegex(done.recorder.troubles[-1], words)

    @unit.cases('enable', 'left')
    def test_stopped_the_way_on_is_said(self, kind):
        """The mark is gone, and with it since when servers count."""
        self.cloud.disable(FAR)

        def stop(asked: faults_.Request) -> None:
            if asked.kind == kind:
                raise KeyboardInterrupt

        done = self.restore(HOME, FAR, faults=stop)
        self.assertIs(Code.INTERRUPTED, done.result.exit_code)
        words = rf'(?m)restore {HOME} --since \S+Z$'
        self.assertRegex('\n'.join(done.recorder.troubles), words)

    def test_failed_the_way_on_is_said(self):
        done = self.restore(faults=restore_base.dropping('moves'))
        self.assert_failed(done, 'nothing was brought back')
        words = rf'restore {HOME} --since \S+Z$'
        self.assertRegex(done.recorder.troubles[-1], words)

    def test_a_host_that_is_not_ours(self):
        self.cloud.disable(FAR, 'broken fan')
        done = self.restore(HOME, FAR)
        self.assert_failed(done, 'broken fan', FAR)
        self.assertEqual({self.server.id: 'moved'}, done.results)
        self.assertFalse(self.cloud.hosts[FAR].enabled)

    def test_no_host_can_be_put_back(self):
        self.cloud.disable(HOME, 'broken fan')
        done = self.restore()
        self.assert_failed(done, 'broken fan')
        self.assertEqual({}, done.results)
        self.assert_nothing_asked(done)

    def test_forced(self):
        self.cloud.disable(HOME, 'broken fan')
        self.restore(force=True)
        # Their reason does not say since when.
        self.assert_home(self.old, self.server)

    def test_not_permitted(self):
        with (
            mock.patch.object(
                clients.Client,
                'enable',
                side_effect=exceptions.NotPermitted('no'),
            ),
            self.assertRaises(exceptions.NotPermitted),
        ):
            self.restore()
        self.assertEqual(AWAY, self.server.host)

    def test_nova_does_not_tell_who_left(self):
        """It is in service all the same, and other errors are told, too."""
        self.cloud.disable(FAR, 'broken fan')

        done = self.restore(HOME, FAR, faults=restore_base.dropping('left'))

        self.assert_failed(done, 'in service again', HOME, FAR)
        self.assertTrue(self.cloud.hosts[HOME].enabled)
