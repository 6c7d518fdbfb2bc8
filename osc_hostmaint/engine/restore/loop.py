# SPDX-License-Identifier: Apache-2.0

"""Bringing servers back.

To the loop this is a drain of each host that they are on, of these servers
only, to one destination.
"""

from collections import abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.restore import combined
from osc_hostmaint.engine.restore import places
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.i18n import _
from osc_hostmaint.i18n import ngettext
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.server import status as server_status

NOTHING_DONE = 'it was not moved yet: run the same command again'
#: What kept it from being moved, by how the run ended, if not an error.
_CODES = {
    exceptions.ExitCode.INTERRUPTED: codes.Code.INTERRUPTED,
    exceptions.ExitCode.TIMEOUT: codes.Code.TIMEOUT,
}


def restore(
    plans: abc.Collection[plan.RestorePlan],
    board: boards.Board,
    picker: destinations.Destinations,
    request: ports.Request,
) -> loop.DrainResult:
    """Bring servers back, from all hosts at the same time.

    :param picker: bounds how many are on their way to each home.
    :returns: a row per server, also of those that are left alone.
    """
    groups = [group for each in plans for group in each.groups]
    reporters = {
        each.home.host: combined.CombinedReporter(
            each.home.host, request.report, each.to_restore, len(each.groups)
        )
        for each in plans
        if each.groups
    }
    shares = combined.share(
        picker, [(g.service.host, {s.id for s in g.servers}) for g in groups]
    )
    hosts = [
        host_loop.HostLoop(
            observer.Observer(board, group.service, group.policy),
            reporters[group.home.host],
            shared,
        )
        for group, shared in zip(groups, shares, strict=True)
    ]
    places.Places(
        picker.moves,
        [
            places.Source(each, group)
            for each, group in zip(hosts, groups, strict=True)
        ],
    )
    result = loop.run(hosts, board, request)
    for reporter in reporters.values():
        reporter.close()
    known = {row.server_id for row in result.rows}
    rows = [
        dataclasses.replace(
            row,
            phase=server_status.Phase.BLOCKED,
            reason=NOTHING_DONE,
            code=host.error_code
            or _CODES.get(result.exit_code, codes.Code.API_DOWN),
        )
        for host, group in zip(hosts, groups, strict=True)
        for row in group.rows
        if row.server_id not in known
    ]
    rows += (row for each in plans for row in each.left_alone)
    left_at = {
        row.server_id: row.left_at for each in plans for row in each.to_restore
    }
    moved = (
        dataclasses.replace(row, left_at=left_at.get(row.server_id))
        for row in result.rows
    )
    code = result.exit_code
    if code is exceptions.ExitCode.DONE and any(row.left for row in rows):
        code = exceptions.ExitCode.LEFT
    return dataclasses.replace(result, rows=(*moved, *rows), exit_code=code)


def nothing_to_restore(
    plans: abc.Iterable[plan.RestorePlan],
) -> dict[str, str]:
    """Return a sentence for each host that no server is to come back to."""
    none = _(
        'nothing to bring back: no server that has left it since %s is '
        'elsewhere'
    )
    skipped = _(
        'nothing to bring back: the servers that have left it since %s are '
        'skipped (see Reason)'
    )
    return {
        each.home.host: (skipped if each.left_alone else none)
        % marks.iso(each.home.since)
        for each in plans
        if not each.groups and not any(row.left for row in each.left_alone)
    }


def count_deleted(
    gateway: ports.Gateway, homes: abc.Collection[plan.Home]
) -> dict[str, str]:
    """Return how many servers that may have left some hosts were deleted.

    Nova keeps no migration records of deleted servers. Which of them left
    the host is not asked, as it would cost a request for each.

    :returns: a sentence for each host of which there are any.
    """
    if not homes:
        return {}
    try:
        found = gateway.deleted(min(home.since for home in homes))
    except exceptions.CloudError as error:
        where = ', '.join(home.host for home in homes)
        return {where: f'deleted servers are not counted: {error}'}
    except KeyboardInterrupt:
        # The table of what was done is worth more than this count.
        return {}
    counted = {}
    for home in homes:
        # A server deleted on the host itself was back already.
        count = sum(
            server.host != home.host
            and (server.updated_at or home.since) >= home.since
            for server in found
        )
        since = marks.iso(home.since)
        if count:
            counted[home.host] = ngettext(
                '%(count)d server on another host was deleted since '
                '%(since)s; if it had left %(host)s, it cannot be brought '
                'back',
                '%(count)d servers on other hosts were deleted since '
                '%(since)s; those that had left %(host)s cannot be brought '
                'back',
                count,
            ) % {'count': count, 'since': since, 'host': home.host}
    return counted
