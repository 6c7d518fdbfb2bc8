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

"""What must be true of every drain, whatever happened meanwhile."""

import collections.abc

from osc_hostmaint import exceptions
from osc_hostmaint.planning import decision as decisions
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import scene
from tests.unit.simulation import world

Servers = collections.abc.Mapping[str, world.Server]


def lies(
    run: scene.Run,
    cloud: clouds.Cloud,
    before: Servers,
    host: str = scene.SOURCE,
) -> list[str]:
    """Return what a drain reports and is not so, at its very end.

    :param before: the servers as they were when it began.
    """
    found = []
    for row in run.result.rows:
        server = cloud.servers.get(row.server_id)
        was = before.get(row.server_id)
        wrong = _wrong(row, server, was, cloud, host)
        if wrong:
            found.append(f'{row.name or row.server_id}: {wrong}: {row}')
    asked = {request.subject for request, _answer in run.client.posted}
    told = {row.server_id for row in run.result.rows}
    found += [
        f'nothing is told of {server.name}'
        for server in before.values()
        if server.host == host
        and server.id not in told
        and run.result.rows
        # Others may have got it away before the first look.
        and (
            server.id in asked
            or (
                cloud.servers[server.id].host == host
                and not cloud.servers[server.id].deleted
            )
        )
    ]
    left = [row for row in run.result.rows if row.left]
    code = run.exit_code
    if code is exceptions.ExitCode.DONE:
        if left:
            found.append(f'exit 0, and rows say that servers are left: {left}')
        if not scene.empty(cloud, host):
            found.append(f'exit 0, and {host} is not empty')
    if code is exceptions.ExitCode.LEFT and not left:
        found.append('exit 3, and no row says why')
    if code is exceptions.ExitCode.FAILED and not run.result.errors:
        found.append('exit 1, and no error says why')
    return found


def _wrong(
    row: decisions.Row,
    server: world.Server | None,
    was: world.Server | None,
    cloud: clouds.Cloud,
    host: str,
) -> str:
    match row.result:
        case None:
            return 'it ended without a result'
        case decisions.Result.GONE:
            return '' if server and server.deleted else 'it exists'
        case decisions.Result.MOVED:
            if server is None:
                return 'there is no such server'
            if server.deleted:
                return '' if server.path else 'it was deleted'
            return _not_moved(server, was, cloud, host)
        case _ if not row.reason:
            return 'no reason is given'
        case decisions.Result.FAILED if server and not server.deleted:
            changed = was and was.vm_state != server.vm_state
            moved = not _not_moved(server, was, cloud, host)
            return 'it has moved' if moved and not changed else ''
    return ''


def _not_moved(
    server: world.Server,
    was: world.Server | None,
    cloud: clouds.Cloud,
    host: str,
) -> str:
    """Return what speaks against its being moved, '' if nothing."""
    if server.host == host:
        return 'it is still there'
    settled = was and was.vm_state not in ('building', 'resized')
    # What others did after its move is theirs.
    settled = settled and server.vm_state != 'resized'
    settled = settled and len(server.path) == 1
    if was and settled and server.vm_state != was.vm_state:
        return f'it was {was.vm_state} and is {server.vm_state}'
    for record in cloud.records.values():
        shown = record.shown()
        if record.server is server and record.source == host:
            if shown.awaits_confirmation:
                return 'it is not confirmed'
            if shown.in_flight:
                return 'it is under way'
    return ''


def repeated(client: clients.Client, cloud: clouds.Cloud) -> list[str]:
    """Return requests that were sent although one before them took.

    Only for a single drain of servers that nobody else moves.
    """
    found = []
    took: dict[str, int] = {}
    for request, answer in client.posted:
        server = cloud.servers[request.subject]
        kind = 'confirm' if request.kind == 'confirm' else 'move'
        key = f'{kind} {server.id}'
        if answer and 'task_state' in answer:
            found.append(f'{request}: {answer}')
        if answer == '':
            took[key] = took.get(key, 0) + 1
            allowed = 1 + server.failures
            if took[key] > allowed:
                found.append(f'{request}: for the {took[key]}th time')
    return found
