# SPDX-License-Identifier: Apache-2.0

"""What makes it impossible to go on at all: the state of the hosts."""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories


def trouble(
    seen: model.Observation,
    policy: policies.Policy,
    memory: memories.Memory,
) -> str:
    """Return why nothing more may be started, '' if it may."""
    if policy.home:
        return _not_at_home(seen, policy)
    host = seen.host
    if seen.service.enabled:
        return (
            f'{host} was put back into service by somebody else: put it '
            f'into maintenance again (openstack host maintenance set {host}) '
            'and run this again'
        )
    if policy.evacuate and seen.service.up:
        return (
            f'the compute service on {host} is up again, and Nova evacuates '
            'only from a host that is down: drain it without --evacuate'
        )
    if policy.evacuate and memory.revived:
        return (
            f'{host} reports to Nova again, so it is not powered off, and '
            'its servers may run there: nothing more is evacuated. Make sure '
            'that it is off, and run this again'
        )
    return ''


def _not_at_home(seen: model.Observation, policy: policies.Policy) -> str:
    home = seen.home
    if home is None or not home.enabled:
        return (
            f'{policy.home} is not in service any more: put it back '
            f'(openstack host maintenance unset {policy.home}) and run this '
            'again'
        )
    if not home.up:
        return (
            f'the compute service on {policy.home} is down: start '
            'nova-compute there and run this again'
        )
    return ''


def dead_end(
    seen: model.Observation,
    policy: policies.Policy,
    memory: memories.Memory,
) -> str:
    """Return why nothing is worth awaiting any more, '' if it is."""
    since = memory.down_since
    # By the time it was last seen down: it may be up again since.
    if (
        policy.evacuate
        or down_cells.is_lost(seen)
        or since is None
        or seen.service_at - since < timing.DOWN_GRACE_SECONDS
    ):
        return ''
    host = seen.host
    reason = (
        f'the compute service on {host} is down, and nothing can be moved '
        'off it: start nova-compute there and run this again'
    )
    if policy.home:
        return reason
    return (
        f'{reason}; or, if the host has died, rebuild its servers elsewhere '
        f'(openstack host maintenance drain --evacuate {host})'
    )
