# SPDX-License-Identifier: Apache-2.0

"""Lists of the whole cloud that serve all hosts at once.

One request for each host by itself would make fifty hosts wait for one
another.
"""

from collections import abc
import dataclasses
import datetime
import math

from osc_hostmaint import model
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import host_identity
from osc_hostmaint.planning import timing

#: So far back may the list go that serves several hosts.
SHARED_SINCE = datetime.timedelta(seconds=timing.RECORDS_SHARED_SINCE_SECONDS)

Services = abc.Mapping[str, model.Service]
Records = abc.Sequence[model.Migration]


@dataclasses.dataclass(frozen=True, slots=True)
class Changes:
    """The migration records that were changed since a time."""

    #: By each of the two hosts that they name.
    by_host: abc.Mapping[str, Records]
    #: Of one host alone; '': of the whole cloud.
    host: str
    since: datetime.datetime
    #: Our clock, when the list was asked for, and when it was there.
    asked_at: float
    answered_at: float

    def of(self, host: str) -> Records:
        """Return the records from and to a host."""
        return self.by_host.get(host, ())


class Board:
    """What several hosts take from the same lists."""

    def __init__(
        self,
        gateway: ports.Gateway,
        clock: ports.Clock,
        services: Services | None = None,
    ):
        """:param services: as just looked at."""
        self.gateway = gateway
        self.clock = clock
        #: As of the latest look, by host.
        self.services = services or {}
        self._at = clock.now() if services else -math.inf
        #: The hosts that are looked at again and again, at present.
        self.watched: abc.Set[str] = frozenset()
        #: What our clock shows more than Nova's, in seconds, at the most.
        self.ahead = math.inf
        self._changes: Changes | None = None
        #: By host: since when it last needed changes.
        self._needed: dict[str, datetime.datetime] = {}
        #: Hosts that something was requested for since that was asked for.
        self._outdated: set[str] = set()
        #: Others move so much that a list of all is no cheaper any more.
        self._crowded = False

    def latest(
        self, host: str, after: float = -math.inf
    ) -> tuple[model.Service | None, frozenset[str], float]:
        """Return a host's service, which others are down, and as of when.

        :param after: they must not be older than that.
        """
        now = self.clock.now()
        oldest = now - timing.SERVICES_SHARED_SECONDS
        if self._at <= oldest or self._at < after:
            self.services = host_identity.by_host(self.gateway.services())
            self._at = now
        services = self.services.values()
        down = (s.host for s in services if not (s.up or s.silent))
        return self.services.get(host), frozenset(down) - {host}, self._at

    def acted(self, hosts: abc.Iterable[str]) -> None:
        """Take note that something was requested, whatever came of it.

        What was listed before does not show what came of it, and these hosts
        would do it again.

        :param hosts: all that may decide on the same server.
        """
        self._outdated.update(hosts)

    def changes(
        self, host: str, since: datetime.datetime, after: float
    ) -> Changes:
        """Return the records of a host that were changed since a time.

        One list of the whole cloud serves all hosts that are watched. It was
        asked for after the last request that concerns the host.

        :param after: it must also have been asked for later than that.
        :returns: what was changed since then or earlier.
        """
        self._needed[host] = since
        known = self._changes
        if (
            known
            and known.host in ('', host)
            and known.since <= since
            and known.asked_at > after
            and host not in self._outdated
            and self.clock.now() - known.answered_at
            < timing.RECORDS_SHARED_SECONDS
        ):
            return known
        found = self._ask(host, since)
        self._changes = found
        if found.host:
            self._outdated.discard(host)
        else:
            self._outdated.clear()
        return found

    def _ask(self, host: str, since: datetime.datetime) -> Changes:
        asked_at = self.clock.now()
        # What one host needs that goes far back is a short list of its own.
        oldest = self.gateway.now() - SHARED_SINCE
        shared = [
            needed
            for other, needed in self._needed.items()
            if needed >= oldest and (other == host or other in self.watched)
        ]
        if self._crowded or since < oldest or len(shared) < 2:
            records = self.gateway.migrations(host, since)
        else:
            since = min(shared)
            records, host = self.gateway.moves(since), ''
            others = sum(
                self.watched.isdisjoint({r.source, r.dest}) for r in records
            )
            self._crowded = others > timing.OTHERS_RECORDS_AT_ONCE
        by_host: dict[str, list[model.Migration]] = {}
        for record in records:
            for end in {record.source, record.dest or ''}:
                by_host.setdefault(end, []).append(record)
        return Changes(by_host, host, since, asked_at, self.clock.now())

    def learn_time(self, records: Records, now: float) -> None:
        """Learn Nova's time: what is seen was changed before.

        All hosts learn from one another. One that always looks when its last
        change is some time ago would believe that it is later than it is, and
        foretell the end of its moves too late.

        :param now: when the records were there.
        """
        times = (r.updated_at for r in records if r.updated_at)
        self.ahead = min(
            self.ahead, *(now - time.timestamp() for time in times), math.inf
        )
