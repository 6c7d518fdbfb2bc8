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

"""Ways home drawn at random: who left, what happened since, what goes wrong.

A homecoming is a value that prints what it takes to play it again.
"""

import collections
import collections.abc
import dataclasses
import typing as ty

from hypothesis import strategies

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import policy as policies
from tests.unit.engine import returning
from tests.unit.engine import scenario as scenarios
from tests.unit.engine.returning import COLD
from tests.unit.engine.returning import HOME
from tests.unit.engine.returning import LIVE
from tests.unit.simulation import conduct
from tests.unit.simulation import fates
from tests.unit.simulation import faults
from tests.unit.simulation import others
from tests.unit.simulation import scene
from tests.unit.simulation import truth
from tests.unit.simulation import world

Code = exceptions.ExitCode
Running = policies.Running
Result = decisions.Result
#: What may have been done with a server since it left.
SINCE = (
    *('',) * 8,
    *('start', 'stop', 'pause', 'suspend', 'lock', 'reboot', 'delete'),
    *('live', 'cold', 'resize', 'shelve'),
)
_MOVES = frozenset({LIVE, COLD, model.MigrationType.EVACUATION})
#: Those that nobody is to do anything about, and that are to come home.
_MOVABLE = frozenset({'active', 'stopped', 'paused', 'suspended'})


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


@dataclasses.dataclass(frozen=True)
class Homecoming:
    """All that decides how servers come home."""

    travellers: tuple[Traveller, ...]
    running: Running | None = None
    policy: dict[str, ty.Any] = dataclasses.field(default_factory=dict)
    #: What goes wrong with the requests of each run, by their number.
    failing: tuple[dict[int, faults.Fault], ...] = ({},)
    #: What others do meanwhile.
    deeds: tuple[others.Deed, ...] = ()
    #: When a run is killed, in seconds from its beginning, one after another.
    kills: tuple[float, ...] = ()
    interrupt_after: float | None = None
    stop_after: float | None = None
    timeout: float | None = None


class HomecomingTestCase(returning.ReturningTestCase):
    """Plays homecomings, and checks that nothing is done that must not be."""

    def check(self, played: Homecoming) -> None:
        """Play a homecoming."""
        self.given(scene.cloud(0, source=(), shelved_offload_time=-1))
        natives = self._natives()
        travellers = [self._leave(each) for each in played.travellers]
        coming = self._coming()
        for server, each in zip(travellers, played.travellers, strict=True):
            self._prepare(server, each)
        others.plan(self.cloud, played.deeds)
        returns = self._returns(played)
        for done in returns:
            self._check_return(done, coming, played)
        for server in natives:
            self.assertFalse(self._ours(server), (server.name, played))
        for server in self.cloud.servers.values():
            self._check_server(server, played)
        self.assertEqual([], conduct.collided(self.cloud), played)
        if not played.deeds:
            self._check_quiet(coming, played)
            self._heal(coming, played)

    def _natives(self) -> list[world.Server]:
        """Return servers that never were on the home."""
        made = [
            self.cloud.add(returning.AWAY),
            self.cloud.add(returning.FAR, 'stopped'),
            self.cloud.add_resized(
                returning.AWAY, returning.FAR, model.MigrationType.COLD
            ),
        ]
        for server in made:
            # Others leave them alone, too.
            server.locked = True
        return made

    def _leave(self, each: Traveller) -> world.Server:
        server = self.leave(each.state, each.dest, each.kind)
        if each.since:
            number = list(self.cloud.servers.values()).index(server)
            others.Deed(0.0, each.since, number)(self.cloud)
            self.rest()
        return server

    @staticmethod
    def _prepare(server: world.Server, each: Traveller) -> None:
        values = {
            **each.values,
            'fates': collections.deque(each.values.get('fates', ())),
            'refusals': collections.deque(each.values.get('refusals', ())),
            'effects': {
                kind: collections.deque(effects)
                for kind, effects in each.values.get('effects', {}).items()
            },
        }
        for name, value in values.items():
            setattr(server, name, value)

    def _coming(self) -> dict[str, model.Migration]:
        """Return who is to come home, and how each left, by its id."""
        newest: dict[str, model.Migration] = {}
        for record in self.cloud.records.values():
            if not record.shown().ended_badly:
                newest[record.server.id] = record.shown()
        servers = self.cloud.servers
        return {
            server_id: record
            for server_id, record in newest.items()
            if _left(record, servers[server_id])
            # A colleague brings it home, and has not confirmed it.
            or (record.dest == HOME and record.type == COLD)
        }

    def _returns(self, played: Homecoming) -> list[returning.Return]:
        """Bring servers home; of runs that are killed there is no end."""
        returns = []
        ends: list[dict[str, ty.Any]] = [
            {'kill_after': seconds} for seconds in played.kills
        ]
        ends.append(
            {
                'interrupt_after': played.interrupt_after,
                'stop_after': played.stop_after,
                'timeout': played.timeout,
            }
        )
        for number, end in enumerate(ends):
            failing = played.failing[number % len(played.failing)]
            try:
                returns.append(
                    self.restore(
                        faults=faults.numbered(failing),
                        running=played.running,
                        policy=policies.Policy(**played.policy),
                        skip_capacity_check=True,
                        **end,
                    )
                )
            except (
                scene.Killed,
                KeyboardInterrupt,
                exceptions.CloudError,
            ):
                # It was only looking, or nobody is there to tell.
                continue
        return returns

    def _ours(self, server: world.Server) -> list[world.Work]:
        """Return what we have had done with a server."""
        return [
            work
            for work in self.cloud.works
            if work.server is server and work.by.ours
        ]

    def _check_return(
        self,
        done: returning.Return,
        coming: dict[str, model.Migration],
        played: Homecoming,
    ) -> None:
        """Check what a run has told when it ended."""
        results, code = done.results, done.result.exit_code
        if code is Code.DONE:
            self.assertLessEqual(
                set(results.values()), {'moved', 'gone', 'skipped'}, played
            )
        if played.deeds:
            return
        for server_id, result in results.items():
            if result in ('blocked', 'failed', 'moved'):
                self.assertIn(server_id, coming, (result, played))
        if code in (Code.DONE, Code.LEFT):
            arrived = [i for i, result in results.items() if result == 'moved']
            self.assertLessEqual(set(arrived), self.at_home(), played)
        if code is Code.DONE:
            self.assertLessEqual(set(coming), self.at_home(), played)

    def _check_server(self, server: world.Server, played: Homecoming) -> None:
        """Check what was done with a server, whatever others did."""
        moves = [w for w in self._ours(server) if w.kind in world.MOVES]
        for work in moves:
            self.assertEqual(HOME, work.asked, (server.name, played))
        if moves:
            left = [
                record.type
                for record in self.cloud.records.values()
                if record.server is server and record.source == HOME
            ]
            self.assertTrue(
                server.deleted or _MOVES.intersection(left),
                (server.name, played),
            )
        started = server.wanted == 'stopped' and server.vm_state == 'active'
        self.assertFalse(started, (server.name, played))

    def _check_quiet(
        self, coming: dict[str, model.Migration], played: Homecoming
    ) -> None:
        """Check what holds as nobody else did anything."""
        for server in self.cloud.servers.values():
            ours = self._ours(server)
            if ours:
                self.assertIn(server.id, coming, (server.name, played))
                self.assertLessEqual(server.path.count(HOME), 1, played)
            restarts = [
                work
                for work in ours
                if work.kind == 'cold_migrate' and work.found == 'active'
            ]
            if restarts and played.running is None:
                away = coming[server.id]
                self.assertEqual(COLD, away.type, (server.name, played))
                self.assertFalse(
                    [
                        deed
                        for deed in server.deeds
                        if deed.action == 'start'
                        and deed.started_at >= away.created_at
                    ],
                    (server.name, played),
                )
            if restarts:
                self.assertIsNot(Running.LIVE, played.running, played)
        self.assertEqual([], conduct.overlapping(self.cloud), played)

    def _heal(
        self, coming: dict[str, model.Migration], played: Homecoming
    ) -> None:
        """Once nothing goes wrong any more all come home, and stay there."""
        for server in self.cloud.servers.values():
            server.fates.clear()
            server.refusals.clear()
            server.effects.clear()
            server.stuck = 0
        self.rest(600.0)
        healing = dataclasses.replace(returning.RESUME, server_timeout=600.0)
        done = self.restore(policy=healing)
        for server_id in coming:
            server = self.cloud.servers[server_id]
            if server.task_state:
                # It hangs for ever.
                told = done.results[server_id]
                self.assertIn(told, ('blocked', 'failed'), played)
                continue
            told = done.results.get(server_id)
            if told in ('blocked', 'failed'):
                self.assertNotIn(server.vm_state, _MOVABLE, played)
                continue
            self.assertEqual(HOME, server.host, (server.name, played))
            if server.vm_state == 'error':
                # Its move, or its confirmation, broke: that was told.
                continue
            self.assertEqual(
                '', truth.wrong_state(server), (server.name, played)
            )
            self.assertNotEqual('resized', server.vm_state, played)
        again = self.restore(policy=healing)
        self.assert_nothing_asked(again)
        self.assertEqual(
            {i: r for i, r in done.results.items() if r != 'moved'},
            again.results,
            played,
        )


def _left(record: model.Migration, server: world.Server) -> bool:
    """Tell whether a server is where a move has put it, away from home."""
    return (
        record.source == HOME
        and record.type in _MOVES
        and record.ended_well
        and server.host == record.dest
    )


_WAYS = (
    ('active', LIVE),
    ('active', LIVE),
    ('active', COLD),
    ('stopped', COLD),
    ('paused', LIVE),
)


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


def homecomings(
    **fields: strategies.SearchStrategy[ty.Any],
) -> strategies.SearchStrategy[Homecoming]:
    """Return ways home of servers in any state, with any options."""
    policy = strategies.fixed_dictionaries(
        {'server_timeout': strategies.floats(60, 300)},
        optional={
            'stopped': strategies.sampled_from(policies.Stopped),
            'suspended': strategies.sampled_from(
                (policies.Suspended.LEAVE, policies.Suspended.RESUME)
            ),
            'per_destination': strategies.integers(1, 4),
            'retries': strategies.integers(0, 3),
        },
    )
    return strategies.builds(
        Homecoming,
        **{
            'travellers': travellers(),
            'running': strategies.sampled_from((None, None, *Running)),
            'policy': policy,
            'failing': scenarios.failing(),
            **fields,
        },
    )
