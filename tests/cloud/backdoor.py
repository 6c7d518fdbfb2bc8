# SPDX-License-Identifier: Apache-2.0

"""What tests do to servers that Nova's API has no way for."""

from __future__ import annotations

import datetime
from typing import Any

from nova import context as nova_context
from nova import objects
from nova.compute import api as compute_api
from nova.compute import rpcapi
import nova.conf
from nova.db.api import api as api_database
from nova.db.api import models as api_models
from nova.db.main import api as cell_database
from nova.db.main import models as cell_models
from nova.objects import host_mapping

from tests.cloud import web

CONF = nova.conf.CONF
# A database that nobody can reach.
_NOWHERE = 'sqlite:////nowhere/cell.sqlite'
# Nova looks into cells in this order; 0 would be any cell.
_FIRST = -1
_FAR = '6f6d1a3c-58c6-4d6e-9d6f-0d9a5f0c7e02'


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


def damage_request(server: str) -> None:
    """Make unreadable what the scheduler was asked for a server."""
    _damage_request(nova_context.get_admin_context(), server)


@api_database.context_manager.writer
def _damage_request(context: nova_context.RequestContext, server: str) -> None:
    specs = context.session.query(api_models.RequestSpec)
    specs.filter_by(instance_uuid=server).update({'spec': '{'})


def strand(server: str, states: dict[str, Any], hours: float) -> None:
    """Leave a server in some states, with its records, as of long ago."""
    context = nova_context.get_admin_context()
    mapping = objects.InstanceMapping.get_by_instance_uuid(context, server)
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    then = {'updated_at': now - datetime.timedelta(hours=hours)}
    with (
        nova_context.target_cell(context, mapping.cell_mapping) as cell,
        cell_database.get_context_manager(cell).writer.using(cell) as session,
    ):
        servers = session.query(cell_models.Instance)
        servers.filter_by(uuid=server).update({**states, **then})
        records = session.query(cell_models.Migration)
        records.filter_by(instance_uuid=server).update(then)


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


def silence_cells(skipped: bool) -> None:
    """Keep the API from the database of each cell; the hosts go on.

    :param skipped: whether lists leave a silent cell out, or fail.
    """
    CONF.set_override('list_records_by_skipping_down_cells', skipped, 'api')
    broken = cell_database.create_context_manager(_NOWHERE)
    nova_context.load_cells()
    for cell in nova_context.CELLS:
        if not cell.is_cell0():
            # Aim at it once, so that it is in the cache.
            nova_context.set_target_cell(
                nova_context.get_admin_context(), cell
            )
            queue = nova_context.CELL_CACHE[cell.uuid][1]
            nova_context.CELL_CACHE[cell.uuid] = (broken, queue)


def far_cell(host: str, skipped: bool) -> None:
    """Add a cell that never answers, with a host, before the other cells.

    What looks into one cell after the other fails then.
    """
    CONF.set_override('list_records_by_skipping_down_cells', skipped, 'api')
    context = nova_context.get_admin_context()
    cell = objects.CellMapping(
        context,
        id=_FIRST,
        uuid=_FAR,
        name='far',
        transport_url='fake:///',
        database_connection=_NOWHERE,
    )
    cell.create()
    objects.HostMapping(context, host=host, cell_mapping=cell).create()
    _forget_cells()


def heal_cells() -> None:
    """Have all cells answer, and none that was added."""
    CONF.clear_override('list_records_by_skipping_down_cells', 'api')
    context = nova_context.get_admin_context()
    for cell in objects.CellMappingList.get_all(context):
        if cell.uuid == _FAR:
            for each in objects.HostMappingList.get_by_cell_id(
                context, cell.id
            ):
                each.destroy()
            cell.destroy()
    _forget_cells()


def _forget_cells() -> None:
    """Have Nova look again which cells there are."""
    nova_context.CELLS = []
    compute_api.CELLS = []
    nova_context.CELL_CACHE.clear()


def routes() -> list[tuple[str, str, web.Handler]]:
    def name(match, query, body):
        rename(match.group(1), body['name'])
        return 204, None

    def damage(match, query, body):
        damage_request(match.group(1))
        return 204, None

    def leave(match, query, body):
        strand(match.group(1), body['states'], body['hours'])
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

    def break_cells(match, query, body):
        if body['host']:
            far_cell(body['host'], body['skipped'])
        else:
            silence_cells(body['skipped'])
        return 204, None

    def mend_cells(match, query, body):
        heal_cells()
        return 204, None

    return [
        ('PUT', '/control/cells/silent', break_cells),
        ('DELETE', '/control/cells/silent', mend_cells),
        ('DELETE', '/control/hosts/([^/]+)/cell', forget_cell),
        ('POST', '/control/cells', give_cells),
        (
            'POST',
            '/control/hosts/([^/]+)/namesake',
            lambda m, q, b: (201, add_namesake(m.group(1))),
        ),
        ('PUT', '/control/servers/([^/]+)/name', name),
        ('DELETE', '/control/servers/([^/]+)/request', damage),
        ('POST', '/control/servers/([^/]+)/resize', move),
        ('PUT', '/control/servers/([^/]+)/stuck', leave),
    ]
