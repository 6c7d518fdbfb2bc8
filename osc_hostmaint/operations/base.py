# SPDX-License-Identifier: Apache-2.0

"""What every verb begins with: a cloud, and the hosts that are meant."""

import collections.abc
import contextlib
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint.engine import exclusion
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import down_cells


@contextlib.contextmanager
def telling(
    errors: collections.abc.Mapping[str, str],
) -> collections.abc.Iterator[None]:
    """Add what was wrong with other hosts to a refusal."""
    try:
        yield
    except exceptions.Refused as refusal:
        words = (*errors.values(), str(refusal))
        raise exceptions.Refused('; '.join(words)) from None


class Verbs:
    """Verbs for the hosts of one cloud."""

    def __init__(self, cloud: gateway.Gateway):
        self._gateway = cloud

    def _find(self, host: str) -> model.Service:
        """Return the host's compute service.

        :raises SilentCell: its cell does not answer.
        """
        (service,) = self._pick([host], self._services())
        return names.check_answers(service)

    def _pick(
        self,
        hosts: collections.abc.Iterable[str],
        services: collections.abc.Mapping[str, model.Service],
    ) -> tuple[model.Service, ...]:
        """Return the hosts' compute services, each once, in their order."""
        return names.pick(hosts, services, self._gateway.hypervisor_hosts)

    def _fallen_silent(
        self, hosts: collections.abc.Collection[str]
    ) -> dict[str, str]:
        """Return errors of hosts that lists showed nothing of, if any.

        A cell that falls silent is left out of lists without a word.
        """
        services = self._services() if hosts else {}
        return {
            host: down_cells.words(host)
            for host in hosts
            if host in services and services[host].silent
        }

    def _check_rights(self) -> None:
        """Make sure that we can see what becomes of moves.

        An outage is not decided here: what follows retries for longer.

        :raises NotPermitted: a policy hides it.
        """
        with contextlib.suppress(exceptions.Unavailable):
            self._gateway.check_hosts_shown()

    def _services(self) -> dict[str, model.Service]:
        """Return the compute services of all hosts, by host."""
        return model.by_host(self._gateway.services())

    def _excluding(
        self,
        policy: policies.Policy,
        services: collections.abc.Sequence[model.Service],
    ) -> policies.Policy:
        """Return a policy for hosts with the ids of what it excludes.

        That costs a list of servers for each host, and only where it does.

        :raises Refused: nobody knows which servers are meant.
        """
        services = [each for each in services if not each.silent]
        hosts = [service.host for service in services]
        if not policy.exclude or not hosts:
            return policy
        ids = exclusion.resolve(
            policy.exclude,
            {s.id: s.name for h in hosts for s in self._gateway.servers(h)},
            _('on %s') % names.listed(services),
            lambda: self._leaving(hosts),
        )
        return dataclasses.replace(policy, exclude=ids)

    def _leaving(self, hosts: collections.abc.Iterable[str]) -> dict[str, str]:
        """Return servers that are elsewhere, and hold something of hosts."""
        found = {
            record.server_id
            for host in hosts
            for records in (
                self._gateway.migrations(host),
                self._gateway.unconfirmed(host),
            )
            for record in records
            if record.source == host
            and (record.in_flight or record.awaits_confirmation)
        }
        return {i: self._gateway.server(i).name for i in sorted(found)}
