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

"""What tests do to servers that Nova's API has no way for."""

from __future__ import annotations

from nova import context as nova_context
from nova import objects
from nova.compute import api as compute_api
from nova.compute import rpcapi
from nova.objects import host_mapping

from tests.cloud import web


def rename(server: str, name: str) -> None:
    """Write a display name as it is; the API would not take every one."""
    context = nova_context.get_admin_context()
    mapping = objects.InstanceMapping.get_by_instance_uuid(context, server)
    with nova_context.target_cell(context, mapping.cell_mapping) as cell:
        instance = objects.Instance.get_by_uuid(cell, server)
        instance.display_name = name
        instance.save()


def resize(server: str, flavor: str, host: str) -> None:
    """Ask for a resize to one host: the API lets one choose for moves only."""
    api = compute_api.API()
    context = nova_context.get_admin_context()
    instance = api.get(context, server, expected_attrs=['flavor', 'services'])
    # The context is aimed at the server's cell by now.
    api.resize(context, instance, flavor_id=flavor, host_name=host)


def unmap(host: str) -> None:
    """Forget to which cell a host belongs."""
    context = nova_context.get_admin_context()
    objects.HostMapping.get_by_host(context, host).destroy()


def map_hosts() -> None:
    """Map all hosts to their cells, those that were mapped before included."""
    context = nova_context.get_admin_context()
    host_mapping.discover_hosts(context, by_service=True)


def add_namesake(host: str) -> str:
    """Give a host a second compute service, in another cell (cell0)."""
    context = nova_context.get_admin_context()
    cell0 = objects.CellMapping.get_by_uuid(
        context, objects.CellMapping.CELL0_UUID
    )
    with nova_context.target_cell(context, cell0) as cell:
        service = objects.Service(
            cell,
            host=host,
            binary='nova-compute',
            topic=rpcapi.RPC_TOPIC,
            report_count=0,
        )
        service.create()
        return str(service.uuid)


def routes() -> list[tuple[str, str, web.Handler]]:
    def name(match, query, body):
        rename(match.group(1), body['name'])
        return 204, None

    def move(match, query, body):
        resize(match.group(1), body['flavor'], body['host'])
        return 202, None

    def forget_cell(match, query, body):
        unmap(match.group(1))
        return 204, None

    def give_cells(match, query, body):
        map_hosts()
        return 204, None

    return [
        ('DELETE', '/control/hosts/([^/]+)/cell', forget_cell),
        ('POST', '/control/cells', give_cells),
        (
            'POST',
            '/control/hosts/([^/]+)/namesake',
            lambda m, q, b: (201, add_namesake(m.group(1))),
        ),
        ('PUT', '/control/servers/([^/]+)/name', name),
        ('POST', '/control/servers/([^/]+)/resize', move),
    ]
