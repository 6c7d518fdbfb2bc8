# SPDX-License-Identifier: Apache-2.0

"""Answers that openstacksdk keeps."""

import json
import pathlib
import tempfile
import unittest

from keystoneauth1 import fixture
import openstack
import requests_mock

from osc_hostmaint.nova import gateway
from tests.unit.nova import cloud


class CacheOfCloudsYamlTest(unittest.TestCase):
    """openstacksdk may be told to keep answers; a loop must not see them."""

    CLOUDS = {
        'cache': {
            'class': 'dogpile.cache.memory',
            'expiration_time': 3600,
            'expiration': {'compute.server': 3600},
        },
        'clouds': {
            'prod': {
                'auth': {
                    'auth_url': cloud.IDENTITY,
                    'username': 'alice',
                    'password': 'secret',
                    'project_name': 'admin',
                    'user_domain_id': 'default',
                    'project_domain_id': 'default',
                }
            }
        },
    }

    def test_answers_are_fresh(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(folder, 'clouds.yaml')
        path.write_text(json.dumps(self.CLOUDS))
        answers = self.enterContext(requests_mock.Mocker())
        token = fixture.V3Token(user_name='alice')
        token.set_project_scope()
        nova = token.add_service('compute')
        nova.add_standard_endpoints(public=cloud.NOVA)
        answers.get(
            cloud.IDENTITY,
            json={'version': fixture.V3Discovery(cloud.IDENTITY)},
        )
        answers.post(
            f'{cloud.IDENTITY}/auth/tokens',
            json=token,
            headers={'X-Subject-Token': 't'},
        )
        answers.get(cloud.NOVA, json=cloud.nova_versions())
        answers.get(
            f'{cloud.NOVA}/servers/vm1',
            [
                {'json': {'server': cloud.server(status='MIGRATING')}},
                {'json': {'server': cloud.server(status='ACTIVE')}},
            ],
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
        self.assertEqual(['MIGRATING', 'ACTIVE'], seen)
