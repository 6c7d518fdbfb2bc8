# SPDX-License-Identifier: Apache-2.0

"""Hosts that have died: vouched for, forced down, and silent indeed."""

import collections.abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import interrupt as interrupts
from osc_hostmaint import model
from osc_hostmaint.engine import heartbeat
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.operations import modes
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.progress import lines as progress_lines

#: Is asked whether hosts are powered off, in words for people.
Confirm = collections.abc.Callable[[str], bool]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How hosts are to be evacuated: arguments of a drain."""

    force: bool
    policy: policies.Policy
    fenced: bool
    reason: str | None = None
    confirm: Confirm | None = None
    skip_capacity_check: bool = False
    report: ports.Reporter = dataclasses.field(
        default_factory=progress_lines.Silence
    )
    interrupt: ports.Interrupt = dataclasses.field(
        default_factory=interrupts.Interrupt
    )


@dataclasses.dataclass(slots=True)
class Dead:
    """Hosts that are taken for dead, and how far that has come."""

    #: As they were last looked at, by host.
    services: dict[str, model.Service] = dataclasses.field(
        default_factory=dict
    )
    #: Why those are not evacuated that nobody has vouched for yet.
    doubts: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Those that we have forced down, or tried to.
    forced: set[str] = dataclasses.field(default_factory=set)
    #: Why the others are left alone, by host.
    errors: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Something was changed, or may have been.
    touched: bool = False
    interrupted: bool = False

    def leave(self, host: str, why: str) -> None:
        """Leave one alone."""
        del self.services[host]
        self.doubts.pop(host, None)
        self.errors[host] = why

    def reached(self) -> str:
        """Return how the hosts are left when the user interrupts this."""
        if not self.touched:
            return _('interrupted: nothing was changed')
        return _(
            'interrupted: nothing was evacuated, but hosts are forced down '
            'and in maintenance. Run the same command again to go on; '
            'openstack host maintenance unset takes that back'
        )


class Fencing(modes.Marking):
    """What every evacuation begins with."""

    def _judge(
        self, found: collections.abc.Iterable[model.Service], order: Order
    ) -> Dead:
        """Sort out the hosts that can't be evacuated, as things are.

        Nothing is changed.
        """
        dead = Dead()
        for service in found:
            host = service.host
            try:
                self._foresee_set(
                    service, reason=order.reason, force=order.force
                )
            except exceptions.CloudError:
                raise
            except exceptions.HostMaintenanceError as error:
                dead.errors[host] = str(error)
                continue
            verdict = heartbeats.judge(service, fenced=order.fenced)
            if verdict.step is heartbeats.Step.REFUSE:
                dead.errors[host] = verdict.reason
                continue
            dead.services[host] = service
            if verdict.step is heartbeats.Step.ASK:
                dead.doubts[host] = verdict.reason
        return dead

    def _foresee_dead(self, dead: Dead, order: Order) -> list[model.Service]:
        """Return the hosts' services as they will be evacuated."""
        return [
            heartbeats.fenced(
                self._foresee_set(
                    service, reason=order.reason, force=order.force
                )
            )
            for service in dead.services.values()
        ]

    def _put_down(
        self, dead: Dead, order: Order, ticking: ports.Clock
    ) -> None:
        """Force hosts down, mark them, and make sure that they are silent.

        Those that fail in this are left alone.
        """
        self._look_again(dead, order)
        if order.interrupt.requested:
            dead.interrupted = True
            return
        dead.touched = True
        self._force_down(dead)
        marked, errors = self._set_all(
            dead.services.values(), reason=order.reason, force=order.force
        )
        for host, error in errors.items():
            dead.leave(host, _half_done(host, error, dead))
        dead.services = {service.host: service for service in marked}
        heard = heartbeat.listen(
            self._gateway,
            ticking,
            order.report,
            order.interrupt,
            dead.services,
        )
        for host, words in heard.alive.items():
            dead.leave(host, f'{words}. {self._give_back(host, dead)}')
        dead.services = dict(heard.silent)
        dead.interrupted = heard.interrupted

    def _look_again(self, dead: Dead, order: Order) -> None:
        """Look at the hosts as they are just before they are changed."""
        services = self._services()
        for host, before in tuple(dead.services.items()):
            # Deleted meanwhile, or its cell does not answer (< 2.69).
            service = services.get(host, before)
            if service.silent:
                dead.leave(host, down_cells.words(host))
                continue
            back = service.up and not before.up
            doubted = before.forced_down and not service.forced_down
            if back or (doubted and not order.fenced):
                dead.leave(
                    host,
                    _(
                        '%(host)s has come back meanwhile, and nothing was '
                        'changed: see openstack host maintenance show %(host)s'
                    )
                    % {'host': host},
                )
            else:
                dead.services[host] = service

    def _force_down(self, dead: Dead) -> None:
        for host, service in tuple(dead.services.items()):
            if service.forced_down:
                continue
            dead.forced.add(host)
            try:
                dead.services[host] = self._gateway.force_down(
                    service, down=True
                )
            except exceptions.NotPermitted:
                raise
            except exceptions.HostMaintenanceError as error:
                dead.leave(host, str(error))

    def _give_back(self, host: str, dead: Dead) -> str:
        """Take back what we did to a host that is alive, and tell of it."""
        if host not in dead.forced:
            return _(
                '%(host)s stays forced down, as it was found (openstack host '
                'maintenance unset %(host)s takes that back)'
            ) % {'host': host}
        try:
            self._gateway.force_down(dead.services[host], down=False)
        except exceptions.CloudError as error:
            return _('%(host)s stays forced down: %(error)s') % {
                'host': host,
                'error': error,
            }
        return _(
            'That it was forced down is taken back, and it stays in '
            'maintenance. Power it off and run this again, or drain it '
            'without --evacuate'
        )


def _half_done(host: str, error: str, dead: Dead) -> str:
    if host not in dead.forced:
        return error
    return _('%(error)s (%(host)s is forced down: run this again)') % {
        'error': error,
        'host': host,
    }
