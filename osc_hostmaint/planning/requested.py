# SPDX-License-Identifier: Apache-2.0

"""Which operation is requested. Only this module asks that."""

from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.drain import operation as drain
from osc_hostmaint.planning.evacuation import operation as evacuation
from osc_hostmaint.planning.restore import operation as restore


def operation(policy: policies.Policy) -> operations.Operation:
    """Return the operation that a policy asks for."""
    if policy.evacuate:
        return evacuation.Evacuation(policy)
    if policy.home:
        return restore.Restore(policy)
    return drain.Drain(policy)
