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

"""Live migrations that go well, and those that do not."""

from tests.conformance.nova import Nova
from tests.conformance.nova import move
from tests.conformance.nova import same

LIVE = 'live-migration'
MOVED = ('accepted', 'queued', 'preparing', 'running', 'completed')


def to_the_host_asked_for(nova: Nova) -> None:
    """The record, the server's states, and who holds what and when."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    addresses = nova.look(server).server.addresses
    nova.gateway.live_migrate(server, dest)
    found = nova.until(server, record='running')
    same((LIVE, 'running', source, dest), move(found))
    same(('MIGRATING', source), (found.server.status, found.server.host))
    same({LIVE}, nova.holds(source))
    same({server}, nova.holds(dest))
    nova.hurry(server)
    found = nova.until(server, 'ACTIVE', host=dest, record='completed')
    nova.check_states(
        server, ('ACTIVE', None), ('MIGRATING', 'migrating'), ('ACTIVE', None)
    )
    nova.check_statuses(found.record, *MOVED)
    same(addresses, found.server.addresses)
    nova.wait(lambda: not nova.holds(source), 'nothing to be held')
    same({server}, nova.holds(dest))


def to_a_host_of_the_schedulers(nova: Nova) -> None:
    """Without a host asked for, the scheduler picks another one."""
    source, *others = nova.hosts
    server = nova.boot(source)
    nova.gateway.live_migrate(server)
    found = nova.until(server, 'ACTIVE', record='completed')
    same(True, found.server.host in others, found)
    same((LIVE, 'completed', source, found.server.host), move(found))


def of_a_paused_server(nova: Nova) -> None:
    """It stays paused, and is not forced to an end."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, 'PAUSED', slow='copying')
    nova.gateway.live_migrate(server, dest)
    record = nova.until(server, record='running').record
    nova.check_refused(
        409, 'vm_state paused', nova.gateway.force_complete, server, record.id
    )
    nova.hurry(server)
    nova.until(server, 'PAUSED', host=dest, record='completed')
