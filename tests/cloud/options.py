# SPDX-License-Identifier: Apache-2.0

"""What can be chosen about a cloud, and what its processes have to know."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from typing import Any

# Beyond this many hosts in one process the heartbeats of a busy two-core
# machine come late, and short intervals make healthy hosts flap.
MANY_HOSTS = 10


def hypervisor(host: str) -> str:
    """The hypervisor hostname of a host, which is another name."""
    return f'{host}.cloud.test'


def _option(default: Any, help_: str) -> Any:
    return dataclasses.field(default=default, metadata={'help': help_})


@dataclasses.dataclass(frozen=True)
class Options:
    """The size and the settings of a cloud; the defaults are Nova's."""

    hosts: int = _option(5, 'compute hosts: cmp01, cmp02, ...')
    state: str = _option('.cloud', 'directory for everything the cloud writes')
    cache: str = _option(
        '',
        'directory for empty databases, made once and copied by later starts;'
        ' clouds may share it (default: STATE/cache)',
    )
    max_live: int = _option(1, "Nova's max_concurrent_live_migrations")
    token_lifetime: int = _option(86400, 'seconds until a token expires')
    vcpus: int = _option(32, 'VCPUs of each host')
    ram_gib: int = _option(128, 'memory of each host')
    disk_gib: int = _option(4000, 'disk of each host')
    sizes: str = _option(
        '',
        'hosts that differ from that: VCPUS:RAM_GIB:DISK_GIB of each, with'
        ' commas between them; hosts after the last are of the usual size',
    )
    report_interval: int = _option(
        0, 'seconds between heartbeats (default: 2, with many hosts 10)'
    )
    down_time: int = _option(
        0,
        'seconds without a heartbeat until a host is down (default: 8, with'
        ' many hosts 60)',
    )
    rpc_timeout: int = _option(
        20,
        "Nova's rpc_response_timeout: how long a call waits for a compute"
        ' service that does not answer',
    )
    long_rpc_timeout: int = _option(
        1800, "Nova's long_rpc_timeout: for calls that are worked on"
    )
    max_limit: int = _option(1000, "the most servers in one page of Nova's")
    resize_confirm_window: int = _option(
        0, 'seconds until Nova confirms a resize by itself; 0: never'
    )
    shelved_offload_time: int = _option(
        -1, 'seconds until Nova offloads a shelved server by itself; -1: never'
    )
    switch_interval: float = _option(
        0.001,
        'seconds that a thread of the Nova process may run before another'
        ' does; the shorter, the sooner does a race show',
    )
    debug: bool = _option(False, 'log at debug level')

    @property
    def token_margin(self) -> float:
        """How many seconds before its end a token is renewed.

        keystoneauth's 120 would have every request log in, several times
        over, where tokens live no longer than that.
        """
        return min(120.0, self.token_lifetime / 2)

    def machines(self) -> dict[str, tuple[int, int, int]]:
        """VCPUs, GiB of memory and GiB of disk, by host."""
        usual = (self.vcpus, self.ram_gib, self.disk_gib)
        found = {f'cmp{n:02d}': usual for n in range(1, self.hosts + 1)}
        sizes = self.sizes.split(',') if self.sizes else []
        for host, size in zip(found, sizes, strict=False):
            vcpus, ram_gib, disk_gib = map(int, size.split(':'))
            found[host] = (vcpus, ram_gib, disk_gib)
        return found

    def resolved(self) -> Options:
        """The same with paths made absolute and dependent defaults filled."""
        many = self.hosts > MANY_HOSTS
        state = os.path.abspath(self.state)
        return dataclasses.replace(
            self,
            state=state,
            cache=os.path.abspath(self.cache or os.path.join(state, 'cache')),
            report_interval=self.report_interval or (10 if many else 2),
            down_time=self.down_time or (60 if many else 8),
        )

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        for field in dataclasses.fields(cls):
            flag = '--' + field.name.replace('_', '-')
            text = field.metadata['help']
            if isinstance(field.default, bool):
                parser.add_argument(flag, action='store_true', help=text)
                continue
            if field.default and '%(default)' not in text:
                text += ' (default: %(default)s)'
            parser.add_argument(
                flag,
                type=type(field.default),
                default=field.default,
                help=text,
            )

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Options:
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: getattr(arguments, name) for name in names})

    def to_arguments(self) -> list[str]:
        """The command line that gives these options."""
        line = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value == field.default:
                continue
            line.append('--' + field.name.replace('_', '-'))
            if not isinstance(value, bool):
                line.append(str(value))
        return line


@dataclasses.dataclass(frozen=True)
class Blueprint:
    """What each process of one cloud is told when it is started.

    :ivar ports: port by listener. ``identity``, ``placement`` and
        ``compute`` are what users see; the same with ``-internal`` is what
        the services and the tests' own tools use, so that a request log or
        an injected fault never touches those; ``side`` serves the stand-ins
        for Glance and Neutron, and the control interface.
    :ivar sockets: descriptor of each listener this process serves.
    """

    options: Options
    ports: dict[str, int]
    sockets: dict[str, int] = dataclasses.field(default_factory=dict)
    parent: int = 0
    ready: int = -1

    LISTENERS = (
        'identity',
        'identity-internal',
        'placement',
        'placement-internal',
        'compute',
        'compute-internal',
        'side',
    )

    def url(self, listener: str, path: str = '') -> str:
        return f'http://127.0.0.1:{self.ports[listener]}{path}'

    def path(self, *parts: str) -> str:
        return os.path.join(self.options.state, *parts)

    def dump(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def load(cls, text: str) -> Blueprint:
        raw = json.loads(text)
        return cls(**dict(raw, options=Options(**raw['options'])))
