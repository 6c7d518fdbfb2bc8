# SPDX-License-Identifier: Apache-2.0

"""What an evacuation may do, and must never do."""

from tests.unit.simulation import runs as runs_
from tests.unit.simulation import state
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Run = runs_.Run
State = state.State
Work = world.Work
#: How many evacuations off a host go on at once, unless the user says so.
WINDOW = 8
#: By then everybody knows that a host lives again, in seconds: from one
#: heartbeat to the next, and from one look at it to the next.
ALIVE_SECONDS = 25.0
#: So much later if somebody changes its service meanwhile, which looks like a
#: heartbeat: from one look at it to the next.
CHANGED_SECONDS = 15.0
#: And where lists take a minute each.
SLOW_SECONDS = 150.0
#: What others began so long before may not have been seen, in seconds.
UNSEEN_SECONDS = 15.0
#: From a look at what is in flight to a request, in seconds.
MEETING_SECONDS = 1.0


def violations(run: Run) -> list[str]:
    """Return every way in which a run did what it must not."""
    twice = built_twice(run) + on_two_hosts(run)
    return twice + from_living_host(run) + started_stopped(run) + reset(run)


def built_twice(run: Run) -> list[str]:
    """Return servers built twice at once, where that could be known."""
    return [
        f'{second.server.name} is evacuated since {second.began}, and since '
        f'{first.began} already'
        for first, second in run.cloud.doubles
        if second.by is run.actor
        and not _unforeseen(first, second)
        and not was_hidden(run.cloud, first, second.began)
    ]


def was_hidden(cloud: State, work: Work, before: float) -> bool:
    """Tell whether an evacuation was made to look as if it was over.

    It may wait for a destination that is dead, and go on when that is back.
    Others reset its server, or it was evacuated twice at once, and Nova takes
    the task away when one of the two fails.
    """
    if work.kind != 'evacuate':
        return False
    others = [w for w in cloud.works_on(work.server) if w is not work]
    reset = any(
        other.kind == 'reset'
        and not other.by.ours
        and work.began < other.began < before
        for other in others
    )
    return reset or any(
        other.kind == 'evacuate'
        and other.ended is not None
        and not other.well
        and work.began < other.ended < before
        for other in others
    )


def _unforeseen(first: Work, second: Work) -> bool:
    """Tell whether who began the second could not know of the first.

    Others have just begun it; it is a request that got there long after its
    sender was gone; or two runs that keep out of each other's way met in
    spite of that, because one did not get its answers in time.
    """
    if first.by is second.by:
        return False
    if not first.by.ours:
        return first.began > second.began - UNSEEN_SECONDS
    met = first.began > second.began - MEETING_SECONDS
    hindered = first.by.hindered or second.by.hindered
    return second.late or (met and hindered)


def from_living_host(run: Run) -> list[str]:
    """Return evacuations off a host that was known to be alive."""

    def known_after(work: Work) -> float:
        host = run.cloud.hosts[work.source]
        changed = host.beats_since <= host.touched_at <= work.began
        return ALIVE_SECONDS + (CHANGED_SECONDS if changed else 0)

    return [
        f'{work.server.name} is evacuated off {work.source}, which has been '
        f'alive for {work.alive_for} s'
        for work in run.works({'evacuate'})
        if work.alive_for is not None
        and (
            work.alive_for > ALIVE_SECONDS + SLOW_SECONDS
            or run.client.could_look(work.began - work.alive_for, work.began)
            > known_after(work)
        )
        and not work.late
    ]


def on_two_hosts(run: Run) -> list[str]:
    """Return servers that run on two hosts at once.

    What others did is theirs, and so is a host that came back a moment ago.
    That one has come back before the run shows while it is listened for,
    which is not played here.
    """

    def unforeseen(work: Work) -> bool:
        since = run.cloud.hosts[work.source].beats_since
        moment_ago = work.began - MEETING_SECONDS < since <= work.began
        return moment_ago or timeline.START < since <= run.began

    return [
        f'{work.server.name} runs on {work.dest} and on {host}'
        for work, host in run.cloud.on_two_hosts
        if work.by is run.actor
        and host == work.source
        and work.alive_for is None
        and not unforeseen(work)
    ]


def started_stopped(run: Run) -> list[str]:
    """Return servers that were off, and run since their evacuation.

    But for those that others called ACTIVE after the look of the last moment.
    """
    return [
        f'{work.server.name} was stopped, and was started'
        for work in run.cloud.started
        if work.by is run.actor
        and not work.late
        and not any(
            other.kind == 'reset'
            and not other.by.ours
            and other.began > work.began - MEETING_SECONDS
            for other in run.cloud.works_on(work.server)
        )
    ]


def reset(run: Run) -> list[str]:
    """Return servers whose state was changed without need.

    Only what is in ERROR is in need of it, and nothing may go on then.
    """
    return [
        f'{work.server.name} on {work.source} was reset at {work.began}, '
        f'when it was {work.found}'
        for work in run.works({'reset'})
        if not work.late
        and (
            (work.found != 'error' and not _known_late(run.cloud, work))
            or work.source not in run.hosts
            or _being_built(run.cloud, work)
        )
    ]


def _known_late(cloud: State, work: Work) -> bool:
    """Tell whether others changed the same server a moment before."""
    return any(
        other.by is not work.by
        and work.began - UNSEEN_SECONDS < other.began < work.began
        for other in cloud.works_on(work.server)
    )


def _being_built(cloud: State, work: Work) -> bool:
    """Tell whether an evacuation goes on that had to be known of."""
    return any(
        other.kind == 'evacuate'
        and other.began < work.began < other.until
        and not other.dead
        and not was_hidden(cloud, other, work.began)
        and (other.by.ours or other.began < work.began - UNSEEN_SECONDS)
        for other in cloud.works_on(work.server)
    )


def awaits_clean_up(server: world.Server, host: str) -> bool:
    """Tell whether a host holds something of a server that has left it."""
    work = server.evacuation
    return work is not None and work.source == host != server.host


def wrong_state(server: world.Server) -> str:
    """Return how the state of an evacuated server is other than it was.

    One that was asked to stay stopped may be; what was in ERROR for other
    reasons is either: so when a request comes late, another may have failed.
    """
    state, wanted, work = server.vm_state, server.wanted, server.evacuation
    wrong = state == 'error' or (
        {state, wanted} == {'active', 'stopped'}
        and not (state == 'stopped' and work.stops)
        and not work.late
    )
    return f'it was {wanted} and is {state}' if wrong else ''
