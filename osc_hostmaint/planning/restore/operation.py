# SPDX-License-Identifier: Apache-2.0

"""A restore: servers that a drain moved are brought back."""

import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import operation
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.planning.server import context as contexts
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts

Code = codes.Code
HostMemory = memories.HostMemory
Migration = model.Migration
Server = model.Server
ServerContext = contexts.ServerContext
ServerStatus = server_status.ServerStatus


def _is_back(server: Server, terms: verdicts.Terms) -> ServerStatus | None:
    if server.host != terms.policy.home:
        return None
    return ServerStatus(server_status.Phase.MOVED, destination=server.host)


@dataclasses.dataclass(frozen=True)
class Restore(operation.Operation):
    """Moves servers from the host where they are back to their old host."""

    stays: ty.ClassVar[str] = 'where it is'
    empties_host: ty.ClassVar[bool] = False
    awaits_arrivals: ty.ClassVar[bool] = False

    @property
    def other_host(self) -> str:
        """The host that the servers are brought back to."""
        return self.policy.home

    @property
    def rules(self) -> tuple[verdicts.Rule, ...]:
        """The rules, the first of them for servers that are back already."""
        return (_is_back, *super().rules)

    @property
    def why_cold(self) -> str:
        """Why a server was cold-migrated: usually because it left that way."""
        return 'by its cold migration'

    def must_stop(
        self, seen: model.Observation, _memory: HostMemory
    ) -> policies.Stop | None:
        """Return why the old host takes no servers, None if it does."""
        if seen.home is None:
            words = f'{self.policy.home} has no compute service any more'
            return policies.Stop(words, Code.HOST_NOT_READY)
        if words := candidates.against(seen.home):
            words += '; then run this again'
            return policies.Stop(words, Code.HOST_NOT_READY)
        return None

    def unconfirmed(
        self, context: ServerContext, record: Migration
    ) -> ServerStatus | None:
        """Skip a server whose migration this restore did not request."""
        of_a_drain = contexts.is_of_a_drain(record, context.since)
        if of_a_drain and record.dest == self.policy.home:
            return None
        cold = record.type == model.MigrationType.COLD
        return ServerStatus(
            server_status.Phase.SKIPPED,
            f'somebody else {"cold-migrated" if cold else "resized"} it to '
            f'{record.dest} and has not confirmed it yet',
            Code.MOVED_BY_OTHERS if cold else Code.RESIZED_BY_OTHERS,
            record=record,
            destination=record.dest,
        )

    def skipped(
        self, view: Server, record: Migration | None
    ) -> ServerStatus | None:
        """Skip a server that others have moved since."""
        if (
            record
            and record.type == model.MigrationType.RESIZE
            and record.ended_well
        ):
            where = view.host or 'no host'
            reason = f'somebody else resized it, and it is on {where}'
            code = Code.RESIZED_BY_OTHERS
        elif view.host is None:
            reason, code = f'now {view.status}, on no host', Code.ON_NO_HOST
        elif view.host != self.policy.home:
            reason = f'somebody else moved it to {view.host}'
            code = Code.MOVED_BY_OTHERS
        else:
            return None
        return ServerStatus(
            server_status.Phase.SKIPPED,
            reason,
            code,
            record=record,
            destination=view.host,
        )
