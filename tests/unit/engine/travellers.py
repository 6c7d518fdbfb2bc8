#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Servers drawn at random that have left a host, in any way."""

import dataclasses
import typing as ty

from hypothesis import strategies

from tests.unit.engine.returning import COLD
from tests.unit.engine.returning import LIVE
from tests.unit.simulation import fates
from tests.unit.simulation import scene

#: What may have been done with a server since it left.
SINCE = (
    *('',) * 8,
    *('start', 'stop', 'pause', 'suspend', 'lock', 'reboot', 'delete'),
    *('live', 'cold', 'resize', 'shelve'),
)
_WAYS = (
    ('active', LIVE),
    ('active', LIVE),
    ('active', COLD),
    ('stopped', COLD),
    ('paused', LIVE),
)


@dataclasses.dataclass(frozen=True)
class Traveller:
    """A server that leaves home."""

    state: str
    kind: str
    dest: str
    #: What its owner, or a colleague, does then; '' for nothing.
    since: str = ''
    #: What becomes of its way home.
    values: dict[str, ty.Any] = dataclasses.field(default_factory=dict)


def _values() -> strategies.SearchStrategy[dict[str, ty.Any]]:
    refusals = (
        fates.Refusal('not now'),
        fates.Refusal('never', final=True),
        fates.Refusal('not now', kind='resume'),
        fates.Refusal('not now', kind='suspend'),
        fates.Refusal('not now', kind='confirm'),
    )
    return strategies.fixed_dictionaries(
        {
            'seconds': strategies.floats(0.5, 12),
            'fates': strategies.lists(
                strategies.sampled_from(fates.Fate), max_size=3
            ),
            'refusals': strategies.lists(
                strategies.sampled_from(refusals), max_size=2
            ),
            'effects': strategies.dictionaries(
                strategies.sampled_from(('resume', 'suspend', 'confirm')),
                strategies.lists(
                    strategies.sampled_from(fates.Effect), max_size=2
                ),
                max_size=2,
            ),
        }
    )


def travellers() -> strategies.SearchStrategy[tuple[Traveller, ...]]:
    """Return servers that have left, in any way."""
    return strategies.lists(
        strategies.builds(
            lambda way, **values: Traveller(*way, **values),
            strategies.sampled_from(_WAYS),
            dest=strategies.sampled_from(scene.HOSTS[1:]),
            since=strategies.sampled_from(SINCE),
            values=_values(),
        ),
        min_size=1,
        max_size=6,
    ).map(tuple)
