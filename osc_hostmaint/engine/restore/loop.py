# SPDX-License-Identifier: Apache-2.0

"""Bringing servers home.

To the loop it is a drain of each host that they are on, of these servers
alone, to one destination.
"""

import collections.abc
import dataclasses
import datetime

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import shared as shared_
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.planning.server import status as server_status

#: Of so many deleted servers, the newest, it is looked whether they had left
#: one of the hosts.
MOST_DELETED = 100
NOTHING_DONE = 'nothing was done for it: run the same command again'


def bring(
    gathered: collections.abc.Iterable[plan.Gathering],
    gateway: ports.Gateway,
    clock: ports.Clock,
    board: observer.ServiceBoard,
    guide: destinations.Destinations,
    report: ports.Reporter,
    interrupt: ports.Interrupt,
    max_failures: int,
    timeout: float | None = None,
) -> loop.DrainResult:
    """Bring servers home, from all hosts side by side.

    :param guide: bounds how many are on their way to each home.
    :param max_failures: as in :func:`drain.run`.
    :param timeout: seconds after which nothing is awaited any more.
    :returns: a row per server, also of those that are left alone.
    """
    gathered = tuple(gathered)
    groups = [group for each in gathered for group in each.groups]
    reporters = {
        each.home.host: shared_.CombinedReporter(
            each.home.host, report, each.coming, len(each.groups)
        )
        for each in gathered
        if each.groups
    }
    guides = shared_.guides(
        guide, [(g.service.host, {s.id for s in g.servers}) for g in groups]
    )
    hosts = [
        host_loop.HostDrain(
            observer.Observer(
                gateway, clock, board, group.service, group.policy
            ),
            group.policy,
            gateway,
            clock,
            reporters[group.home.host],
            destinations=shared,
        )
        for group, shared in zip(groups, guides, strict=True)
    ]
    result = loop.run(hosts, clock, interrupt, report, max_failures, timeout)
    for reporter in reporters.values():
        reporter.close()
    known = {row.server_id for row in result.rows}
    untouched = (
        dataclasses.replace(
            row, phase=server_status.Phase.BLOCKED, reason=NOTHING_DONE
        )
        for group in groups
        for row in group.rows
        if row.server_id not in known
    )
    alone = (row for each in gathered for row in each.alone)
    return with_rows(result, (*untouched, *alone))


def with_rows(
    result: loop.DrainResult,
    rows: collections.abc.Iterable[decisions.Row],
) -> loop.DrainResult:
    """Return a result with rows of servers added that were not moved."""
    rows = tuple(rows)
    code = result.exit_code
    if code is exceptions.ExitCode.DONE and any(row.left for row in rows):
        code = exceptions.ExitCode.LEFT
    return dataclasses.replace(
        result, rows=(*result.rows, *rows), exit_code=code
    )


def deleted(
    gateway: ports.Gateway,
    homes: collections.abc.Iterable[plan.Home],
    known: collections.abc.Container[str],
    report: ports.Reporter,
    interrupt: ports.Interrupt,
) -> tuple[decisions.Row, ...]:
    """Return the rows of servers that left some hosts and were deleted.

    Nova keeps no migration records of them. What can't be asked is told, and
    is no reason to fail.

    :param known: servers that have rows already.
    """
    windows: dict[datetime.datetime, list[str]] = {}
    for home in homes:
        windows.setdefault(home.since, []).append(home.host)
    rows: dict[str, decisions.Row] = {}
    try:
        for since, hosts in windows.items():
            for row in _deleted(gateway, since, hosts, report, interrupt):
                if row.server_id not in known:
                    rows.setdefault(row.server_id, row)
    except KeyboardInterrupt:
        # The table of what was done is worth more than these.
        pass
    return tuple(rows.values())


def _deleted(
    gateway: ports.Gateway,
    since: datetime.datetime,
    homes: collections.abc.Collection[str],
    report: ports.Reporter,
    interrupt: ports.Interrupt,
) -> collections.abc.Iterator[decisions.Row]:
    where = ', '.join(homes)
    try:
        found = gateway.deleted(since)
        if len(found) > MOST_DELETED:
            report.publish(
                events.Trouble(
                    where,
                    f'of {len(found)} servers deleted lately only the '
                    f'{MOST_DELETED} newest are looked at',
                )
            )
        for server in found[:MOST_DELETED]:
            if interrupt.requested:
                return
            origins = gateway.origins(server.id, since)
            for home in homes:
                # What was deleted there had come home.
                if home in origins and server.host != home:
                    yield candidates.deleted(home, server)
                    break
    except exceptions.CloudError as error:
        report.publish(
            events.Trouble(
                where,
                f'servers deleted since they left are not known: {error}',
            )
        )
