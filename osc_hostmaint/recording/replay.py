# SPDX-License-Identifier: Apache-2.0

"""Decides a drain again, from what ``--save-observations`` has kept.

For developers: ``python -m osc_hostmaint.recording.replay <file>`` tells tick
by tick what was decided, and where today's code decides otherwise.
"""

import argparse
import collections.abc
import contextlib
import dataclasses
import sys

from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import reader
from osc_hostmaint.recording import records


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """One decision, then and now."""

    then: reader.Decided
    #: What ours begins with.
    memory: memories.Memory
    now: decisions.Decision
    #: Of ours, where the servers stand that stood otherwise before.
    moved: collections.abc.Mapping[str, records.Stand]

    @property
    def differences(self) -> tuple[str, ...]:
        """What is decided otherwise now, a line each."""
        then, now = self.then, self.now
        lines = []
        if then.actions != now.actions:
            lines.append(
                f'actions: {_actions(then.actions)}; now: '
                f'{_actions(now.actions)}'
            )
        stands = records.stands_of(now)
        for server_id in sorted({*then.stands, *stands}):
            before = then.stands.get(server_id)
            after = stands.get(server_id)
            if before != after:
                lines.append(
                    f'{server_id}: {_stand(before)}; now: {_stand(after)}'
                )
        if then.done != now.done:
            lines.append(f'done: {then.done}; now: {now.done}')
        return tuple(lines)


class _Replay:
    """The hosts of one drain on their way, as engine/drain.py has them."""

    def __init__(self) -> None:
        self._memories: dict[str, memories.Memory] = {}
        self._stands: dict[str, dict[str, records.Stand]] = {}

    def decide(self, then: reader.Decided) -> Tick:
        host = then.seen.host
        memory = self._memories.get(host, memories.Memory())
        now = decide.decide(
            then.seen, requested.operation(then.policy), memory, then.now
        )
        self._memories[host] = now.memory
        stands, before = records.stands_of(now), self._stands.get(host, {})
        self._stands[host] = stands
        return Tick(
            then=then,
            memory=memory,
            now=now,
            moved={k: s for k, s in stands.items() if before.get(k) != s},
        )

    def act(self, acted: records.Acted) -> None:
        memory = self._memories[acted.host]
        if acted.action.server_id not in memory.tracks:
            # Already told: such an action is not decided any more.
            return
        self._memories[acted.host] = memory.after(
            acted.action, acted.outcome, acted.highest_id
        )


def replay(path: str) -> collections.abc.Iterator[Tick]:
    """Yield each decision of a diary, decided again.

    Every drain in it begins with an empty memory, and what came of an
    action is what came of it then, whatever is decided now.

    :raises OSError: it can't be read.
    :raises ValueError: it is no diary, or damaged.
    """
    drain = _Replay()
    for entry in reader.read(path):
        match entry:
            case records.Began():
                drain = _Replay()
            case reader.Decided():
                yield drain.decide(entry)
            case records.Acted():
                drain.act(entry)


def main(arguments: collections.abc.Sequence[str] | None = None) -> int:
    """Tell of each decision.

    :returns: 0 if none differs, 1 if one does, 2 for a file that is no diary,
        141 if nobody reads what is told (as after SIGPIPE).
    """
    parser = argparse.ArgumentParser(
        prog='python -m osc_hostmaint.recording.replay',
        description='Decide a drain again from what --save-observations '
        'kept, and tell where the decisions differ.',
    )
    parser.add_argument('file', metavar='<file>')
    path = parser.parse_args(arguments).file
    try:
        code = _tell(path)
        streams.settle(sys.stdout)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            streams.settle(sys.stdout)
        return 141
    except (OSError, ValueError) as error:
        sys.stderr.write(f'{text.printable(str(error))}\n')
        return 2
    return code


def _tell(path: str) -> int:
    ticks = differing = 0
    for tick in replay(path):
        ticks += 1
        differing += bool(tick.differences)
        for line in _lines(tick):
            sys.stdout.write(f'{text.printable(line)}\n')
    sys.stdout.write(f'{ticks} decisions, {differing} of them differ\n')
    return 1 if differing else 0


def _lines(tick: Tick) -> collections.abc.Iterator[str]:
    then = tick.then
    yield (
        f'line {then.line}: {then.seen.host} at {then.now:.1f} s'
        f'{", done" if tick.now.done else ""}'
    )
    for server_id, stand in tick.moved.items():
        yield f'  {server_id}: {_stand(stand)}'
    for action in tick.now.actions:
        yield f'  {action.server_id}: {_action(action)} asked for'
    for line in tick.differences:
        yield f'  DIFFERS: {line}'


def _stand(stand: records.Stand | None) -> str:
    if stand is None:
        return 'no row'
    phase, reason = stand
    return f'{phase} ({reason})' if reason else str(phase)


def _actions(actions: collections.abc.Iterable[memories.Action]) -> str:
    said = [f'{_action(action)} of {action.server_id}' for action in actions]
    return ', '.join(said) or 'none'


def _action(action: memories.Action) -> str:
    parts = [str(action.kind)]
    if action.host:
        parts.append(f'to {action.host}')
    if action.record_id:
        parts.append(f'(record {action.record_id})')
    if action.why:
        parts.append(f'({action.why})')
    return ' '.join(parts)


if __name__ == '__main__':
    sys.exit(main())
