# SPDX-License-Identifier: Apache-2.0

"""Back into service, and home, in one go."""

import typing as ty
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import exceptions
from tests.unit.engine import restore_base
from tests.unit.engine.restore_base import AWAY
from tests.unit.engine.restore_base import FAR
from tests.unit.engine.restore_base import HOME
from tests.unit.simulation import client as clients
from tests.unit.simulation import inventory
from tests.unit.simulation import scene

Code = exceptions.ExitCode


class TestUnsetAndRestore(restore_base.RestoreTestCase):
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

    def test_no_room(self):
        capacity = {**inventory.ROOMY, inventory.MEMORY_MB: 1024}
        self.given(scene.cloud(0, source=(), capacity=capacity))
        self.cloud.disable(HOME)
        self.leave()
        self.add()
        done = self.restore()

        self.assert_failed(done, '1 of 1 servers')
        # It is in service all the same.
        self.assertTrue(self.cloud.hosts[HOME].enabled)
