# SPDX-License-Identifier: Apache-2.0

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
#: From one heartbeat to the next, in seconds (``report_interval``).
BEAT_SECONDS = 10.0


@functools.cache
def _made_up_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


@dataclasses.dataclass(eq=False)
class Host:
    name: str
    time: timeline.Timeline
    slots: timeline.Slots
    #: What is cast to its nova-compute waits here while that is dead.
    gate: timeline.Gate
    inventory: inventories.Inventory
    zone: str = NO_ZONE
    traits: frozenset[str] = frozenset({'HW_CPU_X86_AVX'})
    up: bool = True
    #: Really running; ``up`` follows later.
    alive: bool = True
    #: Its guests can run: the machine has power.
    powered: bool = True
    #: Every move to it fails, so that it stays the emptiest.
    black_hole_since: float = timeline.FOREVER
    #: To a cell: else Nova's API knows no hypervisor of it.
    mapped: bool = True
    #: Its cell does not answer, and Nova waits for it for so many seconds;
    #: None: it answers.
    silent: float | None = None
    #: It did not answer at some time.
    cell_was_down: bool = False
    #: Since when its nova-compute has sent heartbeats, and until when it
    #: did.
    beats_since: float = timeline.START
    died_at: float = timeline.FOREVER
    #: When somebody last changed its service.
    touched_at: float = -timeline.FOREVER
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
        return _made_up_id(f'provider of {self.name}')

    @property
    def heard_at(self) -> float:
        """When its nova-compute last sent a heartbeat."""
        until = min(self.time.now, self.died_at)
        beats = (until - self.beats_since) // BEAT_SECONDS
        return self.beats_since + beats * BEAT_SECONDS

    @property
    def in_use(self) -> bool:
        """Nova takes its compute service for up."""
        return self.up and not self.forced_down

    @property
    def black_hole(self) -> bool:
        return self.black_hole_since <= self.time.now

    @property
    def unfit(self) -> str:
        """Why the scheduler moves nothing there, '' if it may."""
        if not self.enabled:
            return 'disabled'
        if self.silent is not None:
            return 'silent'
        return '' if self.in_use else 'down'

    def turn(self, now: float, **values: bool | float | None) -> None:
        """Take on what decides whether it is fit."""
        before = self.unfit
        for name, value in values.items():
            setattr(self, name, value)
        if bool(before) is not bool(self.unfit):
            self.turned_at = now

    def shown(self) -> model.Service:
        """Return it as GET /os-services shows it, if its cell answers."""
        return model.Service(
            id=_made_up_id(self.name),
            host=self.name,
            zone=self.zone,
            up=self.in_use,
            enabled=self.enabled,
            disabled_reason=self.disabled_reason,
            forced_down=self.forced_down,
            updated_at=timeline.utc(max(self.heard_at, self.touched_at)),
        )
