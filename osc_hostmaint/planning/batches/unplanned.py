# SPDX-License-Identifier: Apache-2.0

"""Why a host has no batch, and what would help."""

import collections
from collections import abc
import dataclasses

from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.batches import rules as batch_rules
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import occupancy as occupancies
from osc_hostmaint.planning.capacity import suggestions
from osc_hostmaint.planning.host import decision as decisions

Code = codes.Code


@dataclasses.dataclass(frozen=True, slots=True)
class Never:
    """Why a host cannot be drained."""

    code: Code
    reason: str


def stays(host: str, rows: abc.Iterable[decisions.Row]) -> Never | None:
    """Return why a host cannot be drained, if servers stay on it.

    :param rows: what a drain of it would begin with.
    """
    left = [row for row in rows if row.result and row.left]
    if not left:
        return None
    tally = collections.Counter(str(row.code) for row in left)
    kinds = ', '.join(f'{n} {code}' for code, n in tally.most_common())
    return Never(
        Code.SERVERS_STAY,
        f'{servers(len(left))} cannot be moved ({kinds}): openstack host '
        f'maintenance drain --dry-run {host} says why',
    )


def servers(count: int) -> str:
    """Return how many servers there are, in words."""
    return 'one server' if count == 1 else f'{count} servers'


def share_used(area: batch_rules.Area, rules: batch_rules.Rules) -> Never:
    """Return that other hosts use up the share of an area."""
    out = sorted(rules.out & area.hosts)
    more = f' and {len(out) - 3} others' if len(out) > 4 else ''
    named = ', '.join(out[:3] if more else out)
    return Never(
        Code.SHARE_USED,
        f'{named}{more} of {area.name} ({len(area.hosts)} hosts) '
        f'{"is" if len(out) == 1 else "are"} out of service, and --share '
        f'{rules.share} allows no more: put hosts back into service, or plan '
        'with a larger share',
    )


def no_room(tried: occupancies.Occupancy) -> Never | None:
    """Return that servers have no room on other hosts; None: they have.

    :param tried: the other hosts, with the servers on them as far as they fit.
    """
    left = tried.left
    if not left:
        return None
    words = [
        f'{servers(len(left))} of {len(tried.task.demands)} would have no '
        f'room if it was drained alone: {left[0].server.id}: '
        f'{forecast.why_not(left[0], tried)}',
        *suggestions.find(tried),
    ]
    return Never(Code.NO_ROOM, '; '.join(words))
