# SPDX-License-Identifier: Apache-2.0

"""The restore of hosts, and its dry run."""

import collections.abc
import dataclasses
import datetime
import random

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.restore import capacity
from osc_hostmaint.engine.restore import loop as restore_loop
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.operations import clock as clocks
from osc_hostmaint.operations import hosts
from osc_hostmaint.operations import modes
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.progress import lines as progress_lines

#: Moves in flight to one host, if nobody says how many there may be.
PARALLEL = 4
#: Nothing left before it: OpenStack is younger.
EPOCH = datetime.datetime(2010, 1, 1, tzinfo=datetime.UTC)

_NOTHING = loop.DrainResult((), {}, exceptions.ExitCode.DONE)
#: Nothing more is looked at then.
_CUT_SHORT = (exceptions.ExitCode.INTERRUPTED, exceptions.ExitCode.TIMEOUT)
#: When servers may have left, by the host that they left.
SinceByHost = collections.abc.Mapping[str, requests.Since]


def preview(
    gateway: gateways.Gateway, request: requests.RestoreRequest
) -> dry_runs.Preview:
    """Return what :func:`restore` would do. Nothing is changed."""
    services = hosts.all_services(gateway)
    found = hosts.pick(gateway, request.hosts, services)
    hosts.check_rights(gateway)
    since = dict.fromkeys(request.hosts, request.since)
    homes, errors = _homes(gateway, found, since)
    policy = dataclasses.replace(request.policy, user_id=gateway.user_id())
    with hosts.add_errors(errors):
        plans = plan.make_plans(
            gateway, clocks.Clock(), services, homes, policy, request.running
        )
    errors |= hosts.down_cell_errors(gateway, _without_departures(plans))
    notes = _Notes()
    restore_loop.count_deleted(gateway, homes, notes)
    seen = capacity.look(gateway, services, plans).preview
    return dataclasses.replace(
        seen,
        notes=(*seen.notes, *notes.lines),
        errors=errors,
    )


def restore(
    gateway: gateways.Gateway, request: requests.RestoreRequest
) -> loop.DrainResult:
    """Bring back the servers whose latest move was away from hosts."""
    services = hosts.all_services(gateway)
    found = hosts.pick(gateway, request.hosts, services)
    hosts.check_rights(gateway)
    since = dict.fromkeys(request.hosts, request.since)
    return _restore(gateway, request, found, services, since)


def unset_and_restore(
    gateway: gateways.Gateway,
    request: requests.RestoreRequest,
    *,
    force: bool,
) -> loop.DrainResult:
    """Put hosts back into service, and bring their servers back.

    These are the servers that left since the mark was set; without a mark,
    in the last seven days.
    """
    found = hosts.pick(gateway, request.hosts, hosts.all_services(gateway))
    hosts.check_rights(gateway)
    since: dict[str, requests.Since] = {}
    errors = {}
    for service in found:
        host = service.host
        try:
            modes.unset_maintenance(gateway, host, force=force)
        except exceptions.NotPermitted:
            raise
        except exceptions.HostMaintenanceError as error:
            errors[host] = str(error)
            continue
        mark = service.mark
        since[host] = mark.since if mark else requests.SINCE
        if not mark:
            request.report.publish(
                events.Trouble(
                    host,
                    _(
                        'the start of its maintenance is not known: the '
                        'servers that left it within the last %d days are '
                        'brought back (for another time, use restore --since '
                        '<duration>)'
                    )
                    % requests.SINCE.days,
                )
            )
    try:
        services = hosts.all_services(gateway)
        result = _restore(
            gateway,
            request,
            [services[host] for host in since if host in services],
            services,
            since,
        )
    except exceptions.CloudError as error:
        where = ', '.join(since)
        errors[where] = _(
            '%(hosts)s: in service again, but nothing was brought back: '
            '%(error)s'
        ) % {'hosts': where, 'error': error}
        return loop.with_errors(_NOTHING, errors)
    return loop.with_errors(result, errors)


def _restore(
    gateway: gateways.Gateway,
    request: requests.RestoreRequest,
    found: collections.abc.Iterable[model.Service],
    services: hosts.Services,
    since: SinceByHost,
) -> loop.DrainResult:
    homes, errors = _homes(gateway, found, since)
    policy = dataclasses.replace(
        request.policy,
        user_id=gateway.user_id(),
        stagger=random.SystemRandom().random(),
    )
    clock = clocks.Clock()
    board = observer.ServiceBoard(gateway, clock, services)
    with hosts.add_errors(errors):
        plans = plan.make_plans(
            gateway, clock, services, homes, policy, request.running
        )
    errors |= hosts.down_cell_errors(gateway, _without_departures(plans))
    seen = None
    wanted = not request.skip_capacity_check
    if wanted and any(each.groups for each in plans):
        seen = capacity.look(gateway, services, plans)
        for note in seen.notes:
            where = ', '.join(h.host for h in homes)
            request.report.publish(events.Trouble(where, note))
        for host, room in seen.by_home.items():
            if room.capacity_forecast.misfits:
                errors[host] = progress_lines.no_room_at_home(host, room)
        plans = tuple(g for g in plans if g.home.host not in errors)
    result = restore_loop.restore(
        plans,
        gateway,
        clock,
        board,
        destinations.Destinations(
            gateway,
            clock,
            request.report,
            board,
            bound=policy.per_destination or PARALLEL,
            patience=policy.server_timeout,
            expected=seen.dry_run if seen else None,
        ),
        request.report,
        request.interrupt,
        policy.max_failures,
        request.timeout,
    )
    result = loop.with_errors(result, errors)
    if result.exit_code not in _CUT_SHORT:
        restore_loop.count_deleted(
            gateway, [each.home for each in plans], request.report
        )
    return result


def _homes(
    gateway: gateways.Gateway,
    found: collections.abc.Iterable[model.Service],
    since: SinceByHost,
) -> tuple[list[plan.Home], dict[str, str]]:
    """Return the hosts that servers can be brought back to, and errors."""
    homes, errors = [], {}
    for service in found:
        if words := candidates.against(service):
            errors[service.host] = words
            continue
        begin = since[service.host]
        if isinstance(begin, datetime.timedelta):
            now = gateway.now()
            begin = now - min(begin, now - EPOCH)
        homes.append(plan.Home(service, begin))
    return homes, errors


class _Notes:
    """Collects the notices of a dry run."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def publish(self, event: events.Event) -> None:
        if isinstance(event, events.Trouble):
            self.lines.append(f'{event.host}: {event.reason}')


def _without_departures(
    plans: collections.abc.Iterable[plan.RestorePlan],
) -> list[str]:
    """Return the hosts that no server is known to have left."""
    return [g.home.host for g in plans if not (g.groups or g.left_alone)]
