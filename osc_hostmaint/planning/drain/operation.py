# SPDX-License-Identifier: Apache-2.0

"""A drain: all servers are moved off a host that works."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import operation
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.server import memory as memories


@dataclasses.dataclass(frozen=True)
class Drain(operation.Operation):
    """Moves every server off a host, each by the gentlest way."""

    def must_stop(
        self, seen: model.Observation, _memory: memories.HostMemory
    ) -> policies.Stop | None:
        """Return why no more moves may start, or None."""
        return operation.back_in_service(seen)

    def unrecoverable(
        self, seen: model.Observation, memory: memories.HostMemory
    ) -> str:
        """Return why there is nothing left to wait for, or ''."""
        reason = super().unrecoverable(seen, memory)
        if not reason:
            return ''
        return (
            f'{reason}; if the host has died, rebuild its servers elsewhere '
            f'(openstack host maintenance drain --evacuate {seen.host})'
        )
