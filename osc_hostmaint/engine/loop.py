# SPDX-License-Identifier: Apache-2.0

"""The control loop: observe, decide, act, for several hosts at once.

Level-triggered: every tick looks at what is, decides from that alone, acts
and forgets. Being resumed after a crash, or run twice at once, is therefore
nothing special.
"""

from collections import abc
import dataclasses
import math

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine import watch
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import decision as decisions

INTERRUPTED = policies.Stop(
    'interrupted: run the same command again to continue',
    codes.Code.INTERRUPTED,
)
TIMED_OUT = policies.Stop(
    '--timeout passed: run the same command again to continue',
    codes.Code.TIMEOUT,
)
UNTIL_PASSED = policies.Stop(
    '--until passed: run the command again to continue, with a later --until '
    'or without it',
    codes.Code.UNTIL,
)

_Errors = abc.Mapping[str, str]
_Hosts = abc.Sequence[host_loop.HostLoop]


@dataclasses.dataclass(frozen=True, slots=True)
class DrainResult:
    """How a drain ended."""

    rows: tuple[decisions.Row, ...]
    #: What made a host's drain impossible, by host.
    errors: _Errors
    exit_code: exceptions.ExitCode
    #: ``--timeout`` or an interrupt ended it.
    cut_short: bool = False


def drain(
    services: abc.Sequence[model.Service],
    board: boards.Board,
    destinations: ports.Destinations,
    request: ports.Request,
    recording: ports.Recording | None = None,
) -> DrainResult:
    """Move every server off hosts that are in maintenance already.

    :param services: the hosts' compute services, disabled.
    :param board: the compute services of all hosts, which `destinations`
        reads too: one list of them serves both.
    :param recording: keeps what every decision was made from.
    :returns: a row per server, whatever happened.
    """
    hosts = [
        host_loop.HostLoop(
            observer.Observer(board, service, _dated(request, service)),
            reporting.HostReporter(service.host, request.report),
            destinations,
            recording,
        )
        for service in services
    ]
    result = run(hosts, board, request)
    unseen = [h for h in hosts if not (h.decision or h.error)]
    if unseen:
        early = result.exit_code is exceptions.ExitCode.INTERRUPTED
        why = INTERRUPTED if early else TIMED_OUT
        words = f'servers were not looked at; {why.reason}'
        request.report.publish(events.Trouble(_names(unseen), words))
    return result


def _dated(request: ports.Request, service: model.Service) -> policies.Policy:
    """Return the policy for a host: others may overwrite its mark later."""
    since = service.mark.since if service.mark else None
    return dataclasses.replace(request.policy, since=since)


def run(
    hosts: _Hosts, board: boards.Board, request: ports.Request
) -> DrainResult:
    """Have several hosts' drains go on side by side, to their end.

    :returns: a row per server, whatever happened.
    """
    clock = board.clock
    watches = getattr(request.report, 'watches_moves', False)
    progress = watch.Watch(board.gateway, clock) if watches else None
    interrupt, deadline = request.interrupt, request.deadline
    max_failures = request.policy.max_failures
    stop: policies.Stop | None = None

    def ask_stop() -> policies.Stop | None:
        # For good: a clock that is set back starts no move.
        nonlocal stop
        if not stop and max_failures:
            stop = _too_many_failed(hosts, max_failures, request.report)
        if not stop:
            stop = _until_passed(hosts, clock, request)
        return INTERRUPTED if interrupt.requested else stop

    def abandon(why: policies.Stop) -> None:
        for host in hosts:
            if not host.done:
                host.abandon(why)

    outage = _Outage(clock, request.report)
    timed_out = interrupted = False
    try:
        while open_ := [h for h in hosts if not h.done]:
            board.watched = {h.host for h in open_}
            host = min(open_, key=lambda h: h.due)
            pause = min(host.due, deadline) - clock.now()
            if pause > 0:
                if progress:
                    progress.poll(open_)
                clock.sleep(min(pause, timing.STOP_CHECK_SECONDS))
            if clock.now() >= deadline:
                timed_out = True
                abandon(TIMED_OUT)
                break
            if interrupt.requested and not interrupted:
                interrupted = True
                for other in open_:
                    other.due = clock.now()
            if clock.now() >= host.due:
                looked_at = clock.now()
                host.tick(ask_stop)
                if error := outage.over(host, looked_at):
                    for other in open_:
                        if not other.done:
                            other.give_up(other.outage or error)
        interrupted = interrupted or interrupt.requested
    except KeyboardInterrupt:
        interrupted = True
        abandon(INTERRUPTED)
    rows = tuple(row for h in hosts if h.decision for row in h.decision.rows)
    errors = {host.host: host.error for host in hosts if host.error}
    code = exceptions.ExitCode.DONE
    if interrupted:
        code = exceptions.ExitCode.INTERRUPTED
    elif errors:
        code = exceptions.ExitCode.FAILED
    elif timed_out:
        code = exceptions.ExitCode.TIMEOUT
    elif any(row.left for row in rows):
        late = stop == UNTIL_PASSED
        code = (
            exceptions.ExitCode.TIMEOUT if late else exceptions.ExitCode.LEFT
        )
    return DrainResult(rows, errors, code, interrupted or timed_out)


class _Outage:
    """No host has had an answer since a time.

    Many hosts have one outage: it is no longer than that of one host, though
    each waits for an answer in its turn, and it is said for one of them.
    """

    def __init__(self, clock: ports.Clock, report: ports.Reporter):
        self._clock = clock
        self._report = report
        self._since = math.inf
        #: For which host it was said, by the words.
        self._told: dict[str, host_loop.HostLoop] = {}

    def over(
        self, host: host_loop.HostLoop, looked_at: float
    ) -> exceptions.Unavailable | None:
        """Return why no answer is awaited any longer, None if one is.

        :param host: has just looked, or tried to.
        """
        error = host.outage
        if error is None:
            self._since = math.inf
            self._told.clear()
            return None
        teller = self._told.get(str(error))
        if not host.done and (teller in (None, host) or teller.done):
            self._told[str(error)] = host
            words = events.Trouble(host.announced_host, str(error))
            self._report.publish(words)
        self._since = min(self._since, looked_at)
        passed = self._clock.now() - self._since
        return error if passed >= timing.OUTAGE_LIMIT_SECONDS else None


def _until_passed(
    hosts: _Hosts, clock: ports.Clock, request: ports.Request
) -> policies.Stop | None:
    """Return why it is too late to start a move, if it is."""
    if request.until is None or clock.utc() < request.until:
        return None
    request.report.publish(
        events.Trouble(
            _names(h for h in hosts if not h.done),
            '--until passed: no other move is started; the moves in flight '
            'are awaited',
        )
    )
    return UNTIL_PASSED


def _too_many_failed(
    hosts: _Hosts, most: int, report: ports.Reporter
) -> policies.Stop | None:
    """Return why no other move is started anywhere, None if it may be."""
    row = circuit_breaker.in_a_row(f for h in hosts for f in h.finished)
    if len(row) < most:
        return None
    report.publish(
        events.Trouble(
            _names(h for h in hosts if h.finished),
            f'{circuit_breaker.explanation(row)}: no other move is started '
            f'(--max-failures {most}); the moves in flight are awaited',
        )
    )
    reason = circuit_breaker.stop_reason(row, most)
    return policies.Stop(reason, codes.Code.MAX_FAILURES)


def _names(hosts: abc.Iterable[host_loop.HostLoop]) -> str:
    return ', '.join(dict.fromkeys(host.announced_host for host in hosts))


def with_errors(result: DrainResult, errors: _Errors) -> DrainResult:
    """Return a result with hosts added that could not even begin."""
    if not errors:
        return result
    code = result.exit_code
    if code is not exceptions.ExitCode.INTERRUPTED:
        code = exceptions.ExitCode.FAILED
    return dataclasses.replace(
        result, errors={**errors, **result.errors}, exit_code=code
    )
