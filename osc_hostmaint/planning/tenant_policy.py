# SPDX-License-Identifier: Apache-2.0

"""What a server's owner wants of a drain: said by a tag, or by a property.

It permits nothing harsher than the operator does: the gentler of both counts.
"""

from collections import abc

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies

Policy = policies.Policy
Running = policies.Running
#: A server's tag, which counts before the property.
LEAVE_TAG = 'maintenance:leave'
#: A server's property (in Nova: metadata), with one of Running as its value.
PROPERTY = 'maintenance:policy'
KNOWN = frozenset(map(str, Running))
#: The gentlest first.
_GENTLEST = (Running.LEAVE, Running.LIVE, Running.LIVE_OR_COLD, Running.COLD)
#: So many servers are named in a line.
_LISTED = 3


def wish(tags: abc.Container[str], properties: abc.Mapping[str, str]) -> str:
    """Return what a server's owner wants, '' if nothing is said."""
    if LEAVE_TAG in tags:
        return str(Running.LEAVE)
    return properties.get(PROPERTY, '')


def running(policy: Policy, server: model.Server) -> Running:
    """Return what is to be done with a server if it is ACTIVE or PAUSED."""
    return min(policy.running, _followed(policy, server), key=_GENTLEST.index)


def leaves(policy: Policy, server: model.Server) -> bool:
    """Tell whether its owner wants a server to be left where it is."""
    return _followed(policy, server) is Running.LEAVE


def _followed(policy: Policy, server: model.Server) -> Running:
    """Return what counts beside the policy, in whatever state it is."""
    follows = policy.tenant_policy is policies.TenantPolicy.FOLLOW
    known = follows and server.wish in KNOWN
    return Running(server.wish) if known else _GENTLEST[-1]


def ignored(policy: Policy, wishes: abc.Mapping[str, str]) -> tuple[str, ...]:
    """Return which wishes nobody knows how to follow: lines for people.

    :param wishes: by the servers' ids.
    """
    unknown = [
        f'{server_id} ({wish!r})'
        for server_id, wish in sorted(wishes.items())
        if wish and wish not in KNOWN
    ]
    if not unknown or policy.tenant_policy is policies.TenantPolicy.IGNORE:
        return ()
    listed = ', '.join(unknown[:_LISTED])
    if len(unknown) > _LISTED:
        listed += f' and {len(unknown) - _LISTED} more'
    return (
        f'ignored, as {PROPERTY} is none of {", ".join(Running)}: {listed}',
    )
