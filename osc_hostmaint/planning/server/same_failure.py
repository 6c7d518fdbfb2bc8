# SPDX-License-Identifier: Apache-2.0

"""Live migrations of a server that failed alike, wherever they went.

Then it is about the server or its host, and the next one would fail, too.
"""

import collections
from collections import abc

from osc_hostmaint import model

#: So many destinations tell that it is not about a destination.
DESTINATIONS = 2
_Records = abc.Sequence[model.Migration]


def destinations(failed: _Records, seen: model.Observation) -> tuple[str, ...]:
    """Return two hosts on which migrations failed in the same way, or none.

    That is: with the same status, and the same exception or none. Nova may
    try several hosts for one migration, which does not count as two.

    :param failed: records of live migrations of one server.
    """
    found = collections.defaultdict[tuple[str, str], list[set[str]]](list)
    for record in failed:
        if record.id in seen.failures and (hosts := _tried(record, seen)):
            found[record.status, _exception(record, seen)].append(hosts)
    for alike in found.values():
        hosts = set().union(*alike)
        if min(len(alike), len(hosts)) >= DESTINATIONS:
            return tuple(sorted(hosts)[:DESTINATIONS])
    return ()


def unexplained(failed: _Records, seen: model.Observation) -> frozenset[int]:
    """Return the records whose reasons decide whether they failed alike.

    :param failed: records of live migrations of one server.
    """
    if destinations(failed, seen):
        return frozenset()
    by_status = collections.defaultdict(list)
    for record in failed:
        by_status[record.status].append(record)
    return frozenset(
        record.id
        for records in by_status.values()
        for record in records
        if record.id not in seen.failures
        and any(r.dest is None or r.dest != record.dest for r in records)
        and len(records) >= DESTINATIONS
    )


def _tried(record: model.Migration, seen: model.Observation) -> set[str]:
    """Return where a migration failed.

    Its record names no destination if the checks before it failed there.
    """
    if record.dest:
        return {record.dest}
    return set(seen.failed_on.get(record.id, ())) - {record.source}


def _exception(record: model.Migration, seen: model.Observation) -> str:
    """Return what stands for the exception that ended a migration.

    Nova has its words, which begin with those that all exceptions of a class
    have, or the name of the class; '' if there are none.
    """
    words = seen.failures[record.id]
    for host in _tried(record, seen):
        words = words.replace(host, '')
    return words.partition(':')[0]
