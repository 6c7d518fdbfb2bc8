# SPDX-License-Identifier: Apache-2.0

"""The table of server states: which gets which move, and what is blocked.

Reads like the table in the design: a server's status, its task state, what
the operator asked for, and what a drain does. Which state allows which move
is Nova's say.
"""

import hypothesis
from hypothesis import strategies

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from osc_hostmaint.planning.server import verdicts
from tests import unit
from tests.unit import builders

ActionKind = memories.ActionKind
Phase = server_status.Phase
BUSY = Phase.BUSY
BLOCKED = Phase.BLOCKED

#: What is asked of Nova first, the move that makes, and whether it is to stay
#: stopped.
LIVE = (ActionKind.LIVE_MIGRATE, model.Move.LIVE, False)
COLD = (ActionKind.COLD_MIGRATE, model.Move.COLD, False)
RESUME = (ActionKind.RESUME, model.Move.LIVE, False)
SHELVE = (ActionKind.SHELVE, model.Move.SHELVE, False)
OFFLOAD = (ActionKind.OFFLOAD, model.Move.SHELVE, False)
CONFIRM = (ActionKind.CONFIRM, model.Move.RESIZE, False)

LEAVE = {'running': policies.Running.LEAVE, 'shelved': policies.Shelved.LEAVE}
#: Why a live migration is impossible, or failed for good.
NO_LIVE = 'it has a share attached'


def terms(no_live='', resumed=False, shelving=False, **options):
    operation = requested.operation(policies.Policy(**options))
    return verdicts.Terms(operation, no_live, resumed, shelving)


class VerdictTestCase(unit.TestCase):
    def judge(self, status, task_state=None, **kwargs):
        server = builders.server('vm1', status, task_state=task_state)
        return verdicts.judge(server, terms(**kwargs))

    def assert_verdict(self, expected, verdict):
        """Hold a verdict to a phase, or to a move and how it is asked for."""
        found = (verdict.ask, verdict.move, verdict.stopped)
        if expected in (BUSY, BLOCKED):
            self.assertIs(expected, verdict.phase)
            self.assertEqual((None, None, False), found)
            self.assertTrue(verdict.reason)
        else:
            self.assertIs(Phase.WAITING, verdict.phase)
            self.assertEqual(expected, found)


class TestStates(VerdictTestCase):
    """With the defaults."""

    @unit.cases(
        # Nova: os-migrateLive 202.
        (LIVE, 'ACTIVE', 'PAUSED'),
        # os-migrateLive 409, migrate 202.
        (COLD, 'SHUTOFF'),
        # shelveOffload 202.
        (OFFLOAD, 'SHELVED'),
        # All 409, and the end is near: awaited, then judged by what it is.
        (BUSY, 'ACTIVE rebooting', 'ACTIVE image_uploading'),
        (BUSY, 'ACTIVE deleting', 'ACTIVE suspending', 'ACTIVE of-tomorrow'),
        (BUSY, 'PAUSED unpausing', 'SHUTOFF powering-on', 'RESCUE unrescuing'),
        (BUSY, 'SUSPENDED resuming', 'SUSPENDED shelving'),
        (BUSY, 'SHELVED shelving_offloading', 'SOFT_DELETED restoring'),
        (BUSY, 'BUILD', 'BUILD spawning', 'REBUILD', 'REBUILD rebuilding'),
        (BUSY, 'REBOOT rebooting', 'HARD_REBOOT rebooting_hard'),
        (BUSY, 'SHELVED_OFFLOADED'),
        # On its way already, whoever started it.
        (BUSY, 'MIGRATING', 'MIGRATING migrating'),
        (BUSY, 'RESIZE', 'RESIZE resize_migrating'),
        (BUSY, 'REVERT_RESIZE resize_reverting'),
        # Both migrations 409, and what else there is takes a say-so.
        (BLOCKED, 'SUSPENDED', 'VERIFY_RESIZE'),
        # All 409 for good; ERROR may keep its task state for ever.
        (BLOCKED, 'RESCUE', 'SOFT_DELETED'),
        (BLOCKED, 'ERROR', 'ERROR spawning', 'ERROR migrating'),
        # What we don't know is not touched.
        (BLOCKED, 'UNKNOWN', 'A_STATUS_OF_TOMORROW'),
    )
    def test_state(self, expected, *states):
        """Each server with its task state."""
        for state in states:
            with self.subTest(state):
                self.assert_verdict(expected, self.judge(*state.split()))


class TestOptions(VerdictTestCase):
    """Every status with every value of the option that governs it."""

    @unit.cases(
        # --running, what is done with an ACTIVE and a PAUSED server; the same
        # where a live migration is impossible
        ('live', (LIVE, LIVE), (LIVE, LIVE)),
        ('live-or-cold', (LIVE, LIVE), (COLD, BLOCKED)),
        # Nova: migrate of a PAUSED one 409.
        ('cold', (COLD, BLOCKED), (COLD, BLOCKED)),
        ('leave', (BLOCKED, BLOCKED), (BLOCKED, BLOCKED)),
    )
    def test_running(self, value, possible, impossible):
        for no_live, outcomes in (('', possible), (NO_LIVE, impossible)):
            for status, expected in zip(
                ('ACTIVE', 'PAUSED'), outcomes, strict=True
            ):
                verdict = self.judge(
                    status, running=policies.Running(value), no_live=no_live
                )
                self.assert_verdict(expected, verdict)
                if value == 'live-or-cold':
                    self.assertIn(no_live, verdict.reason)

    @unit.cases(
        ('SHUTOFF', policies.Stopped.COLD, COLD),
        ('SHUTOFF', policies.Stopped.LEAVE, BLOCKED),
        ('SUSPENDED', policies.Suspended.LEAVE, BLOCKED),
        ('SUSPENDED', policies.Suspended.RESUME, RESUME),
        ('SUSPENDED', policies.Suspended.SHELVE, SHELVE),
        ('SHELVED', policies.Shelved.OFFLOAD, OFFLOAD),
        ('SHELVED', policies.Shelved.LEAVE, BLOCKED),
        ('VERIFY_RESIZE', policies.Resized.LEAVE, BLOCKED),
        ('VERIFY_RESIZE', policies.Resized.CONFIRM, CONFIRM),
    )
    def test_option(self, status, value, expected):
        option = type(value).__name__.lower()
        self.assert_verdict(expected, self.judge(status, **{option: value}))

    @unit.cases(*policies.Shelved)
    def test_what_we_shelved_is_offloaded(self, shelved):
        """Else --suspended shelve would only shelve."""
        verdict = self.judge('SHELVED', shelved=shelved, shelving=True)
        self.assert_verdict(OFFLOAD, verdict)

    @unit.cases(*policies.Running)
    def test_resumed_server_is_not_cold_migrated(self, running):
        """Else what its owner suspended would be lost."""
        for no_live in ('', NO_LIVE):
            verdict = self.judge(
                'ACTIVE', running=running, no_live=no_live, resumed=True
            )
            self.assert_verdict(LIVE, verdict)

    @unit.cases(
        ('ACTIVE', 'suspending', BUSY),
        ('SHUTOFF', None, COLD),
        ('ERROR', None, BLOCKED),
    )
    def test_resumed_server_not_running(self, status, task, expected):
        self.assert_verdict(expected, self.judge(status, task, resumed=True))


class TestReasons(VerdictTestCase):
    @unit.cases(
        ('SUSPENDED', {}, 'openstack server resume vm1'),
        ('SUSPENDED', {}, '--suspended resume'),
        ('SUSPENDED', {}, '--suspended shelve'),
        ('RESCUE', {}, 'openstack server unrescue vm1'),
        ('VERIFY_RESIZE', {}, 'openstack server resize confirm vm1'),
        ('VERIFY_RESIZE', {}, '--resized confirm'),
        ('ERROR', {}, 'openstack server set --state active vm1'),
        ('SOFT_DELETED', {}, 'openstack server restore vm1'),
        ('UNKNOWN', {}, 'openstack server show vm1'),
        ('TOMORROW', {}, 'TOMORROW'),
        ('ACTIVE', LEAVE, '--running live'),
        ('PAUSED', LEAVE, '--running live'),
        ('PAUSED', {'running': policies.Running.COLD}, '--running live'),
        ('PAUSED', {'running': policies.Running.COLD}, 'server unpause vm1'),
        ('SHUTOFF', {'stopped': policies.Stopped.LEAVE}, '--stopped cold'),
        ('SHELVED', LEAVE, '--shelved offload'),
        ('SHELVED', LEAVE, 'openstack server shelve --offload vm1'),
    )
    def test_blocked_says_what_the_operator_can_do(
        self, status, options, words
    ):
        self.assertIn(words, self.judge(status, **options).reason)

    def test_shelved_server_is_not_moved(self):
        reason = self.judge('SUSPENDED', home='cmp09').reason
        self.assertIn('--suspended resume', reason)
        self.assertNotIn('shelve', reason)

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


class TestEveryServer(unit.TestCase):
    @hypothesis.given(
        strategies.text(max_size=20) | _STATUSES,
        strategies.none() | strategies.text(max_size=20),
        _TERMS,
    )
    def test_gets_a_move_or_a_reason(self, status, task_state, how):
        server = builders.server(status=status, task_state=task_state)
        verdict = verdicts.judge(server, how)
        moves = verdict.phase is Phase.WAITING
        self.assertEqual(moves, verdict.move is not None)
        self.assertEqual(moves, verdict.ask is not None)
        self.assertTrue(moves or verdict.reason)
        self.assertNotIn('{id}', verdict.reason)

    @hypothesis.given(_STATUSES, strategies.text(min_size=1, max_size=20))
    def test_with_a_task_is_never_moved(self, status, task_state):
        """Nova would answer 409."""
        server = builders.server(status=status, task_state=task_state)
        self.assertIsNot(Phase.WAITING, verdicts.judge(server, terms()).phase)
