# SPDX-License-Identifier: Apache-2.0

"""Options that can be changed while the cloud runs, in Nova's process."""

from __future__ import annotations

from collections import abc
from typing import Any

from keystoneauth1.identity import base
import nova.conf
from nova.servicegroup.drivers import db

from tests.cloud import hosts as hosts_module

CONF = nova.conf.CONF

# Nova keeps this one from its start.
db.DbDriver.service_down_time = property(
    lambda driver: CONF.service_down_time, lambda driver, value: None
)
# option -> Nova's name; Nova looks at all of these whenever it needs them
NAMES = {
    'max_live': 'max_concurrent_live_migrations',
    'rpc_timeout': 'rpc_response_timeout',
    'long_rpc_timeout': 'long_rpc_timeout',
    'resize_confirm_window': 'resize_confirm_window',
    'shelved_offload_time': 'shelved_offload_time',
    'max_limit': 'max_limit',
    'down_time': 'service_down_time',
}
_GROUPS = {'max_limit': 'api'}


def change(hosts: hosts_module.Hosts, wanted: abc.Mapping[str, Any]) -> None:
    """Change options, by the names of options.Options.

    :raises ValueError: if one of them can't be changed.
    """
    unknown = sorted(set(wanted) - set(NAMES) - {'token_margin'})
    if unknown:
        raise ValueError(f"can't be changed while the cloud runs: {unknown}")
    for option, value in wanted.items():
        if option == 'token_margin':
            base.BaseIdentityPlugin.MIN_TOKEN_LIFE_SECONDS = value
            continue
        CONF.set_override(NAMES[option], value, _GROUPS.get(option))
    if 'max_live' in wanted:
        hosts.renew_pools()
