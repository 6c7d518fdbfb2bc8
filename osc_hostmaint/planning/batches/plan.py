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
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.capacity import suggestions
from osc_hostmaint.planning.host import decision as decisions

Code = codes.Code
Fits = forecast.Fits
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
    #: How many moves there are, of all servers together.
    moves: int = 0
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
    def done(self) -> bool:
        """Every host has a batch."""
        return all(row.batch is not None for row in self.rows)


@dataclasses.dataclass(frozen=True, slots=True)
class Never:
    """Why a host cannot be drained."""

    code: Code
    reason: str


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


def stays(host: str, rows: abc.Iterable[decisions.Row]) -> Never | None:
    """Return why a host cannot be drained, if servers stay on it.

    :param rows: what a drain of it would begin with.
    """
    left = [row for row in rows if row.result and row.left]
    if not left:
        return None
    tally = collections.Counter(str(row.code) for row in left)
    kinds = ', '.join(f'{n} {code}' for code, n in tally.most_common())
    return Never(
        Code.SERVERS_STAY,
        f'{_servers(len(left))} cannot be moved ({kinds}): openstack host '
        f'maintenance drain --dry-run {host} says why',
    )


def _servers(count: int) -> str:
    return 'one server' if count == 1 else f'{count} servers'


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
    areas = _areas(seen.snapshot)
    hosts -= seen.never.keys()
    shut = {h for h, s in services.items() if not (s.up and s.enabled)}
    # In maintenance, or disabled by Nova itself, which a drain takes over.
    first = frozenset(h for h in hosts if not services[h].enabled)
    out = frozenset(shut - first)
    rules = batch_rules.Rules(areas, out, at_once, share)
    never = dict(seen.never)
    for host in hosts - first:
        if area := rules.used_up(host):
            never[host] = _no_share(area, rules)
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
    return Plan(
        tuple(rows), found.moves, found.repeated, tuple(planning.notes)
    )


def _areas(
    snapshot: snapshots.CapacitySnapshot,
) -> tuple[batch_rules.Area, ...]:
    """Return all aggregates and zones."""
    zones: dict[str, set[str]] = {}
    for host, service in snapshot.services.items():
        zones.setdefault(service.zone, set()).add(host)
    # Nova keeps hosts in aggregates that it has no service of any more.
    known = snapshot.services.keys()
    return tuple(
        batch_rules.Area(name, frozenset(hosts))
        for name, hosts in [
            *(
                (f'aggregate {a.name}', a.hosts & known)
                for a in snapshot.aggregates
            ),
            *((f'zone {name}', hosts) for name, hosts in zones.items()),
        ]
    )


def _no_share(area: batch_rules.Area, rules: batch_rules.Rules) -> Never:
    out = sorted(rules.out & area.hosts)
    return Never(
        Code.SHARE_USED,
        f'{", ".join(out)} of {area.name} ({len(area.hosts)} hosts) '
        f'{"is" if len(out) == 1 else "are"} out of service, and --share '
        f'{rules.share} allows no more: put hosts back into service, or plan '
        'with a larger share',
    )


def _never(host: str, why: Never, seen: Seen) -> Row:
    return Row(
        *(None, host, seen.servers.get(host), None, None),
        *(why.code, why.reason),
    )


class _Planning:
    """One plan, as it is made."""

    def __init__(self, seen: Seen, task: searches.Task):
        self._seen = seen
        self._task = task
        #: Lines for people.
        self.notes: list[str] = []
        #: Why it is not sure that a server fits, by its id.
        self._doubts: dict[str, str] = {}
        weighed = []
        for demand in seen.demands:
            if demand.source not in task.hosts:
                continue
            if why := forecast.why_unweighed(demand, seen.snapshot):
                self._doubts[demand.server.id] = why
            else:
                weighed.append(demand)
        self._demands = tuple(weighed)
        self._unweighed = collections.Counter(
            d.source for d in seen.demands if d.server.id in self._doubts
        )
        limits = eligible.Limits(frozenset(), opened=task.first)
        self._strict = self._state(limits)
        self._loose = self._state(dataclasses.replace(limits, strict=False))

    def _state(self, limits: eligible.Limits) -> states.CloudState:
        seen = self._seen
        return states.CloudState(
            *(seen.snapshot, limits, self._demands, seen.held)
        )

    def run(self) -> searches.Found:
        """Return the best batches, by all rules as far as that can be."""
        hard, soft = self._groups()
        found = self._search(hard)
        kept = tuple(g for g in soft if len(g.members) <= len(found.batches))
        if len(kept) < len(soft):
            self.notes.append(
                f'{len(soft) - len(kept)} soft anti-affinity groups have more '
                'members than there are batches: some of their members move '
                'in the same batch'
            )
        if kept:
            found = self._search(hard + kept)
        self._note_first(hard + kept)
        return found

    def _groups(self) -> tuple[tuple[snapshots.Group, ...], ...]:
        """Return the groups that keep servers apart, and those that try to."""
        groups = self._seen.snapshot.groups or ()
        return tuple(
            tuple(g for g in groups if g.policy == policy)
            for policy in (_Policy.ANTI_AFFINITY, _Policy.SOFT_ANTI_AFFINITY)
        )

    def _search(self, groups: tuple[snapshots.Group, ...]) -> searches.Found:
        rules = dataclasses.replace(self._task.rules, groups=groups)
        task = dataclasses.replace(self._task, rules=rules)
        found = searches.search(self._strict, task)
        if found.left:
            # Filters may be off that nobody can see.
            loose = searches.search(self._loose, task)
            found = min(found, loose, key=lambda each: len(each.left))
        return found

    def _note_first(self, groups: tuple[snapshots.Group, ...]) -> None:
        """Say which hosts are out of service already: are they the plan's?"""
        first = sorted(self._task.first)
        if not first:
            return
        note = f'batch 1 is out of service already: {", ".join(first)}'
        rules = dataclasses.replace(self._task.rules, groups=groups)
        allowed = batch_rules.Candidates(rules)
        for host in first:
            servers = self._strict.on(host)
            if not allowed.allows(host, servers):
                note += (
                    '; --at-once, --share and server groups do not allow them '
                    'together'
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
                yield Row(
                    batch=number,
                    host=host,
                    servers=self._seen.servers[host],
                    moves=batch.counts[host] + self._unweighed[host],
                    fits=Fits.UNKNOWN if why else Fits.YES,
                    code=Code.CAPACITY_UNKNOWN if why else Code.NONE,
                    reason=why,
                    avoid=avoid,
                )
        for host in found.left:
            why = self._why_no_room(host, found)
            yield dataclasses.replace(
                _never(host, Never(Code.NO_ROOM, why), self._seen),
                fits=Fits.NO,
            )

    def _doubts_of(self, batch: searches.Batch) -> dict[str, str]:
        """Return why it is not sure that servers fit, by host."""
        found: dict[str, list[str]] = {}
        for demand in self._seen.demands:
            here = demand.source in batch.hosts
            if here and (why := self._doubt(demand, batch.moves)):
                found.setdefault(demand.source, []).append(why)
        return {
            host: f'{_servers(len(doubts))}: {doubts[0]}'
            for host, doubts in found.items()
        }

    def _doubt(self, demand: snapshots.Demand, moves: states.Moves) -> str:
        """Return why it is not sure that a server fits; '' if it is."""
        server_id, snapshot = demand.server.id, self._seen.snapshot
        if why := self._doubts.get(server_id):
            return why
        place = moves[server_id]
        if place.host not in self._strict.options.options(demand):
            return forecast.DOUBTFUL
        groups = {m: g for g in snapshot.groups or () for m in g.members}
        every = {d.server.id for d in self._demands}
        return forecast.unchecked(
            demand, snapshot, groups.get(server_id), every
        )

    def _why_no_room(self, host: str, found: searches.Found) -> str:
        """Return why a host's servers fit nowhere, and what would help."""
        limits = eligible.Limits(
            frozenset([host]),
            opened=self._task.first - found.left,
            strict=False,
        )
        tried = found.state.try_alone(host, limits)
        left = tried.left
        words = [
            f'{_servers(len(left))} of {len(tried.task.demands)} would have '
            f'no room if it was drained alone: {left[0].server.id}: '
            f'{forecast.why_not(left[0], tried)}',
            *suggestions.find(tried),
        ]
        return '; '.join(words)
