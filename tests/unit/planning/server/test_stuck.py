# SPDX-License-Identifier: Apache-2.0

"""Servers that Nova is doing something with, and nothing happens."""

import dataclasses

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import assessment
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW, BLOCKED = base.NOW, base.Phase.BLOCKED
BUSY, MOVING = base.Phase.BUSY, base.Phase.MOVING
HOUR, HALF = timing.FOUND_STUCK_SECONDS, timing.STUCK_SECONDS
DAYS = 20 * 86400.0
NOVA_TIME = builders.cloud_time(2 * DAYS)


def ago(seconds):
    return builders.cloud_time(2 * DAYS - seconds)


def busy(age=DAYS, task='image_uploading', status='ACTIVE', **kwargs):
    """Return a server that has not changed for so long."""
    values = {'task_state': task, 'updated_at': ago(age), **kwargs}
    return builders.server(status=status, **values)


def record(age=DAYS, status='running', record_id=7, **kwargs):
    return base.record(status, record_id, updated_at=ago(age), **kwargs)


class TestStuck(base.ServerContextTestCase):
    def stands(self, *records, watched=None, **kwargs):
        """Return where a server stands that was watched for so long."""
        since = None if watched is None else NOW - watched
        remembered = builders.server_memory(under_way_since=since)
        values = {'nova_time': NOVA_TIME, 'remembered': remembered}
        found = base.context(*records, **values | kwargs)
        own = tuple(r for r in records if r.server_id == 'vm1')
        return assessment.assess(dataclasses.replace(found, records=own))

    @unit.cases(
        (busy(HOUR - 1), BUSY),
        (busy(HOUR), BLOCKED),
        # Since when is not known.
        (busy(updated_at=None), BUSY),
        # Nothing is being done to it, whatever its age.
        (busy(task=None), base.Phase.WAITING),
        (busy(), BLOCKED, record()),
        (busy(), MOVING, record(60)),
        # It may wait for its turn.
        (busy(), BLOCKED, record(status='queued')),
        (busy(), MOVING, record(status='queued'), record(60, 'completed', 6)),
        (busy(), BLOCKED, record(status='queued'), record(60, record_id=8)),
    )
    def test_found(self, view, phase, own=None, other=None):
        other = other and dataclasses.replace(other, server_id='vm2')
        found = self.stands(*filter(None, (own, other)), view=view)
        self.assertEqual(phase, found.phase, found)
        self.assertIs(phase is BLOCKED, 'stuck in' in found.reason)

    @unit.cases(
        # since when it is watched, and unchanged
        (HALF, HALF, BLOCKED),
        (HALF - 1, HALF, BUSY),
        (HALF, HALF - 1, BUSY),
        (HALF, HALF, BUSY, None, 9999.0),
        (HALF, HALF, BLOCKED, base.COLD),
        # --on-stall is for these.
        (DAYS, DAYS, MOVING, base.LIVE),
    )
    def test_watched(self, watched, age, phase, kind=None, timeout=None):
        records = [record(age, type=kind, seen_at=NOW - watched)]
        found = self.stands(
            *(records if kind else ()),
            view=busy(age),
            watched=watched,
            policy=policies.Policy(server_timeout=timeout),
        )
        self.assertEqual(phase, found.phase, found)

    @unit.cases(
        ('deleting', '--state error vm1), delete it (openstack server delete'),
        ('image_uploading', 'restart nova-compute there or reset the server'),
        ('resuming', 'its log), reset the server (openstack server set'),
        ('migrating', 'if its guest runs on cmp01, restart', 'MIGRATING'),
        ('spawning', 'delete it (openstack server delete vm1)', 'BUILD'),
        ('resize_migrating', 'unless its disk is still being', 'RESIZE'),
        ('resize_finish', 'Nova then calls it ACTIVE', 'RESIZE', 'stopped'),
    )
    def test_way_out(self, task, words, status='ACTIVE', vm_state='active'):
        view = busy(task=task, status=status, vm_state=vm_state)
        reason = self.stands(view=view).reason
        self.assertIn(f'stuck in {task} for 20 days, since 2026-1', reason)
        self.assertIn(words, reason)

    @unit.cases(
        # where it is, its task, its record; how the reason begins
        (builders.HOST, 'migrating', record(), 'stuck in migrating'),
        (
            *(builders.DEST, 'suspending', record(status='completed')),
            'moved to cmp02, but stuck in.* 20 days.*nova-compute on cmp02',
        ),
    )
    def test_resumed_server_is_not_suspended_again(
        self, host, task, own, words
    ):
        """Nova would refuse it, also if it were told to the operator."""
        found = self.require_suspend(
            own,
            view=busy(task=task, host=host, tagged=True),
            service=builders.service(up=host == builders.HOST),
            nova_time=NOVA_TIME,
        )
        self.assertIs(BLOCKED, found.phase)
        self.assertRegex(found.reason, words)
        self.assertNotIn('openstack server suspend', found.reason)
