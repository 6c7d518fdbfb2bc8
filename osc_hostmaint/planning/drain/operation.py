# SPDX-License-Identifier: Apache-2.0

"""A drain: all servers leave a host that works."""

import dataclasses

from osc_hostmaint import model
from osc_hostmaint.planning import operation
from osc_hostmaint.planning.server import memory as memories


@dataclasses.dataclass(frozen=True)
class Drain(operation.Operation):
    """Moves every server off a host, each by the gentlest way."""

    def stop_reason(
        self, seen: model.Observation, _memory: memories.Memory
    ) -> str:
        """Return why the host lets nothing more be started, or ''."""
        return operation.back_in_service(seen)

    def unrecoverable(
        self, seen: model.Observation, memory: memories.Memory
    ) -> str:
        """Return why nothing is worth awaiting any more, '' if it is."""
        reason = super().unrecoverable(seen, memory)
        if not reason:
            return ''
        return (
            f'{reason}; or, if the host has died, rebuild its servers '
            f'elsewhere (openstack host maintenance drain --evacuate '
            f'{seen.host})'
        )
