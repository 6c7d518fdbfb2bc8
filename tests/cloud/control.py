# SPDX-License-Identifier: Apache-2.0

"""The control interface of the cloud, for its Python handle."""

from __future__ import annotations

from nova import policy
import nova.conf

from tests.cloud import hosts as hosts_module
from tests.cloud import knobs
from tests.cloud import policies
from tests.cloud import purge as purge_module
from tests.cloud import servers
from tests.cloud import tuning
from tests.cloud import web
from tests.cloud import world

CONF = nova.conf.CONF


def routes(
    hosts: hosts_module.Hosts,
    purge: purge_module.Purge,
    view: servers.View,
) -> list[tuple[str, str, web.Handler]]:
    def check(host):
        if host not in world.WORLD.hosts:
            raise ValueError(f'no such host: {host}')

    def add(match, query, body):
        hosts.add(body['name'], body['size'], body['twin'], body['kind'])
        return 201, None

    def act(match, query, body):
        name, what = match.groups()
        check(name)
        if what == 'start':
            hosts.start(name)
        elif what == 'stop':
            hosts.stop(name, float(body['grace']))
        elif what == 'kill':
            hosts.kill(name)
        elif what == 'crash':
            hosts.crash(name)
        elif what == 'refresh':
            hosts.refresh(name)
        else:
            hosts.forget(name)
        return 204, None

    def resize(match, query, body):
        hosts.resize(match.group(1), body)
        return 204, None

    def usage(match, query, body):
        hosts.usage(match.group(1), body)
        return 204, None

    def turn(match, query, body):
        if body['host'] is not None:
            check(body['host'])
        knobs.KNOBS.turn(body['host'], body['knobs'])
        world.WORLD.stir()
        return 204, None

    def soft_delete(match, query, body):
        # Read at every deletion. With 0, Nova's default, DELETE deletes.
        CONF.set_override('reclaim_instance_interval', body['seconds'])
        return 204, None

    policy.init()
    rules = policies.Rules(policy._ENFORCER)

    def permit(match, query, body):
        rules.change(body)
        return 204, None

    def change(match, query, body):
        tuning.change(hosts, body)
        return 204, None

    return [
        ('POST', '/control/hosts', add),
        (
            'POST',
            '/control/hosts/([^/]+)/(start|stop|kill|crash|refresh|forget)',
            act,
        ),
        ('PUT', '/control/hosts/([^/]+)/size', resize),
        ('PUT', '/control/hosts/([^/]+)/inventory', usage),
        ('PUT', '/control/knobs', turn),
        ('PUT', '/control/soft-delete', soft_delete),
        ('PUT', '/control/options', change),
        ('PUT', '/control/policy', permit),
        ('POST', '/control/purge', lambda m, q, b: (200, purge.run())),
        (
            'GET',
            '/control/differences',
            lambda m, q, b: (200, purge.differences()),
        ),
        ('GET', '/control/servers', lambda m, q, b: (200, view.look())),
        ('GET', '/control/guests', lambda m, q, b: (200, _guests())),
    ]


def _guests() -> dict[str, dict[str, int]]:
    return {
        name: {server: guest.state for server, guest in host.guests.items()}
        for name, host in world.WORLD.hosts.items()
    }
