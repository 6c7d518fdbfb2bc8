# SPDX-License-Identifier: Apache-2.0

"""What a drain may ask of Nova, and when; judged by what Nova was at."""

import collections
import math
import operator

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import circuit_breaker
from tests.unit.simulation import evacuation_checks
from tests.unit.simulation import runs as runs_
from tests.unit.simulation import state
from tests.unit.simulation import world

Run = runs_.Run
Work = world.Work
#: What moves a server, or prepares it for that.
STARTING = frozenset({*world.MOVES, 'resume', 'shelve', 'offload'})
#: What others did shortly before may not have been seen yet, in seconds.
BLIND_SECONDS = 60.0


def violations(run: Run) -> list[str]:
    return [
        *moved_twice_at_once(run),
        *over_retries(run),
        *moved_from_elsewhere(run),
        *over_parallel(run),
        *without_reason(run),
        *to_unfit_host(run),
        *excluded(run),
        *against_group_rules(run),
        *over_parallel_per_destination(run),
        *over_probes(run),
        *after_max_failures(run),
        *after_until(run),
        *evacuation_checks.violations(run),
    ]


def moved_twice_at_once(run: Run) -> list[str]:
    """Return requests to move what this run has in flight already."""
    mine = collections.defaultdict(list)
    for work in run.works(STARTING):
        mine[work.server.id].append(work)
    return [
        f'{request} ({answer}), while {work.kind} of {work.server.name} '
        f'goes on since {work.began}'
        for request, answer in run.client.posted
        if request.kind in STARTING
        for work in mine[request.subject]
        if work.began < request.time < work.until
        # What hung for long may be given up before it is taken after all.
        and not (answer and work.late)
        and not evacuation_checks.was_hidden(run.cloud, work, request.time)
    ]


def over_retries(run: Run) -> list[str]:
    """Return what was asked for, and taken, more often than retries allow.

    Nova's own pick of a destination comes on top of one of ours. What others
    did to a server meanwhile may have made it another case.
    """
    actor, works = run.actor, run.cloud.works
    others = {work.server.id for work in works if work.by is not actor}
    taken = collections.Counter(
        (request.kind, request.subject)
        for request, answer in run.client.posted
        if answer == '' and request.kind in STARTING
    )
    picked = {
        (request.kind, request.subject)
        for request, answer in run.client.posted
        if answer == '' and request.host not in ('', run.policy.to)
    }
    return [
        f'{kind} of {subject}: {times} times'
        for (kind, subject), times in taken.items()
        if times > 1 + run.policy.retries + ((kind, subject) in picked)
        and subject not in others
    ]


def moved_from_elsewhere(run: Run) -> list[str]:
    """Return moves of servers that are not on a host that is drained.

    And moves to one that is. What others did a moment ago excuses it.
    """
    found = []
    for work in run.works(STARTING):
        name = f'{work.kind} of {work.server.name}'
        if work.misplaced:
            found.append(f'{name} to a host that is being drained')
        if work.source in run.hosts or work.late:
            continue
        excused = any(
            other.by is not work.by
            and other.began < work.began < other.until + BLIND_SECONDS
            for other in run.cloud.works_on(work.server)
        )
        if not excused:
            found.append(f'{name} from {work.source}')
    return found


def over_parallel(run: Run) -> list[str]:
    """Return moves that are more than ``--parallel`` allows on a host.

    Or more evacuations than are made at once without that. What never ends
    is not counted, nor what took longer than the drain's patience: it has
    given it up. Nor is what hung for long before it was taken.
    """
    parallel = run.policy.parallel
    if parallel is None and run.policy.evacuate:
        parallel = evacuation_checks.WINDOW
    return _crowds(run, parallel, 'source', 'began', '')


def _crowds(run, most, where, since, to) -> list[str]:
    """Return works at one place that went on at once, where too many did.

    :param where: the attribute that tells the place.
    :param since: the attribute that tells from when on a work counts.
    """
    place, begin = operator.attrgetter(where), operator.attrgetter(since)
    mine = [
        work
        for work in run.works(STARTING)
        if most and place(work) and work.ended is not None and not work.late
    ]
    found = []
    for work in mine:
        time = begin(work)
        there = [
            other
            for other in mine
            if place(other) == place(work)
            and begin(other) <= time < _over_at(other)
            and not _given_up(run, other, time)
        ]
        if len(there) > (most or 0):
            names = ', '.join(f'{o.kind} of {o.server.name}' for o in there)
            here = to.format(place(work))
            found.append(f'{len(there)} at once{here}: {names}')
    return found


def _over_at(work: Work) -> float:
    """Return when nothing of it was to be seen any more."""
    record, ended = work.record, work.ended or 0.0
    if work.cleaned:
        # The source came back, and called it completed, whatever it was.
        return work.began
    if record and record.updated_at and record.status == 'done':
        # Now and then it says so before its server has arrived.
        return min(ended, record.updated_at)
    return ended


def _given_up(run: Run, work: Work, time: float) -> bool:
    """Tell whether a run has no patience with something any more.

    Nor with what goes on though it was told to end.
    """
    limit = run.policy.server_timeout
    return (limit is not None and time - work.began >= limit) or any(
        request.kind == 'abort'
        and request.subject == work.server.id
        and work.began < request.time <= time - timing.EFFECT_WAIT_SECONDS
        for request, answer in run.client.posted
        if answer == ''
    )


def without_reason(run: Run) -> list[str]:
    """Return requests without a reason.

    Only what is suspended is resumed, and only by a run that is told to;
    nothing is suspended but what a drain resumed, nothing shelved, nobody's
    resize confirmed, and no migration forced to its end, unless the run is
    told to. Off a dead host nothing is done but evacuations, and they are
    done nowhere else.
    """
    policy, found = run.policy, []
    for work in run.works():
        resumes = [
            other.by.ours
            for other in run.cloud.works_on(work.server)
            if other.kind == 'resume' and other.began < work.began
        ]
        resize = work.record is not None and work.record.type == 'resize'
        wrong = {
            'resume': policy.suspended != 'resume',
            'suspend': resumes[-1:] != [True],
            'shelve': policy.suspended != 'shelve',
            'confirm': resize and policy.resized != 'confirm',
            'force_complete': policy.on_stall != 'force-complete',
        }
        rescue = work.kind in ('evacuate', 'reset')
        elsewhere = work.kind == 'suspend' and work.source not in run.hosts
        misplaced = rescue is not policy.evacuate and not elsewhere
        if wrong.get(work.kind) or misplaced:
            found.append(f'{work.kind} of {work.server.name}')
    return found


def to_unfit_host(run: Run) -> list[str]:
    """Return moves to a host of ours that can take none.

    One that is drained, or was disabled or down for long enough to be known;
    not the one that the operator asks for.
    """
    found = []
    for request, host in run.client.directed:
        drained = host.name in run.hosts and 'being drained'
        could_look = run.client.could_look(host.turned_at, request.time)
        known = could_look >= BLIND_SECONDS
        wrong = drained or (known and host.unfit)
        if wrong and host.name != run.policy.to:
            found.append(
                f'{request.kind} of {request.subject} to {host.name}, which '
                f'is {wrong}'
            )
    return found


def excluded(run: Run) -> list[str]:
    """Return what was begun with a server that was to be left alone."""
    left = set(run.policy.exclude)
    if run.policy.tenant_policy is policies.TenantPolicy.FOLLOW:
        servers = run.cloud.servers.values()
        left |= {server.id for server in servers if server.wish == 'leave'}
    return [
        f'{request} ({answer}), though it is to be left alone'
        for request, answer in run.client.posted
        if request.kind in STARTING and request.subject in left
    ]


def was_gone_when_looked(run: Run, server: world.Server, host: str) -> bool:
    """Tell whether nothing of a move was there when a drain last looked.

    What it has asked for without an answer may have come to nothing.
    """
    looked = run.client.last_look.get(host, run.began)
    # It may have ended after its record was seen, in the same look.
    looked = min(looked, run.client.last_records.get(host, looked))
    works = run.cloud.works_on(server)
    moves = any(work.until >= looked for work in works)
    asked = any(
        request.subject == server.id and (answer or request.time >= looked)
        for request, answer in run.client.posted
    )
    return not (moves or asked or server.vm_state == 'resized')


def against_group_rules(run: Run) -> list[str]:
    """Return moves that break a hard rule of a server group.

    Nova takes no notice of members that are on their way, so it breaks one
    as well, wherever it is asked to move them. Who asked for the groups and
    was not told them, or did not get to ask, is excused; and what was given
    up is not awaited, because it may take for ever.
    """
    found = []
    for work in run.works(STARTING):
        excused = (
            work.late
            or _has_just_come(run.cloud, work)
            or _could_not_know(run, work)
            or (not work.asked and _after_one_given_up(run, work))
        )
        if work.clashes and not excused:
            who = 'us' if work.asked else 'Nova'
            found.append(
                f'{work.kind} of {work.server.name} to {work.dest}, chosen by '
                f'{who}, against its group: {", ".join(sorted(work.clashes))}'
            )
    return found


def _has_just_come(cloud: state.State, work: Work) -> bool:
    """Tell whether others brought somebody there a moment ago."""
    return any(
        other.server.id in work.clashes
        and (other.by is not work.by or other.late)
        and other.placed_at > work.began - BLIND_SECONDS
        for other in cloud.works
    )


def _after_one_given_up(run: Run, work: Work) -> bool:
    return any(
        other.server.id in work.clashes
        and other.until > work.began
        and _given_up(run, other, work.began)
        for other in run.works(STARTING)
    )


def _could_not_know(run: Run, work: Work) -> bool:
    asked = bool(run.client.counts()['groups'])
    answered = run.client.answered.get('groups', math.inf)
    return run.blind or (asked and answered > work.began)


def over_parallel_per_destination(run: Run) -> list[str]:
    """Return moves that are more than one destination may have at once.

    What never ends is not counted, as in :func:`over_parallel`.
    """
    most = run.policy.per_destination
    return _crowds(run, most, 'dest', 'placed_at', ' to {}')


def over_probes(run: Run) -> list[str]:
    """Return black holes that more than one stopped server went into.

    They end in ERROR. What hung for long before it was taken is excused.
    """
    lost = collections.defaultdict(set)
    for work in run.works(STARTING):
        if (
            work.kind in ('cold_migrate', 'evacuate')
            and work.found == 'stopped'
            and work.well is False
            and work.server.work is work
            and work.server.vm_state == 'error'
            and work.dest
            and run.cloud.hosts[work.dest].black_hole_since <= run.began
            and not (work.late or run.cloud.broken)
        ):
            lost[work.dest].add(work.server.name)
    return [
        f'{", ".join(sorted(names))} went into {host}'
        for host, names in lost.items()
        if len(names) > 1
    ]


def after_max_failures(run: Run) -> list[str]:
    """Return what was started after ``--max-failures`` in a row."""
    most = run.policy.max_failures
    finished: dict[tuple[str, str], circuit_breaker.Finished] = {}
    for time, host, decision in run.recorder.timed:
        finished |= {(host, f.server_id): f for f in decision.finished}
        if most and len(circuit_breaker.in_a_row(finished.values())) >= most:
            return [
                f'{request} after {most} failures in a row at {time}'
                for request, _answer in run.client.posted
                if request.kind in STARTING and request.time > time
            ]
    return []


def after_until(run: Run) -> list[str]:
    after = math.inf if run.until_after is None else run.until_after
    return [
        f'{request}, {request.time - run.began} s after it began'
        for request, _answer in run.client.posted
        if request.kind in STARTING and request.time - run.began > after
    ]


def confirmed_together(cloud: state.State) -> list[str]:
    """Return servers that drains confirmed at the same moment.

    Only chance keeps drains apart that waited for the same answers.
    """
    return [
        f'{works[0].server.name} is confirmed twice at {works[0].began}'
        for works in cloud.collisions
        if all(work.by.ours for work in works)
        and not all(work.by.hindered for work in works)
    ]


def sent_again(run: Run) -> list[str]:
    """Return requests sent again though one took, of a drain by itself."""
    found = []
    took: collections.Counter[tuple[str, str]] = collections.Counter()
    for request, answer in run.client.posted:
        server = run.cloud.servers[request.subject]
        kind = 'move' if request.kind in world.MOVES else request.kind
        if answer and 'task_state' in answer:
            found.append(f'{request}: {answer}')
        if answer != '':
            continue
        took[kind, server.id] += 1
        times, failures = took[kind, server.id], server.failures
        if kind != 'move':
            works = run.cloud.works_on(server)
            failures = sum(not w.well for w in works if w.kind == kind)
        if times > 1 + failures:
            found.append(f'{request}: for the {times}th time')
    return found
