# SPDX-License-Identifier: Apache-2.0

"""The Placement process."""

from __future__ import annotations

import os
import sys

from tests.cloud import database
from tests.cloud import options
from tests.cloud import policies
from tests.cloud import process


def _configuration(blueprint: options.Blueprint) -> str:
    return f"""\
[DEFAULT]
log_file = {blueprint.path('placement.log')}
[placement_database]
connection = sqlite:///{blueprint.path('placement', 'placement.sqlite')}
sqlite_synchronous = false
sync_on_startup = true
[placement]
# Nova's scheduler looks at the first 1,000 candidates: which ones must not
# depend on the order of rows.
randomize_allocation_candidates = true
[oslo_policy]
policy_file = {policies.example('placement')}
[api]
auth_strategy = keystone
{process.authtoken(blueprint, 'placement')}"""


def start(blueprint: options.Blueprint) -> None:
    own = blueprint.path('placement')
    os.makedirs(own)
    with open(os.path.join(own, 'placement.conf'), 'w') as conf:
        conf.write(_configuration(blueprint))
    os.environ['OS_PLACEMENT_CONFIG_DIR'] = own
    sys.argv = ['placement']
    database.patch()

    def application():
        # The module makes the application as it is imported, and that
        # migrates the database and fills in traits and resource classes.
        from placement.wsgi import api

        return api.application

    from placement import policy

    database.provide(
        blueprint.options.cache,
        'placement-' + process.release('openstack-placement'),
        os.path.join(own, 'placement.sqlite'),
        application,
    )
    app = application()
    rules = policies.Rules(policy._ENFORCER)

    def permit(match, query, body):
        rules.change(body)
        return 204, None

    process.publish(
        blueprint, 'placement', app, 16, [('PUT', 'policy', permit)]
    )
