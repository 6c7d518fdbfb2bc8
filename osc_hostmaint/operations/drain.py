# SPDX-License-Identifier: Apache-2.0

"""Emptying hosts, and what would come of that."""

import collections.abc
import contextlib
import dataclasses
import random

from osc_hostmaint import clock
from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.i18n import _
from osc_hostmaint.operations import base
from osc_hostmaint.operations import evacuation
from osc_hostmaint.operations import host_identity
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.progress import lines as progress_lines

_INTERRUPTED = loop.DrainResult((), {}, exceptions.ExitCode.INTERRUPTED)
DEFAULT_POLICY = policies.Policy()


class Draining(evacuation.Fencing):
    """The verbs that move servers off hosts."""

    def preview(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        force: bool = False,
        policy: policies.Policy = DEFAULT_POLICY,
        fenced: bool = False,
    ) -> dry_runs.Preview:
        """Return what a drain would do. Nothing is changed.

        :param force: as in :meth:`set`.
        :param policy: as in :meth:`drain`.
        :param fenced: as in :meth:`drain`.
        :raises UnknownHost: one of them, or the destination asked for, does
            not exist.
        :raises Refused: the destination asked for can't take any server, or
            a host has two compute services, or nobody knows which servers the
            policy excludes.
        :raises NotPermitted: Nova hides the hosts of migrations.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_to(policy, hosts, services)
        self._check_rights()
        policy = self._excluding(policy, found)
        found, refused, notes = host_identity.look(
            self._gateway, found, services, policy
        )
        if policy.evacuate:
            order = evacuation.Order(force=force, policy=policy, fenced=fenced)
            dead = self._judge(found, order)
            sources, errors = self._foresee_dead(dead, order), dead.errors
            notes += [dead.doubts[host] for host in sorted(dead.doubts)]
        else:
            sources, errors = self._foresee_all(found, force=force)
        seen = dry_run.look(
            self._gateway, clock.Clock(), services, sources, policy
        )
        shown = {row.host for row in seen.preview.rows}
        errors |= self._fallen_silent(
            [host for host in hosts if host not in shown | errors.keys()]
        )
        return dataclasses.replace(
            seen.preview,
            errors={**refused, **errors},
            notes=(*notes, *seen.preview.notes),
        )

    def drain(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        reason: str | None = None,
        force: bool = False,
        policy: policies.Policy = DEFAULT_POLICY,
        fenced: bool = False,
        confirm: evacuation.Confirm | None = None,
        timeout: float | None = None,
        report: ports.Reporter | None = None,
        interrupt: ports.Interrupt | None = None,
        diary: ports.Diary | None = None,
        skip_capacity_check: bool = False,
    ) -> loop.DrainResult:
        """Put hosts into maintenance and move every server off them.

        All hosts are put into maintenance first, so that no server lands on
        one that is about to be drained.

        With ``policy.evacuate`` the hosts have died. Each is forced down
        before, and nothing may have been heard of it for 20 s: that is
        awaited.

        :param reason: as in :meth:`set`.
        :param force: as in :meth:`set`.
        :param policy: what to do with which server; who we are to Nova, and
            from when a host counts as settled, is filled in here.
        :param fenced: with ``policy.evacuate``: the caller vouches that the
            hosts are powered off, so that also one is evacuated whose
            compute service is up.
        :param confirm: with ``policy.evacuate``: is asked whether hosts are
            powered off that nobody has vouched for; None: these are not
            evacuated.
        :param timeout: seconds after which nothing is awaited any more.
        :param report: is told how it goes.
        :param interrupt: tells whether the user wants to stop.
        :param diary: keeps what every decision was made from.
        :param skip_capacity_check: begin even if the servers can't all fit
            elsewhere.
        :raises UnknownHost: one of them, or the destination asked for, does
            not exist; nothing is touched.
        :raises NotPermitted: Nova hides the hosts of migrations; nothing is
            touched.
        :raises Refused: the destination asked for can't take any server, or
            nobody knows which servers the policy excludes; nothing is
            touched. Or the servers don't fit elsewhere; the hosts
            are in maintenance then, but for those to be evacuated, which are
            not touched.
        """
        if fenced and not policy.evacuate:
            raise ValueError('fenced is for hosts that are evacuated')
        services = self._services()
        found = self._pick(hosts, services)
        self._check_to(policy, hosts, services)
        self._check_rights()
        policy = self._excluding(policy, found)
        found, refused, notes = host_identity.look(
            self._gateway, found, services, policy
        )
        user_id = self._gateway.user_id()
        report = report or progress_lines.Silence()
        for note in notes:
            report.trouble(names.listed(found), note)
        interrupt = interrupt or interrupts.Interrupt()
        ticking = clock.Clock()
        order = evacuation.Order(
            reason=reason,
            force=force,
            policy=policy,
            fenced=fenced,
            confirm=confirm,
            skip_capacity_check=skip_capacity_check,
            report=report,
            interrupt=interrupt,
        )
        foresight = None
        ready: collections.abc.Sequence[model.Service]
        if policy.evacuate:
            dead = self._judge(found, order)
            dead.errors.update(refused)
            with base.telling(dead.errors):
                foresight = self._begin_evacuation(
                    dead, services, order, ticking
                )
            ready, errors = tuple(dead.services.values()), dead.errors
            if dead.interrupted:
                report.trouble(names.listed(found), dead.reached())
                return loop.with_errors(_INTERRUPTED, errors)
        else:
            ready, errors = self._set_all(found, reason=reason, force=force)
            errors.update(refused)
        settled_from = ticking.now()
        if any(service.enabled for service in found):
            settled_from += timing.LATE_ARRIVAL_SECONDS
        services |= {service.host: service for service in ready}
        board = observer.ServiceBoard(self._gateway, ticking, services)
        with base.telling(errors):
            guide = self._guide(
                ready,
                board,
                policy,
                ticking,
                report,
                skip_capacity_check=skip_capacity_check,
                foresight=foresight,
            )
        result = loop.drain(
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
            interrupt,
            timeout,
            diary,
            guide,
            board,
        )
        return loop.with_errors(result, errors)

    def _foresee_all(
        self,
        services: collections.abc.Iterable[model.Service],
        *,
        force: bool,
    ) -> tuple[list[model.Service], dict[str, str]]:
        """Return services as :meth:`set` would leave them, and errors."""
        foreseen, errors = [], {}
        for service in services:
            try:
                foreseen.append(
                    self._foresee_set(service, reason=None, force=force)
                )
            except (exceptions.Refused, exceptions.SilentCell) as error:
                errors[service.host] = str(error)
        return foreseen, errors

    def _check_to(
        self,
        policy: policies.Policy,
        hosts: collections.abc.Container[str],
        services: collections.abc.Mapping[str, model.Service],
    ) -> None:
        if policy.to:
            (destination,) = self._pick([policy.to], services)
            names.check_destination(destination, hosts)

    def _begin_evacuation(
        self,
        dead: evacuation.Dead,
        services: collections.abc.Mapping[str, model.Service],
        order: evacuation.Order,
        ticking: clock.Clock,
    ) -> dry_run.Prospect | None:
        """Look ahead, and have hosts down, marked and silent then.

        Those that this fails for are left alone.

        :raises Refused: the servers do not fit elsewhere; nothing is touched.
        """
        if order.confirm is None:
            for host, why in tuple(dead.doubts.items()):
                dead.leave(host, why)
        if not dead.services:
            return None
        try:
            return self._bring_down(dead, services, order, ticking)
        except KeyboardInterrupt:
            dead.interrupted = True
            return None

    def _bring_down(
        self,
        dead: evacuation.Dead,
        services: collections.abc.Mapping[str, model.Service],
        order: evacuation.Order,
        ticking: clock.Clock,
    ) -> dry_run.Prospect:
        looked_at, hosts = ticking.now(), set(dead.services)
        sources = self._foresee_dead(dead, order)
        seen = dry_run.look(
            self._gateway, ticking, services, sources, order.policy
        )
        self._tell(seen, sources, order)
        if not order.interrupt.requested:
            _ask(dead, seen, order)
        dead.interrupted = order.interrupt.requested
        if dead.services and not dead.interrupted:
            self._put_down(dead, order, ticking)
        stale = ticking.now() - looked_at >= timing.CLOUD_VIEW_VALID_SECONDS
        stale = stale or hosts != set(dead.services)
        if stale and dead.services and not dead.interrupted:
            with contextlib.suppress(exceptions.Unavailable):
                return dry_run.look(
                    self._gateway,
                    ticking,
                    self._services(),
                    tuple(dead.services.values()),
                    order.policy,
                )
        return seen

    def _tell(
        self,
        seen: dry_run.Prospect,
        sources: collections.abc.Sequence[model.Service],
        order: evacuation.Order,
    ) -> None:
        """Tell what an evacuation comes to.

        :raises Refused: the servers do not fit elsewhere.
        """
        where = names.listed(sources)
        _tell_notes(where, seen, order.policy, order.report)
        if seen.preview.outlook.misfits and not order.skip_capacity_check:
            raise exceptions.Refused(
                progress_lines.misfit(
                    where, seen.preview, progress_lines.UNTOUCHED
                )
            )
        for row in seen.preview.rows:
            if row.local_disk:
                order.report.trouble(row.host, progress_lines.loss(row))

    def _guide(
        self,
        sources: collections.abc.Sequence[model.Service],
        board: observer.ServiceBoard,
        policy: policies.Policy,
        ticking: clock.Clock,
        report: ports.Reporter,
        *,
        skip_capacity_check: bool,
        foresight: dry_run.Prospect | None = None,
    ) -> destinations.Destinations:
        """Return who knows where moves are to go, once it is sure they can.

        :param foresight: what was seen already, and told.
        :raises Refused: the servers do not fit elsewhere.
        """
        where = names.listed(sources)
        seen = foresight
        wanted = _balances(policy) or not skip_capacity_check
        if sources and seen is None and wanted:
            try:
                seen = dry_run.look(
                    self._gateway, ticking, board.services, sources, policy
                )
            except exceptions.Unavailable as error:
                # The drain itself bears with an outage for longer.
                report.trouble(where, _('capacity is not known: %s') % error)
            _tell_notes(where, seen, policy, report)
            misfits = seen and seen.preview.outlook.misfits
            if seen and misfits and not skip_capacity_check:
                raise exceptions.Refused(
                    progress_lines.misfit(where, seen.preview)
                )
        return destinations.Destinations(
            self._gateway,
            ticking,
            report,
            board,
            bound=policy.per_destination,
            patience=policy.server_timeout,
            prospect=seen,
        )


def _balances(policy: policies.Policy) -> bool:
    """Tell whether destinations are ours to pick."""
    return policy.spread is policies.Spread.BALANCE and not policy.to


def _tell_notes(
    where: str,
    seen: dry_run.Prospect | None,
    policy: policies.Policy,
    report: ports.Reporter,
) -> None:
    """Tell what could not be looked at."""
    for note in seen.preview.notes if seen else ():
        report.trouble(where, note)
    if _balances(policy) and not (seen and seen.known):
        report.trouble(where, _('destinations are left to the scheduler'))


def _ask(
    dead: evacuation.Dead, seen: dry_run.Prospect, order: evacuation.Order
) -> None:
    """Ask whether hosts are powered off that nobody has vouched for."""
    hosts = sorted(dead.doubts)
    if not hosts or order.confirm is None:
        return
    rows = [
        row
        for row in seen.preview.rows
        if row.host in dead.doubts and row.move == model.Move.EVACUATION
    ]
    losing = sum(row.local_disk is True for row in rows)
    if not order.confirm(heartbeats.question(hosts, len(rows), losing)):
        for host in hosts:
            dead.leave(host, heartbeats.denied(host))
