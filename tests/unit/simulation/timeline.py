#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Virtual time: events in their order, and clocks that let them happen.

Nothing here waits. A process is a generator that yields how many seconds
pass before it goes on, or something it has to queue for.
"""

import collections
import collections.abc
import heapq
import itertools
import threading
import typing as ty

#: Not zero, so that nobody takes a time for falsy.
START = 5000.0

Steps = collections.abc.Generator['float | Slots', None, None]
T = ty.TypeVar('T')


class Timeline:
    """What will happen, and when."""

    def __init__(self) -> None:
        self.now = START
        self._events: list[
            tuple[float, int, collections.abc.Callable[[], object]]
        ] = []
        self._numbers = itertools.count()

    def after(
        self, seconds: float, call: collections.abc.Callable[[], object]
    ) -> None:
        """Call something so many seconds from now."""
        event = (self.now + seconds, next(self._numbers), call)
        heapq.heappush(self._events, event)

    def spawn(self, steps: Steps) -> 'Process':
        """Start a process; its first step is made at once."""
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
        self.ended = False

    def step(self) -> None:
        """Make the next step."""
        if self.ended:
            return
        try:
            wanted = next(self._steps)
        except StopIteration:
            self.ended = True
            return
        if isinstance(wanted, Slots):
            wanted.join(self)
        else:
            self._timeline.after(wanted, self.step)

    def kill(self) -> None:
        """End it where it is; its ``finally`` clauses are carried out."""
        if not self.ended:
            self.ended = True
            self._steps.close()


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
        """Let a process go on as soon as there is a place."""
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
        self.history.append(
            (self._timeline.now, len(self._inside), len(self._waiting))
        )

    def idle_share(self) -> float:
        """Return the share of place-time unused while there was work.

        From the first process's start to the last one's: what comes after
        that no one could have filled.
        """
        if not self.starts:
            return 0.0
        first, last = self.starts[0], self.starts[-1]
        used = 0.0
        for (begin, inside, _w), (end, _i, _q) in itertools.pairwise(
            self.history
        ):
            used += inside * max(0.0, min(end, last) - begin)
        whole = self.size * (last - first)
        return 1 - used / whole if whole else 0.0

    def most_waiting(self, since: float = 0.0) -> int:
        """Return how many processes waited at once, at the most."""
        return max((w for t, _i, w in self.history if t >= since), default=0)


class VirtualClock:
    """The engine's clock: to sleep is to let the simulation go on."""

    def __init__(self, timeline: Timeline):
        self._timeline = timeline
        self._alarms: list[tuple[float, BaseException]] = []

    def now(self) -> float:
        """Return the virtual time."""
        return self._timeline.now

    def alarm(self, time: float, error: BaseException) -> None:
        """Raise an error once, out of whatever is going on at a time."""
        self._alarms.append((time, error))
        self._alarms.sort(key=lambda alarm: alarm[0])

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        until = self.now() + seconds
        if self._alarms and self._alarms[0][0] <= until:
            time, error = self._alarms.pop(0)
            self._wait(max(time, self.now()))
            raise error
        self._wait(until)

    def _wait(self, until: float) -> None:
        self._timeline.run_until(until)


class _ActorClock(VirtualClock):
    """The clock of one of several who share a timeline."""

    def __init__(self, timeline: Timeline):
        super().__init__(timeline)
        self._mine = threading.Semaphore(0)
        self._theirs = threading.Semaphore(0)

    def _wait(self, until: float) -> None:
        self._timeline.after(until - self.now(), self.resume)
        self.hand_over()
        self._mine.acquire()

    def resume(self) -> None:
        """Let the actor go on until it waits again; not for the actor."""
        self._mine.release()
        self._theirs.acquire()

    def begin(self) -> None:
        """Wait for the first turn."""
        self._mine.acquire()

    def hand_over(self) -> None:
        """Give the turn back."""
        self._theirs.release()


def together(
    timeline: Timeline,
    *parts: collections.abc.Callable[[VirtualClock], T],
) -> list[T]:
    """Run several callables on one timeline and return what they return.

    Each has a thread of its own, but only one of them runs at a time, in the
    order of virtual time: the same every time.
    """
    results: dict[int, T] = {}
    errors: list[BaseException] = []

    def play(number: int, clock: _ActorClock) -> None:
        clock.begin()
        try:
            results[number] = parts[number](clock)
        except BaseException as error:
            errors.append(error)
        finally:
            clock.hand_over()

    threads = []
    for number in range(len(parts)):
        clock = _ActorClock(timeline)
        thread = threading.Thread(
            target=play, args=(number, clock), daemon=True
        )
        threads.append(thread)
        thread.start()
        timeline.after(0.0, clock.resume)
    while any(thread.is_alive() for thread in threads):
        if len(results) + len(errors) == len(parts) or errors:
            break
        timeline.run_next()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(parts))]
