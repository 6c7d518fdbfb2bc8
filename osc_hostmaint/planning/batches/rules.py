# SPDX-License-Identifier: Apache-2.0

"""Which hosts may be out of service together."""

from collections import abc
import dataclasses

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.capacity import snapshot as snapshots


@dataclasses.dataclass(frozen=True, slots=True)
class Area:
    """An aggregate or an availability zone."""

    #: As in a message: ``aggregate racks-a``, ``zone az1``.
    name: str
    hosts: frozenset[str]


def areas(
    snapshot: snapshots.CapacitySnapshot,
) -> tuple[Area, ...]:
    """Return all aggregates and zones."""
    zones: dict[str, set[str]] = {}
    for host, service in snapshot.services.items():
        zones.setdefault(service.zone, set()).add(host)
    # Nova keeps hosts in aggregates that it has no service of any more.
    known = snapshot.services.keys()
    return tuple(
        Area(name, frozenset(hosts))
        for name, hosts in [
            *(
                (f'aggregate {a.name}', a.hosts & known)
                for a in snapshot.aggregates
            ),
            *((f'zone {name}', hosts) for name, hosts in zones.items()),
        ]
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What no batch may break."""

    areas: tuple[Area, ...] = ()
    #: Hosts that are out of service and are in no batch.
    out: frozenset[str] = frozenset()
    #: Most hosts in a batch.
    at_once: int = timing.HOSTS_AT_ONCE
    #: Most hosts of an area that may be out of service, in per cent of them.
    share: int = timing.SHARE_PERCENT
    #: Groups whose members are not to leave their hosts in one batch.
    groups: tuple[snapshots.Group, ...] = ()

    def most(self, area: Area) -> int:
        """Return how many of an area's hosts may be in a batch."""
        allowed = max(1, len(area.hosts) * self.share // 100)
        return allowed - len(self.out & area.hosts)

    def used_up(self, host: str) -> Area | None:
        """Return an area that lets a host be in no batch; None: all do."""
        return next(
            (a for a in self.areas if host in a.hosts and self.most(a) < 1),
            None,
        )

    def least_batches(
        self, hosts: abc.Collection[str], out: abc.Set[str]
    ) -> int:
        """Return how many batches some hosts need at least.

        :param out: those that are out of service anyway.
        """
        counted = set(hosts) - out
        parts = [(len(hosts), self.at_once)]
        parts += [
            (len(counted & area.hosts), max(1, self.most(area)))
            for area in self.areas
        ]
        return max(-(-count // most) for count, most in parts)


class Candidates:
    """The hosts of one batch, as they are added to it."""

    def __init__(self, rules: Rules, out: abc.Set[str] = frozenset()):
        """:param out: hosts that are out of service until a later batch."""
        self._rules = rules
        self._out = out
        self._groups = {m: g.id for g in rules.groups for m in g.members}
        self._room = {
            a: rules.most(a) - len(out & a.hosts) for a in rules.areas
        }
        self._taken: set[str] = set()
        self.hosts: list[str] = []

    @property
    def full(self) -> bool:
        """It has as many hosts as it may."""
        return len(self.hosts) >= self._rules.at_once

    def allows(self, host: str, server_ids: abc.Iterable[str]) -> bool:
        """Tell whether a host may be added.

        :param server_ids: the servers on it.
        """
        return (
            not self.full
            and self._taken.isdisjoint(self._groups_of(server_ids))
            and all(self._room[area] > 0 for area in self._areas_of(host))
        )

    def add(self, host: str, server_ids: abc.Iterable[str]) -> None:
        """Add a host."""
        self.hosts.append(host)
        self._taken |= self._groups_of(server_ids)
        for area in self._areas_of(host):
            self._room[area] -= 1

    def _areas_of(self, host: str) -> list[Area]:
        """Return the areas in which it makes one more that is out."""
        if host in self._out:
            return []
        return [area for area in self._rules.areas if host in area.hosts]

    def _groups_of(self, server_ids: abc.Iterable[str]) -> set[str]:
        return {self._groups[i] for i in server_ids if i in self._groups}
