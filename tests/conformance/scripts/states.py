# SPDX-License-Identifier: Apache-2.0

"""What is asked of a server that stays on its host, and of any state."""

from collections import abc

from tests.conformance.nova import Nova
from tests.conformance.nova import same

STATES = {
    'ACTIVE': 'active',
    'SHUTOFF': 'stopped',
    'PAUSED': 'paused',
    'SUSPENDED': 'suspended',
    'SHELVED': 'shelved',
    'SHELVED_OFFLOADED': 'shelved_offloaded',
    'RESCUE': 'rescued',
    'VERIFY_RESIZE': 'resized',
    'ERROR': 'error',
    'SOFT_DELETED': 'soft-delete',
    'BUILD': 'building',
}
TAKEN = {
    'live_migrate': {'ACTIVE', 'PAUSED'},
    'cold_migrate': {'ACTIVE', 'SHUTOFF'},
    'confirm': {'VERIFY_RESIZE'},
    'resume': {'SUSPENDED'},
    'tag': {'ACTIVE', 'SHUTOFF', 'PAUSED', 'SUSPENDED'},
    'untag': {'ACTIVE', 'SHUTOFF', 'PAUSED', 'SUSPENDED'},
    'suspend': {'ACTIVE'},
    'shelve': {'ACTIVE', 'SHUTOFF', 'PAUSED', 'SUSPENDED'},
    'offload': {'SHELVED'},
    'evacuate': {'ACTIVE', 'SHUTOFF', 'ERROR'},
}


def what_is_refused(nova: Nova) -> None:
    """Each request finds a server in a state that it can do nothing with."""
    statuses = list(STATES)
    servers = nova.boot_all(nova.hosts[0], *statuses)
    for status, server in zip(statuses, servers, strict=True):
        same(status, nova.look(server).server.status)
        same(STATES[status], nova.look(server).server.vm_state)
        before = nova.gateway.history(server)
        for name, taken in TAKEN.items():
            request = getattr(nova.gateway, name)
            if (name, status) == ('evacuate', 'SHELVED_OFFLOADED'):
                # No host is asked for, and it has none: they are the same.
                words = "target host can't be the same one"
                nova.check_refused(400, words, request, server, final=True)
            elif status not in taken:
                words = f'vm_state {STATES[status]}'
                nova.check_refused(409, words, request, server)
        same(before, nova.gateway.history(server))


def what_is_busy(nova: Nova) -> None:
    """A server that is being moved takes nothing else."""
    source, dest, _other = nova.hosts
    server = nova.boot(source, slow='copying')
    nova.gateway.live_migrate(server, dest)
    nova.until(server, record='running')
    for request in (
        nova.gateway.live_migrate,
        nova.gateway.cold_migrate,
        nova.gateway.suspend,
        nova.gateway.shelve,
    ):
        nova.check_refused(409, 'task_state migrating', request, server)
    same(1, len(nova.look(server).records))


def what_is_deleted(nova: Nova) -> None:
    """It is gone with its records and allocations; its deeds are known."""
    source, dest, _other = nova.hosts
    since = nova.gateway.now()
    server = nova.boot(source)
    nova.gateway.live_migrate(server, dest)
    nova.until(server, 'ACTIVE', host=dest, record='completed')
    nova.delete(server)
    found = nova.look(server)
    same(('DELETED', ()), (found.server.status, found.records))
    nova.until_holds(dest, set())
    requests: tuple[abc.Callable[..., None], ...] = (
        nova.gateway.live_migrate,
        nova.gateway.confirm,
        nova.gateway.evacuate,
        nova.gateway.reset,
    )
    for request in requests:
        nova.check_refused(404, 'could not be found', request, server)
    instance_actions = [
        instance_action.action
        for instance_action in nova.gateway.history(server)
    ]
    same(['create', 'live-migration'], instance_actions[:2])
    hosts = {s.id: s.host for s in nova.gateway.deleted(since)}
    same(dest, hosts.get(server))


def suspend_and_resume(nova: Nova) -> None:
    """Its memory goes to its host's disk, and comes back."""
    server = nova.boot(nova.hosts[0])
    nova.gateway.suspend(server)
    nova.until(server, 'SUSPENDED')
    nova.gateway.tag(server)
    nova.gateway.tag(server)
    nova.gateway.resume(server)
    found = nova.until(server, 'ACTIVE')
    same(True, found.server.tagged)
    same([server], [s.id for s in nova.gateway.tagged() if s.id == server])
    nova.gateway.untag(server)
    same(False, nova.look(server).server.tagged)
    nova.check_refused(404, 'has no tag', nova.gateway.untag, server)
    nova.check_states(
        server,
        ('ACTIVE', None),
        ('ACTIVE', 'suspending'),
        ('SUSPENDED', None),
        ('SUSPENDED', 'resuming'),
        ('ACTIVE', None),
    )
    same((), found.records)
    same(
        ['suspend', 'resume'],
        [
            instance_action.action
            for instance_action in nova.gateway.history(server)
        ][1:],
    )


def shelve_and_offload(nova: Nova) -> None:
    """It keeps its host until it is offloaded."""
    source, *_others = nova.hosts
    server = nova.boot(source, slow='shelving')
    nova.gateway.shelve(server)
    nova.until(server, 'ACTIVE', task='shelving_image_uploading')
    nova.hurry(server)
    found = nova.until(server, 'SHELVED', host=source)
    same(4, found.server.power_state)
    nova.until_holds(source, {server})
    nova.gateway.offload(server)
    nova.until(server, 'SHELVED_OFFLOADED')
    nova.wait(
        lambda: nova.look(server).server.host is None, 'it to leave its host'
    )
    nova.until_holds(source, set())
    nova.check_states(
        server,
        ('ACTIVE', None),
        ('ACTIVE', 'shelving'),
        ('ACTIVE', 'shelving_image_pending_upload'),
        ('ACTIVE', 'shelving_image_uploading'),
        ('SHELVED', None),
        ('SHELVED', 'shelving_offloading'),
        ('SHELVED_OFFLOADED', None),
    )
    same(
        ['shelve', 'shelveOffload'],
        [
            instance_action.action
            for instance_action in nova.gateway.history(server)
        ][1:],
    )


def suspend_and_resume_that_fail(nova: Nova) -> None:
    """It stays as it was, or is in ERROR."""
    source = nova.hosts[0]
    for how, request, before, after, task in (
        ('stay', 'suspend', 'ACTIVE', 'ACTIVE', 'suspending'),
        ('error', 'suspend', 'ACTIVE', 'ERROR', 'suspending'),
        ('stay', 'resume', 'SUSPENDED', 'SUSPENDED', 'resuming'),
        ('error', 'resume', 'SUSPENDED', 'ERROR', 'resuming'),
    ):
        server = nova.boot(source, before, fails=f'{request} {how}')
        getattr(nova.gateway, request)(server)
        nova.until(server, after)
        ending = [('ERROR', task)] if how == 'error' else []
        nova.check_states(
            server, (before, None), (before, task), *ending, (after, None)
        )


def reset(nova: Nova) -> None:
    """It changes nothing but what Nova's database says."""
    server = nova.boot(nova.hosts[0], 'ERROR')
    before = nova.look(server).server.power_state
    nova.gateway.reset(server)
    after = nova.until(server, 'ACTIVE').server
    same(('active', before), (after.vm_state, after.power_state))
    same('resetState', nova.gateway.history(server)[-1].action)
