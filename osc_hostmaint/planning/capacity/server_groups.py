# SPDX-License-Identifier: Apache-2.0

"""Who of each server group is where, as moves are put there in thought.

The rules are those of nova/scheduler/filters/affinity_filter.py, and of its
weighers of the same name.
"""

import collections
from collections import abc
import copy
import typing as ty

from osc_hostmaint.planning.capacity import snapshot as snapshots

_Policy = snapshots.GroupPolicy
#: Whether another of the group on a host speaks against it, or for it.
_SOFT: abc.Mapping[str, int] = {
    _Policy.SOFT_ANTI_AFFINITY: 1,
    _Policy.SOFT_AFFINITY: -1,
}


def member_moves_to(
    groups: abc.Iterable[snapshots.Group],
    server_id: str,
    host: str,
    moving: abc.Mapping[str, str],
) -> bool:
    """Tell whether another of a hard group may be on its way to a host.

    Nova's scheduler does not see who is under way, and sends both to one
    host, where the later one fails.

    :param host: '' where the scheduler picks it: it may be any.
    :param moving: the destination of each move in flight, by the server's
        id; '' while that is not known.
    """
    for group in groups:
        if (
            server_id in group.members
            and group.policy == _Policy.ANTI_AFFINITY
        ):
            others = group.members - {server_id}
            taken = [moving[i] for i in others if i in moving]
            if not host or '' in taken:
                return bool(taken)
            return taken.count(host) >= group.most_per_host
    return False


class GroupMembers:
    """The members of all groups, and the hosts they are on."""

    def __init__(
        self,
        groups: abc.Iterable[snapshots.Group],
        located: abc.Mapping[str, str],
    ):
        """:param located: the hosts of servers, as far as known."""
        self._groups: dict[str, snapshots.Group] = {}
        self._hosts: dict[str, str] = {}
        self._counts: collections.Counter[tuple[str, str]] = (
            collections.Counter()
        )
        for group in groups:
            for member in group.members:
                self._groups[member] = group
                if member in located:
                    self.put(member, located[member])

    def copy(self) -> ty.Self:
        """Return another one that says the same."""
        other = copy.copy(self)
        other._hosts = self._hosts.copy()
        other._counts = self._counts.copy()
        return other

    def group(self, server_id: str) -> snapshots.Group | None:
        """Return the group of a server, if it is in one."""
        return self._groups.get(server_id)

    def put(self, server_id: str, host: str) -> None:
        """Say that a server is on a host, and nowhere else."""
        group = self._groups.get(server_id)
        if group is None:
            return
        if server_id in self._hosts:
            self._counts[group.id, self._hosts[server_id]] -= 1
        self._hosts[server_id] = host
        self._counts[group.id, host] += 1

    def others(self, server_id: str, host: str) -> int:
        """Return how many others of a server's group are on a host."""
        group = self._groups.get(server_id)
        if group is None:
            return 0
        here = self._hosts.get(server_id) == host
        return self._counts[group.id, host] - here

    def hosts_of_others(self, server_id: str) -> abc.Iterable[str]:
        """Return the hosts of the others of a server's group."""
        group = self._groups.get(server_id)
        if group is None:
            return ()
        return dict.fromkeys(
            self._hosts[member]
            for member in sorted(group.members)
            if member != server_id and member in self._hosts
        )

    def allows(self, server_id: str, host: str) -> bool:
        """Tell whether a server's group lets it go to a host."""
        group = self._groups.get(server_id)
        if group is None:
            return True
        if group.policy == _Policy.ANTI_AFFINITY:
            return self.others(server_id, host) < group.most_per_host
        if group.policy == _Policy.AFFINITY:
            # Where it is now also counts: so one alone has to stay.
            return self._counts[group.id, host] > 0
        return True

    def soft_penalty(self, server_id: str, host: str) -> int:
        """Return how little a soft rule likes a host: less is better."""
        group = self._groups.get(server_id)
        sign = _SOFT.get(group.policy, 0) if group else 0
        return sign and sign * self.others(server_id, host)
