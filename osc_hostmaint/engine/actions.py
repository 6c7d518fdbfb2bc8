# SPDX-License-Identifier: Apache-2.0

"""Sending an action: which request to Nova it is."""

from osc_hostmaint import exceptions
from osc_hostmaint import nova_states
from osc_hostmaint.engine import ports
from osc_hostmaint.i18n import _
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories


def prepare(gateway: ports.Gateway, action: memories.Action) -> None:
    """Do at the last moment what an action needs before it may be sent.

    :raises CloudError: it must not be sent.
    """
    kinds = memories.ActionKind
    try:
        if action.kind in (kinds.EVACUATE, kinds.RESET, kinds.RESUME):
            _check(gateway, action)
        if action.kind is kinds.RESUME:
            gateway.tag(action.server_id)
    except exceptions.Unavailable as error:
        raise exceptions.Unavailable(str(error), in_doubt=False) from error


def _check(gateway: ports.Gateway, action: memories.Action) -> None:
    """Check whether a server may still be evacuated, or resumed.

    Nova does not refuse a second evacuation while the first is under way: it
    builds the server on both destinations, and puts it into ERROR. A reset
    hides that there is one. Nor does it refuse the tag of one to be suspended
    again to a server that its owner has resumed meanwhile.

    :raises CloudError: it may not, or that is not known.
    """
    server_id = action.server_id
    server = gateway.server(server_id)
    if server.status == nova_states.Status.UNKNOWN:
        raise exceptions.Unavailable(
            _('Server %(id)s: %(why)s')
            % {'id': server_id, 'why': down_cells.CELL}
        )
    if server.status == nova_states.Status.REBUILD:
        raise exceptions.RequestRefused(
            _('Server %s is already being rebuilt') % server_id
        )
    # Whether Nova starts it depends on that.
    if action.vm_state not in ('', server.vm_state):
        raise exceptions.RequestRefused(
            _(
                'Server %(id)s has changed from %(then)s to %(now)s in the '
                'meantime'
            )
            % {
                'id': server_id,
                'then': action.vm_state,
                'now': server.vm_state,
            }
        )


def send(gateway: ports.Gateway, action: memories.Action) -> None:
    """Ask Nova for what an action says, once.

    :raises CloudError: Nova refused it, or did not answer.
    """
    kinds, server_id = memories.ActionKind, action.server_id
    match action.kind:
        case kinds.LIVE_MIGRATE:
            gateway.live_migrate(server_id, action.host)
        case kinds.COLD_MIGRATE:
            gateway.cold_migrate(server_id, action.host)
        case kinds.EVACUATE:
            gateway.evacuate(server_id, action.host, stopped=action.stopped)
        case kinds.RESET:
            gateway.reset(server_id)
        case kinds.CONFIRM:
            gateway.confirm(server_id)
        case kinds.RESUME:
            gateway.resume(server_id)
        case kinds.SUSPEND:
            gateway.suspend(server_id)
        case kinds.UNTAG:
            gateway.untag(server_id)
        case kinds.SHELVE:
            gateway.shelve(server_id)
        case kinds.OFFLOAD:
            gateway.offload(server_id)
        case kinds.ABORT:
            gateway.abort(server_id, action.record_id)
        case kinds.FORCE_COMPLETE:
            gateway.force_complete(server_id, action.record_id)
