# SPDX-License-Identifier: Apache-2.0

import os
from unittest import mock

from osc_hostmaint import events
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.notifications import delivery
from osc_hostmaint.notifications import receiver
from tests import receivers
from tests import unit
from tests.unit import builders

WRITER = cloud_events.Writer('https://keystone', events.Operation.DRAIN)
EVENT = WRITER.write(events.MaintenanceSet('cmp01', builders.mark()))


class ReceiverTestCase(unit.TestCase):
    def setUp(self):
        self.enterContext(mock.patch.dict(os.environ, {'NO_PROXY': '*'}))

    def listen(self, behave=receivers.takes, **kwargs):
        server = receivers.Receiver(behave, **kwargs)
        return self.enterContext(server)

    def make(self, url, **kwargs):
        made = receiver.Receiver(url, **kwargs)
        self.addCleanup(made.close)
        return made

    def refused(self, url, **kwargs):
        """Return why an event is not delivered."""
        with self.assertRaises(delivery.NotDelivered) as caught:
            self.make(url, **kwargs).deliver(EVENT)
        self.assertNotIn('/hook', str(caught.exception))
        return caught.exception
