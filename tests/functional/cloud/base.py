# SPDX-License-Identifier: Apache-2.0

"""What the tests of the embedded cloud share."""

import os
import unittest

from tests.cloud import Cloud
from tests.cloud import waiting

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
)
CACHE = os.path.join(ROOT, '.cloud', 'cache')
LIVE = {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}
COLD = {'migrate': {'host': None}}


def live_to(host):
    return {'os-migrateLive': {'host': host, 'block_migration': 'auto'}}


def cold_to(host):
    return {'migrate': {'host': host}}


def addresses(server):
    return sorted(
        address['addr']
        for network in server.addresses.values()
        for address in network
    )


class CloudTest(unittest.TestCase):
    """Shares one cloud with the tests of its class."""

    #: Of :meth:`tests.cloud.Cloud.start`.
    options = {'hosts': 3}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = Cloud.start(cache=CACHE, **cls.options)
        cls.addClassCleanup(cls.cloud.stop)

    def setUp(self):
        super().setUp()
        self.addCleanup(self.cloud.purge)

    def wait_migrations(self, *statuses, count=1):
        """Wait until all migration records have one of these statuses."""

        def there():
            found = self.cloud.migrations()
            met = [m for m in found if m['status'] in statuses]
            return len(met) == len(found) == count and found

        return waiting.wait_for(there, f'{count} records in {statuses}')

    def events(self, server):
        """What happened to a server: (event, result), oldest first."""
        compute = self.cloud.connection().compute
        path = f'/servers/{server.id}/os-instance-actions'
        actions = compute.get(path).json()['instanceActions']
        return [
            (event['event'], event['result'])
            for action in reversed(actions)
            for event in compute.get(f'{path}/{action["request_id"]}').json()[
                'instanceAction'
            ]['events']
        ]

    def record(self, server):
        """The newest migration record of a server, or None."""
        found = self.cloud.migrations(instance_uuid=server.id)
        return found[0] if found else None

    def wait_record(self, server, *statuses, timeout=60):
        """Wait until a server's newest record has one of these statuses."""

        def there():
            record = self.record(server)
            return record and record['status'] in statuses and record

        return waiting.wait_for(there, f'a record in {statuses}', timeout)
