# SPDX-License-Identifier: Apache-2.0

"""The Nova process: API, conductor, scheduler and every compute host.

One process with native threads instead of a message broker and a dozen
processes: a fifth of the memory, and up in seconds. Keystone can't join it:
the two share one global configuration.
"""

from __future__ import annotations

# ruff: noqa: E402, I001
from nova import monkey_patch

# Nova decides here whether it runs on eventlet or on threads, and refuses
# once anything has imported eventlet.
monkey_patch.patch(backend='threading')

from tests.cloud import sharing

sharing.lock_per_host()

import os
import shutil
import sys

from nova.api.openstack import api_version_request
from nova.api.openstack import wsgi_app
from nova.api import wsgi
from nova.conductor import rpcapi as conductor_rpcapi
import nova.conf
from nova import config
from nova import context as nova_context
from nova.db import migration
from nova import manager as nova_manager
from nova import objects
from nova.scheduler.client import report
from nova.scheduler import rpcapi as scheduler_rpcapi
from nova import service
from oslo_log import log as logging

from tests.cloud import backdoor
from tests.cloud import control
from tests.cloud import database
from tests.cloud import hosts as hosts_module
from tests.cloud import image
from tests.cloud import life
from tests.cloud import microversions
from tests.cloud import network
from tests.cloud import options
from tests.cloud import process
from tests.cloud import purge as purge_module
from tests.cloud import records as records_module
from tests.cloud import rpc
from tests.cloud import servers
from tests.cloud import settings
from tests.cloud import web
from tests.cloud import world

CONF = nova.conf.CONF

# name, MiB, VCPUs, GiB of disk
FLAVORS = (
    ('m1.tiny', 512, 1, 1),
    ('m1.small', 2048, 1, 10),
    ('m1.medium', 4096, 2, 20),
    ('m1.large', 8192, 4, 40),
    ('m1.xlarge', 16384, 8, 80),
)
_CELL1 = '4ad3c9a6-3c5b-4b43-9a0e-2f5c0f2f4c11'


def start(blueprint: options.Blueprint) -> None:
    own = blueprint.path('nova')
    os.makedirs(os.path.join(own, 'locks'))
    file = os.path.join(own, 'nova.conf')
    with open(file, 'w') as conf:
        conf.write(settings.render(blueprint))
    sys.argv = ['nova', '--config-file', file]
    database.patch()
    life.patch()
    rpc.patch()
    sharing.many_nodes()
    sharing.let_threads_sleep()
    sharing.allocate_networks_first()
    sys.setswitchinterval(blueprint.options.switch_interval)
    config.parse_args(sys.argv, default_config_files=[file])
    logging.setup(CONF, 'nova')
    objects.register_all()
    objects.Service.enable_min_version_cache()
    _make_databases(blueprint.options.cache, own)

    images, ports = image.Images(), network.Network()
    images.install()
    ports.install()
    # Before there are threads that would each make one.
    report.report_client_singleton()
    controller = _start_controller()
    sizes = {
        name: world.Size(*size)
        for name, size in blueprint.options.machines().items()
    }
    hosts = hosts_module.Hosts(sizes)
    hosts.start_all()

    api = os.path.join(own, 'api.sqlite')
    cells = {
        name: os.path.join(own, name + '.sqlite')
        for name in ('cell0', 'cell1')
    }
    view = servers.View(api, list(cells.values()))
    records = records_module.Records(
        api, cells, blueprint.path('placement', 'placement.sqlite')
    )
    purge = purge_module.Purge(hosts, view, records, images, ports, controller)
    routes = control.routes(hosts, purge, view) + backdoor.routes()
    routes += images.routes(blueprint.url('side', '/image'))
    routes += ports.routes(blueprint.url('side', '/network'))
    routes.append(('GET', '/control/facts', lambda m, q, b: (200, _facts())))
    web.serve(blueprint.sockets['side'], web.router(routes), 12)

    wsgi_app._setup_service(CONF.host, 'osapi_compute')
    app = wsgi.Loader().load_app('osapi_compute')
    cap = microversions.Cap(app)
    process.publish(blueprint, 'compute', app, 32, cap.routes, cap)


def _facts() -> dict[str, str]:
    return {
        'compute_microversion': api_version_request._MAX_API_VERSION,
        'network': network.NETWORK,
        'image': image.image_id('cirros'),
    }


def _make_databases(cache: str, own: str) -> None:
    release = process.release('nova')
    for kind, name in (('api', 'api'), ('main', 'cell1')):
        database.provide(
            cache,
            f'nova-{kind}-{release}',
            os.path.join(own, name + '.sqlite'),
            lambda kind=kind: migration.db_sync(database=kind),
        )
    # The migrations of a third database would take as long again.
    cell0 = os.path.join(own, 'cell0.sqlite')
    shutil.copy(os.path.join(cache, f'nova-main-{release}.sqlite'), cell0)
    database.write_ahead(cell0)
    context = nova_context.get_admin_context()
    for name, uuid, transport, url in (
        (
            'cell0',
            objects.CellMapping.CELL0_UUID,
            'none:///',
            f'sqlite:///{cell0}',
        ),
        ('cell1', _CELL1, 'fake:///', CONF.database.connection),
    ):
        objects.CellMapping(
            context,
            uuid=uuid,
            name=name,
            transport_url=transport,
            database_connection=url,
        ).create()
    for number, (name, memory, vcpus, disk) in enumerate(FLAVORS, 1):
        objects.Flavor(
            context,
            flavorid=str(number),
            name=name,
            memory_mb=memory,
            vcpus=vcpus,
            root_gb=disk,
            ephemeral_gb=0,
            swap=0,
            rxtx_factor=1.0,
            disabled=False,
            is_public=True,
        ).create()


def _start_controller() -> list[nova_manager.Manager]:
    conductor = service.Service.create(
        binary='nova-conductor',
        host='controller',
        topic=conductor_rpcapi.RPC_TOPIC,
    )
    conductor.start()
    # One request at a time: the threads of a scheduler share its HostState
    # objects, and a half-filled one makes a weigher raise TypeError.
    CONF.set_override('executor_thread_pool_size', 1)
    scheduler = service.Service.create(
        binary='nova-scheduler',
        host='controller',
        topic=scheduler_rpcapi.RPC_TOPIC,
    )
    scheduler.start()
    # For each of the compute hosts.
    CONF.set_override('executor_thread_pool_size', 10)
    return [conductor.manager, scheduler.manager]
