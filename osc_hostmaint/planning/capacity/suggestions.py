# SPDX-License-Identifier: Apache-2.0

"""Suggestions if servers do not fit: lines for people."""

from collections import abc
import dataclasses

from osc_hostmaint.planning.capacity import assignment as assignments
from osc_hostmaint.planning.capacity import eligible
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import snapshot as snapshots

Occupancy = occupancies.Occupancy
#: At most so many hosts are thought of as put into service.
MOST_OPENED = 8


def find(tried: Occupancy) -> tuple[str, ...]:
    """Return what would help; nothing where nothing is left to place."""
    if not tried.left:
        return ()
    found = (_one_by_one(tried), _opened(tried), _freed(tried))
    return tuple(words for words in found if words)


def _one_by_one(tried: Occupancy) -> str:
    """Each host could be drained with the others in service."""
    demands, leaving = tried.task.demands, tried.options.limits.leaving
    sources = {d.source for d in demands}
    # Where servers are brought home, nothing is drained.
    if len(sources) < 2 or not leaving:
        return ''
    for source in sources:
        alone = assignments.again(
            tried,
            (d for d in demands if d.source == source),
            leaving=frozenset({source}),
            opened=leaving - {source},
        )
        if alone.left:
            return ''
    return (
        'the servers of each host alone would fit: drain one host, put it '
        'back into service, then drain the next'
    )


def _opened(tried: Occupancy) -> str:
    """Disabled hosts would have room, if they were in service."""
    hosts = _shut(tried)[:MOST_OPENED]
    if not hosts or not _fits_with(tried, hosts):
        return ''
    for host in reversed(hosts):
        fewer = [h for h in hosts if h != host]
        if fewer and _fits_with(tried, fewer):
            hosts = fewer
    return f'all would fit with {", ".join(hosts)} in service (now disabled)'


def _shut(tried: Occupancy) -> list[str]:
    """Return disabled hosts that could take something, the best first."""
    ledger, limits = tried.task.ledger, tried.options.limits
    hosts = frozenset(
        host
        for host, service in tried.options.snapshot.services.items()
        if service.up and not service.enabled and host not in limits.leaving
    )
    options = eligible.Eligible(
        tried.options.snapshot, dataclasses.replace(limits, opened=hosts)
    )
    wanted = _able(hosts, tried.left, options)
    return sorted(
        _able(hosts, tried.task.demands, options),
        key=lambda host: (host not in wanted, ledger.load(host), host),
    )


def _able(
    hosts: frozenset[str],
    demands: abc.Iterable[snapshots.Demand],
    options: eligible.Eligible,
) -> set[str]:
    """Return those of some hosts that could take any of some servers."""
    kinds = {options.kind(demand): demand for demand in demands}
    return {
        host
        for demand in kinds.values()
        for host in hosts.intersection(options.options(demand))
    }


def _fits_with(tried: Occupancy, hosts: abc.Iterable[str]) -> bool:
    return not assignments.again(tried, opened=frozenset(hosts)).left


def _freed(tried: Occupancy) -> str:
    """A host would have room if other servers left it."""
    for demand in tried.left:
        wanted = dict(demand.shape)
        lacks = [
            (max(n / wanted[name] for name, n in lack.items()), host, lack)
            for host, words in tried.options.against(demand).items()
            if not words
            and tried.allows(demand, host)
            and (lack := tried.ledger.lacks(host, demand.request))
        ]
        if lacks:
            _part, host, lack = min(lacks, key=lambda found: found[:2])
            amounts = ', '.join(f'{n} {c}' for c, n in sorted(lack.items()))
            return (
                f'server {demand.server.id} would fit on {host} if it had '
                f'{amounts} more'
            )
    return ''
