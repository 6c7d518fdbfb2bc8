# SPDX-License-Identifier: Apache-2.0

"""The whole ``openstack`` program, with a drain that only pretends.

Run as ``python -m tests.unit.commands.program <work> <done> <arguments>``:
``work`` is what the drain does, ``done`` a file that it makes at its end.
"""

import pathlib
import select
import signal
import socket
import sys
import typing as ty

from openstackclient import shell

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import plugin
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning.server import status as server_status
from tests.unit import builders
from tests.unit.commands import test_dry_run

#: Text that a tenant can put into a name, and that Nova may repeat.
HOSTILE = (
    '\x1b[2J\x1b]0;owned\x07',
    '[bold red]x[/] [/]',
    'gpj.\u202eexe',
    'two\nlines\r',
    'x' * 255,
    'データベース' * 40,
    "=cmd|' /C calc'!A0",
    '🚀' * 100,
)
#: Longer than this no test waits.
LIMIT = 30.0


class Maintenance:
    """Drains nothing, but tells of it and has a result."""

    def __init__(self, work: str, done: str):
        self._work = getattr(self, f'_{work}')
        self._done = pathlib.Path(done)

    def drain(self, _hosts, *, report, interrupt, confirm, **_others):
        self._confirm = confirm
        report = reporting.Publisher(report)
        rows = tuple(
            builders.row(
                f'7d1c5b5e-0000-4000-8000-{number:012}',
                name=name,
                phase=server_status.Phase.FAILED,
                reason=f'No valid host was found for {name}',
            )
            for number, name in enumerate(HOSTILE)
        )
        self._work(report, interrupt)
        report.publish(builders.ended(*rows))
        self._done.touch()
        code = exceptions.ExitCode.LEFT
        if interrupt.requested:
            code = exceptions.ExitCode.INTERRUPTED
        return loop.DrainResult(rows, {'cmp02': 'in trouble'}, code)

    def preview(self, _hosts: list[str], **_others: ty.Any):
        rows = [
            test_dry_run.misfit(
                f'7d1c5b5e-0000-4000-8000-{number:012}',
                name=name,
                reason=f'no host can take {name}',
            )
            for number, name in enumerate(HOSTILE)
        ]
        self._done.touch()
        return test_dry_run.preview(*rows, notes=HOSTILE)

    def _talk(self, report: ports.Reporter, interrupt: ports.Interrupt):
        """Say more than a pipe holds, and go on for a while."""
        for _number in range(2000):
            report.publish(events.Trouble('cmp01', 'x' * 100))

    def _ask(self, report: ports.Reporter, interrupt: ports.Interrupt) -> None:
        answer = 'nobody to ask'
        try:
            if self._confirm:
                sure = self._confirm('Is [bold]cmp\x1b01[/] off?')
                answer = 'sure' if sure else 'not sure'
        except KeyboardInterrupt:
            answer = 'broken off'
        report.publish(
            events.Trouble('cmp01', f'{answer}; stop: {interrupt.requested}')
        )

    def _wait(self, report: ports.Reporter, interrupt: ports.Interrupt):
        """Wait to be interrupted, and for what is in flight then."""
        reading, writing = socket.socketpair()
        writing.setblocking(False)
        signal.set_wakeup_fd(writing.fileno())
        report.publish(events.Trouble('cmp01', 'ready'))
        select.select([reading], [], [], LIMIT)
        for _number in range(10):
            report.publish(events.Trouble('cmp01', 'a move in flight'))


def main() -> int:
    work, done, *arguments = sys.argv[1:]
    commands.DrainHostMaintenance.auth_required = False
    plugin.make_client = lambda _manager: Maintenance(work, done)
    return shell.OpenStackShell().run(
        ['host', 'maintenance', 'drain', *arguments]
    )


if __name__ == '__main__':
    sys.exit(main())
