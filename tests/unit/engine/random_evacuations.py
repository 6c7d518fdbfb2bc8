# SPDX-License-Identifier: Apache-2.0

"""Evacuations drawn at random: hosts that die, and what was on them."""

import dataclasses

from hypothesis import strategies

from osc_hostmaint import nova_states
from osc_hostmaint.planning import policy as policies
from tests.unit.engine import examples
from tests.unit.engine import random_drains as scenarios
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import others
from tests.unit.simulation import outcomes
from tests.unit.simulation import scene

Values = scenarios.Values
of, some = examples.of, examples.some
#: By then Nova has missed the heartbeats of a host, and it has been silent
#: for as long as is waited for (engine/heartbeat.py).
MISSED_SECONDS = 61.0
SILENT_SECONDS = 20.0


@dataclasses.dataclass(frozen=True)
class RandomEvacuation(scenarios.Scenario):
    #: After how many seconds the hosts die, in the midst of what was earlier.
    after: float = 0.0
    #: Somebody tells Nova; else it misses the heartbeats.
    fenced: bool = True

    def prepare(self, cloud: clouds.Cloud) -> list[scene.Run]:
        others.plan(cloud, self.earlier)
        time = cloud.timeline
        time.run_until(time.now + self.after)
        for host in {name for run in self.runs for name in run}:
            cloud.power_off(host)
            if self.fenced:
                cloud.force_down(host)
        wait = SILENT_SECONDS if self.fenced else MISSED_SECONDS
        time.run_until(time.now + wait)
        return []


@dataclasses.dataclass(frozen=True)
class LastEvacuation(RandomEvacuation):
    """One that nothing hinders in the end, so that all can be rebuilt.

    A run may end before that: it excludes hosts where servers fail.
    """

    again: int = 6

    def violations(self, *runs: scene.Run) -> list[str]:
        """Return as well who is left behind."""
        return super().violations(*runs) + [
            f'{server.name} is left behind'
            for server in runs[0].cloud.servers.values()
            if server.vm_state in _REBUILDABLE
            and server.host in self.runs[0]
            and not (server.deleted or server.unreadable)
            and server.id not in self.policy.get('exclude', ())
        ]


_REBUILDABLE = frozenset({'active', 'stopped', 'error'})
#: States, and whether the guest runs where that does not follow.
_STATES = (
    *(('active', None),) * 5,
    *(('stopped', None),) * 3,
    *(('error', nova_states.PowerState.RUNNING),) * 2,
    *(('error', nova_states.PowerState.SHUTDOWN),) * 2,
    *((state, None) for state in ('paused', 'suspended', 'rescued')),
    *((state, None) for state in ('shelved', 'soft-delete')),
)
REFUSALS = (
    outcomes.Refusal('not now', kind='evacuate'),
    outcomes.Refusal('never', final=True, kind='evacuate'),
)


def servers(hosts=(scene.SOURCE,), *, least=1, most=6, refusals=REFUSALS):
    each = strategies.fixed_dictionaries(
        {
            'host': of(hosts),
            'state': of(_STATES),
            'seconds': strategies.floats(0.5, 12),
            'memory_mb': of((512, 1024, 4096)),
            'outcomes': some(of(outcomes.MoveOutcome), most=3),
            'refusals': some(of(refusals), most=1),
            'locked': strategies.booleans(),
            'volume_backed': strategies.booleans(),
            'pinned': of((False, False, False, True)),
            'wish': of(scenarios.WISHES),
            'unreadable': of((False,) * 9 + (True,)),
        }
    ).map(_with_its_state)
    return some(each, least, most)


def _with_its_state(values: Values) -> Values:
    vm_state, power_state = values.pop('state')
    return {**values, 'vm_state': vm_state, 'power_state': power_state}


def policy() -> strategies.SearchStrategy[Values]:
    return strategies.fixed_dictionaries(
        {
            'evacuate': strategies.just(True),
            'server_timeout': strategies.floats(15, 300),
        },
        optional={
            'leave_stopped': strategies.booleans(),
            'exclude': examples.EXCLUDED,
            'tenant_policy': of(policies.TenantPolicy),
            'spread': of(policies.Spread),
            'avoid': examples.AVOIDED,
            'per_destination': strategies.integers(1, 3),
            'parallel': strategies.integers(1, 3),
            'retries': strategies.integers(0, 3),
        },
    )


def evacuations(**fields) -> strategies.SearchStrategy[RandomEvacuation]:
    """Return evacuations of servers in any state, with any options."""
    return strategies.builds(
        RandomEvacuation,
        **{
            'servers': servers(),
            'policy': policy(),
            'setting': scenarios.settings(),
            'failing': scenarios.failing(),
            'fenced': strategies.booleans(),
            **fields,
        },
    )


def last_evacuations(**fields) -> strategies.SearchStrategy[LastEvacuation]:
    """Return evacuations that are well equipped to get all away."""
    return strategies.builds(
        LastEvacuation,
        **{
            'servers': servers(refusals=REFUSALS[:1]),
            'policy': strategies.fixed_dictionaries(
                {
                    'evacuate': strategies.just(True),
                    'server_timeout': strategies.just(300.0),
                    'retries': strategies.just(9),
                }
            ),
            'fenced': strategies.booleans(),
            **fields,
        },
    )
