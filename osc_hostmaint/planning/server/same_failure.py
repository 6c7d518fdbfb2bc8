# SPDX-License-Identifier: Apache-2.0

"""Live migrations of a server that failed alike, wherever they went.

Then it is about the server or its host, and the next one would also fail.
"""

from collections import abc

from osc_hostmaint import model

#: So many destinations tell that it is not about a destination.
DESTINATIONS = 2
_Records = abc.Sequence[model.Migration]


def destinations(failed: _Records, seen: model.Observation) -> tuple[str, ...]:
    """Return two hosts on which migrations failed as the newest one did.

    That is: with the same status, and the same exception or none. Nova may
    try several hosts for one migration, which does not count as two.

    :param failed: records of live migrations of one server.
    :returns: none as long as it is not known.
    """
    alike = _as_the_newest(failed)
    if not alike or alike[-1].id not in seen.failures:
        return ()
    exception = _exception(alike[-1], seen)
    tried = [
        hosts
        for record in alike
        if record.id in seen.failures
        and _exception(record, seen) == exception
        and (hosts := _tried(record, seen))
    ]
    hosts = set().union(*tried)
    if min(len(tried), len(hosts)) < DESTINATIONS:
        return ()
    return tuple(sorted(hosts)[:DESTINATIONS])


def unexplained(failed: _Records, seen: model.Observation) -> frozenset[int]:
    """Return the records whose reasons decide whether they failed alike.

    :param failed: records of live migrations of one server.
    """
    alike = _as_the_newest(failed)
    hosts = {record.dest for record in alike}
    same_host = None not in hosts and len(hosts) < DESTINATIONS
    if len(alike) < DESTINATIONS or same_host or destinations(failed, seen):
        return frozenset()
    return frozenset(r.id for r in alike if r.id not in seen.failures)


def _as_the_newest(failed: _Records) -> list[model.Migration]:
    """Return the records with the status of the newest, which is the last.

    What failed in another way before may have been mended since.
    """
    ordered = sorted(failed, key=lambda record: record.id)
    return [r for r in ordered if r.status == ordered[-1].status]


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
