# SPDX-License-Identifier: Apache-2.0

"""The table of server states: which gets which move, and what is blocked.

Reads like the table in the design: a server's status, its task state, what
the operator asked for, and what a drain does. Which state allows which move
is Nova's say.
"""

import unittest

import ddt
import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import verdicts
from tests.unit import builders

ActionKind = memories.ActionKind
VerdictKind = verdicts.VerdictKind
WAIT = VerdictKind.WAIT
BLOCKED = VerdictKind.BLOCKED

#: What is asked of Nova first, and the move that makes.
LIVE = (ActionKind.LIVE_MIGRATE, model.Move.LIVE)
COLD = (ActionKind.COLD_MIGRATE, model.Move.COLD)
RESUME = (ActionKind.RESUME, model.Move.LIVE)
SHELVE = (ActionKind.SHELVE, model.Move.SHELVE)
OFFLOAD = (ActionKind.OFFLOAD, model.Move.SHELVE)
CONFIRM = (ActionKind.CONFIRM, model.Move.RESIZE)

#: Why a live migration is impossible, or failed for good.
NO_LIVE = 'it has a share attached'


def terms(no_live='', resumed=False, shelving=False, **options):
    """Return terms of a drain with the options given."""
    return verdicts.Terms(
        requested.operation(policies.Policy(**options)),
        no_live,
        resumed,
        shelving,
    )


class VerdictTestCase(unittest.TestCase):
    def judge(self, status, task_state=None, **kwargs):
        server = builders.server('vm1', status, task_state=task_state)
        return verdicts.judge(server, terms(**kwargs))

    def assert_verdict(self, expected, verdict):
        if expected in (WAIT, BLOCKED):
            self.assertIs(expected, verdict.kind)
            self.assertIsNone(verdict.move)
            self.assertIsNone(verdict.ask)
        else:
            self.assertIs(VerdictKind.MOVE, verdict.kind)
            self.assertEqual(expected, (verdict.ask, verdict.move))


@ddt.ddt
class TestStates(VerdictTestCase):
    """With the defaults."""

    @ddt.data(
        # Nova: os-migrateLive 202.
        ('ACTIVE', None, LIVE),
        ('PAUSED', None, LIVE),
        # os-migrateLive 409, migrate 202.
        ('SHUTOFF', None, COLD),
        # shelveOffload 202.
        ('SHELVED', None, OFFLOAD),
        # All 409, and the end is near: awaited, then judged by what it is.
        ('ACTIVE', 'rebooting', WAIT),
        ('ACTIVE', 'image_uploading', WAIT),
        ('ACTIVE', 'deleting', WAIT),
        ('ACTIVE', 'suspending', WAIT),
        ('ACTIVE', 'a task of tomorrow', WAIT),
        ('PAUSED', 'unpausing', WAIT),
        ('SHUTOFF', 'powering-on', WAIT),
        ('SUSPENDED', 'resuming', WAIT),
        ('SUSPENDED', 'shelving', WAIT),
        ('RESCUE', 'unrescuing', WAIT),
        ('SHELVED', 'shelving_offloading', WAIT),
        ('SOFT_DELETED', 'restoring', WAIT),
        ('BUILD', 'spawning', WAIT),
        ('BUILD', None, WAIT),
        ('REBOOT', 'rebooting', WAIT),
        ('HARD_REBOOT', 'rebooting_hard', WAIT),
        ('REBUILD', 'rebuilding', WAIT),
        ('REBUILD', None, WAIT),
        ('SHELVED_OFFLOADED', None, WAIT),
        # On its way already, whoever started it.
        ('MIGRATING', 'migrating', WAIT),
        ('MIGRATING', None, WAIT),
        ('RESIZE', 'resize_migrating', WAIT),
        ('RESIZE', None, WAIT),
        ('REVERT_RESIZE', 'resize_reverting', WAIT),
        # Both migrations 409, and what else there is takes a say-so.
        ('SUSPENDED', None, BLOCKED),
        ('VERIFY_RESIZE', None, BLOCKED),
        # All 409 for good.
        ('RESCUE', None, BLOCKED),
        ('SOFT_DELETED', None, BLOCKED),
        ('ERROR', None, BLOCKED),
        # It may keep its task state for ever.
        ('ERROR', 'spawning', BLOCKED),
        ('ERROR', 'migrating', BLOCKED),
        # What we don't know is not touched.
        ('UNKNOWN', None, BLOCKED),
        ('A_STATUS_OF_TOMORROW', None, BLOCKED),
    )
    @ddt.unpack
    def test_state(self, status, task_state, expected):
        self.assert_verdict(expected, self.judge(status, task_state))


@ddt.ddt
class TestOptions(VerdictTestCase):
    """Every status with every value of the option that governs it."""

    @ddt.data(
        ('ACTIVE', 'live', LIVE),
        ('ACTIVE', 'live-or-cold', LIVE),
        ('ACTIVE', 'cold', COLD),
        ('ACTIVE', 'leave', BLOCKED),
        ('PAUSED', 'live', LIVE),
        ('PAUSED', 'live-or-cold', LIVE),
        # Nova: migrate 409.
        ('PAUSED', 'cold', BLOCKED),
        ('PAUSED', 'leave', BLOCKED),
    )
    @ddt.unpack
    def test_running(self, status, value, expected):
        verdict = self.judge(status, running=policies.Running(value))

        self.assert_verdict(expected, verdict)

    @ddt.data(
        # What is impossible is told by the refusal itself.
        ('ACTIVE', 'live', LIVE),
        ('ACTIVE', 'live-or-cold', COLD),
        ('ACTIVE', 'cold', COLD),
        ('ACTIVE', 'leave', BLOCKED),
        ('PAUSED', 'live', LIVE),
        ('PAUSED', 'live-or-cold', BLOCKED),
        ('PAUSED', 'cold', BLOCKED),
        ('PAUSED', 'leave', BLOCKED),
    )
    @ddt.unpack
    def test_running_where_live_is_impossible(self, status, value, expected):
        verdict = self.judge(
            status, running=policies.Running(value), no_live=NO_LIVE
        )

        self.assert_verdict(expected, verdict)
        if value == 'live-or-cold':
            self.assertIn(NO_LIVE, verdict.reason)

    @ddt.data(('cold', COLD), ('leave', BLOCKED))
    @ddt.unpack
    def test_stopped(self, value, expected):
        verdict = self.judge('SHUTOFF', stopped=policies.Stopped(value))

        self.assert_verdict(expected, verdict)

    @ddt.data(('leave', BLOCKED), ('resume', RESUME), ('shelve', SHELVE))
    @ddt.unpack
    def test_suspended(self, value, expected):
        verdict = self.judge('SUSPENDED', suspended=policies.Suspended(value))

        self.assert_verdict(expected, verdict)

    @ddt.data(
        # --shelved, did we shelve it
        ('offload', False, OFFLOAD),
        ('offload', True, OFFLOAD),
        ('leave', False, BLOCKED),
        # Else --suspended shelve would only shelve.
        ('leave', True, OFFLOAD),
    )
    @ddt.unpack
    def test_shelved(self, value, shelving, expected):
        verdict = self.judge(
            'SHELVED', shelved=policies.Shelved(value), shelving=shelving
        )

        self.assert_verdict(expected, verdict)

    @ddt.data(('leave', BLOCKED), ('confirm', CONFIRM))
    @ddt.unpack
    def test_resized(self, value, expected):
        verdict = self.judge('VERIFY_RESIZE', resized=policies.Resized(value))

        self.assert_verdict(expected, verdict)

    @ddt.data(*policies.Running)
    def test_resumed_server_is_not_cold_migrated(self, running):
        """Else what its owner suspended would be lost."""
        for no_live in ('', NO_LIVE):
            verdict = self.judge(
                'ACTIVE', running=running, no_live=no_live, resumed=True
            )

            self.assert_verdict(LIVE, verdict)

    @ddt.data(
        ('ACTIVE', 'suspending', WAIT),
        ('SHUTOFF', None, COLD),
        ('ERROR', None, BLOCKED),
    )
    @ddt.unpack
    def test_resumed_server_not_running(self, status, task, expected):
        self.assert_verdict(expected, self.judge(status, task, resumed=True))


@ddt.ddt
class TestReasons(VerdictTestCase):
    @ddt.data(
        ('SUSPENDED', 'openstack server resume vm1'),
        ('SUSPENDED', '--suspended resume'),
        ('SUSPENDED', '--suspended shelve'),
        ('RESCUE', 'openstack server unrescue vm1'),
        ('VERIFY_RESIZE', 'openstack server resize confirm vm1'),
        ('VERIFY_RESIZE', '--resized confirm'),
        ('ERROR', 'openstack server set --state active vm1'),
        ('SOFT_DELETED', 'openstack server restore vm1'),
        ('UNKNOWN', 'openstack server show vm1'),
    )
    @ddt.unpack
    def test_blocked_says_what_the_operator_can_do(self, status, command):
        self.assertIn(command, self.judge(status).reason)

    def test_shelved_server_is_not_moved(self):
        reason = self.judge('SUSPENDED', home='cmp09').reason

        self.assertIn('--suspended resume', reason)
        self.assertNotIn('shelve', reason)

    @ddt.data(
        ('ACTIVE', {'running': policies.Running.LEAVE}, '--running live'),
        ('PAUSED', {'running': policies.Running.LEAVE}, '--running live'),
        ('PAUSED', {'running': policies.Running.COLD}, '--running live'),
        (
            'PAUSED',
            {'running': policies.Running.COLD},
            'openstack server unpause vm1',
        ),
        ('SHUTOFF', {'stopped': policies.Stopped.LEAVE}, '--stopped cold'),
        ('SHELVED', {'shelved': policies.Shelved.LEAVE}, '--shelved offload'),
        (
            'SHELVED',
            {'shelved': policies.Shelved.LEAVE},
            'openstack server shelve --offload vm1',
        ),
    )
    @ddt.unpack
    def test_blocked_names_the_option(self, status, options, words):
        self.assertIn(words, self.judge(status, **options).reason)

    def test_unknown_status_is_named(self):
        self.assertIn('TOMORROW', self.judge('TOMORROW').reason)

    def test_busy_says_with_what(self):
        verdict = self.judge('ACTIVE', 'image_uploading')

        self.assertIn('image_uploading', verdict.reason)


_TERMS = strategies.builds(
    terms,
    no_live=strategies.sampled_from(['', NO_LIVE]),
    resumed=strategies.booleans(),
    shelving=strategies.booleans(),
    running=strategies.sampled_from(policies.Running),
    stopped=strategies.sampled_from(policies.Stopped),
    suspended=strategies.sampled_from(policies.Suspended),
    shelved=strategies.sampled_from(policies.Shelved),
    resized=strategies.sampled_from(policies.Resized),
)
_STATUSES = strategies.sampled_from(sorted(builders.VM_STATES))


class TestEveryServer(unittest.TestCase):
    @hypothesis.given(
        strategies.text(max_size=20) | _STATUSES,
        strategies.none() | strategies.text(max_size=20),
        _TERMS,
    )
    def test_gets_a_move_or_a_reason(self, status, task_state, how):
        server = builders.server(status=status, task_state=task_state)
        verdict = verdicts.judge(server, how)

        moves = verdict.kind is VerdictKind.MOVE
        self.assertEqual(moves, verdict.move is not None)
        self.assertEqual(moves, verdict.ask is not None)
        self.assertTrue(moves or verdict.reason)
        self.assertNotIn('{id}', verdict.reason)

    @hypothesis.given(_STATUSES, strategies.text(min_size=1, max_size=20))
    def test_with_a_task_is_never_moved(self, status, task_state):
        """Nova would answer 409."""
        server = builders.server(status=status, task_state=task_state)

        self.assertIsNot(
            VerdictKind.MOVE, verdicts.judge(server, terms()).kind
        )
