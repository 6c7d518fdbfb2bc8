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

"""One server of a host that has died, and is evacuated, tick by tick."""

import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.planning import base

State = model.PowerState
REBUILDING = {'status': 'REBUILD', 'task_state': 'rebuilding'}


def server(status: str = 'ACTIVE', **kwargs: ty.Any) -> model.Server:
    """Return a server that lies on the host still."""
    return builders.server(status=status, **kwargs)


def there(status: str = 'ACTIVE', **kwargs: ty.Any) -> model.Server:
    """Return one that was built anew."""
    return builders.server(status=status, host=builders.DEST, **kwargs)


def rebuilding(vm_state: str = 'active', **kwargs: ty.Any) -> model.Server:
    """Return one that is being evacuated."""
    return builders.server(vm_state=vm_state, **{**REBUILDING, **kwargs})


class Death(base.Story):
    """The server of a dead host, whose compute service stays down."""

    def tick(self, *args: ty.Any, **kwargs: ty.Any) -> list[memories.Action]:
        return super().tick(*args, **{'service': builders.dead(), **kwargs})

    def record(self, status: str, *args: ty.Any, **kw: ty.Any) -> ty.Any:
        kind = model.MigrationType.EVACUATION
        return super().record(status, *args, **{'type': kind, **kw})


class DeathTestCase(base.StoryTestCase):
    """One server of a dead host, from the first look to the end."""

    def begin(self, **options: ty.Any) -> Death:
        return Death(policies.Policy(evacuate=True, **options))
