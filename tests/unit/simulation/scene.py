# SPDX-License-Identifier: Apache-2.0

"""Draining simulated hosts."""

from collections import abc
import contextlib
import functools
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.planning import policy as policies
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import faults as faults_
from tests.unit.simulation import inventory
from tests.unit.simulation import report_checks
from tests.unit.simulation import runs
from tests.unit.simulation import timeline

SOURCE = 'cmp01'
HOSTS = ('cmp01', 'cmp02', 'cmp03', 'cmp04')
#: From one drain's stagger to the next one's.
_STAGGER = 0.618


Killed, Run, Recorder = runs.Killed, runs.Run, runs.Recorder
Interrupt, Endless = runs.Interrupt, runs.Endless
#: Carries out what a run is to do.
Verb = abc.Callable[[Run], loop.DrainResult]
#: Returns what a run reported and is not so.
Judge = abc.Callable[[Run], list[str]]


def cloud(
    servers: int = 0,
    vm_state: str = 'active',
    *,
    source: abc.Sequence[str] = (SOURCE,),
    hosts: abc.Sequence[str] = HOSTS,
    seconds: float = 4.0,
    gib: int | dict[str, int] | None = None,
    **options: ty.Any,
) -> clouds.Cloud:
    """Return a cloud with hosts in maintenance and servers on each.

    :param seconds: how long a server's memory is copied.
    :param gib: the memory of all hosts, or of some of them.
    :param options: of the cloud: see :class:`state.State`.
    """
    if not isinstance(gib, dict):
        gib = dict.fromkeys(hosts, gib) if gib else {}
    made = clouds.Cloud(hosts, **options)
    for host, size in gib.items():
        memory = {inventory.MEMORY_MB: 1024 * size}
        made.hosts[host].inventory.capacity |= memory
    for host in source:
        for _number in range(servers):
            made.add(host, vm_state, seconds=seconds)
        made.disable(host)
    return made


def run(
    made: clouds.Cloud,
    hosts: abc.Sequence[str] = (SOURCE,),
    *,
    clock: timeline.VirtualClock | None = None,
    faults: faults_.Faults = faults_.none,
    latency: float = 0.1,
    timeout: float | None = None,
    until_after: float | None = None,
    limit: float | None = None,
    kill_after: float | None = None,
    interrupt_after: float | None = None,
    stop_after: float | None = None,
    recording: ports.Recording | None = None,
    guided: bool = False,
    verb: Verb | None = None,
    judge: Judge | None = None,
    **options: ty.Any,
) -> Run:
    """Drain hosts of a cloud.

    All times are seconds from its beginning.

    :param clock: its own, where several share the cloud's timeline.
    :param limit: when it must have ended.
    :param stop_after: when the user presses Ctrl-C for the second time.
    :param guided: look ahead first, and pick destinations by that; whether
        the servers fit elsewhere does not matter.
    :param verb: what is done instead of draining them.
    :param judge: says what is not so in its report, instead of that of drains.
    :param options: of the policy.
    :raises Endless: it has not ended by its limit.
    """
    clock = clock or timeline.VirtualClock(made.timeline)
    client = clients.Client(made, clock, latency=latency, faults=faults)
    made.drains += 1
    stagger = (made.drains - 1) * _STAGGER % 1
    options = {'stagger': stagger, **options}
    recorder = Recorder(client, recording)
    policy = policies.Policy(**options)
    ends = timeout, until_after
    done = Run(made, clock, client, recorder, tuple(hosts), policy, *ends)
    for seconds, error in (
        (limit, Endless(f'it goes on after {limit} s')),
        (kill_after, Killed()),
        (stop_after, KeyboardInterrupt()),
    ):
        if seconds is not None:
            clock.alarm(done.began + seconds, error)
    if interrupt_after is not None:
        made.timeline.after(interrupt_after, done.interrupt.press)
    try:
        done.outcome = (verb or functools.partial(_drain, guided))(done)
    except Killed:
        done.outcome = None
    finally:
        clock.forget_alarms()
    done.ended = clock.now()
    done.interrupted = done.interrupt.requested or any(
        isinstance(error, KeyboardInterrupt) for error in clock.raised
    )
    done.untrue_reports = (judge or report_checks.untrue_reports)(done)
    return done


def _drain(guided: bool, run: Run) -> loop.DrainResult:
    client, clock, policy = run.client, run.clock, run.policy
    sources = [run.cloud.hosts[host].shown() for host in run.hosts]
    services: dict[str, model.Service] = {}
    if guided:
        with contextlib.suppress(exceptions.CloudError):
            services = {each.host: each for each in client.services()}
            run.dry_run = dry_run.assess(
                dry_run.see(
                    *(client, clock, services, sources, policy),
                    reporting.Preparation(reporting.Publisher(), clock),
                )
            )
        run.blind = run.dry_run is None
        # Of what only the look ahead has shown nothing need be told.
        client.listed.clear()
    board = boards.Board(client, clock, services)
    guide = destinations.Destinations(
        client,
        clock,
        run.recorder,
        board,
        bound=policy.per_destination,
        patience=policy.server_timeout,
        avoided=policy.avoid,
        expected=run.dry_run,
    )
    return loop.drain(sources, board, guide, run, run.recorder)


def least_seconds(made: clouds.Cloud, host: str = SOURCE) -> float:
    """Return how long live migrations take if all are asked for at once."""
    began = made.timeline.now
    for server in list(made.servers.values()):
        if server.host == host:
            made.live_migrate(server.id)
    while made.timeline.run_next():
        pass
    return last_arrival(made) - began


def last_arrival(made: clouds.Cloud) -> float:
    records = made.records.values()
    return max(r.updated_at for r in records if r.status == 'completed')


def empty(made: clouds.Cloud, host: str = SOURCE) -> bool:
    """Tell whether nothing of any server is left on a host, in truth."""
    return not report_checks.left_on(made, host)


def moves(made: clouds.Cloud) -> set[int]:
    """Return how often servers changed their host."""
    servers = made.servers.values()
    return {len(server.path) for server in servers if not server.deleted}
