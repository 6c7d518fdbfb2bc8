# SPDX-License-Identifier: Apache-2.0

"""The control loop: observe, decide, act, for several hosts at once.

Level-triggered: every tick looks at what is, decides from that alone, acts
and forgets. Being resumed after a crash, or run twice at once, is therefore
nothing special.
"""

import collections.abc
import dataclasses

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import host_loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import decision as decisions

INTERRUPTED = 'interrupted: run the same command again to continue'
TIMED_OUT = '--timeout passed: run the same command again to continue'


@dataclasses.dataclass(frozen=True, slots=True)
class DrainResult:
    """How a drain ended."""

    rows: tuple[decisions.Row, ...]
    #: What made a host's drain impossible, by host.
    errors: collections.abc.Mapping[str, str]
    exit_code: exceptions.ExitCode


def drain(
    services: collections.abc.Sequence[model.Service],
    policy: policies.Policy,
    gateway: ports.Gateway,
    clock: ports.Clock,
    report: ports.Reporter,
    interrupt: ports.Interrupt,
    timeout: float | None = None,
    recording: ports.Recording | None = None,
    destinations: ports.Destinations | None = None,
    board: observer.ServiceBoard | None = None,
) -> DrainResult:
    """Move every server off hosts that are in maintenance already.

    :param services: the hosts' compute services, disabled.
    :param policy: how to drain each of them.
    :param timeout: seconds after which nothing is awaited any more.
    :param recording: keeps what every decision was made from.
    :param destinations: knows where moves are to go; None leaves that to the
        scheduler.
    :param board: the compute services that it knows, too.
    :returns: a row per server, whatever happened.
    """
    board = board or observer.ServiceBoard(gateway, clock)
    hosts = [
        host_loop.HostLoop(
            observer.Observer(gateway, clock, board, service, policy),
            policy,
            gateway,
            clock,
            reporting.HostReporter(service.host, report),
            recording,
            destinations,
        )
        for service in services
    ]

    return run(hosts, clock, interrupt, report, policy.max_failures, timeout)


def run(
    hosts: collections.abc.Sequence[host_loop.HostLoop],
    clock: ports.Clock,
    interrupt: ports.Interrupt,
    report: ports.Reporter,
    max_failures: int,
    timeout: float | None = None,
) -> DrainResult:
    """Have several hosts' drains go on side by side, to their end.

    :param max_failures: so many servers that fail one after another end the
        starting of moves on all of them; 0: any number may.
    :param timeout: seconds after which nothing is awaited any more.
    :returns: a row per server, whatever happened.
    """

    broken = ''

    def ask_stop() -> str:
        nonlocal broken
        if not broken and max_failures:
            broken = _broken(hosts, max_failures, report)
        return INTERRUPTED if interrupt.requested else broken

    deadline = None if timeout is None else clock.now() + timeout
    timed_out = interrupted = False
    try:
        while open_ := [h for h in hosts if not h.done]:
            host = min(open_, key=lambda h: h.due)
            wake = host.due if deadline is None else min(host.due, deadline)
            if (pause := wake - clock.now()) > 0:
                clock.sleep(min(pause, timing.STOP_CHECK_SECONDS))
            if deadline is not None and clock.now() >= deadline:
                timed_out = True
                _abandon(open_, TIMED_OUT)
                break
            if interrupt.requested and not interrupted:
                interrupted = True
                for other in open_:
                    other.due = clock.now()
            if clock.now() >= host.due:
                host.tick(ask_stop)
        interrupted = interrupted or interrupt.requested
    except KeyboardInterrupt:
        interrupted = True
        _abandon([h for h in hosts if not h.done], INTERRUPTED)
    return _result(hosts, interrupted=interrupted, timed_out=timed_out)


def _broken(
    hosts: collections.abc.Sequence[host_loop.HostLoop],
    most: int,
    report: ports.Reporter,
) -> str:
    """Return why no other move is started anywhere, '' if it may be."""
    row = circuit_breaker.in_a_row(
        each for host in hosts for each in host.finished
    )
    if len(row) < most:
        return ''
    report.publish(
        events.Trouble(
            ', '.join(dict.fromkeys(h.host for h in hosts if h.finished)),
            f'{circuit_breaker.explanation(row)}: no other move is started '
            f'(--max-failures {most}); the moves in flight are awaited',
        )
    )
    return circuit_breaker.stop_reason(row, most)


def _abandon(
    hosts: collections.abc.Iterable[host_loop.HostLoop], why: str
) -> None:
    for host in hosts:
        host.abandon(why)


def with_errors(
    result: DrainResult, errors: collections.abc.Mapping[str, str]
) -> DrainResult:
    """Return a result with hosts added that could not even begin."""
    if not errors:
        return result
    code = result.exit_code
    if code is not exceptions.ExitCode.INTERRUPTED:
        code = exceptions.ExitCode.FAILED
    return dataclasses.replace(
        result, errors={**errors, **result.errors}, exit_code=code
    )


def _result(
    hosts: collections.abc.Sequence[host_loop.HostLoop],
    *,
    interrupted: bool,
    timed_out: bool,
) -> DrainResult:
    rows = tuple(
        row for host in hosts if host.decision for row in host.decision.rows
    )
    errors = {host.host: host.error for host in hosts if host.error}
    code = exceptions.ExitCode.DONE
    if interrupted:
        code = exceptions.ExitCode.INTERRUPTED
    elif errors:
        code = exceptions.ExitCode.FAILED
    elif timed_out:
        code = exceptions.ExitCode.TIMEOUT
    elif any(row.left for row in rows):
        code = exceptions.ExitCode.LEFT
    return DrainResult(rows, errors, code)
