# SPDX-License-Identifier: Apache-2.0

"""The physical world: hosts, and the guests that run on them.

It lives on whatever happens to the compute services, as hypervisors do: a
guest goes on running when nova-compute is killed, and is found again by the
next one.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
from typing import Any
import uuid

from nova.compute import power_state


@dataclasses.dataclass
class Size:
    vcpus: int
    ram_gib: int
    disk_gib: int


@dataclasses.dataclass
class Host:
    """A machine.

    :ivar address: its own; of a machine that is here under two names, both
        have the same.
    :ivar kind: the type of its hypervisor.
    :ivar inventory: what Placement is told otherwise than the size says, by
        resource class and by field (allocation_ratio, reserved ...).
    :ivar node: the id that Nova and Placement know it by; it must outlive
        the compute service, and Nova would keep it in a file of which there
        is one per process.
    :ivar guests: by server id.
    :ivar powered: False from a crash until it is started again.
    """

    name: str
    address: str
    size: Size
    inventory: dict[str, dict[str, Any]] = dataclasses.field(
        default_factory=dict
    )
    node: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))
    guests: dict[str, Any] = dataclasses.field(default_factory=dict)
    powered: bool = True
    kind: str = 'fake'


@dataclasses.dataclass
class Copy:
    """A live migration whose memory is being copied."""

    wake: threading.Event = dataclasses.field(default_factory=threading.Event)
    abort: bool = False
    force: bool = False


class World:
    """Everything that is made of metal, or runs on it.

    :ivar copies: live migrations in progress, by server id.
    :ivar failed: migrations that a knob made fail, by server id and kind.
    :ivar doomed: servers that are being purged: whatever waits on their
        behalf stops waiting.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.copies: dict[str, Copy] = {}
        self.failed: dict[tuple[str, str], set[int]] = {}
        self.being_purged: set[str] = set()
        self._numbers = itertools.count()
        self._hurry = threading.Condition()

    def add_host(
        self, name: str, size: Size, address: str | None = None
    ) -> Host:
        address = address or f'192.0.2.{next(self._numbers) % 250 + 1}'
        host = self.hosts[name] = Host(name, address, size)
        return host

    def is_powered(self, host: str) -> bool:
        return host in self.hosts and self.hosts[host].powered

    def at(self, address: str) -> str | None:
        """The host that has this address."""
        for name, host in list(self.hosts.items()):
            if host.address == address:
                return name
        return None

    def crash(self, host: str) -> None:
        """Cut a machine's power: its guests are shut off, copies break."""
        machine = self.hosts[host]
        machine.powered = False
        for guest in list(machine.guests.values()):
            guest.state = power_state.SHUTDOWN
        self.stir()

    def purge_waiting(self, servers: set[str]) -> None:
        self.being_purged |= servers
        for server in servers & set(self.copies):
            self.copies[server].abort = True
            self.copies[server].wake.set()
        self.stir()

    def stir(self) -> None:
        """Let everybody who waits look again."""
        for copy in list(self.copies.values()):
            copy.wake.set()
        with self._hurry:
            self._hurry.notify_all()

    def wait(self, seconds: float) -> None:
        with self._hurry:
            self._hurry.wait(seconds)


WORLD = World()
