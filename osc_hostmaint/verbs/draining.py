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

"""Emptying hosts, and what would come of that."""

import collections.abc
import dataclasses
import random

from osc_hostmaint import clock
from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint import report as reports
from osc_hostmaint.engine import destinations
from osc_hostmaint.engine import drain
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import prospect
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import preview as previews
from osc_hostmaint.planning import switch
from osc_hostmaint.verbs import marking

SETTLE_SECONDS = 3.0
DEFAULT_POLICY = policies.Policy()


class Draining(marking.Marking):
    """The verbs that move servers off hosts."""

    def preview(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        force: bool = False,
        policy: policies.Policy = DEFAULT_POLICY,
    ) -> previews.Preview:
        """Return what a drain would do. Nothing is changed.

        :param force: as in :meth:`set`.
        :param policy: as in :meth:`drain`.
        :raises UnknownHost: one of them, or the destination asked for, does
            not exist.
        :raises Refused: the destination asked for can't take any server.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_to(policy, hosts, services)
        sources, errors = [], {}
        for service in found:
            decided = self._to_maintenance(service, None, force=force)
            if decided.step is switch.Step.REFUSE:
                errors[service.host] = decided.reason
                continue
            if decided.mark is not None:
                service = dataclasses.replace(
                    service,
                    enabled=False,
                    disabled_reason=mark.write(decided.mark),
                )
            sources.append(service)
        seen = prospect.look(
            self._gateway, clock.Clock(), services, sources, policy
        )
        return dataclasses.replace(seen.preview, errors=errors)

    def drain(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        reason: str | None = None,
        force: bool = False,
        policy: policies.Policy = DEFAULT_POLICY,
        timeout: float | None = None,
        report: ports.Reporter | None = None,
        interrupt: ports.Interrupt | None = None,
        diary: ports.Diary | None = None,
        skip_capacity_check: bool = False,
    ) -> drain.DrainResult:
        """Put hosts into maintenance and move every server off them.

        All hosts are put into maintenance first, so that no server lands on
        one that is about to be drained.

        :param reason: as in :meth:`set`.
        :param force: as in :meth:`set`.
        :param policy: what to do with which server; who we are to Nova, and
            from when a host counts as settled, is filled in here.
        :param timeout: seconds after which nothing is awaited any more.
        :param report: is told how it goes.
        :param interrupt: tells whether the user wants to stop.
        :param diary: keeps what every decision was made from.
        :raises UnknownHost: one of them, or the destination asked for, does
            not exist; nothing is touched.
        :param skip_capacity_check: begin even if the servers can't all fit
            elsewhere.
        :raises Refused: the destination asked for can't take any server;
            nothing is touched. Or the servers don't fit elsewhere; the hosts
            are in maintenance then.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_to(policy, hosts, services)
        user_id = self._gateway.user_id()
        report = report or reports.Silence()
        ready, errors = self._set_all(found, reason=reason, force=force)
        ticking = clock.Clock()
        settled_from = ticking.now()
        if any(service.enabled for service in found):
            settled_from += SETTLE_SECONDS
        services |= {service.host: service for service in ready}
        board = observer.ServiceBoard(self._gateway, ticking, services)
        try:
            guide = self._guide(
                ready,
                board,
                policy,
                ticking,
                report,
                skip_capacity_check=skip_capacity_check,
            )
        except exceptions.Refused as refusal:
            words = (*errors.values(), str(refusal))
            raise exceptions.Refused('; '.join(words)) from None
        result = drain.drain(
            ready,
            dataclasses.replace(
                policy,
                user_id=user_id,
                stagger=random.SystemRandom().random(),
                settled_from=settled_from,
            ),
            self._gateway,
            ticking,
            report,
            interrupt or interrupts.Interrupt(),
            timeout,
            diary,
            guide,
            board,
        )
        return drain.with_errors(result, errors)

    def _check_to(
        self,
        policy: policies.Policy,
        hosts: collections.abc.Container[str],
        services: collections.abc.Mapping[str, model.Service],
    ) -> None:
        if policy.to:
            (destination,) = self._pick([policy.to], services)
            names.check_destination(destination, hosts)

    def _guide(
        self,
        sources: collections.abc.Sequence[model.Service],
        board: observer.ServiceBoard,
        policy: policies.Policy,
        ticking: clock.Clock,
        report: ports.Reporter,
        *,
        skip_capacity_check: bool,
    ) -> destinations.Destinations:
        """Return who knows where moves are to go, once it is sure they can.

        :raises Refused: the servers do not fit elsewhere.
        """
        balance = policy.spread is policies.Spread.BALANCE and not policy.to
        where = names.listed(sources)
        seen = None
        if sources and (balance or not skip_capacity_check):
            try:
                seen = prospect.look(
                    self._gateway, ticking, board.services, sources, policy
                )
            except exceptions.Unavailable as error:
                # The drain itself bears with an outage for longer.
                report.trouble(where, _('capacity is not known: %s') % error)
        for note in seen.preview.notes if seen else ():
            report.trouble(where, note)
        if sources and balance and not (seen and seen.known):
            report.trouble(where, _('destinations are left to the scheduler'))
        if seen and seen.preview.outlook.misfits and not skip_capacity_check:
            raise exceptions.Refused(reports.misfit(where, seen.preview))
        return destinations.Destinations(
            self._gateway,
            ticking,
            report,
            board,
            bound=policy.per_destination,
            patience=policy.server_timeout,
            prospect=seen,
        )
