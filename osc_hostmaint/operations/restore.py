# SPDX-License-Identifier: Apache-2.0

"""The restore of hosts, and its dry run."""

from collections import abc
import dataclasses
import datetime
import random

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import reporting
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
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.progress import lines as progress_lines

Gateway = gateways.Gateway
RestoreRequest = requests.RestoreRequest

_NOTHING = loop.DrainResult((), {}, exceptions.ExitCode.DONE)
#: When servers may have left, by the host that they left.
SinceByHost = abc.Mapping[str, requests.Since]


def preview(gateway: Gateway, request: RestoreRequest) -> dry_runs.Preview:
    """Return what :func:`restore` would do. Nothing is changed.

    A host in maintenance is looked at as it will be after ``unset``.
    """
    services = _checked(gateway, request)
    since = dict.fromkeys(request.hosts, request.since)
    unset = {
        host: dataclasses.replace(
            services[host], enabled=True, disabled_reason=None
        )
        for host in since
        if services[host].mode is model.Mode.MAINTENANCE and services[host].up
    }
    clock, then = clocks.Clock(), {**services, **unset}
    plans, errors = _plan(gateway, clock, request, then, since)
    said = _nothing(plans, errors)
    deleted = restore_loop.count_deleted(gateway, [p.home for p in plans])
    notes = [
        f'{host}: {words}' for host, words in [*said.items(), *deleted.items()]
    ]
    notes += [_still_in_maintenance(services[host]) for host in unset]
    # Placement has it disabled still, so its service is taken as it is.
    preparation = reporting.Preparation(request.report, clock)
    _by_home, found = capacity.look(
        gateway, services, plans, request.policy, preparation
    )
    seen = found.preview
    return dataclasses.replace(
        seen, notes=(*seen.notes, *notes), errors=errors
    )


def _nothing(
    plans: abc.Iterable[plan.RestorePlan], errors: abc.Container[str]
) -> dict[str, str]:
    """Return what to say of hosts that nothing is to come back to."""
    looked_at = [each for each in plans if each.home.host not in errors]
    return restore_loop.nothing_to_restore(looked_at)


def _still_in_maintenance(service: model.Service) -> str:
    words = _(
        '%(host)s is still in maintenance: run openstack host maintenance '
        'unset %(host)s before restore; unset --restore brings back only what '
        'left since %(since)s'
    )
    assert service.mark  # noqa: S101 - So is its mode.
    return words % {
        'host': service.host,
        'since': marks.iso(service.mark.since),
    }


def restore(gateway: Gateway, request: RestoreRequest) -> loop.DrainResult:
    """Bring back the servers whose latest move was away from hosts."""
    with gateway.pause.heeding(request.is_over):
        services = _checked(gateway, request)
        since = dict.fromkeys(request.hosts, request.since)
        return _restore(gateway, request, services, since)


def unset_and_restore(
    gateway: Gateway, request: RestoreRequest, *, force: bool
) -> loop.DrainResult:
    """Put hosts back into service, and bring their servers back.

    These are the servers that left since the mark was set; without a mark,
    in the last seven days.
    """
    with gateway.pause.heeding(request.is_over):
        return _unset_and_restore(gateway, request, force=force)


def _unset_and_restore(
    gateway: Gateway, request: RestoreRequest, *, force: bool
) -> loop.DrainResult:
    services = _checked(gateway, request)
    since: dict[str, requests.Since] = {}
    errors: dict[str, str] = {}
    try:
        for host in dict.fromkeys(request.hosts):
            if request.interrupt.requested:
                raise KeyboardInterrupt
            mark = services[host].mark
            # The mark that has it may be gone even if no answer comes.
            since[host] = mark.since if mark else requests.SINCE
            with hosts.collect(errors, host):
                modes.unset_maintenance(
                    gateway, host, request.report, force=force, restoring=True
                )
            if host in errors:
                del since[host]
            elif not mark:
                words = _(
                    'the start of its maintenance is not known: the servers '
                    'that left it within the last %d days are brought back '
                    '(for another time, use restore --since <time>)'
                )
                request.trouble(host, words % requests.SINCE.days)
        result = _restore_after_unset(gateway, request, since)
    except KeyboardInterrupt:
        result = loop.DrainResult((), {}, exceptions.ExitCode.INTERRUPTED)
    if result.exit_code is not exceptions.ExitCode.DONE:
        words = _(
            'to bring back the others, run: openstack host maintenance '
            'restore %(host)s --since %(since)s'
        )
        for host, begin in since.items():
            if isinstance(begin, datetime.datetime):
                told = {'host': host, 'since': marks.iso(begin)}
                request.trouble(host, words % told)
    return loop.with_errors(result, errors)


def _restore_after_unset(
    gateway: Gateway, request: RestoreRequest, since: SinceByHost
) -> loop.DrainResult:
    try:
        services = hosts.all_services(gateway)
        return _restore(gateway, request, services, since)
    except exceptions.CloudError as error:
        where = ', '.join(since)
        words = _(
            '%(hosts)s: in service again, but nothing was brought back: '
            '%(error)s'
        ) % {'hosts': where, 'error': error}
        return loop.with_errors(_NOTHING, {where: words})


def _checked(gateway: Gateway, request: RestoreRequest) -> hosts.Services:
    """Return the services of all hosts, once those of a request are found."""
    services = hosts.all_services(gateway)
    hosts.pick(gateway, request.hosts, services)
    hosts.check_rights(gateway)
    return services


def _restore(
    gateway: Gateway,
    request: RestoreRequest,
    services: hosts.Services,
    since: SinceByHost,
) -> loop.DrainResult:
    clock, policy = clocks.Clock(), request.policy
    board = boards.Board(gateway, clock, services)
    plans, errors = _plan(gateway, clock, request, services, since)
    for host, words in _nothing(plans, errors).items():
        request.notice(host, words)
    seen = None
    wanted = not request.skip_capacity_check
    if wanted and any(each.groups for each in plans):
        preparation = reporting.Preparation(request.report, clock)
        by_home, seen = capacity.look(
            gateway, services, plans, policy, preparation
        )
        for note in seen.preview.notes:
            request.trouble(', '.join(p.home.host for p in plans), note)
        for host, room in by_home.items():
            if room.capacity_forecast.misfits:
                errors[host] = progress_lines.no_room_at_home(host, room)
        plans = [each for each in plans if each.home.host not in errors]
    picker = destinations.Destinations(
        gateway,
        clock,
        request.report,
        board,
        bound=policy.per_destination or timing.RESTORES_AT_ONCE,
        patience=policy.server_timeout,
        expected=seen,
    )
    result = restore_loop.restore(plans, board, picker, request)
    result = loop.with_errors(result, errors)
    if not result.cut_short:
        homes = [each.home for each in plans]
        deleted = restore_loop.count_deleted(gateway, homes)
        for host, words in deleted.items():
            request.notice(host, words)
    return result


def _plan(
    gateway: Gateway,
    clock: clocks.Clock,
    request: RestoreRequest,
    services: hosts.Services,
    since: SinceByHost,
) -> tuple[abc.Sequence[plan.RestorePlan], dict[str, str]]:
    """Return what to bring back to each host, and why not to the others."""
    homes, errors = [], {}
    for host, begin in since.items():
        # Its service may have been deleted meanwhile.
        if host not in services:
            continue
        if words := candidates.against(services[host]):
            errors[host] = words
            continue
        if isinstance(begin, datetime.timedelta):
            now = gateway.now()
            begin = now - min(begin, now - marks.EARLIEST)
        begin = max(begin, marks.EARLIEST)
        homes.append(plan.Home(services[host], begin))
    policy = dataclasses.replace(
        request.policy,
        stagger=random.SystemRandom().random(),
    )
    preparation = reporting.Preparation(request.report, clock)
    with hosts.add_errors(errors):
        plans = plan.make_plans(
            *(gateway, clock, services, homes, policy),
            preparation,
            request.running,
        )
    unseen = [p.home.host for p in plans if not (p.groups or p.left_alone)]
    return plans, errors | hosts.down_cell_errors(gateway, unseen)
