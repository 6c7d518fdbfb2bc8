# SPDX-License-Identifier: Apache-2.0

"""What the public API can do; :mod:`osc_hostmaint.api` has its types."""

from collections import abc
import datetime

from openstack import connection

from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import model
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.nova import gateway
from osc_hostmaint.operations import drain
from osc_hostmaint.operations import modes as modes_
from osc_hostmaint.operations import plan as plan_
from osc_hostmaint.operations import requests
from osc_hostmaint.operations import restore
from osc_hostmaint.operations import status
from osc_hostmaint.planning import dry_run
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import summary
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.batches import plan as plans

DrainResult = loop.DrainResult
Interrupt = ports.Interrupt
Mode = model.Mode
Policy = policies.Policy
Preview = dry_run.Preview
Publisher = reporting.Publisher
Reporter = ports.Reporter
Running = policies.Running
Service = model.Service
Since = requests.Since


class Maintenance:
    """Takes compute hosts out of service and puts them back.

    Every method takes exact host names, as ``openstack compute service list``
    shows them, and raises :class:`HostMaintenanceError`: ``UnknownHost`` if
    one has no compute service, ``SilentCell`` if its cell does not answer
    and no other host is asked for, ``NotPermitted`` if a policy forbids a
    request or hides the hosts of migrations. All methods are idempotent:
    asking for a state that is already reached is a success.
    """

    def __init__(self, conn: connection.Connection):
        """:param conn: a connection to the cloud, as an administrator of Nova.

        Its session gets a time-out of 90 s if it has none (``api_timeout``).
        """
        self._gateway = gateway.Gateway(conn)

    @property
    def cloud(self) -> str:
        """A URI of this cloud for events: identity endpoint and region.

        :raises CloudError: Keystone does not answer.
        """
        return self._gateway.uri()

    def set(
        self,
        host: str,
        *,
        reason: str | None = None,
        force: bool = False,
        report: Reporter | None = None,
    ) -> Service:
        """Put a host into maintenance: no new server lands on it.

        :param reason: a text for people; None keeps the current one.
        :param force: take over a host that somebody else disabled.
        :param report: receives the event.
        :raises Refused: somebody else disabled the host, or changed its
            compute service while this ran.
        :raises InvalidMark: the reason does not fit.
        """
        return modes_.set_maintenance(
            self._gateway,
            requests.DrainRequest(
                hosts=(host,),
                reason=reason,
                force=force,
                report=Publisher(report),
            ),
        )

    def unset(
        self,
        host: str,
        *,
        force: bool = False,
        report: Reporter | None = None,
    ) -> Service:
        """Put a host back into service.

        If the host is forced down, as after an evacuation, this undoes the
        force-down first. Then, or if its compute service is down, this waits
        up to 20 s for a heartbeat. A host that is enabled is left as it is.

        :param force: also enable a host that somebody else disabled, whose
            compute service or hypervisor is down, that servers are still
            moving off, or on which evacuated servers may still run.
        :param report: receives the event.
        :raises Refused: one of these conditions holds without ``force``; or
            Nova refuses to undo the force-down, because nova-compute has not
            cleaned up after an evacuation; or the host is in that state, but
            enabled; or somebody else changed the compute service while this
            ran.
        """
        return modes_.unset_maintenance(
            self._gateway, host, Publisher(report), force=force
        )

    def show(self, host: str) -> summary.Summary:
        """Return a host's maintenance state and what is still on it."""
        return status.show(self._gateway, host)

    def preview(
        self,
        hosts: abc.Sequence[str],
        *,
        force: bool = False,
        policy: Policy = requests.DEFAULT_POLICY,
        fenced: bool = False,
        report: Reporter | None = None,
    ) -> Preview:
        """Return what a drain would do. Nothing is changed.

        :param hosts: this and the others are as in :meth:`drain`.
        :param report: receives how far this is, if it takes long.
        :raises UnknownHost: a host, the requested destination, or one to
            avoid does not exist.
        :raises Refused: the requested destination cannot take any server, a
            host has two compute services, or a server to exclude is not
            known or not unique.
        """
        return drain.preview(
            self._gateway,
            requests.DrainRequest(
                hosts=hosts,
                force=force,
                policy=policy,
                fenced=fenced,
                report=Publisher(report),
            ),
        )

    def drain(
        self,
        hosts: abc.Sequence[str],
        *,
        reason: str | None = None,
        force: bool = False,
        policy: Policy = requests.DEFAULT_POLICY,
        fenced: bool = False,
        confirm: requests.Confirm | None = None,
        timeout: float | None = None,
        until: datetime.datetime | None = None,
        report: Reporter | None = None,
        interrupt: Interrupt | None = None,
        recording: ports.Recording | None = None,
        skip_capacity_check: bool = False,
    ) -> DrainResult:
        """Put hosts into maintenance and move every server off them.

        All hosts are put into maintenance first, so that no server moves to
        a host that is drained next.

        With ``policy.evacuate`` the hosts have died. They are forced down
        first; then this waits for 20 s, in which no heartbeat may arrive.

        :param reason: this and ``force`` are as in :meth:`set`.
        :param policy: what to do with each server. The field
            ``settled_from`` is set here.
        :param fenced: with ``policy.evacuate``: the caller vouches that the
            hosts are powered off. Hosts whose compute service is up are then
            also evacuated.
        :param confirm: with ``policy.evacuate``: is called to ask whether
            the other hosts are powered off; None: these are not evacuated.
        :param timeout: seconds after which the call ends; moves in flight
            continue in Nova.
        :param until: a time with a time zone, after which no move starts by
            this machine's clock; moves in flight are awaited.
        :param report: receives events and notices while the drain runs.
        :param interrupt: tells whether the user wants to stop.
        :param recording: records every decision and its input.
        :param skip_capacity_check: start even if some servers do not fit.
        :raises UnknownHost: a host, the requested destination, or one to
            avoid does not exist. Nothing was changed then, nor in the
            following cases.
        :raises Refused: the requested destination cannot take any server, or
            a server to exclude is not known or not unique. Or the servers do
            not fit on other hosts: hosts to drain are then in maintenance.
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
                until=until,
                report=Publisher(report),
                interrupt=interrupt or interrupts.Interrupt(),
                recording=recording,
                skip_capacity_check=skip_capacity_check,
            ),
        )

    def preview_restore(
        self,
        hosts: abc.Sequence[str],
        *,
        since: Since = requests.SINCE,
        running: Running | None = None,
        policy: Policy = requests.DEFAULT_POLICY,
        report: Reporter | None = None,
    ) -> Preview:
        """Return what :meth:`restore` would do. Nothing is changed.

        :param hosts: this and the others are as in :meth:`restore`.
        :param report: as in :meth:`preview`.
        :raises Refused: a server to exclude is not known or not unique.
        """
        return restore.preview(
            self._gateway,
            requests.RestoreRequest(
                hosts=hosts,
                since=since,
                running=running,
                policy=policy,
                report=Publisher(report),
            ),
        )

    def plan(
        self,
        hosts: abc.Collection[str] = (),
        *,
        aggregates: abc.Collection[str] = (),
        zones: abc.Collection[str] = (),
        done: abc.Collection[str] = (),
        at_once: int = timing.HOSTS_AT_ONCE,
        share: int = timing.SHARE_PERCENT,
        policy: Policy = requests.DEFAULT_POLICY,
        report: Reporter | None = None,
    ) -> plans.Plan:
        """Return in which batches hosts can be drained. Nothing is changed.

        After each batch its hosts are taken to be back in service, and empty.
        Hosts that are in maintenance already are the first batch.

        :param hosts: these, those of the aggregates and those of the zones
            are planned; all hosts if none of the three is given.
        :param aggregates: names of aggregates.
        :param zones: names of availability zones.
        :param done: hosts that were drained already: they are not planned,
            and servers go there first.
        :param at_once: most hosts in a batch.
        :param share: most hosts of any aggregate or zone that are out of
            service at once, in per cent of its hosts, but at least one.
        :param policy: what a drain would do with the servers, by status.
        :param report: as in :meth:`preview`.
        :raises UnknownHost: a host, aggregate or zone does not exist.
        :raises Refused: it is not known who has room.
        """
        return plan_.plan(
            self._gateway,
            requests.PlanRequest(
                hosts=hosts,
                aggregates=aggregates,
                zones=zones,
                done=done,
                at_once=at_once,
                share=share,
                policy=policy,
                report=Publisher(report),
            ),
        )

    def restore(
        self,
        hosts: abc.Sequence[str],
        *,
        since: Since = requests.SINCE,
        running: Running | None = None,
        policy: Policy = requests.DEFAULT_POLICY,
        timeout: float | None = None,
        until: datetime.datetime | None = None,
        report: Reporter | None = None,
        interrupt: Interrupt | None = None,
        skip_capacity_check: bool = False,
    ) -> DrainResult:
        """Bring back the servers whose latest move was away from hosts.

        Only servers that are still where that move put them, and that were
        not resized since then. A host out of service is an error.

        :param since: the earliest departure: a time, or a duration before
            now by Nova's clock.
        :param running: what to do with ACTIVE and PAUSED servers, instead of
            ``policy.running``; None: each comes back the way it left, live or
            cold.
        :param policy: how to move the servers. Its states, retries, stalls,
            excluded servers and ``per_destination`` (default here: 4) count;
            the other fields are set here.
        :param timeout: this, ``until``, ``report`` and ``interrupt`` are as
            in :meth:`drain`.
        :param skip_capacity_check: start even if the servers do not all fit.
        :returns: a row per server that left, unless it is already back.
            Servers that are left alone are ``skipped``. One that is deleted
            during its move is ``gone``.
        :raises UnknownHost: one of the hosts does not exist. Nothing was
            changed then, nor in the following cases.
        :raises Refused: a server to exclude is not known or not unique.
        """
        return restore.restore(
            self._gateway,
            requests.RestoreRequest(
                hosts=hosts,
                since=since,
                running=running,
                policy=policy,
                timeout=timeout,
                until=until,
                report=Publisher(report),
                interrupt=interrupt or interrupts.Interrupt(),
                skip_capacity_check=skip_capacity_check,
            ),
        )

    def unset_and_restore(
        self,
        hosts: abc.Sequence[str],
        *,
        force: bool = False,
        timeout: float | None = None,
        until: datetime.datetime | None = None,
        report: Reporter | None = None,
        interrupt: Interrupt | None = None,
    ) -> DrainResult:
        """Put hosts back into service, and bring their servers back.

        These are the servers that left since the mark was set. Without a
        mark (the host was put back into service before), they are those that
        left in the last seven days, and the report receives a notice. A host
        that cannot be put back into service is an error; the other hosts are
        restored.

        :param force: as in :meth:`unset`.
        :param timeout: as in :meth:`restore`, like the others.
        :raises UnknownHost: one of the hosts does not exist. Nothing was
            changed then.
        """
        return restore.unset_and_restore(
            self._gateway,
            requests.RestoreRequest(
                hosts=hosts,
                timeout=timeout,
                until=until,
                report=Publisher(report),
                interrupt=interrupt or interrupts.Interrupt(),
            ),
            force=force,
        )

    def list(
        self,
        modes: abc.Container[Mode],
        *,
        hypervisor_types: bool = False,
        older_than: datetime.timedelta | None = None,
    ) -> tuple[status.ListedHost, ...]:
        """Return the hosts that are in one of the modes, ordered by name.

        Hosts whose cell does not answer are always included. This costs one
        request, one for each host returned, one more if a host has servers,
        and one more if a host has none.

        :param hypervisor_types: also return the types of the hypervisors,
            which costs one more request.
        :param older_than: return only hosts that have been in maintenance for
            longer than that, and those whose cell does not answer.
        """
        return status.list_hosts(
            self._gateway,
            modes,
            hypervisor_types=hypervisor_types,
            older_than=older_than,
        )
