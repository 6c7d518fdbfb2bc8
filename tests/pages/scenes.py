# SPDX-License-Identifier: Apache-2.0

"""What is in a cloud of four hosts before the commands of a page are run.

Sizes differ, so that servers move in the same order on every run.
"""

from collections import abc
import typing as ty

from tests import cloud as clouds

#: A server in each of the usual states.
MIXED: list[dict[str, ty.Any]] = [
    {'name': 'database', 'flavor': 'm1.xlarge'},
    {'name': 'web-1', 'flavor': 'm1.large'},
    {'name': 'web-2', 'flavor': 'm1.medium'},
    {'name': 'build-agent', 'flavor': 'm1.small', 'state': 'PAUSED'},
    {'name': 'archive', 'flavor': 'm1.small', 'state': 'SHUTOFF'},
    {'name': 'old-wiki', 'flavor': 'm1.small', 'state': 'SUSPENDED'},
]
#: The servers of most pages.
TWO: list[dict[str, ty.Any]] = [
    {'name': 'database', 'flavor': 'm1.large', 'host': 'cmp01'},
    {'name': 'web', 'flavor': 'm1.medium', 'host': 'cmp01'},
]


def empty(cloud: clouds.Cloud) -> None:
    """Prepare nothing."""


def running(cloud: clouds.Cloud) -> None:
    """Have cmp01 run two servers, of the administrator's project."""
    cloud.boot_many([{**each, 'project': 'admin'} for each in TWO])


def single(cloud: clouds.Cloud) -> None:
    """Have cmp01 run one server, of the administrator's project."""
    cloud.boot_many([{**TWO[0], 'project': 'admin'}])


def writing(cloud: clouds.Cloud) -> None:
    """Have one of them write memory faster than it is copied."""
    running(cloud)
    for server in cloud.servers():
        if server['name'] == 'database':
            cloud.server_knobs(server, lm_stuck=1)


def cpus(cloud: clouds.Cloud) -> None:
    """Have hosts with different CPUs, and a server that needs one of them."""
    for host in cloud.hosts():
        newer = ['HW_CPU_X86_AVX512F'] if host in ('cmp01', 'cmp02') else []
        cloud.give_traits(host, 'HW_CPU_X86_AVX', 'HW_CPU_X86_AVX2', *newer)
    needs = {'trait:HW_CPU_X86_AVX512F': 'required'}
    flavor = cloud.flavor('hpc', 2, 4096, 10, needs)
    running(cloud)
    cloud.boot('solver', host='cmp01', flavor=flavor)


def refusing(cloud: clouds.Cloud) -> None:
    """Have cmp02 refuse live migrations."""
    running(cloud)
    cloud.knobs('cmp02', lm_fail='precheck')


def mixed(cloud: clouds.Cloud) -> None:
    """Have servers in all states on cmp01."""
    cloud.boot_many([{'host': 'cmp01', **each} for each in MIXED])


def tight(cloud: clouds.Cloud) -> None:
    """Have servers on cmp01 that fit elsewhere, or not, or perhaps."""
    apart = cloud.group('web', 'anti-affinity')
    numa = cloud.flavor('numa', 1, 2048, 10, {'hw:numa_nodes': '1'})
    huge = cloud.flavor('huge', 8, (128 - 16) * 1024, 40)
    cloud.boot_many(
        [
            {'name': 'web-2', 'host': 'cmp02', 'group': apart},
            {'name': 'cache', 'host': 'cmp02', 'flavor': 'm1.xlarge'},
            {'name': 'queue', 'host': 'cmp03', 'flavor': 'm1.xlarge'},
            {'name': 'queue-2', 'host': 'cmp03', 'flavor': 'm1.large'},
            {'name': 'search', 'host': 'cmp04', 'flavor': 'm1.xlarge'},
            {'name': 'search-2', 'host': 'cmp04', 'flavor': 'm1.xlarge'},
            {'name': 'web-1', 'host': 'cmp01', 'group': apart},
            {'name': 'database', 'host': 'cmp01', 'flavor': huge},
            {'name': 'packet-filter', 'host': 'cmp01', 'flavor': numa},
            {'name': 'archive', 'host': 'cmp01', 'state': 'SHUTOFF'},
        ]
    )


def forgotten(cloud: clouds.Cloud) -> None:
    """Have cmp01 in maintenance for long, with a server."""
    cloud.boot('archive', host='cmp01')
    compute = cloud.connection().compute
    compute.disable_service(
        cloud.service('cmp01').id,
        disabled_reason='maintenance since 2026-10-05T22:10:00Z by alice: '
        'disk is replaced, CHG0042',
    )


def dead(cloud: clouds.Cloud) -> None:
    """Have cmp01 die with two servers, one of which was off."""
    cloud.boot_many(
        [
            {'name': 'database', 'flavor': 'm1.large', 'host': 'cmp01'},
            {
                'name': 'archive',
                'flavor': 'm1.small',
                'host': 'cmp01',
                'state': 'SHUTOFF',
            },
        ]
    )
    cloud.crash_host('cmp01')
    cloud.wait_service('cmp01', 'down')


SCENES: dict[str, abc.Callable[[clouds.Cloud], None]] = {
    each.__name__: each
    for each in (
        empty,
        running,
        single,
        writing,
        cpus,
        refusing,
        mixed,
        tight,
        dead,
        forgotten,
    )
}
