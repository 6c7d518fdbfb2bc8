# SPDX-License-Identifier: Apache-2.0

"""The plan: which hosts to drain together, and in which order."""

import collections
from collections import abc
import dataclasses

from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.batches import rules as batch_rules
from osc_hostmaint.planning.batches import search as searches
from osc_hostmaint.planning.batches import state as states
from osc_hostmaint.planning.batches import unplanned
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots

Code = codes.Code
Fits = forecast.Fits
Never = unplanned.Never
_Policy = snapshots.GroupPolicy


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """When one host is to be drained."""

    #: Its number, from 1; None where it cannot be drained.
    batch: int | None
    host: str
    #: How many servers are on it now; None: not known.
    servers: int | None
    #: How many move off it in its batch; None where it has none.
    moves: int | None
    #: None where it is not about room.
    fits: Fits | None
    code: Code = Code.NONE
    #: Why it cannot be drained, or why it is not sure that it can.
    reason: str = ''
    #: Hosts of later batches: servers that go there move again.
    avoid: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Batches of hosts that can be drained together."""

    #: By batch; hosts that cannot be drained come last.
    rows: tuple[Row, ...]
    #: How many servers move more than once.
    repeated: int = 0
    #: What the operator should know: lines for people.
    notes: tuple[str, ...] = ()

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """The hosts of each batch, the first batch first."""
        found: dict[int, list[str]] = {}
        for row in self.rows:
            if row.batch is not None:
                found.setdefault(row.batch, []).append(row.host)
        return tuple(tuple(found[number]) for number in sorted(found))

    @property
    def moves(self) -> int:
        """How many moves there are, of all servers together."""
        return sum(row.moves or 0 for row in self.rows)

    @property
    def done(self) -> bool:
        """Every host has a batch."""
        return all(row.batch is not None for row in self.rows)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of the hosts of a plan, and of all others."""

    snapshot: snapshots.CapacitySnapshot
    #: How many servers are on each host that was looked at.
    servers: abc.Mapping[str, int]
    #: The servers that have to find a place elsewhere.
    demands: tuple[snapshots.Demand, ...]
    #: What every consumer holds of each host.
    held: abc.Mapping[str, abc.Mapping[str, snapshots.AllocationRequest]]
    #: Hosts that cannot be drained, whatever the others do.
    never: abc.Mapping[str, Never]


def plan(
    seen: Seen,
    hosts: frozenset[str],
    *,
    done: frozenset[str] = frozenset(),
    at_once: int = timing.HOSTS_AT_ONCE,
    share: int = timing.SHARE_PERCENT,
) -> Plan:
    """Return in which batches hosts are to be drained.

    :param hosts: those to be drained.
    :param done: those that were drained already.
    :param at_once: most hosts in a batch.
    :param share: most hosts out of service of each aggregate and zone, in per
        cent.
    """
    services = seen.snapshot.services
    hosts -= seen.never.keys()
    shut = {h for h, s in services.items() if not (s.up and s.enabled)}
    # In maintenance, or disabled by Nova itself, which a drain takes over.
    first = frozenset(h for h in hosts if not services[h].enabled)
    out = frozenset(shut - first)
    rules = batch_rules.Rules(
        batch_rules.areas(seen.snapshot), out, at_once, share
    )
    never = dict(seen.never)
    for host in hosts - first:
        if area := rules.used_up(host):
            never[host] = unplanned.share_used(area, rules)
    hosts -= never.keys()
    planning = _Planning(
        seen,
        searches.Task(
            hosts=hosts,
            rules=rules,
            first=first,
            done=done,
            elsewhere=frozenset(services) - hosts - done,
        ),
    )
    found = planning.run()
    rows = [
        *planning.rows(found),
        *(_never(host, why, seen) for host, why in never.items()),
    ]
    rows.sort(key=lambda r: (r.batch is None, r.batch or 0, r.host))
    return Plan(tuple(rows), found.repeated, tuple(planning.notes))


def _never(host: str, why: Never, seen: Seen) -> Row:
    return Row(
        *(None, host, seen.servers.get(host), None, None),
        *(why.code, why.reason),
    )


class _Planning:
    """One plan, as it is made."""

    def __init__(self, seen: Seen, task: searches.Task):
        self._seen = seen
        #: Lines for people.
        self.notes: list[str] = []
        #: Why it is not sure that a server fits, by its id.
        self._doubts: dict[str, str] = {}
        self._demands: dict[str, snapshots.Demand] = {}
        unweighed = collections.defaultdict[str, set[str]](set)
        for demand in seen.demands:
            if demand.source not in task.hosts:
                continue
            if why := forecast.why_unweighed(demand, seen.snapshot):
                self._doubts[demand.server.id] = why
                unweighed[demand.source].add(demand.server.id)
            else:
                self._demands[demand.server.id] = demand
        self._task = dataclasses.replace(
            task, unweighed={h: frozenset(ids) for h, ids in unweighed.items()}
        )
        groups = seen.snapshot.groups or ()
        self._groups_of = {m: group for group in groups for m in group.members}
        limits = eligible.Limits(frozenset(), opened=task.first)
        self._strict = self._state(limits)
        self._loose = self._state(dataclasses.replace(limits, strict=False))

    def _state(self, limits: eligible.Limits) -> states.CloudState:
        seen = self._seen
        return states.CloudState(
            *(seen.snapshot, limits, self._demands.values(), seen.held)
        )

    def run(self) -> searches.Found:
        """Return the best batches, by all rules as far as that can be."""
        hard, soft = self._groups()
        found = self._search(hard)
        kept: tuple[snapshots.Group, ...] = ()
        while True:
            # The more batches there are, the more can be kept apart.
            few = tuple(
                g for g in soft if self._hosts_of(g) <= len(found.batches)
            )
            if len(few) <= len(kept):
                break
            apart = self._search(hard + few)
            if len(apart.left) > len(found.left):
                break
            found, kept = apart, few
        if together := len(soft) - len(kept):
            self.notes.append(
                f'soft anti-affinity groups: members of {together} of '
                f'{len(soft)} may move in the same batch, as keeping '
                'them apart takes more batches, or leaves a host without one'
            )
        self._note_first(found, hard + kept)
        return found

    def _hosts_of(self, group: snapshots.Group) -> int:
        """Return how many hosts of the plan have members of a group."""
        located = self._seen.snapshot.located
        here = {located.get(member, '') for member in group.members}
        return len(here & self._task.hosts)

    def _groups(self) -> tuple[tuple[snapshots.Group, ...], ...]:
        """Return the groups that keep servers apart, and those that try to.

        If groups cannot be listed, any two servers may be in the same one.
        """
        groups = self._seen.snapshot.groups
        if groups is None:
            perhaps = frozenset(
                demand.server.id
                for demand in self._seen.demands
                if demand.server.needs.grouped is not False
            )
            groups = (snapshots.Group('', _Policy.ANTI_AFFINITY, perhaps),)
            self.notes.append(
                'hosts whose servers may be in server groups are not drained '
                'together'
            )
        hard, soft = (
            tuple(g for g in groups if g.policy == policy)
            for policy in (_Policy.ANTI_AFFINITY, _Policy.SOFT_ANTI_AFFINITY)
        )
        return hard, soft

    def _search(self, groups: tuple[snapshots.Group, ...]) -> searches.Found:
        rules = dataclasses.replace(self._task.rules, groups=groups)
        task = dataclasses.replace(self._task, rules=rules)
        found = searches.search(self._strict, task)
        if found.left:
            # Filters may be off that nobody can see.
            loose = searches.search(self._loose, task)
            found = min(found, loose, key=lambda each: len(each.left))
        return found

    def _note_first(
        self, found: searches.Found, groups: tuple[snapshots.Group, ...]
    ) -> None:
        """Say which hosts are out of service already: are they the plan's?"""
        first = self._task.first
        if not found.batches:
            return
        opening = found.batches[0].hosts
        if later := sorted(first.difference(opening)):
            self.notes.append(
                'out of service already, without room for their servers in '
                f'batch 1: {", ".join(later)}'
            )
        together = sorted(first.intersection(opening))
        if not together:
            return
        note = f'batch 1 is out of service already: {", ".join(together)}'
        rules = dataclasses.replace(self._task.rules, groups=groups)
        allowed = batch_rules.Candidates(rules)
        for host in together:
            servers = self._task.servers(self._strict, host)
            if not allowed.allows(host, servers):
                note += (
                    '; --at-once, --share and server groups would not allow '
                    'that'
                )
                break
            allowed.add(host, servers)
        self.notes.append(note)

    def rows(self, found: searches.Found) -> abc.Iterator[Row]:
        """Yield a row for each host."""
        for number, batch in enumerate(found.batches, 1):
            avoid = tuple(sorted(batch.avoid - found.left))
            doubts = self._doubts_of(batch)
            for host in batch.hosts:
                why = doubts.get(host, '')
                servers = self._seen.servers[host]
                yield Row(
                    batch=number,
                    host=host,
                    servers=servers,
                    moves=servers + self._came(host, batch),
                    fits=Fits.UNKNOWN if why else Fits.YES,
                    code=Code.CAPACITY_UNKNOWN if why else Code.NONE,
                    reason=why,
                    avoid=avoid,
                )
        for host in found.left:
            yield self._left(host, found)

    def _came(self, host: str, batch: searches.Batch) -> int:
        """Return how many servers came to a host before its batch."""
        return sum(
            self._demands[i].source != host for i in batch.servers[host]
        )

    def _doubts_of(self, batch: searches.Batch) -> dict[str, str]:
        """Return why it is not sure that servers fit, by host."""
        found = {}
        for host, servers in batch.servers.items():
            unweighed = self._task.unweighed.get(host, ())
            doubts = [
                *(self._doubts[server_id] for server_id in unweighed),
                *(
                    self._doubt(server_id, batch.moves)
                    for server_id in servers
                ),
            ]
            if words := [*filter(None, doubts)]:
                found[host] = f'{unplanned.servers(len(words))}: {words[0]}'
        return found

    def _doubt(self, server_id: str, moves: states.Moves) -> str:
        """Return why it is not sure that a server fits; '' if it is."""
        demand, snapshot = self._demands[server_id], self._seen.snapshot
        place = moves[server_id]
        if place.host not in self._strict.options.options(demand):
            return forecast.DOUBTFUL
        group = self._groups_of.get(server_id)
        return forecast.unchecked(demand, snapshot, group, self._demands)

    def _left(self, host: str, found: searches.Found) -> Row:
        """Return the row of a host that has no batch in the end."""
        shut = self._task.first & found.left
        rules = dataclasses.replace(
            self._task.rules, out=self._task.rules.out | shut
        )
        limits = eligible.Limits(
            frozenset([host]),
            opened=self._task.first - found.left,
            strict=False,
        )
        if why := unplanned.no_room(found.state.try_alone(host, limits)):
            row = _never(host, why, self._seen)
            return dataclasses.replace(row, fits=Fits.NO)
        if host not in shut and (area := rules.used_up(host)):
            return _never(host, unplanned.share_used(area, rules), self._seen)
        why = Never(
            Code.CAPACITY_UNKNOWN,
            'no way to drain it was found, as not all are tried: plan fewer '
            'hosts together',
        )
        row = _never(host, why, self._seen)
        return dataclasses.replace(row, fits=Fits.UNKNOWN)
