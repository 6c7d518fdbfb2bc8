# SPDX-License-Identifier: Apache-2.0

"""What is asked of Nova for one server: requests that change something.

Each is sent once. That Nova accepted it says that it will be tried, no more;
what comes of it is read from the server and its migration records. See
https://docs.openstack.org/api-ref/compute/#servers-run-an-action-servers-action
"""

from osc_hostmaint import exceptions
from osc_hostmaint import mark
from osc_hostmaint import nova_states
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import client
from osc_hostmaint.nova import records
from osc_hostmaint.nova import servers
from osc_hostmaint.nova import transport

#: Nova's words where a server has as many tags as it may have (50).
_TAG_LIMIT = 'exceeded the per-server limit'
#: From it on evacuated servers stay stopped. Below it each gets the state
#: back that it had.
STOPPING = '2.95'


def live_migrate(cloud: client.Client, server_id: str, host: str = '') -> None:
    """Ask for a live migration.

    The checks come after the answer (>= 2.34); disks are copied where they
    are not shared (`auto`, >= 2.25).

    :param host: to go to, if it passes the scheduler's filters, which
        nobody overrides here (no `force`, 2.30 to 2.67). '' leaves it to
        the scheduler.
    """
    asked = {'host': host or None, 'block_migration': 'auto'}
    _act(cloud, server_id, {'os-migrateLive': asked})


def cold_migrate(cloud: client.Client, server_id: str, host: str = '') -> None:
    """Ask for a cold migration.

    :param host: to go to, if it passes the scheduler's filters (>= 2.56).
        '' leaves it to the scheduler.
    """
    _act(cloud, server_id, {'migrate': {'host': host} if host else None})


def evacuate(
    cloud: client.Client,
    server_id: str,
    host: str = '',
    *,
    stopped: bool = False,
) -> None:
    """Ask for an evacuation, off a host whose compute service is down.

    Nova does not refuse a second one while the first is under way, and
    would build the server twice.

    :param host: to go to, if it passes the scheduler's filters, which
        nobody overrides here (no `force`, 2.29 to 2.67). '' leaves it to
        the scheduler.
    :param stopped: it is to stay stopped; else it gets the state that it
        had. One in ERROR becomes ACTIVE in any case.
    :raises RequestRefused: also where it is to stay stopped, and Nova
        can't do that.
    """
    version = ''
    if stopped:
        doing = _('Evacuating server %s so that it stays stopped')
        try:
            version = cloud.nova.microversion(STOPPING, doing % server_id)
        except exceptions.ApiTooOld as error:
            # That says nothing about other servers.
            raise exceptions.RequestRefused(str(error), final=True) from error
    body = {'evacuate': {'host': host} if host else {}}
    _act(cloud, server_id, body, version)


def reset(cloud: client.Client, server_id: str) -> None:
    """Have Nova take a server for ACTIVE, without a task.

    It changes nothing but Nova's database.
    """
    state = nova_states.VmState.ACTIVE.value
    _act(cloud, server_id, {'os-resetState': {'state': state}})


def confirm(cloud: client.Client, server_id: str) -> None:
    """Confirm a cold migration or a resize: give up the old disk."""
    _act(cloud, server_id, {'confirmResize': None})


def resume(cloud: client.Client, server_id: str) -> None:
    """Resume a suspended server."""
    _act(cloud, server_id, {'resume': None})


def suspend(cloud: client.Client, server_id: str) -> None:
    """Suspend a running server: its memory goes to its host's disk."""
    _act(cloud, server_id, {'suspend': None})


def shelve(cloud: client.Client, server_id: str) -> None:
    """Shelve a server: stop it, and keep its disk as an image.

    What a suspended one had in its memory is lost. Nova also takes it off
    its host, at once by default, after a while or never, as its option
    ``shelved_offload_time`` says (0: at once; -1: never).
    """
    _act(cloud, server_id, {'shelve': None})


def offload(cloud: client.Client, server_id: str) -> None:
    """Take a shelved server off its host."""
    _act(cloud, server_id, {'shelveOffload': None})


def abort(cloud: client.Client, server_id: str, record_id: int) -> None:
    """Abort a live migration: its server stays where it is.

    It must be running; from 2.65 on, it may also be queued.
    """
    cloud.nova.change('DELETE', live_migration(server_id, record_id))


def force_complete(
    cloud: client.Client, server_id: str, record_id: int
) -> None:
    """Complete a live migration that runs, by stopping its server.

    How, is up to the hypervisor: the server pauses until all is copied, or
    goes on at its destination and waits for what it misses (post-copy).
    Nova refuses it for a paused server.
    """
    path = live_migration(server_id, record_id)
    cloud.nova.post(f'{path}/action', {'force_complete': None})


def tag(cloud: client.Client, server_id: str) -> None:
    """Give a server the tag of those that are resumed to be moved.

    It says to every run that the server is to be suspended again.

    :raises RequestRefused: also where a policy does not allow it.
    """
    try:
        _change_tag(cloud, 'PUT', server_id)
    except exceptions.RequestRefused as error:
        # Of a server with 50 tags Nova refuses any, also one that it has.
        if servers.server(cloud, server_id).tagged:
            return
        words = _(
            'not resumed, because it could not be given the tag %(tag)s, by '
            'which any run knows that it is to be suspended again: %(error)s'
        ) % {'tag': mark.RESUMED_TAG, 'error': error}
        if _TAG_LIMIT in words:
            words += _('; remove one of its tags and run this again')
        raise exceptions.RequestRefused(words, final=error.final) from error


def untag(cloud: client.Client, server_id: str) -> None:
    """Remove that tag from a server.

    :raises RequestRefused: also where a policy does not allow it.
    """
    _change_tag(cloud, 'DELETE', server_id)


def _change_tag(cloud: client.Client, method: str, server_id: str) -> None:
    tag = transport.path('servers', server_id, 'tags', mark.RESUMED_TAG)
    try:
        cloud.nova.change(method, tag)
    except exceptions.NotPermitted as error:
        # That says nothing about servers which need no tag.
        raise exceptions.RequestRefused(str(error), final=True) from error


def _act(
    cloud: client.Client, server_id: str, body: records.Json, version: str = ''
) -> None:
    path = transport.path('servers', server_id, 'action')
    cloud.renew_token()
    cloud.nova.post(path, body, version)


def live_migration(server_id: str, record_id: int) -> str:
    """Return the path of a live migration that has not ended."""
    return transport.path('servers', server_id, 'migrations', record_id)
