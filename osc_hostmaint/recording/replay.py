# SPDX-License-Identifier: Apache-2.0

"""Replays the decisions of a drain from ``--save-observations``.

For developers: ``python -m osc_hostmaint.recording.replay <file>`` shows tick
by tick what was decided, and where the current code decides differently.
"""

import argparse
from collections import abc
import contextlib
import dataclasses
import sys

from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import records


@dataclasses.dataclass(frozen=True, slots=True)
class Tick:
    """One decision, then and now."""

    #: In the file, counted from 1.
    line: int
    then: records.Decided
    #: What ours begins with.
    memory: memories.HostMemory
    now: decisions.Decision

    @property
    def differences(self) -> tuple[str, ...]:
        """What is decided otherwise now, a line each."""
        then, now = self.then, self.now
        statuses = records.statuses(now)
        pairs: dict[str, tuple[object, object]] = {
            'actions': (_actions(then.actions), _actions(now.actions)),
            'done': (then.done, now.done),
        }
        for i in sorted({*then.statuses, *statuses}):
            before, after = then.statuses.get(i), statuses.get(i)
            pairs[i] = _status(before), _status(after)
        return tuple(
            f'{what}: {before}; now: {after}'
            for what, (before, after) in pairs.items()
            if before != after
        )


def replay(path: str) -> abc.Iterator[Tick]:
    """Yield each decision of a recording, decided again.

    Every drain in it begins with an empty memory. The outcome of an action
    is the recorded one, whatever is decided now.

    :raises OSError: it cannot be read.
    :raises ValueError: it is no recording, is damaged, or has another format.
    """
    hosts: dict[str, memories.HostMemory] = {}
    for line, record in records.read(path):
        with records.located(path, line):
            tick = _decide_again(line, record, hosts)
        if tick:
            yield tick


def _decide_again(
    line: int, record: records.Record, hosts: dict[str, memories.HostMemory]
) -> Tick | None:
    """Return the decision of a record; None if it has none.

    :param hosts: what is remembered, by host; updated.
    """
    match record:
        case records.Began():
            hosts.clear()
        case records.Decided(seen=seen):
            memory = hosts.get(seen.host, memories.HostMemory())
            operation = requested.operation(record.policy)
            now = decide.decide(seen, operation, memory, record.now)
            hosts[seen.host] = now.memory
            return Tick(line, record, memory, now)
        case records.Acted(host=host, action=action):
            # An action that is not decided any more has no track.
            if host in hosts and action.server_id in hosts[host].servers:
                hosts[host] = hosts[host].after(
                    action, record.outcome, record.highest_id
                )
    return None


def main(arguments: abc.Sequence[str] | None = None) -> int:
    """Print each decision.

    :returns: 0 if none differs, 1 if one does, 2 for a file that is not a
        recording, 141 if the output is closed (as after SIGPIPE).
    """
    parser = argparse.ArgumentParser(
        prog='python -m osc_hostmaint.recording.replay',
        description='Replay the decisions of a drain from what '
        '--save-observations saved, and show where they differ.',
    )
    parser.add_argument('file', metavar='<file>')
    path = parser.parse_args(arguments).file
    try:
        code = _print(path)
        streams.settle(sys.stdout)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            streams.settle(sys.stdout)
        return 141
    except (OSError, ValueError) as error:
        sys.stderr.write(f'{text.printable(str(error))}\n')
        return 2
    return code


def _print(path: str) -> int:
    ticks = differing = 0
    statuses: dict[str, dict[str, records.Status]] = {}
    for tick in replay(path):
        ticks += 1
        differing += bool(tick.differences)
        host, now = tick.then.seen.host, records.statuses(tick.now)
        before, statuses[host] = statuses.get(host, {}), now
        lines = [
            f'line {tick.line}: {host} at {tick.then.now:.1f} s: '
            f'{_progress(tick.now)}',
            *(
                f'  {server_id}: {_status(status)}'
                for server_id, status in now.items()
                if before.get(server_id) != status
            ),
            *(f'  {_action(action)} asked for' for action in tick.now.actions),
            *(f'  DIFFERS: {difference}' for difference in tick.differences),
        ]
        for line in lines:
            sys.stdout.write(f'{text.printable(line)}\n')
    sys.stdout.write(f'{ticks} decisions, {differing} of them differ\n')
    return 1 if differing else 0


def _progress(decision: decisions.Decision) -> str:
    """Return how far a host is, what it waits for, and the next look."""
    if decision.done:
        return 'done'
    waits = f', waits for {decision.waiting_for}' if decision.wait else ''
    return f'{decision.stage}{waits}; next look in {decision.interval:.1f} s'


def _status(status: records.Status | None) -> str:
    if status is None:
        return 'no row'
    phase, reason = status
    return f'{phase} ({reason})' if reason else str(phase)


def _actions(actions: abc.Iterable[memories.Action]) -> str:
    return ', '.join(map(_action, actions)) or 'none'


def _action(action: memories.Action) -> str:
    """Return an action with all of its fields that are set."""
    fields = dataclasses.asdict(action)
    kind, server_id = fields.pop('kind'), fields.pop('server_id')
    details = [f'{k}={v}' for k, v in fields.items() if v]
    return ' '.join([f'{kind} of {server_id}', *details])


if __name__ == '__main__':
    sys.exit(main())
