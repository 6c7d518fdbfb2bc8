# SPDX-License-Identifier: Apache-2.0

"""The restore plan: which servers to bring back, from where, and how."""

from collections import abc
import dataclasses
import datetime

from osc_hostmaint import model
from osc_hostmaint.engine import exclusion
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

Services = abc.Mapping[str, model.Service]
#: Who comes home, and the rows of who is left alone.
_Judged = tuple[list[candidates.Candidate], list[decisions.Row]]


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
    #: How many of them would start at once, if they had places at home.
    wanted: int


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
    services: Services,
    homes: abc.Sequence[Home],
    policy: policies.Policy,
    preparation: reporting.Preparation,
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
    planner = _Planner(gateway, clock, services, policy, running)
    planner.see_records(homes)
    planner.see_servers(preparation)
    judged = [planner.judged(home) for home in homes]
    planner.exclude(homes, judged)
    told = {
        each.server.id for returning, _rows in judged for each in returning
    }
    plans = []
    for home, (returning, left_alone) in zip(homes, judged, strict=True):
        # A server that left two of the hosts is reported once.
        rows = [row for row in left_alone if row.server_id not in told]
        told |= {row.server_id for row in rows}
        rows += [
            candidates.row(
                each.server,
                server_status.Phase.BLOCKED,
                f'Nova lists no compute service on {each.host}: see openstack '
                'compute service list and run this again',
                codes.Code.HOST_NOT_READY,
                each.host,
            )
            for each in returning
            if each.host not in services
        ]
        groups = planner.groups(home, returning)
        plans.append(RestorePlan(home, groups, planner.dated(home, rows)))
    return tuple(plans)


@dataclasses.dataclass(slots=True)
class _Planner:
    """What was seen of those that have left hosts."""

    _gateway: ports.Gateway
    _clock: ports.Clock
    _services: Services
    _policy: policies.Policy
    _running: policies.Running | None
    _records: tuple[model.Migration, ...] = ()
    #: By home, and the server's id.
    _latest_moves: dict[str, dict[str, model.Migration]] = dataclasses.field(
        default_factory=dict
    )
    #: By the server's id, wherever it is.
    _servers: dict[str, model.Server] = dataclasses.field(default_factory=dict)
    #: By home, and the server's id.
    _left_at: dict[str, dict[str, datetime.datetime]] = dataclasses.field(
        default_factory=dict
    )

    def see_records(self, homes: abc.Iterable[Home]) -> None:
        """Look at the migrations that decide."""
        left = {
            home.host: candidates.departures(
                home.host,
                self._gateway.left(home.host, home.since - contexts.SKEW),
            )
            for home in homes
        }
        self._left_at = {h: candidates.left_at(left[h]) for h in left}
        every = [record for records in left.values() for record in records]
        began = candidates.oldest(every)
        moves = self._gateway.moves(began - contexts.SKEW) if began else []
        self._records = (*every, *moves)
        self._latest_moves = {
            host: candidates.latest_moves(records, moves)
            for host, records in left.items()
        }

    def see_servers(self, preparation: reporting.Preparation) -> None:
        """Look at the servers that they are about."""
        hosts: set[str] = set()
        wanted: set[str] = set()
        for home, latest_moves in self._latest_moves.items():
            hosts.update(candidates.places(home, latest_moves))
            wanted.update(latest_moves)
        for host in preparation.each(sorted(hosts), _('listing servers')):
            for server in self._gateway.servers(host):
                if server.id in wanted:
                    self._see(server)
        for server_id in sorted(wanted - self._servers.keys()):
            self._see(self._gateway.server(server_id))

    def _see(self, server: model.Server) -> None:
        self._servers[server.id] = dataclasses.replace(
            server, seen_at=self._clock.now()
        )

    def judged(self, home: Home) -> _Judged:
        """Return who comes home, and the rows of who is left alone."""
        returning, left_alone = [], []
        for server_id, record in self._latest_moves[home.host].items():
            server = self._servers[server_id]
            each = candidates.judge(home.host, record, server)
            if isinstance(each, decisions.Row):
                left_alone.append(each)
            elif each:
                returning.append(each)
        return returning, left_alone

    def exclude(
        self, homes: abc.Iterable[Home], judged: abc.Sequence[_Judged]
    ) -> None:
        """Let the policy have the ids of what it excludes.

        Of a name, servers that come home count before those left alone.

        :param judged: of each home.
        """
        if not judged:
            return
        ids = exclusion.resolve(
            self._policy.exclude,
            {
                c.server.id: c.server.name
                for found, _rows in judged
                for c in found
            },
            _('that would be brought back to %s')
            % ', '.join(home.host for home in homes),
            lambda: {
                r.server_id: r.name for _found, rows in judged for r in rows
            },
        )
        self._policy = dataclasses.replace(self._policy, exclude=ids)

    def groups(
        self, home: Home, returning: abc.Iterable[candidates.Candidate]
    ) -> tuple[Group, ...]:
        """Return them, those together that come home in the same way.

        Those on a host without a compute service are left out.
        """
        found: dict[tuple[str, policies.Running], list[model.Server]] = {}
        for candidate in returning:
            if candidate.host in self._services:
                key = (candidate.host, self._way(candidate))
                found.setdefault(key, []).append(candidate.server)
        return tuple(
            self._group(home, host, running, servers)
            for (host, running), servers in sorted(found.items())
        )

    def _way(self, candidate: candidates.Candidate) -> policies.Running:
        server_id = candidate.server.id
        return self._running or candidates.running(
            candidate, lambda: self._gateway.history(server_id)
        )

    def _group(
        self,
        home: Home,
        host: str,
        running: policies.Running,
        servers: abc.Sequence[model.Server],
    ) -> Group:
        suspended = self._policy.suspended
        if suspended is policies.Suspended.SHELVE:
            # What is shelved would not come home.
            suspended = policies.Suspended.LEAVE
        policy = dataclasses.replace(
            self._policy,
            running=running,
            shelved=policies.Shelved.LEAVE,
            resized=policies.Resized.LEAVE,
            suspended=suspended,
            only=frozenset(server.id for server in servers),
            home=home.host,
            to=home.host,
            since=home.since,
        )
        service, now = self._services[host], self._clock.now()
        seen = model.Observation(
            host=host,
            service=service,
            servers={s.id: s for s in servers if s.host == host},
            servers_at=min(s.seen_at for s in servers),
            service_at=now,
            nova_time=self._gateway.now(),
            visited={s.id: s for s in servers if s.host != host},
            migrations={
                r.id: dataclasses.replace(r, seen_at=now)
                for r in self._records
                if host in (r.source, r.dest)
            },
            migrations_at=now,
            home=home.service,
        )
        operation = requested.operation(policy).starting_at_most(0)
        decided = decide.decide(seen, operation, memories.HostMemory(), now)
        rows, wanted = self.dated(home, decided.rows), decided.held_back
        return Group(home, service, policy, tuple(servers), rows, wanted)

    def dated(
        self, home: Home, rows: abc.Iterable[decisions.Row]
    ) -> tuple[decisions.Row, ...]:
        """Return rows with when their servers left."""
        left_at = self._left_at[home.host]
        return tuple(
            dataclasses.replace(row, left_at=left_at.get(row.server_id))
            for row in rows
        )
