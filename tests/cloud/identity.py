# SPDX-License-Identifier: Apache-2.0

"""The Keystone process: users, projects, tokens, and the catalog."""

from __future__ import annotations

import os
import sys
from typing import Any
import uuid

from tests.cloud import database
from tests.cloud import options
from tests.cloud import process

# name, project, roles; the password is the name
USERS = (
    ('nova', 'service', ('admin', 'service')),
    ('placement', 'service', ('admin', 'service')),
    # Has no other role, and no server in the project.
    ('maintainer', 'operations', ('host_maintenance',)),
    ('demo', 'demo', ('member', 'reader')),
    ('tenant-b', 'tenant-b', ('member', 'reader')),
)
# Where the administrator has a role too: to put a server of that project on
# a given host takes an administrator whose token is for the project.
ADMINISTERED = ('demo', 'tenant-b')


def _configuration(blueprint: options.Blueprint) -> str:
    own = blueprint.path('keystone')
    return f"""\
[DEFAULT]
log_file = {blueprint.path('keystone.log')}
[database]
connection = sqlite:///{own}/keystone.sqlite
sqlite_synchronous = false
[identity]
# The fewest that bcrypt takes: a log-in costs 2 ms instead of 300.
password_hash_rounds = 4
[token]
provider = fernet
expiration = {blueprint.options.token_lifetime}
[fernet_tokens]
key_repository = {own}/fernet
[fernet_receipts]
key_repository = {own}/fernet
[credential]
key_repository = {own}/credential
[cache]
enabled = true
# oslo_cache.dict looks through all it holds for what has expired, which two
# threads cannot do at a time: KeyError, and Keystone answers 500.
backend = dogpile.cache.memory
"""


def start(blueprint: options.Blueprint) -> None:
    own = blueprint.path('keystone')
    os.makedirs(own)
    file = os.path.join(own, 'keystone.conf')
    with open(file, 'w') as conf:
        conf.write(_configuration(blueprint))
    sys.argv = ['keystone']
    database.patch()

    from keystone.common import fernet_utils
    from keystone.common.sql import upgrades
    import keystone.conf
    import keystone.server
    from keystone.server.flask import core

    keystone.server.configure(config_files=[file])
    for name, group in (
        ('fernet', 'fernet_tokens'),
        ('credential', 'credential'),
    ):
        keys = fernet_utils.FernetUtils(os.path.join(own, name), 3, group)
        os.makedirs(keys.key_repository, 0o700)
        keys.create_key_directory()
        keys.initialize_key_repository()
    database.provide(
        blueprint.options.cache,
        'keystone-' + process.release('keystone'),
        os.path.join(own, 'keystone.sqlite'),
        upgrades.offline_sync_database_to_version,
    )
    # initialize_application() configures once more, and refuses to do that
    # on a configuration that is in use.
    keystone.conf.CONF.reset()
    keystone.conf.CONF.clear()
    app = core.initialize_application('public', config_files=[file])
    _bootstrap(blueprint)
    _warm_up()

    def expire(match, query, body):
        # Keystone reads it for every token that it makes.
        keystone.conf.CONF.set_override('expiration', body, 'token')
        return 204, None

    process.publish(
        blueprint, 'identity', app, 8, [('PUT', 'token-lifetime', expire)]
    )


def _warm_up() -> None:
    """Load the policies before there are two threads to do it.

    Keystone's enforcer is published before its rules are registered. A
    request that comes in between is refused with 403, Placement turns that
    into 503, and the compute host that asked doesn't ask again for a minute.
    """
    from keystone.common.rbac_enforcer import policy

    policy._ENFORCER._enforcer.load_rules()


def _bootstrap(blueprint: options.Blueprint) -> None:
    from keystone.cmd import bootstrap
    from keystone.common import provider_api

    # The application has loaded the backends, and a second time is refused.
    bootstrap.backends.load_backends = dict
    url = blueprint.url('identity', '/v3')
    internal = blueprint.url('identity-internal', '/v3')
    strapper = bootstrap.Bootstrapper()
    strapper.admin_username = strapper.admin_password = 'admin'
    strapper.project_name = strapper.admin_role_name = 'admin'
    strapper.service_name, strapper.region_id = 'keystone', 'RegionOne'
    strapper.public_url = url
    strapper.internal_url = strapper.admin_url = internal
    strapper.bootstrap()
    api = provider_api.ProviderAPIs
    _fill_catalog(blueprint, api)
    _fill_directory(api)


def _fill_catalog(blueprint: options.Blueprint, api: Any) -> None:
    for name, type_, listener, path in (
        ('nova', 'compute', 'compute', '/v2.1'),
        ('placement', 'placement', 'placement', ''),
        ('glance', 'image', 'side', '/image'),
        ('neutron', 'network', 'side', '/network'),
    ):
        service = uuid.uuid4().hex
        api.catalog_api.create_service(
            service,
            {'id': service, 'name': name, 'type': type_, 'enabled': True},
        )
        inside = listener if listener == 'side' else listener + '-internal'
        for interface in ('public', 'internal', 'admin'):
            where = listener if interface == 'public' else inside
            endpoint = uuid.uuid4().hex
            api.catalog_api.create_endpoint(
                endpoint,
                {
                    'id': endpoint,
                    'interface': interface,
                    'url': blueprint.url(where, path),
                    'enabled': True,
                    'service_id': service,
                    'region_id': 'RegionOne',
                },
            )


def _fill_directory(api: Any) -> None:
    roles = {role['name']: role['id'] for role in api.role_api.list_roles()}
    for name in {name for _, _, names in USERS for name in names} - {*roles}:
        roles[name] = uuid.uuid4().hex
        api.role_api.create_role(
            roles[name], {'id': roles[name], 'name': name}
        )
    projects = {}
    for project in sorted({project for _, project, _ in USERS}):
        projects[project] = uuid.uuid4().hex
        api.resource_api.create_project(
            projects[project],
            {
                'id': projects[project],
                'name': project,
                'domain_id': 'default',
                'enabled': True,
                'description': '',
            },
        )

    def grant(user: str, project: str, role: str) -> None:
        api.assignment_api.add_role_to_user_and_project(
            user, projects[project], roles[role]
        )

    for name, project, names in USERS:
        user = api.identity_api.create_user(
            {
                'name': name,
                'password': name,
                'domain_id': 'default',
                'enabled': True,
            }
        )
        for role in names:
            grant(user['id'], project, role)
    admin = api.identity_api.get_user_by_name('admin', 'default')
    for project in ADMINISTERED:
        grant(admin['id'], project, 'admin')
