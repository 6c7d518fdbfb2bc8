# SPDX-License-Identifier: Apache-2.0

"""The drain of hosts, and its dry run."""

from collections import abc
import dataclasses
import random

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.operations import capacity
from osc_hostmaint.operations import clock as clocks
from osc_hostmaint.operations import evacuation
from osc_hostmaint.operations import hosts
from osc_hostmaint.operations import modes
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.progress import lines as progress_lines

DrainRequest = requests.DrainRequest
Gateway = gateways.Gateway
Service = model.Service
_INTERRUPTED = loop.DrainResult((), {}, exceptions.ExitCode.INTERRUPTED)
_TIMED_OUT = loop.DrainResult((), {}, exceptions.ExitCode.TIMEOUT)


@dataclasses.dataclass(frozen=True, slots=True)
class _Checked:
    """A request whose hosts were looked up; nothing was changed yet."""

    #: With the ids of the servers that its policy excludes.
    request: DrainRequest
    #: Of all hosts, by host.
    services: dict[str, Service]
    sources: tuple[Service, ...]
    #: Why other hosts can't be drained, by host.
    errors: dict[str, str]
    #: What could not be looked at.
    notes: list[str]


def preview(gateway: Gateway, request: DrainRequest) -> dry_runs.Preview:
    """Return what :func:`drain` would do. Nothing is changed."""
    checked = _check(gateway, request)
    request, notes = checked.request, checked.notes
    if request.policy.evacuate:
        targets = evacuation.EvacuationTargets(gateway, request)
        targets.judge(checked.sources)
        sources, errors = targets.foresee(), targets.errors
        notes += [targets.doubts[host] for host in sorted(targets.doubts)]
    else:
        sources, errors = [], {}
        for service in checked.sources:
            with hosts.collect(errors, service.host, exceptions.CloudError):
                sources.append(modes.foresee(gateway, service, request))
    clock = clocks.Clock()
    seen = dry_run.see(
        *(gateway, clock, checked.services, sources),
        request.policy,
        reporting.Preparation(request.report, clock),
    )
    preview = dry_run.assess(seen).preview
    known = {row.host for row in preview.rows} | errors.keys()
    errors |= hosts.down_cell_errors(
        gateway, [host for host in request.hosts if host not in known]
    )
    return dataclasses.replace(
        preview,
        errors={**checked.errors, **errors},
        notes=(*notes, *preview.notes),
    )


def drain(gateway: Gateway, request: DrainRequest) -> loop.DrainResult:
    """Put hosts into maintenance and move every server off them.

    All hosts are put into maintenance first, so that no server moves to a
    host that is drained next.
    """
    if request.fenced and not request.policy.evacuate:
        raise ValueError('fenced is for hosts that are evacuated')
    with gateway.pause.heeding(request.is_over):
        return _drain(gateway, request)


def _drain(gateway: Gateway, request: DrainRequest) -> loop.DrainResult:
    checked = _check(gateway, request)
    request, services = checked.request, checked.services
    where = names.listed(checked.sources)
    for note in checked.notes:
        request.trouble(where, note)
    clock = clocks.Clock()
    seen = None
    if request.policy.evacuate:
        targets = evacuation.EvacuationTargets(gateway, request)
        targets.judge(checked.sources)
        targets.errors.update(checked.errors)
        with hosts.add_errors(targets.errors):
            seen = targets.prepare(clock, services)
        ready, errors = list(targets.services.values()), targets.errors
        if targets.interruption:
            request.trouble(where, targets.interruption)
            return loop.with_errors(_INTERRUPTED, errors)
    else:
        ready, errors = modes.mark_all(gateway, checked.sources, request)
        errors.update(checked.errors)
        if request.is_over():
            return _ended_early(request, checked.sources, ready, errors)
    settled_from = clock.now()
    if any(service.enabled for service in checked.sources):
        settled_from += timing.LATE_ARRIVAL_SECONDS
    services |= {service.host: service for service in ready}
    board = boards.Board(gateway, clock, services)
    with hosts.add_errors(errors):
        try:
            seen = seen or _look(gateway, clock, request, ready, services)
        except KeyboardInterrupt:
            if not request.is_over():
                raise
    if request.is_over() and not request.policy.evacuate:
        return _ended_early(request, checked.sources, ready, errors)
    for host, words in errors.items() if ready else ():
        # They are printed again in the end, which may be hours away.
        request.trouble(host, words)
    policy = dataclasses.replace(
        request.policy,
        stagger=random.SystemRandom().random(),
        settled_from=settled_from,
    )
    picker = destinations.Destinations(
        gateway,
        clock,
        request.report,
        board,
        bound=policy.per_destination,
        patience=policy.server_timeout,
        avoided=policy.avoid,
        expected=seen,
    )
    result = loop.drain(
        ready,
        board,
        picker,
        dataclasses.replace(request, policy=policy),
        request.recording,
    )
    return loop.with_errors(result, errors)


def _ended_early(
    request: DrainRequest,
    sources: abc.Sequence[Service],
    ready: abc.Sequence[Service],
    errors: dict[str, str],
) -> loop.DrainResult:
    """Return the result of a drain that is over before any move.

    :param ready: the hosts that are in maintenance.
    """
    result, why = _INTERRUPTED, _('interrupted')
    if not request.interrupt.requested:
        result, why = _TIMED_OUT, _('--timeout passed')
    words = _('%s: nothing was changed')
    if errors:
        # It is not known what has become of a request that failed.
        words = _('%s: nothing was moved')
    if ready:
        words = _(
            '%s: in maintenance, but nothing was moved. Run the same command '
            'again to continue, or openstack host maintenance unset to undo it'
        )
    request.trouble(names.listed(ready or sources), words % why)
    return loop.with_errors(result, errors)


def _check(gateway: Gateway, request: DrainRequest) -> _Checked:
    """Look up the hosts of a request.

    :raises Refused: the requested destination cannot take any server, a
        host has two compute services, or a server to exclude is not known or
        not unique.
    :raises ValueError: the hosts to avoid contradict the others.
    """
    policy = request.policy
    if words := policies.avoidance_problem(policy, request.hosts):
        raise ValueError(words)
    services = hosts.all_services(gateway)
    found = hosts.pick(gateway, request.hosts, services)
    hosts.pick(gateway, sorted(policy.avoid), services)
    if policy.to:
        (destination,) = hosts.pick(gateway, [policy.to], services)
        names.check_destination(destination, request.hosts)
    hosts.check_rights(gateway)
    policy = hosts.resolve_excluded(gateway, policy, found)
    found, errors, notes = hosts.check_identity(
        gateway, found, services, policy
    )
    request = dataclasses.replace(request, policy=policy)
    return _Checked(request, services, found, errors, notes)


def _look(
    gateway: Gateway,
    clock: ports.Clock,
    request: DrainRequest,
    sources: abc.Sequence[Service],
    services: hosts.Services,
) -> dry_run.DryRun | None:
    """Return which hosts have room for the servers, if that is needed.

    :raises Refused: the servers do not fit elsewhere.
    """
    needless = request.skip_capacity_check and not capacity.is_balanced(
        request.policy
    )
    if needless or not sources:
        return None
    seen, policy = None, request.policy
    preparation = reporting.Preparation(request.report, clock, request.is_over)
    try:
        seen = dry_run.assess(
            dry_run.see(gateway, clock, services, sources, policy, preparation)
        )
    except exceptions.Unavailable as error:
        # The drain itself bears with an outage for longer.
        words = _('capacity is not known: %s') % error
        request.trouble(names.listed(sources), words)
    capacity.check(request, sources, seen, progress_lines.MARKED)
    return seen
