# SPDX-License-Identifier: Apache-2.0

"""Whether a server was running before its state was lost.

A server that an evacuation failed for is in ERROR, and Nova would start it
the next time, whatever it was before. What its host told last of the guest
survives that, unless a destination had begun to build it; then what was asked
of it tells.
"""

from collections import abc

from osc_hostmaint import model
from osc_hostmaint import nova_states

_SWITCHED = nova_states.SWITCHED_ON | nova_states.SWITCHED_OFF
#: What becomes of a state that is lost: ERROR, and ACTIVE once that is reset.
_LOST = frozenset({nova_states.VmState.ACTIVE, nova_states.VmState.ERROR})


def was_stopped(
    before: model.Server, history: abc.Sequence[model.InstanceAction] = ()
) -> bool:
    """Tell whether a server was off when its host died.

    :param before: how it was when it last rested.
    :param history: what was asked of it, oldest first.
    """
    if before.vm_state not in _LOST:
        return before.vm_state in nova_states.OFF
    if tells_nothing(before):
        names = (each.action for each in reversed(history))
        newest = next((name for name in names if name in _SWITCHED), '')
        return newest in nova_states.SWITCHED_OFF
    return before.power_state == nova_states.PowerState.SHUTDOWN


def tells_nothing(before: model.Server) -> bool:
    """Tell whether only its history says if it was off."""
    return before.vm_state in _LOST and before.power_state in (
        None,
        nova_states.PowerState.NOSTATE,
    )
