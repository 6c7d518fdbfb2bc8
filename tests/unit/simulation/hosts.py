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

"""A simulated compute host."""

import collections
import dataclasses
import functools
import uuid

from osc_hostmaint import model
from tests.unit.simulation import inventory as inventories
from tests.unit.simulation import timeline

#: The zone of hosts that nobody put into one: no aggregate stands for it, so
#: who has asked for it is bound to nothing.
NO_ZONE = 'nova'


@functools.cache
def _made_up_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


@dataclasses.dataclass(eq=False)
class Host:
    """A compute host and its nova-compute service."""

    name: str
    slots: timeline.Slots
    #: What is cast to its nova-compute waits here while that is dead.
    gate: timeline.Gate
    inventory: inventories.Inventory
    zone: str = NO_ZONE
    traits: frozenset[str] = frozenset({'HW_CPU_X86_AVX'})
    up: bool = True
    #: Really running; ``up`` follows later.
    alive: bool = True
    enabled: bool = True
    disabled_reason: str | None = None
    forced_down: bool = False
    #: When it last became fit for moves, or unfit.
    turned_at: float = -timeline.FOREVER
    #: Use as the scheduler knows it, and when it learned of it.
    row: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    row_at: float = 0.0

    @property
    def provider(self) -> str:
        """The id of its resource provider."""
        return _made_up_id(f'provider of {self.name}')

    @property
    def unfit(self) -> str:
        """Why the scheduler moves nothing there, '' if it may."""
        if not self.enabled:
            return 'disabled'
        return '' if self.up and not self.forced_down else 'down'

    def turn(self, now: float, **values: bool) -> None:
        """Take on what decides whether it is fit."""
        before = self.unfit
        for name, value in values.items():
            setattr(self, name, value)
        if bool(before) is not bool(self.unfit):
            self.turned_at = now

    def shown(self) -> model.Service:
        """Return it as GET /os-services shows it."""
        return model.Service(
            id=_made_up_id(self.name),
            host=self.name,
            zone=self.zone,
            up=self.up and not self.forced_down,
            enabled=self.enabled,
            disabled_reason=self.disabled_reason,
            forced_down=self.forced_down,
        )
