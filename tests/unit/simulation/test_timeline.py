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

"""Virtual time: events, processes, places and actors."""

import unittest

from tests.unit.simulation import timeline

START = timeline.START


class TimelineTestCase(unittest.TestCase):
    def test_an_alarm(self) -> None:
        clock = timeline.VirtualClock(timeline.Timeline())
        clock.alarm(timeline.START + 2, KeyboardInterrupt())
        with self.assertRaises(KeyboardInterrupt):
            clock.sleep(5)
        self.assertEqual(timeline.START + 2, clock.now())

    def test_together(self) -> None:
        line = timeline.Timeline()
        seen: list[str] = []

        def count(
            name: str, pause: float, clock: timeline.VirtualClock
        ) -> str:
            for _number in range(3):
                clock.sleep(pause)
                seen.append(f'{name} {clock.now() - timeline.START:.0f}')
            return name

        names = timeline.together(
            line,
            lambda clock: count('a', 2, clock),
            lambda clock: count('b', 3, clock),
        )
        self.assertEqual(['a', 'b'], names)
        self.assertEqual(['a 2', 'b 3', 'a 4', 'b 6', 'a 6', 'b 9'], seen)

    def test_idle_share(self) -> None:
        line = timeline.Timeline()
        slots = timeline.Slots(line, 2)

        def work() -> timeline.Steps:
            yield slots
            yield 4.0

        first, _second = line.spawn(work()), line.spawn(work())
        line.run_until(timeline.START + 4)
        slots.leave(first)
        line.run_until(timeline.START + 8)
        line.spawn(work())
        # One of two places was free for the latter half of eight seconds.
        self.assertAlmostEqual(0.25, slots.idle_share())


class ProcessTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.line = timeline.Timeline()
        self.seen: list[float] = []

    def steps(self, *waits: 'float | timeline.Queue') -> timeline.Steps:
        for wait in waits:
            yield wait
            self.seen.append(self.line.now - START)

    def test_it_is_woken(self) -> None:
        process = self.line.spawn(self.steps(timeline.FOREVER, 5))
        self.line.after(2, process.wake)
        self.line.run_until(START + 10)
        self.assertEqual([2, 7], self.seen)

    def test_the_wait_it_was_woken_from_does_not_count(self) -> None:
        process = self.line.spawn(self.steps(5, 5, 5))
        self.line.after(2, process.wake)
        self.line.run_until(START + 20)
        self.assertEqual([2, 7, 12], self.seen)

    def test_it_is_killed(self) -> None:
        process = self.line.spawn(self.steps(5))
        self.line.after(2, process.kill)
        self.line.run_until(START + 20)
        self.assertEqual([], self.seen)
        self.assertTrue(process.ended)

    def test_a_gate(self) -> None:
        gate = timeline.Gate(self.line)
        self.line.spawn(self.steps(gate))
        gate.close()
        self.line.run_until(START + 1)
        self.line.spawn(self.steps(gate))
        self.line.after(3, gate.open)
        self.line.run_until(START + 9)
        self.assertEqual([0, 4], self.seen)


class ActorsTestCase(unittest.TestCase):
    def test_the_first_error_ends_all(self) -> None:
        line = timeline.Timeline()
        ended: list[str] = []

        def fail(clock: timeline.VirtualClock) -> None:
            clock.sleep(3)
            raise ValueError('here')

        def wait(clock: timeline.VirtualClock) -> None:
            try:
                clock.sleep(100)
            finally:
                ended.append('dismissed')

        with self.assertRaisesRegex(ValueError, 'here'):
            timeline.together(line, wait, fail)
        self.assertEqual(['dismissed'], ended)
        self.assertEqual(START + 3, line.now)

    def test_an_alarm_of_one(self) -> None:
        line = timeline.Timeline()

        def ring(clock: timeline.VirtualClock) -> float:
            clock.alarm(START + 2, KeyboardInterrupt())
            with self.assertRaises(KeyboardInterrupt):
                clock.sleep(50)
            return clock.now() - START

        def sleep(clock: timeline.VirtualClock) -> float:
            clock.sleep(5)
            return clock.now() - START

        self.assertEqual([2, 5], timeline.together(line, ring, sleep))
