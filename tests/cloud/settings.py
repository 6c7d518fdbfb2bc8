# SPDX-License-Identifier: Apache-2.0

"""nova.conf: what differs from Nova's defaults, and why."""

from __future__ import annotations

import os
import sys

from tests.cloud import driver
from tests.cloud import options
from tests.cloud import policies
from tests.cloud import process


def render(blueprint: options.Blueprint) -> str:
    chosen = blueprint.options
    own = blueprint.path('nova')
    service = process.credentials(blueprint, 'nova')
    return f"""\
[DEFAULT]
host = controller
my_ip = 127.0.0.1
state_path = {own}
log_file = {blueprint.path('nova.log')}
debug = {str(chosen.debug).lower()}
transport_url = fake:///
compute_driver = {driver.NAME}
concurrency_backend = threading
max_concurrent_live_migrations = {chosen.max_live}
resize_confirm_window = {chosen.resize_confirm_window}
report_interval = {chosen.report_interval}
service_down_time = {chosen.down_time}
rpc_response_timeout = {chosen.rpc_timeout}
long_rpc_timeout = {chosen.long_rpc_timeout}
# Nothing plugs an interface here, so nothing would report that it has.
vif_plugging_timeout = 0
vif_plugging_is_fatal = false
# Periodic tasks of many hosts add up in one process: the ones that find
# nothing here don't run, the others not too often.
heal_instance_info_cache_interval = -1
sync_power_state_interval = 300
update_resources_interval = {max(60, 6 * chosen.hosts)}
# Hosts hold what their size says.
reserved_host_memory_mb = 0
reserved_host_disk_mb = 0
max_concurrent_builds = 20
max_concurrent_snapshots = 20
# The pools are shared by all hosts.
default_thread_pool_size = 200
cell_worker_thread_pool_size = 50
executor_thread_pool_size = 64
shelved_offload_time = {chosen.shelved_offload_time}
shelved_poll_interval = {5 if chosen.shelved_offload_time > 0 else -1}
allow_resize_to_same_host = false
[compute]
live_migration_wait_for_vif_plug = false
update_resources_max_workers = 8
# Nova would disable a host by itself after ten builds that were made to
# fail.
consecutive_build_service_disable_threshold = 0
[database]
connection = sqlite:///{own}/cell1.sqlite
sqlite_synchronous = false
[api_database]
connection = sqlite:///{own}/api.sqlite
sqlite_synchronous = false
[api]
auth_strategy = keystone
response_validation = ignore
max_limit = {chosen.max_limit}
[wsgi]
api_paste_config = {os.path.join(sys.prefix, 'etc/nova/api-paste.ini')}
[conductor]
workers = 1
[scheduler]
workers = 1
[oslo_policy]
policy_file = {policies.example('nova')}
[quota]
driver = nova.quota.NoopQuotaDriver
[image_cache]
manager_interval = -1
[vnc]
enabled = false
[spice]
enabled = false
[key_manager]
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
[oslo_messaging_notifications]
driver = noop
[oslo_concurrency]
lock_path = {own}/locks
[cinder]
catalog_info = volumev3::publicURL
[placement]
{service}[keystone]
{service}{process.authtoken(blueprint, 'nova')}"""
