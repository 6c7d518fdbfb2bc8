#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Options that can be changed while the cloud runs, in Nova's process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keystoneauth1.identity import base
import nova.conf

from tests.cloud import hosts as hosts_module

CONF = nova.conf.CONF

# option -> Nova's name; Nova looks at all of these whenever it needs them
_NAMES = {
    'max_live': 'max_concurrent_live_migrations',
    'rpc_timeout': 'rpc_response_timeout',
    'long_rpc_timeout': 'long_rpc_timeout',
    'resize_confirm_window': 'resize_confirm_window',
    'shelved_offload_time': 'shelved_offload_time',
    'max_limit': 'max_limit',
}
_GROUPS = {'max_limit': 'api'}


def change(hosts: hosts_module.Hosts, wanted: Mapping[str, Any]) -> None:
    """Change options, by the names of options.Options."""
    for option, value in wanted.items():
        if option == 'token_margin':
            base.BaseIdentityPlugin.MIN_TOKEN_LIFE_SECONDS = value
            continue
        CONF.set_override(_NAMES[option], value, _GROUPS.get(option))
    if 'max_live' in wanted:
        hosts.renew_pools()


def reset(hosts: hosts_module.Hosts) -> None:
    """Take all changes back."""
    before = CONF.max_concurrent_live_migrations
    for option, name in _NAMES.items():
        CONF.clear_override(name, _GROUPS.get(option))
    if CONF.max_concurrent_live_migrations != before:
        hosts.renew_pools()
