# SPDX-License-Identifier: Apache-2.0

"""Servers that a drain resumed to move them, and did not finish with."""

import logging

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import gateway as gateways
from osc_hostmaint.planning.server import context as contexts

LOG = logging.getLogger(__name__)


def say_who_is_tagged(
    gateway: gateways.Gateway, service: model.Service
) -> None:
    """Print which servers a run has resumed and not suspended again.

    Those on another host in maintenance are left to its drain.

    :param service: as it was before it was enabled.
    """
    host = service.host
    try:
        tagged = [s for s in gateway.tagged() if s.tag_removable]
        if any(server.host != host for server in tagged):
            drained = {s.host for s in gateway.services() if s.mark}
            left = _departed(gateway, service)
            tagged = [
                server
                for server in tagged
                if server.host == host
                or (server.id in left and server.host not in drained)
            ]
    except exceptions.CloudError as error:
        LOG.warning(
            _(
                '%(host)s: whether servers that were resumed to be moved are '
                'suspended again is not known: %(error)s'
            ),
            {'host': host, 'error': error},
        )
        return
    for server in tagged:
        suspend = _('suspend it (openstack server suspend %s) and ')
        LOG.warning(
            _(
                '%(host)s: %(name)s (%(id)s) on %(on)s is %(status)s and has '
                'the tag %(tag)s: a run resumed it to move it, and did not '
                'finish with it. Unless a drain is moving it now, %(suspend)s'
                'remove the tag (%(untag)s), or a later drain suspends it if '
                'it is running'
            ),
            {
                'host': host,
                'name': text.printable(server.name),
                'id': server.id,
                'on': server.host,
                'status': server.status,
                'tag': mark.RESUMED_TAG,
                'suspend': suspend % server.id if server.resumed else '',
                'untag': mark.untag_command(server.id),
            },
        )


def _departed(gateway: gateways.Gateway, service: model.Service) -> set[str]:
    """Return servers that left a host in its maintenance, by their ids.

    If its mark was overwritten, the newest moves tell.
    """
    host, mark_ = service.host, service.mark
    since = mark_.since if mark_ else None
    records = gateway.left(host, since) if since else gateway.migrations(host)
    return {
        record.server_id
        for record in records
        if record.source == host
        and record.ended_well
        and (since is None or record.created_at >= since - contexts.SKEW)
    }
