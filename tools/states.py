# SPDX-License-Identifier: Apache-2.0

"""Write the guide's tables of states from the rules that decide.

    python tools/states.py > doc/source/user/states.csv
    python tools/states.py --evacuate > doc/source/user/evacuated.csv

A unit test compares each with its rules, so neither can change alone.
"""

from collections import abc
import csv
import dataclasses
import enum
import sys
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

Phase = server_status.Phase
HEADER = ('Status', 'Option', 'What happens', 'Why, and what can be done')
#: Every status of Nova's that a server on a host may have, with the state
#: below it where that matters, and one that we don't know.
STATUSES: abc.Mapping[str, str | None] = {
    'ACTIVE': None,
    'PAUSED': None,
    'SHUTOFF': None,
    'SUSPENDED': None,
    'SHELVED': None,
    'SHELVED_OFFLOADED': None,
    'VERIFY_RESIZE': None,
    'MIGRATING': 'migrating',
    'RESIZE': 'resize_migrating',
    'REVERT_RESIZE': 'resize_reverting',
    'BUILD': 'spawning',
    'REBUILD': 'rebuilding',
    'REBOOT': 'rebooting',
    'HARD_REBOOT': 'rebooting_hard',
    'RESCUE': None,
    'ERROR': None,
    'SOFT_DELETED': None,
    'PASSWORD': None,
}
OPTIONS: abc.Mapping[str, type[enum.StrEnum]] = {
    'running': policies.Running,
    'stopped': policies.Stopped,
    'suspended': policies.Suspended,
    'shelved': policies.Shelved,
    'resized': policies.Resized,
}
#: Stands for the reason in Nova's words.
NO_LIVE = '<why not>'
_FIRST = {
    'resume': 'resume, live migration, suspend',
    'shelve': 'shelve, offload',
    'offload': 'offload',
    'confirmation': 'confirmation, then as the status it has then',
    'reset': 'reset to ACTIVE, evacuation',
}


def rows() -> abc.Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table."""
    for status, task_state in STATUSES.items():
        server = _server(status, task_state)
        default = verdicts.judge(server, _terms())
        governing = [
            name for name in OPTIONS if _matters(server, name, default)
        ]
        if not governing:
            yield (status, '', *_outcome(server, _terms()))
        for name in governing:
            for value in OPTIONS[name]:
                terms = _terms(_policy(name, value))
                option = f'--{name} {value}'
                if _policy(name, value) == policies.Policy():
                    option += ' (default)'
                yield (status, option, *_outcome(server, terms))
                if value is policies.Running.LIVE_OR_COLD:
                    refused = dataclasses.replace(terms, no_live=NO_LIVE)
                    yield (
                        status,
                        f'{option}, where that is impossible or failed',
                        *_outcome(server, refused),
                    )


#: The state below each status, on a host that has died, and a task state.
DEAD: abc.Mapping[str, tuple[str, str | None]] = {
    'ACTIVE': ('active', None),
    'SHUTOFF': ('stopped', None),
    'ERROR': ('error', None),
    'PAUSED': ('paused', None),
    'SUSPENDED': ('suspended', None),
    'RESCUE': ('rescued', None),
    'BUILD': ('building', 'spawning'),
    'REBUILD': ('active', 'rebuilding'),
    'REBOOT': ('active', 'rebooting'),
    'HARD_REBOOT': ('active', 'rebooting_hard'),
    'MIGRATING': ('active', 'migrating'),
    'RESIZE': ('active', 'resize_migrating'),
    'REVERT_RESIZE': ('resized', 'resize_reverting'),
    'VERIFY_RESIZE': ('resized', None),
    'SHELVED': ('shelved', None),
    'SOFT_DELETED': ('soft-delete', None),
    'any, being deleted': ('active', 'deleting'),
}
OFF = 'if it was off, or --leave-stopped'


def evacuated() -> abc.Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the table of hosts that have died."""
    evacuate = _terms(policies.Policy(evacuate=True))
    off = dataclasses.replace(evacuate, was_stopped=True)
    for status, (vm_state, task_state) in DEAD.items():
        server = _server(status, task_state, vm_state)
        yield (status, '', *_outcome(server, evacuate))
        if _outcome(server, off) != _outcome(server, evacuate):
            yield (status, OFF, *_outcome(server, off))


def write(stream: ty.TextIO, rows: abc.Iterable[tuple[str, ...]]) -> None:
    """Write a table as CSV."""
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(HEADER)
    writer.writerows(rows)


def _server(
    status: str, task_state: str | None, vm_state: str = ''
) -> model.Server:
    return model.Server(
        id='<server>',
        name='',
        status=status,
        vm_state=vm_state,
        task_state=task_state,
        host='cmp01',
    )


def _terms(policy: policies.Policy | None = None) -> verdicts.Terms:
    return verdicts.Terms(requested.operation(policy or policies.Policy()))


def _policy(name: str, value: enum.StrEnum) -> policies.Policy:
    return dataclasses.replace(
        policies.Policy(), **ty.cast('dict[str, ty.Any]', {name: value})
    )


def _matters(
    server: model.Server, name: str, default: server_status.ServerStatus
) -> bool:
    return any(
        verdicts.judge(server, _terms(_policy(name, value))) != default
        for value in OPTIONS[name]
    )


def _outcome(server: model.Server, terms: verdicts.Terms) -> tuple[str, str]:
    verdict = verdicts.judge(server, terms)
    match verdict.phase:
        case Phase.BLOCKED:
            return 'blocked', verdict.reason
        case Phase.BUSY:
            return 'awaited', verdict.reason
        case _:
            ask = str(verdict.ask)
            steps = _FIRST.get(ask, ask)
            if verdict.stopped:
                steps += '; left stopped'
            return steps, verdict.reason


if __name__ == '__main__':
    write(sys.stdout, evacuated() if '--evacuate' in sys.argv else rows())
