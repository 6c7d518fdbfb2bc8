# SPDX-License-Identifier: Apache-2.0

import pytest

from tests.cloud import waiting
from tests.functional.cloud import base

pytestmark = pytest.mark.soak


class TestOptions(base.CloudTest):
    options = {'hosts': 2, 'token_lifetime': 5, 'shelved_offload_time': 0}

    def statuses(self):
        return {request.status for request in self.cloud.requests.log()}

    def is_valid(self, token):
        """Ask for something that is in no request log."""
        answer = self.cloud._session.get(
            self.cloud._url('compute-internal', '/v2.1/servers'),
            headers={'X-Auth-Token': token},
        )
        return answer.status_code != 401

    def log_ins(self):
        return self.cloud.requests.counts()['POST', '/v3/auth/tokens']

    def test_tokens_are_renewed(self):
        users = self.cloud.connection(interface='public')
        token = users.auth_token
        servers = self.cloud.boot_many(
            [
                {
                    'name': f'web-{n}',
                    'host': 'cmp01',
                    'metadata': {'lm_seconds': '2'},
                }
                for n in range(5)
            ]
        )
        self.cloud.requests.reset()
        for server in servers:
            self.cloud.act(server, base.LIVE)

        def over():
            list(users.compute.servers(all_projects=True))
            users.placement.get('/resource_providers').json()
            records = self.cloud.migrations()
            return all(r['status'] == 'completed' for r in records)

        # Longer than two tokens, one after the other.
        waiting.wait_for(over, 'the moves to end', interval=0.2)

        self.assertEqual({200, 201}, self.statuses())
        asked = len(self.cloud.requests.log())
        self.assertGreaterEqual(self.log_ins(), 3)
        self.assertLess(self.log_ins(), asked / 3)
        self.assertFalse(self.is_valid(token))
        # What the services have to say to one another came through.
        self.assertEqual({}, self.cloud.allocations('cmp01'))
        self.assertEqual(5, len(self.cloud.allocations('cmp02')))

    def test_token_that_expires_unnoticed(self):
        users = self.cloud.connection('demo', interface='public')
        auth = users.session.auth
        margin = auth.MIN_TOKEN_LIFE_SECONDS
        # As a client whose clock is slow: it uses tokens that are no good.
        auth.MIN_TOKEN_LIFE_SECONDS = -3600
        self.addCleanup(setattr, auth, 'MIN_TOKEN_LIFE_SECONDS', margin)
        self.assertEqual([], list(users.compute.servers()))
        self.cloud.requests.reset()

        token = users.auth_token
        waiting.wait_for(
            lambda: not self.is_valid(token), 'the token to expire'
        )
        self.assertEqual([], list(users.compute.servers()))

        self.assertEqual({401, 201, 200}, self.statuses())
        self.assertEqual(1, self.log_ins())

    def test_shelving_offloads(self):
        server = self.cloud.boot('web', host='cmp01')
        self.cloud.act(server, {'shelve': None})

        self.cloud.wait_server(server, 'SHELVED_OFFLOADED')
        self.assertEqual({}, self.cloud.allocations('cmp01'))
