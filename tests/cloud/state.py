# SPDX-License-Identifier: Apache-2.0

"""The state directory: everything a cloud writes, and what users need."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import sys
from typing import Any

from tests.cloud import options

# cloud in clouds.yaml: (user, project); the password is the user's name
CLOUDS = {
    'admin': ('admin', 'admin'),
    'maintainer': ('maintainer', 'operations'),
    'demo': ('demo', 'demo'),
    'tenant-b': ('tenant-b', 'tenant-b'),
}
_OWN = (
    'keystone',
    'placement',
    'nova',
    'keystone.log',
    'placement.log',
    'nova.log',
    'identity.out',
    'placement.out',
    'compute.out',
    'clouds.yaml',
    'admin-openrc',
    'cloud.json',
)


class Busy(Exception):
    """Another cloud runs in this directory."""


def claim(path: str) -> Any:
    """Make the directory this process's own, and empty of old clouds.

    A cloud always starts new: its addresses are in Keystone's catalog, and
    they change with every start. Only what a cloud writes is removed, so
    that a mistaken ``--state`` does no harm.

    :returns: the lock; the claim ends when it is closed.
    """
    os.makedirs(path, exist_ok=True)
    lock = open(os.path.join(path, 'lock'), 'w')  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        lock.close()
        raise Busy(f'another cloud is running in {path}') from exc
    for name in _OWN:
        what = os.path.join(path, name)
        if os.path.isdir(what):
            shutil.rmtree(what)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(what)
    return lock


def auth(url: str, user: str, project: str) -> dict[str, str]:
    return {
        'auth_url': url,
        'username': user,
        'password': user,
        'project_name': project,
        'user_domain_name': 'Default',
        'project_domain_name': 'Default',
    }


def write_credentials(blueprint: options.Blueprint) -> None:
    """Write clouds.yaml and admin-openrc."""
    url = blueprint.url('identity', '/v3')
    clouds = {
        name: {
            'auth': auth(url, user, project),
            'region_name': 'RegionOne',
            'identity_api_version': 3,
        }
        for name, (user, project) in CLOUDS.items()
    }
    with open(blueprint.path('clouds.yaml'), 'w') as file:
        json.dump({'clouds': clouds}, file, indent=2)  # JSON is YAML
    settings = {
        'OS_AUTH_TYPE': 'password',
        'OS_REGION_NAME': 'RegionOne',
        'OS_IDENTITY_API_VERSION': '3',
    }
    for key, value in auth(url, 'admin', 'admin').items():
        settings['OS_' + key.upper()] = value
    with open(blueprint.path('admin-openrc'), 'w') as file:
        # A cloud chosen in this shell would win over the rest.
        file.write('unset OS_CLOUD OS_CLIENT_CONFIG_FILE\n')
        for key, value in settings.items():
            file.write(f'export {key}={value}\n')
        # The openstack command that has the plugin.
        commands = os.path.dirname(sys.executable)
        file.write(f'export PATH={shlex.quote(commands)}:$PATH\n')


def write_contact(blueprint: options.Blueprint, facts: dict[str, Any]) -> None:
    """Tell the Python handle where everything is; its sign of "ready"."""
    contact = dict(facts, ports=blueprint.ports)
    part = blueprint.path('cloud.json.part')
    with open(part, 'w') as file:
        json.dump(contact, file, indent=2)
    os.rename(part, blueprint.path('cloud.json'))


def tail(path: str, lines: int = 15) -> str:
    with contextlib.suppress(OSError), open(path, errors='replace') as file:
        return ''.join(file.readlines()[-lines:])
    return ''
