# SPDX-License-Identifier: Apache-2.0

"""The public Python API: what the commands do, for programs.

The shell's commands are its first user::

    import openstack
    from osc_hostmaint import api

    maintenance = api.Maintenance(openstack.connect(cloud='prod'))
    result = maintenance.drain(['cmp01'], reason='kernel update')
    for row in result.rows:
        print(row.name, row.result, row.destination)
"""

import collections.abc
import typing as ty

from openstack import connection

from osc_hostmaint import interrupt as interrupts
from osc_hostmaint.engine import ports
from osc_hostmaint.engine.loop import DrainResult
from osc_hostmaint.engine.ports import Interrupt
from osc_hostmaint.engine.ports import Reporter
from osc_hostmaint.engine.reporting import Publisher
from osc_hostmaint.events import Event
from osc_hostmaint.events import HostEnded
from osc_hostmaint.events import HostEvent
from osc_hostmaint.events import HostStarted
from osc_hostmaint.events import MoveAdopted
from osc_hostmaint.events import MoveDelayed
from osc_hostmaint.events import MoveEnded
from osc_hostmaint.events import MoveStarted
from osc_hostmaint.events import RequestSent
from osc_hostmaint.events import ResultExplained
from osc_hostmaint.events import RetryScheduled
from osc_hostmaint.events import ServerBlocked
from osc_hostmaint.events import ServerBusy
from osc_hostmaint.events import ServerChanged
from osc_hostmaint.events import ServerDropped
from osc_hostmaint.events import ServerEvent
from osc_hostmaint.events import Trouble
from osc_hostmaint.events import Waiting
from osc_hostmaint.events import WaitingEnded
from osc_hostmaint.exceptions import ApiTooOld
from osc_hostmaint.exceptions import CloudError
from osc_hostmaint.exceptions import ExitCode
from osc_hostmaint.exceptions import HostMaintenanceError
from osc_hostmaint.exceptions import InvalidMark
from osc_hostmaint.exceptions import NotFound
from osc_hostmaint.exceptions import NotPermitted
from osc_hostmaint.exceptions import Refused
from osc_hostmaint.exceptions import RequestRefused
from osc_hostmaint.exceptions import SilentCell
from osc_hostmaint.exceptions import Unavailable
from osc_hostmaint.exceptions import UnknownHost
from osc_hostmaint.exceptions import UnknownHypervisor
from osc_hostmaint.mark import Mark
from osc_hostmaint.model import Mode
from osc_hostmaint.model import Service
from osc_hostmaint.nova import gateway
from osc_hostmaint.operations import drain
from osc_hostmaint.operations import modes as modes_
from osc_hostmaint.operations import requests
from osc_hostmaint.operations import restore
from osc_hostmaint.operations.modes import ListedHost
from osc_hostmaint.operations.requests import Confirm
from osc_hostmaint.operations.requests import Since
from osc_hostmaint.planning.capacity.forecast import Fill
from osc_hostmaint.planning.capacity.forecast import Fit
from osc_hostmaint.planning.capacity.forecast import Fits
from osc_hostmaint.planning.capacity.forecast import Outlook
from osc_hostmaint.planning.dry_run import Preview
from osc_hostmaint.planning.dry_run import Row as PreviewRow
from osc_hostmaint.planning.host.decision import Result
from osc_hostmaint.planning.host.decision import Row
from osc_hostmaint.planning.policy import OnStall
from osc_hostmaint.planning.policy import Policy
from osc_hostmaint.planning.policy import Resized
from osc_hostmaint.planning.policy import Running
from osc_hostmaint.planning.policy import Shelved
from osc_hostmaint.planning.policy import Spread
from osc_hostmaint.planning.policy import Stopped
from osc_hostmaint.planning.policy import Suspended
from osc_hostmaint.planning.summary import Summary

if ty.TYPE_CHECKING:
    from osc_hostmaint.recording.writer import Recording as Diary

__all__ = ['Maintenance']
# What is asked for.
__all__ += ['Policy', 'Resized', 'Running', 'Shelved', 'Stopped', 'Suspended']
__all__ += ['Confirm', 'OnStall', 'Since', 'Spread']
__all__ += ['Diary', 'Interrupt', 'Publisher', 'Reporter']
# What a reporter is told.
__all__ += ['Event', 'HostEnded', 'HostEvent', 'HostStarted', 'Trouble']
__all__ += ['RequestSent', 'ServerEvent', 'Waiting', 'WaitingEnded']
__all__ += ['MoveAdopted', 'MoveDelayed', 'MoveStarted', 'RetryScheduled']
__all__ += ['MoveEnded', 'ServerBlocked', 'ServerBusy', 'ServerDropped']
__all__ += ['ResultExplained', 'ServerChanged']
# What is returned.
__all__ += ['ListedHost', 'Mark', 'Mode', 'Service', 'Summary']
__all__ += ['DrainResult', 'ExitCode', 'Result', 'Row']
__all__ += ['Fill', 'Fit', 'Fits', 'Outlook', 'Preview', 'PreviewRow']
# What is raised.
__all__ += ['HostMaintenanceError', 'Refused', 'SilentCell', 'UnknownHost']
__all__ += ['CloudError', 'InvalidMark', 'NotFound', 'NotPermitted']
__all__ += ['ApiTooOld', 'RequestRefused', 'Unavailable', 'UnknownHypervisor']


def __getattr__(name: str) -> ty.Any:
    """Import the recorder only where it is used: cattrs takes a while."""
    if name != 'Diary':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from osc_hostmaint.recording import writer

    return writer.Recording


class Maintenance:
    """Takes compute hosts out of service and puts them back.

    Every method takes exact names of hosts, as ``openstack compute service
    list`` shows them, and raises :class:`HostMaintenanceError`. All are
    idempotent: asking for what already is so is a success.
    """

    def __init__(self, conn: connection.Connection):
        """:param conn: to the cloud, as a user who administers Nova.

        Its session gets a time-out of 90 s if it has none (``api_timeout``).
        """
        self._gateway = gateway.Gateway(conn)

    def set(
        self, host: str, *, reason: str | None = None, force: bool = False
    ) -> Service:
        """Put a host into maintenance: no new server lands on it.

        :param reason: for people; None keeps the one that is there.
        :param force: take over a host that somebody else disabled.
        :raises UnknownHost: there is no such compute service.
        :raises SilentCell: its cell does not answer.
        :raises Refused: somebody else disabled it.
        :raises InvalidMark: the reason does not fit.
        """
        return modes_.set_maintenance(
            self._gateway, host, reason=reason, force=force
        )

    def unset(self, host: str, *, force: bool = False) -> Service:
        """Put a host back into service.

        That it is forced down, as a drain does with a dead host, is taken
        back first, and a heartbeat is awaited for up to 20 s then. A host that
        is enabled is left as it is.

        :param force: also one that somebody else disabled, whose compute
            service or hypervisor is down, that moves are still leaving, or
            on which evacuated servers may still run.
        :raises UnknownHost: there is no such compute service.
        :raises SilentCell: its cell does not answer.
        :raises Refused: one of these holds, and it is not forced; or Nova
            does not take back that it is forced down, since nova-compute has
            not cleaned up after an evacuation.
        """
        return modes_.unset_maintenance(self._gateway, host, force=force)

    def show(self, host: str) -> Summary:
        """Return what keeps a host out of service and what is still on it.

        :raises UnknownHost: there is no such compute service.
        :raises SilentCell: its cell does not answer.
        """
        return modes_.show(self._gateway, host)

    def preview(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        force: bool = False,
        policy: Policy = requests.DEFAULT_POLICY,
        fenced: bool = False,
    ) -> Preview:
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
        return drain.preview(
            self._gateway,
            requests.DrainRequest(
                hosts=hosts, force=force, policy=policy, fenced=fenced
            ),
        )

    def drain(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        reason: str | None = None,
        force: bool = False,
        policy: Policy = requests.DEFAULT_POLICY,
        fenced: bool = False,
        confirm: Confirm | None = None,
        timeout: float | None = None,
        report: Reporter | None = None,
        interrupt: Interrupt | None = None,
        diary: ports.Diary | None = None,
        skip_capacity_check: bool = False,
    ) -> DrainResult:
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
        return drain.drain(
            self._gateway,
            requests.DrainRequest(
                hosts=hosts,
                reason=reason,
                force=force,
                policy=policy,
                fenced=fenced,
                confirm=confirm,
                timeout=timeout,
                report=Publisher(report),
                interrupt=interrupt or interrupts.Interrupt(),
                recording=diary,
                skip_capacity_check=skip_capacity_check,
            ),
        )

    def preview_restore(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        since: Since = requests.SINCE,
        running: Running | None = None,
        policy: Policy = requests.DEFAULT_POLICY,
    ) -> Preview:
        """Return what :meth:`restore` would do. Nothing is changed.

        The parameters are those of it.

        :raises UnknownHost: one of the hosts does not exist.
        :raises Refused: nobody knows which servers the policy excludes.
        :raises NotPermitted: Nova hides the hosts of migrations.
        """
        return restore.preview(
            self._gateway,
            requests.RestoreRequest(
                hosts=hosts, since=since, running=running, policy=policy
            ),
        )

    def restore(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        since: Since = requests.SINCE,
        running: Running | None = None,
        policy: Policy = requests.DEFAULT_POLICY,
        timeout: float | None = None,
        report: Reporter | None = None,
        interrupt: Interrupt | None = None,
        skip_capacity_check: bool = False,
    ) -> DrainResult:
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
            that are left alone are ``skipped``. One that is deleted while
            it is brought home is ``gone``.
        :raises UnknownHost: one of the hosts does not exist; nothing is
            touched.
        :raises Refused: nobody knows which servers the policy excludes;
            nothing is touched.
        :raises NotPermitted: Nova hides the hosts of migrations; nothing is
            touched.
        """
        return restore.restore(
            self._gateway,
            requests.RestoreRequest(
                hosts=hosts,
                since=since,
                running=running,
                policy=policy,
                timeout=timeout,
                report=Publisher(report),
                interrupt=interrupt or interrupts.Interrupt(),
                skip_capacity_check=skip_capacity_check,
            ),
        )

    def unset_and_restore(
        self,
        hosts: collections.abc.Sequence[str],
        *,
        force: bool = False,
        timeout: float | None = None,
        report: Reporter | None = None,
        interrupt: Interrupt | None = None,
    ) -> DrainResult:
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
        return restore.unset_and_restore(
            self._gateway,
            requests.RestoreRequest(
                hosts=hosts,
                timeout=timeout,
                report=Publisher(report),
                interrupt=interrupt or interrupts.Interrupt(),
            ),
            force=force,
        )

    def list(
        self,
        modes: collections.abc.Container[Mode],
        *,
        hypervisor_types: bool = False,
    ) -> tuple[ListedHost, ...]:
        """Return the hosts in some modes, by name.

        And those whose cell does not answer: they may be in any. One request,
        one for each host returned, and one more if any has no servers.

        :param hypervisor_types: ask for these, too: one more request.
        """
        return modes_.list_hosts(
            self._gateway, modes, hypervisor_types=hypervisor_types
        )
