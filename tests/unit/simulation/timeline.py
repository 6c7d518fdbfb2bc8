# SPDX-License-Identifier: Apache-2.0

"""Virtual time: events in their order, and clocks that let them happen.

Nothing here waits. A process is a generator that yields how many seconds
pass before it goes on (until it is woken), or something it has to queue for.
"""

import collections
from collections import abc
import datetime
import heapq
import itertools
import math
import threading
import typing as ty

#: Not zero, so that nobody takes a time for falsy.
START = 5000.0
#: The cloud's time then.
EPOCH = datetime.datetime(2026, 11, 20, 23, 0, tzinfo=datetime.UTC)
#: For a process: until it is woken.
FOREVER = math.inf


class Queue(ty.Protocol):
    """Something to wait at until one is let in."""

    def join(self, process: 'Process') -> None:
        pass


Steps = abc.Generator[float | Queue, None, None]
T = ty.TypeVar('T')


def utc(time: float) -> datetime.datetime:
    """Return the cloud's time; its database keeps whole seconds."""
    return EPOCH + datetime.timedelta(seconds=int(time - START))


class Timeline:
    """What will happen, and when."""

    def __init__(self, now: float = START) -> None:
        self.now = now
        self._events: list[tuple[float, int, abc.Callable[[], object]]] = []
        self._numbers = itertools.count()

    def after(self, seconds, call) -> None:
        event = (self.now + seconds, next(self._numbers), call)
        heapq.heappush(self._events, event)

    def spawn(self, steps: Steps) -> 'Process':
        process = Process(self, steps)
        process.step()
        return process

    def run_until(self, time: float) -> None:
        """Let everything happen that is due by a time."""
        while self._events and self._events[0][0] <= time:
            self.run_next()
        self.now = max(self.now, time)

    def run_next(self) -> bool:
        """Let the next event happen; tell whether there was one."""
        if not self._events:
            return False
        self.now, _number, call = heapq.heappop(self._events)
        call()
        return True


class Process:
    """Steps that are made as time passes."""

    def __init__(self, timeline: Timeline, steps: Steps):
        self._timeline = timeline
        self._steps = steps
        #: The waits it has left behind; their ends do not count any more.
        self._waits = 0
        self.ended = False

    def step(self) -> None:
        if self.ended:
            return
        self._waits += 1
        try:
            wanted = next(self._steps)
        except StopIteration:
            self.ended = True
            return
        if not isinstance(wanted, int | float):
            wanted.join(self)
        elif wanted != FOREVER:
            self._step_after(wanted)

    def _step_after(self, seconds: float) -> None:
        wait = self._waits

        def due() -> None:
            if self._waits == wait:
                self.step()

        self._timeline.after(seconds, due)

    def wake(self) -> None:
        """Let it make its next step now, whatever it waits for.

        Who waits in a queue stays in it, and has to look to that itself.
        """
        self._waits += 1
        self._step_after(0.0)

    def kill(self) -> None:
        if not self.ended:
            self.ended = True
            self._steps.close()


class Gate:
    """Where a process waits until somebody opens it; open at first."""

    def __init__(self, timeline: Timeline):
        self.is_open = True
        self._timeline = timeline
        self._waiting: list[Process] = []

    def join(self, process: Process) -> None:
        if self.is_open:
            self._timeline.after(0.0, process.step)
        else:
            self._waiting.append(process)

    def passed(self) -> Steps:
        if not self.is_open:
            yield self

    def open(self) -> None:
        self.is_open = True
        waiting, self._waiting = self._waiting, []
        for process in waiting:
            self._timeline.after(0.0, process.step)

    def close(self) -> None:
        self.is_open = False


class Slots:
    """Places of which a process takes one, first come, first served."""

    def __init__(self, timeline: Timeline, size: int):
        self.size = size
        #: Time, places taken and processes waiting, at every change.
        self.history: list[tuple[float, int, int]] = []
        #: When processes got their places.
        self.starts: list[float] = []
        self._timeline = timeline
        self._inside: list[Process] = []
        self._waiting: collections.deque[Process] = collections.deque()

    def join(self, process: Process) -> None:
        self._waiting.append(process)
        self._admit()

    def leave(self, process: Process) -> None:
        """Give back the place of a process, inside or in the queue."""
        if process in self._inside:
            self._inside.remove(process)
        elif process in self._waiting:
            self._waiting.remove(process)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and len(self._inside) < self.size:
            process = self._waiting.popleft()
            self._inside.append(process)
            self.starts.append(self._timeline.now)
            self._timeline.after(0.0, process.step)
        inside, waiting = len(self._inside), len(self._waiting)
        self.history.append((self._timeline.now, inside, waiting))

    def idle_share(self) -> float:
        """Return the share of place-time unused while there was work.

        From the first process's start to the last one's: what comes after
        that no one could have filled.
        """
        if not self.starts:
            return 0.0
        first, last = self.starts[0], self.starts[-1]
        used = 0.0
        changes = itertools.pairwise(self.history)
        for (begin, inside, _w), (end, _i, _q) in changes:
            used += inside * max(0.0, min(end, last) - begin)
        whole = self.size * (last - first)
        return 1 - used / whole if whole else 0.0

    def most_waiting(self, since: float = 0.0) -> int:
        """Return how many processes waited at once, at the most."""
        return max((w for t, _i, w in self.history if t >= since), default=0)


class VirtualClock:
    """The engine's clock: to sleep is to let the simulation go on."""

    def __init__(self, timeline: Timeline):
        #: So many seconds its time of day is ahead of the cloud's.
        self.ahead = 0.0
        #: The alarms that went off.
        self.raised: list[BaseException] = []
        self._timeline = timeline
        self._alarms: list[tuple[float, BaseException]] = []

    def now(self) -> float:
        return self._timeline.now

    def utc(self) -> datetime.datetime:
        seconds = self._timeline.now - START + self.ahead
        return EPOCH + datetime.timedelta(seconds=seconds)

    def alarm(self, time: float, error: BaseException) -> None:
        """Raise an error once, out of whatever is going on at a time."""
        self._alarms.append((time, error))
        self._alarms.sort(key=lambda alarm: alarm[0])

    def forget_alarms(self) -> None:
        self._alarms.clear()

    def sleep(self, seconds: float) -> None:
        until = self.now() + seconds
        if self._alarms and self._alarms[0][0] <= until:
            time, error = self._alarms.pop(0)
            self._wait(max(time, self.now()))
            self.raised.append(error)
            raise error
        self._wait(until)

    def _wait(self, until: float) -> None:
        self._timeline.run_until(until)


class _Dismissed(BaseException):
    """What another part came to makes this one pointless."""


class _ActorClock(VirtualClock):
    """The clock of one of several who share a timeline, and his thread."""

    def __init__(self, timeline, part):
        super().__init__(timeline)
        self.ended = False
        self.result: ty.Any = None
        self.error: BaseException | None = None
        self._part = part
        self._mine = threading.Semaphore(0)
        self._theirs = threading.Semaphore(0)
        self._dismissed = False
        threading.Thread(target=self._play, daemon=True).start()
        timeline.after(0.0, self.resume)

    def _play(self) -> None:
        try:
            self._await_turn()
            self.result = self._part(self)
        except _Dismissed:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._theirs.release()

    def _wait(self, until: float) -> None:
        self._timeline.after(until - self.now(), self.resume)
        self._theirs.release()
        self._await_turn()

    def _await_turn(self) -> None:
        self._mine.acquire()
        if self._dismissed:
            raise _Dismissed

    def resume(self) -> None:
        """Let the actor go on until it waits again; not for the actor."""
        if not self.ended:
            self._mine.release()
            self._theirs.acquire()

    def dismiss(self) -> None:
        """Let the actor end, wherever it is; not for the actor."""
        self._dismissed = True
        self.resume()


def together(timeline, *parts) -> list[T]:
    """Run several callables on one timeline and return what they return.

    Each has a thread of its own, but only one of them runs at a time, in the
    order of virtual time: the same every time. The first that raises an
    error ends them all.
    """
    actors = [_ActorClock(timeline, part) for part in parts]
    while not all(actor.ended for actor in actors):
        timeline.run_next()
        for failed in actors:
            if failed.error:
                for actor in actors:
                    actor.dismiss()
                raise failed.error
    return [actor.result for actor in actors]
