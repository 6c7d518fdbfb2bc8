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
class Gathering:
    """Which servers are brought back to a host, and which are skipped."""

    home: Home
    groups: tuple[Group, ...]
    alone: tuple[decisions.Row, ...]

    @property
    def coming(self) -> tuple[decisions.Row, ...]:
        """The rows of servers that are brought back."""
        return tuple(row for group in self.groups for row in group.rows)


def gather(
    gateway: ports.Gateway,
    clock: ports.Clock,
    services: collections.abc.Mapping[str, model.Service],
    homes: collections.abc.Sequence[Home],
    policy: policies.Policy,
    running: policies.Running | None = None,
) -> tuple[Gathering, ...]:
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
    look = _Look(gateway, clock, services)
    look.see_records(homes)
    look.see_servers()
    judged = {home.host: look.judged(home, policy) for home in homes}
    policy = _excluding(policy, judged)
    coming = {
        each.server.id
        for found in judged.values()
        for each in found
        if isinstance(each, candidates.Homecomer)
    }
    gathered = []
    told = set(coming)
    for home in homes:
        comers, alone = [], []
        for each in judged[home.host]:
            if isinstance(each, candidates.Homecomer):
                comers.append(each)
            elif each.server_id not in told:
                # Of two homes that it has left it is told once.
                told.add(each.server_id)
                alone.append(each)
        known = [c for c in comers if c.host in services]
        alone += [_stranded(c) for c in comers if c.host not in services]
        gathered.append(
            Gathering(
                home,
                look.groups(home, known, policy, running),
                tuple(alone),
            )
        )
    return tuple(gathered)


def _excluding(
    policy: policies.Policy,
    judged: collections.abc.Mapping[
        str, collections.abc.Iterable[candidates.Homecomer | decisions.Row]
    ],
) -> policies.Policy:
    """Return a policy with the ids of what it excludes.

    Of a name, servers that come home count before those left alone.

    :param judged: by home.
    """
    if not judged:
        return policy
    comers, alone = {}, {}
    for each in (each for found in judged.values() for each in found):
        if isinstance(each, candidates.Homecomer):
            comers[each.server.id] = each.server.name
        else:
            alone[each.server_id] = each.name
    ids = exclusion.resolve(
        policy.exclude,
        comers,
        _('that would be brought back to %s') % ', '.join(judged),
        lambda: alone,
    )
    return dataclasses.replace(policy, exclude=ids)


def _stranded(comer: candidates.Homecomer) -> decisions.Row:
    server = comer.server
    return decisions.Row(
        server_id=server.id,
        name=server.name,
        host=comer.host,
        status=server.status,
        move='',
        destination='',
        phase=server_status.Phase.BLOCKED,
        reason=f'Nova lists no compute service on {comer.host}: see openstack '
        'compute service list and run this again',
        attempts=0,
        seconds=None,
    )


class _Look:
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
        self._stories: dict[str, dict[str, model.Migration]] = {}
        #: By the server's id, wherever it is.
        self._servers: dict[str, model.Server] = {}
        self._histories: dict[str, tuple[model.Deed, ...]] = {}

    def see_records(self, homes: collections.abc.Iterable[Home]) -> None:
        """Look at the migrations that decide."""
        left = {
            home.host: candidates.away(
                home.host,
                self._gateway.left(home.host, home.since - contexts.SKEW),
            )
            for home in homes
        }
        every = [record for records in left.values() for record in records]
        began = candidates.oldest(every)
        moves = self._gateway.moves(began - contexts.SKEW) if began else []
        self._records = (*every, *moves)
        self._stories = {
            host: candidates.stories(records, moves)
            for host, records in left.items()
        }

    def see_servers(self) -> None:
        """Look at the servers that they are about."""
        hosts = {
            host
            for home, stories in self._stories.items()
            for host in candidates.places(home, stories)
        }
        wanted = {i for stories in self._stories.values() for i in stories}
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
    ) -> list[candidates.Homecomer | decisions.Row]:
        """Return who comes home, and the rows of who is left alone."""
        found: list[candidates.Homecomer | decisions.Row] = []
        for server_id, record in self._stories[home.host].items():
            server = self._servers[server_id]
            each = candidates.judge(home.host, record, server)
            if each is not None:
                found.append(each)
            elif self._owed(home, record, server, policy):
                found.append(
                    candidates.Homecomer(server, record.source, record)
                )
        return found

    def _owed(
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
        return resuspend.owed(history, server, home.since, policy)

    def _history(self, server_id: str) -> tuple[model.Deed, ...]:
        if server_id not in self._histories:
            self._histories[server_id] = self._gateway.history(server_id)
        return self._histories[server_id]

    def groups(
        self,
        home: Home,
        comers: collections.abc.Iterable[candidates.Homecomer],
        policy: policies.Policy,
        running: policies.Running | None,
    ) -> tuple[Group, ...]:
        """Return them, those together that come home in the same way."""
        found: dict[tuple[str, policies.Running], list[model.Server]] = {}
        for comer in comers:
            key = (comer.host, self._running(comer, running))
            found.setdefault(key, []).append(comer.server)
        return tuple(
            self._group(
                home, host, servers, _terms(home, servers, policy, how)
            )
            for (host, how), servers in sorted(found.items())
        )

    def _running(
        self, comer: candidates.Homecomer, wanted: policies.Running | None
    ) -> policies.Running:
        deeds: tuple[model.Deed, ...] = ()
        if wanted is None and candidates.restarted_on_leaving(comer):
            deeds = self._history(comer.server.id)
        return candidates.running(comer, deeds, wanted)

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
            seen, requested.operation(policy), memories.Memory(), now
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
