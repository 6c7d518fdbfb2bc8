# SPDX-License-Identifier: Apache-2.0

"""Answers that openstacksdk keeps."""

import json
import pathlib
import tempfile

import openstack

from osc_hostmaint.nova import gateway
from tests.unit.nova import cloud


class CacheOfCloudsYamlTest(cloud.CloudTestCase):
    """openstacksdk may be told to keep answers; a loop must not see them."""

    CLOUDS = {
        'cache': {
            'class': 'dogpile.cache.memory',
            'expiration_time': 3600,
            'expiration': {'compute.server': 3600},
        },
        'clouds': {'prod': {'auth': cloud.AUTH}},
    }

    def test_answers_are_fresh(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, 'clouds.yaml')
        path.write_text(json.dumps(self.CLOUDS))
        statuses = ['MIGRATING', 'ACTIVE']
        self.cloud.get(
            f'{cloud.NOVA}/servers/vm1',
            [{'json': {'server': cloud.server(status=s)}} for s in statuses],
        )
        config = openstack.config.OpenStackConfig(
            config_files=[str(path)], load_envvars=False
        )
        conn = openstack.connection.Connection(
            config=config.get_one(cloud='prod')
        )
        self.addCleanup(conn.close)
        self.assertTrue(conn.cache_enabled)
        asking = gateway.Gateway(conn)
        seen = [asking.server('vm1').status for _tick in range(2)]
        self.assertEqual(statuses, seen)
