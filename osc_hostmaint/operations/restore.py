# SPDX-License-Identifier: Apache-2.0

"""Bringing servers home, and what would come of that."""

import collections.abc
import dataclasses
import datetime
import random

from osc_hostmaint import clock
from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import model
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.restore import capacity
from osc_hostmaint.engine.restore import loop as restore_loop
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.i18n import _
from osc_hostmaint.operations import base
from osc_hostmaint.operations import modes
from osc_hostmaint.planning import dry_run as dry_runs
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.restore import candidates
from osc_hostmaint.progress import lines as progress_lines

#: So long ago a server may have left its host, if nobody says more.
SINCE = datetime.timedelta(seconds=timing.RESTORE_SINCE_SECONDS)
#: Moves in flight to one host, if nobody says how many there may be.
PARALLEL = 4
DEFAULT_POLICY = policies.Policy()
#: Nothing left before it: OpenStack is younger.
EPOCH = datetime.datetime(2010, 1, 1, tzinfo=datetime.UTC)

#: A time, or so long ago by Nova's clock.
Since = datetime.datetime | datetime.timedelta


class Restoring(modes.Marking):
    """The verbs that bring servers back to hosts."""

    def preview_restore(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        since: Since = SINCE,
        running: policies.Running | None = None,
        policy: policies.Policy = DEFAULT_POLICY,
    ) -> dry_runs.Preview:
        """Return what :meth:`restore` would do. Nothing is changed.

        The parameters are those of it.

        :raises UnknownHost: one of the hosts does not exist.
        :raises Refused: nobody knows which servers the policy excludes.
        :raises NotPermitted: Nova hides the hosts of migrations.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_rights()
        ticking = clock.Clock()
        homes, errors = self._homes(found, dict.fromkeys(hosts, since))
        policy = dataclasses.replace(policy, user_id=self._gateway.user_id())
        with base.telling(errors):
            gathered = plan.gather(
                self._gateway, ticking, services, homes, policy, running
            )
        errors |= self._fallen_silent(_bare(gathered))
        known = _ids(gathered)
        teller = _Notes()
        gone = restore_loop.deleted(
            self._gateway, homes, known, teller, interrupts.Interrupt()
        )
        seen = capacity.look(self._gateway, services, gathered).preview
        return dataclasses.replace(
            seen,
            rows=(
                *seen.rows,
                *(dry_runs.row(row, None, seen.outlook) for row in gone),
            ),
            notes=(*seen.notes, *teller.notes),
            errors=errors,
        )

    def restore(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        since: Since = SINCE,
        running: policies.Running | None = None,
        policy: policies.Policy = DEFAULT_POLICY,
        timeout: float | None = None,
        report: ports.Reporter | None = None,
        interrupt: ports.Interrupt | None = None,
        skip_capacity_check: bool = False,
    ) -> loop.DrainResult:
        """Bring back the servers whose latest move was away from hosts.

        Those that are still where that move put them, and were not resized
        since. The hosts must be in service; one that is not is an error, and
        the others are restored.

        :param since: when they may have left: a time, or so long ago by
            Nova's clock.
        :param running: what to do with ACTIVE and PAUSED servers; None: each
            comes home as it left, live or cold. The policy's does not count.
        :param policy: how to move them: what it says of states, retries,
            stalls and excluded servers counts, and at most how many moves
            may be in flight to one destination, 4 if it does not say. All
            else is filled in here.
        :param timeout: seconds after which nothing is awaited any more.
        :param report: is told how it goes.
        :param interrupt: tells whether the user wants to stop.
        :param skip_capacity_check: begin even if they can't all fit.
        :returns: a row per server that left, unless it is home already. Those
            that are left alone are ``skipped``, or ``gone`` if they were
            deleted.
        :raises UnknownHost: one of the hosts does not exist; nothing is
            touched.
        :raises Refused: nobody knows which servers the policy excludes;
            nothing is touched.
        :raises NotPermitted: Nova hides the hosts of migrations; nothing is
            touched.
        """
        services = self._services()
        found = self._pick(hosts, services)
        self._check_rights()
        return self._restore(
            found,
            services,
            dict.fromkeys(hosts, since),
            running=running,
            policy=policy,
            timeout=timeout,
            report=report or progress_lines.Silence(),
            interrupt=interrupt or interrupts.Interrupt(),
            skip_capacity_check=skip_capacity_check,
        )

    def unset_and_restore(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        force: bool = False,
        timeout: float | None = None,
        report: ports.Reporter | None = None,
        interrupt: ports.Interrupt | None = None,
    ) -> loop.DrainResult:
        """Put hosts back into service, and bring back what left them.

        What left since the mark was set, and on a host without a mark (that
        was put back into service before) in the last seven days; the report
        is told then. A host that can't be put back into service is an error,
        and the others are restored.

        :param force: as in :meth:`unset`.
        :param timeout: as in :meth:`restore`, as are the others.
        :raises UnknownHost: one of the hosts does not exist; nothing is
            touched.
        :raises NotPermitted: Nova hides the hosts of migrations; nothing is
            touched.
        """
        report = report or progress_lines.Silence()
        found = self._pick(hosts, self._services())
        self._check_rights()
        since: dict[str, Since] = {}
        errors = {}
        for service in found:
            host = service.host
            try:
                self.unset(host, force=force)
            except exceptions.NotPermitted:
                raise
            except exceptions.HostMaintenanceError as error:
                errors[host] = str(error)
                continue
            mark = service.mark
            since[host] = mark.since if mark else SINCE
            if not mark:
                report.trouble(
                    host,
                    _(
                        'it has no mark that says since when it was in '
                        'maintenance: servers come home that left it in the '
                        'last %d days (restore --since <duration> says '
                        'otherwise)'
                    )
                    % SINCE.days,
                )
        try:
            services = self._services()
            result = self._restore(
                [services[host] for host in since if host in services],
                services,
                since,
                running=None,
                policy=DEFAULT_POLICY,
                timeout=timeout,
                report=report,
                interrupt=interrupt or interrupts.Interrupt(),
                skip_capacity_check=False,
            )
        except exceptions.CloudError as error:
            where = ', '.join(since)
            errors[where] = _(
                '%(hosts)s: in service again, but nothing was brought home: '
                '%(error)s'
            ) % {'hosts': where, 'error': error}
            return loop.with_errors(_NOTHING, errors)
        return loop.with_errors(result, errors)

    def _restore(
        self,
        found: collections.abc.Iterable[model.Service],
        services: collections.abc.Mapping[str, model.Service],
        since: collections.abc.Mapping[str, Since],
        *,
        running: policies.Running | None,
        policy: policies.Policy,
        timeout: float | None,
        report: ports.Reporter,
        interrupt: ports.Interrupt,
        skip_capacity_check: bool,
    ) -> loop.DrainResult:
        homes, errors = self._homes(found, since)
        policy = dataclasses.replace(
            policy,
            user_id=self._gateway.user_id(),
            stagger=random.SystemRandom().random(),
        )
        ticking = clock.Clock()
        board = observer.ServiceBoard(self._gateway, ticking, services)
        with base.telling(errors):
            gathered = plan.gather(
                self._gateway, ticking, services, homes, policy, running
            )
        errors |= self._fallen_silent(_bare(gathered))
        seen = None
        if not skip_capacity_check and any(each.groups for each in gathered):
            seen = capacity.look(self._gateway, services, gathered)
            for note in seen.notes:
                report.trouble(_names(homes), note)
            for host, preview in seen.by_home.items():
                if preview.outlook.misfits:
                    errors[host] = progress_lines.no_room_at_home(
                        host, preview
                    )
            gathered = tuple(g for g in gathered if g.home.host not in errors)
        result = restore_loop.bring(
            gathered,
            self._gateway,
            ticking,
            board,
            destinations.Destinations(
                self._gateway,
                ticking,
                report,
                board,
                bound=policy.per_destination or PARALLEL,
                patience=policy.server_timeout,
                prospect=seen.prospect if seen else None,
            ),
            report,
            interrupt,
            policy.max_failures,
            timeout,
        )
        result = loop.with_errors(result, errors)
        if result.exit_code in _CUT_SHORT:
            return result
        gone = restore_loop.deleted(
            self._gateway,
            [each.home for each in gathered],
            {row.server_id for row in result.rows},
            report,
            interrupt,
        )
        return restore_loop.with_rows(result, gone)

    def _homes(
        self,
        found: collections.abc.Iterable[model.Service],
        since: collections.abc.Mapping[str, Since],
    ) -> tuple[list[plan.Home], dict[str, str]]:
        """Return the hosts that servers can come home to, and errors."""
        homes, errors = [], {}
        for service in found:
            if words := candidates.against(service):
                errors[service.host] = words
                continue
            begin = since[service.host]
            if isinstance(begin, datetime.timedelta):
                now = self._gateway.now()
                begin = now - min(begin, now - EPOCH)
            homes.append(plan.Home(service, begin))
        return homes, errors


_NOTHING = loop.DrainResult((), {}, exceptions.ExitCode.DONE)
#: Nothing more is looked at then.
_CUT_SHORT = (exceptions.ExitCode.INTERRUPTED, exceptions.ExitCode.TIMEOUT)


class _Notes(progress_lines.Silence):
    """Keeps what it is told of troubles."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def trouble(self, host: str, text: str) -> None:
        self.notes.append(f'{host}: {text}')


def _bare(
    gathered: collections.abc.Iterable[plan.Gathering],
) -> list[str]:
    """Return the hosts that nothing was seen to have left."""
    return [g.home.host for g in gathered if not (g.groups or g.alone)]


def _ids(
    gathered: collections.abc.Iterable[plan.Gathering],
) -> set[str]:
    return {
        row.server_id
        for each in gathered
        for row in (*each.coming, *each.alone)
    }


def _names(homes: collections.abc.Iterable[plan.Home]) -> str:
    return ', '.join(home.host for home in homes)
