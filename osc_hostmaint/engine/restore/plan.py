# SPDX-License-Identifier: Apache-2.0

"""The restore plan: which servers to bring back, from where, and how."""

import collections.abc
import dataclasses
import datetime

from osc_hostmaint import model
from osc_hostmaint.engine import exclusion
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import resuspend
from osc_hostmaint.planning.server import status as server_status


@dataclasses.dataclass(frozen=True, slots=True)
class Home:
    """A host that servers are brought back to."""

    service: model.Service
    #: Those that left it since then.
    since: datetime.datetime

    @property
    def host(self) -> str:
        """The host's name."""
        return self.service.host


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Servers on one host that move to the same old host in the same way."""

    home: Home
    #: The compute service of the host that they are on.
    service: model.Service
    policy: policies.Policy
    #: They, as just seen.
    servers: tuple[model.Server, ...]
    #: What is to become of them.
    rows: tuple[decisions.Row, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class RestorePlan:
    """Which servers are brought back to a host, and which are skipped."""

    home: Home
    groups: tuple[Group, ...]
    left_alone: tuple[decisions.Row, ...]

    @property
    def to_restore(self) -> tuple[decisions.Row, ...]:
        """The rows of servers that are brought back."""
        return tuple(row for group in self.groups for row in group.rows)


def make_plans(
    gateway: ports.Gateway,
    clock: ports.Clock,
    services: collections.abc.Mapping[str, model.Service],
    homes: collections.abc.Sequence[Home],
    policy: policies.Policy,
    running: policies.Running | None = None,
) -> tuple[RestorePlan, ...]:
    """Return which servers to bring back, and from where.

    Nothing is changed. This costs a list of migrations for each old host, one
    of the whole cloud, and a list of servers for each host that may have some
    of them.

    :param services: of all hosts, by host.
    :param policy: how servers are moved.
    :param running: how to move running ones; None: each comes back the way
        it left.
    :raises CloudError: Nova refused a request, or did not answer.
    :raises Refused: a server to exclude is not known or not unique.
    """
    planner = _Planner(gateway, clock, services)
    planner.see_records(homes)
    planner.see_servers()
    judged = {home.host: planner.judged(home, policy) for home in homes}
    policy = _excluding(policy, judged)
    to_restore = {
        each.server.id
        for found in judged.values()
        for each in found
        if isinstance(each, candidates.Candidate)
    }
    plans = []
    told = set(to_restore)
    for home in homes:
        returning, left_alone = [], []
        for each in judged[home.host]:
            if isinstance(each, candidates.Candidate):
                returning.append(each)
            elif each.server_id not in told:
                # A server that left two of the hosts is reported once.
                told.add(each.server_id)
                left_alone.append(each)
        known = [c for c in returning if c.host in services]
        left_alone += [
            _without_service(c) for c in returning if c.host not in services
        ]
        plans.append(
            RestorePlan(
                home,
                planner.groups(home, known, policy, running),
                tuple(left_alone),
            )
        )
    return tuple(plans)


def _excluding(
    policy: policies.Policy,
    judged: collections.abc.Mapping[
        str, collections.abc.Iterable[candidates.Candidate | decisions.Row]
    ],
) -> policies.Policy:
    """Return a policy with the ids of what it excludes.

    Of a name, servers that come home count before those left alone.

    :param judged: by home.
    """
    if not judged:
        return policy
    returning, left_alone = {}, {}
    for each in (each for found in judged.values() for each in found):
        if isinstance(each, candidates.Candidate):
            returning[each.server.id] = each.server.name
        else:
            left_alone[each.server_id] = each.name
    ids = exclusion.resolve(
        policy.exclude,
        returning,
        _('that would be brought back to %s') % ', '.join(judged),
        lambda: left_alone,
    )
    return dataclasses.replace(policy, exclude=ids)


def _without_service(candidate: candidates.Candidate) -> decisions.Row:
    server = candidate.server
    return decisions.Row(
        server_id=server.id,
        name=server.name,
        host=candidate.host,
        status=server.status,
        move='',
        destination='',
        phase=server_status.Phase.BLOCKED,
        reason=f'Nova lists no compute service on {candidate.host}: see '
        'openstack compute service list and run this again',
        attempts=0,
        seconds=None,
    )


class _Planner:
    """What was seen of those that have left hosts."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        services: collections.abc.Mapping[str, model.Service],
    ):
        self._gateway = gateway
        self._clock = clock
        self._services = services
        self._records: tuple[model.Migration, ...] = ()
        #: By home, and the server's id.
        self._latest_moves: dict[str, dict[str, model.Migration]] = {}
        #: By the server's id, wherever it is.
        self._servers: dict[str, model.Server] = {}
        self._histories: dict[str, tuple[model.InstanceAction, ...]] = {}

    def see_records(self, homes: collections.abc.Iterable[Home]) -> None:
        """Look at the migrations that decide."""
        left = {
            home.host: candidates.departures(
                home.host,
                self._gateway.left(home.host, home.since - contexts.SKEW),
            )
            for home in homes
        }
        every = [record for records in left.values() for record in records]
        began = candidates.oldest(every)
        moves = self._gateway.moves(began - contexts.SKEW) if began else []
        self._records = (*every, *moves)
        self._latest_moves = {
            host: candidates.latest_moves(records, moves)
            for host, records in left.items()
        }

    def see_servers(self) -> None:
        """Look at the servers that they are about."""
        hosts = {
            host
            for home, latest_moves in self._latest_moves.items()
            for host in candidates.places(home, latest_moves)
        }
        wanted = {
            i
            for latest_moves in self._latest_moves.values()
            for i in latest_moves
        }
        for host in sorted(hosts):
            for server in self._gateway.servers(host):
                if server.id in wanted:
                    self._see(server)
        for server_id in sorted(wanted - self._servers.keys()):
            self._see(self._gateway.server(server_id))

    def _see(self, server: model.Server) -> None:
        self._servers[server.id] = dataclasses.replace(
            server, seen_at=self._clock.now()
        )

    def judged(
        self, home: Home, policy: policies.Policy
    ) -> list[candidates.Candidate | decisions.Row]:
        """Return who comes home, and the rows of who is left alone."""
        found: list[candidates.Candidate | decisions.Row] = []
        for server_id, record in self._latest_moves[home.host].items():
            server = self._servers[server_id]
            each = candidates.judge(home.host, record, server)
            if each is not None:
                found.append(each)
            elif self._is_suspend_due(home, record, server, policy):
                found.append(
                    candidates.Candidate(server, record.source, record)
                )
        return found

    def _is_suspend_due(
        self,
        home: Home,
        record: model.Migration,
        server: model.Server,
        policy: policies.Policy,
    ) -> bool:
        """Tell whether a server that is home is to be suspended again."""
        resumes = policy.suspended is policies.Suspended.RESUME
        if not resumes or not candidates.perhaps_resumed(
            home.host, record, server
        ):
            return False
        history = self._history(server.id)
        return resuspend.is_due(history, server, home.since, policy)

    def _history(self, server_id: str) -> tuple[model.InstanceAction, ...]:
        if server_id not in self._histories:
            self._histories[server_id] = self._gateway.history(server_id)
        return self._histories[server_id]

    def groups(
        self,
        home: Home,
        returning: collections.abc.Iterable[candidates.Candidate],
        policy: policies.Policy,
        running: policies.Running | None,
    ) -> tuple[Group, ...]:
        """Return them, those together that come home in the same way."""
        found: dict[tuple[str, policies.Running], list[model.Server]] = {}
        for candidate in returning:
            key = (candidate.host, self._running(candidate, running))
            found.setdefault(key, []).append(candidate.server)
        return tuple(
            self._group(
                home, host, servers, _terms(home, servers, policy, how)
            )
            for (host, how), servers in sorted(found.items())
        )

    def _running(
        self, candidate: candidates.Candidate, wanted: policies.Running | None
    ) -> policies.Running:
        instance_actions: tuple[model.InstanceAction, ...] = ()
        if wanted is None and candidates.restarted_on_leaving(candidate):
            instance_actions = self._history(candidate.server.id)
        return candidates.running(candidate, instance_actions, wanted)

    def _group(
        self,
        home: Home,
        host: str,
        servers: collections.abc.Sequence[model.Server],
        policy: policies.Policy,
    ) -> Group:
        now = self._clock.now()
        seen = model.Observation(
            host=host,
            service=self._services[host],
            servers={s.id: s for s in servers if s.host == host},
            servers_at=min(s.seen_at for s in servers),
            service_at=now,
            visited={s.id: s for s in servers if s.host != host},
            migrations={
                r.id: dataclasses.replace(r, seen_at=now)
                for r in self._records
                if host in (r.source, r.dest)
            },
            migrations_at=now,
            histories=self._histories,
            home=home.service,
        )
        decided = decide.decide(
            seen, requested.operation(policy), memories.HostMemory(), now
        )
        return Group(
            home, self._services[host], policy, tuple(servers), decided.rows
        )


def _terms(
    home: Home,
    servers: collections.abc.Iterable[model.Server],
    policy: policies.Policy,
    running: policies.Running,
) -> policies.Policy:
    return dataclasses.replace(
        policy,
        running=running,
        shelved=policies.Shelved.LEAVE,
        resized=policies.Resized.LEAVE,
        only=frozenset(server.id for server in servers),
        home=home.host,
        to=home.host,
        since=home.since,
    )
