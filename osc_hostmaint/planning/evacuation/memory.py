# SPDX-License-Identifier: Apache-2.0

"""What only an evacuation remembers between two ticks."""

import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories


@dataclasses.dataclass(frozen=True, slots=True)
class EvacuationMemory(memories.OperationMemory):
    """Heartbeats of the host, and other runs that evacuate it."""

    #: Its compute service as last seen; and that it has shown a sign of life
    #: since.
    service: model.Service | None = None
    revived: bool = False
    #: Since when nobody else evacuates the host; None: somebody does.
    no_others_since: float | None = None
    #: Somebody else has evacuated it since this run began.
    met_others: bool = False
    #: The highest record id of its evacuations, as last seen; None before.
    evacuations: int | None = None
    #: The same when somebody else was last seen at it.
    newest_of_others: int = 0

    def heard(self, service: model.Service) -> ty.Self:
        """Return it with whether the host has sent a heartbeat."""
        old = self.service
        # Who changes the service leaves the same trace as a heartbeat.
        if old is None or (
            old != dataclasses.replace(service, updated_at=old.updated_at)
        ):
            return dataclasses.replace(self, service=service)
        heard = (
            old.updated_at is not None
            and service.updated_at is not None
            and (service.updated_at - old.updated_at).total_seconds()
            > timing.ROUNDING_SECONDS
        )
        return dataclasses.replace(self, revived=self.revived or heard)


def of(memory: memories.HostMemory) -> EvacuationMemory:
    """Return what an evacuation remembers of a host."""
    own = memory.own
    return own if isinstance(own, EvacuationMemory) else EvacuationMemory()
