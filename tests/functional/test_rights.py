# SPDX-License-Identifier: Apache-2.0

"""Operators whom policies allow some of what the commands do.

What is missing, and what becomes of it, is in the guide's table of rights.
"""

import typing as ty
import unittest

from tests.functional import base
from tests.functional import rights

NOVA = 'os_compute_api:'
MIGRATE = f'{NOVA}os-migrate-server:migrate'
LIVE = f'{MIGRATE}_live:host'
COLD = f'{MIGRATE}:host'
CONFIRM = f'{NOVA}servers:confirm_resize'
HOSTS = f'{NOVA}os-migrations:index:host'
NOBODY = '!'
#: What takes a right away from the role, and leaves it to the tests' tools.
OTHERS = 'role:admin'
#: Without a right of Keystone's nobody gets as far as a policy.
KEYSTONE = 'Keystone'
#: By policy and command, the line that shows what the table says.
Lines = dict[tuple[str, str], str]

#: The lines of all commands that are refused, or only look.
LOOKING = {
    'set': 'set cmp03',
    'unset': 'unset cmp02',
    'unset --restore': 'unset --restore cmp02',
    'show': 'show cmp03',
    'list': 'list',
    'list --long': 'list --long',
    'plan': 'plan cmp01',
    'plan --aggregate': 'plan --aggregate rack',
    'drain': 'drain cmp01',
    'drain --dry-run': 'drain --dry-run cmp01',
    'drain --evacuate': 'drain --evacuate --fenced cmp04',
    'restore': 'restore --since 1h cmp03',
    'restore --dry-run': 'restore --since 1h --dry-run cmp03',
}
CHANGING = {'drain', 'drain --evacuate', 'restore'}

DRAIN = 'drain -f json --retries 0 --timeout 60'
LEAVE = f'{DRAIN} --running leave --stopped leave --shelved leave'
RESUME = f'{LEAVE} --suspended resume cmp01'
RUNNING = f'{DRAIN} --stopped leave --shelved leave'
STOPPED = f'{DRAIN} --running leave --shelved leave'
TO_SCHEDULER = 'drain --spread scheduler'
#: After these all servers are where they were.
STAYING: Lines = {
    (f'{NOVA}servers:show', 'drain'): RESUME,
    (f'{NOVA}os-extended-server-attributes', 'drain'): RESUME,
    (f'{NOVA}os-suspend-server:resume', 'drain --suspended resume'): RESUME,
    (f'{NOVA}os-server-tags:update', 'drain --suspended resume'): RESUME,
    (
        f'{NOVA}os-shelve:shelve',
        'drain --suspended shelve',
    ): f'{LEAVE} --suspended shelve cmp01',
    (
        f'{NOVA}os-shelve:shelve_offload',
        'drain --shelved offload',
    ): f'{DRAIN} --running leave --stopped leave cmp01',
    (LIVE, 'drain --to'): f'{RUNNING} --to cmp02 cmp01',
    (f'{MIGRATE}_live', TO_SCHEDULER): f'{RUNNING} --spread scheduler cmp01',
    (COLD, 'drain --to'): f'{STOPPED} --to cmp02 cmp01',
    (MIGRATE, TO_SCHEDULER): f'{STOPPED} --spread scheduler cmp01',
}
#: On a host without servers.
EMPTY: Lines = {
    (policy, 'drain'): f'{DRAIN} cmp03'
    for policy in (
        f'{NOVA}os-hypervisors:list-detail',
        'placement:resource_providers:list',
        'placement:resource_providers:allocations:list',
    )
}
FAILED = 'drain (a move failed)'
FAILING: Lines = {
    (f'{NOVA}os-instance-actions:{action}', FAILED): f'{DRAIN} cmp01'
    for action in ('list', 'show', 'events', 'events:details')
}
STALL = 'drain -f json --stall-after 2s --retries 0'
#: These end while a live migration goes on.
STALLING: Lines = {
    (
        f'{NOVA}servers:migrations:show',
        'drain --stall-after',
    ): f'{STALL} --timeout 6s cmp01',
    (
        f'{NOVA}servers:migrations:force_complete',
        'drain --on-stall force-complete',
    ): f'{STALL} --on-stall force-complete --timeout 20s cmp01',
    (
        f'{NOVA}servers:migrations:delete',
        'drain --server-timeout',
    ): f'{DRAIN} --server-timeout 2s cmp01',
}
#: These move servers.
MOVING: Lines = {
    (LIVE, 'drain'): f'{RUNNING} cmp01',
    (COLD, 'drain'): f'{STOPPED} cmp01',
    (CONFIRM, 'drain --stopped cold'): f'{STOPPED} cmp01',
    (f'{NOVA}os-suspend-server:suspend', 'drain --suspended resume'): RESUME,
    (f'{NOVA}os-server-tags:delete', 'drain --suspended resume'): RESUME,
}
FULL: Lines = {
    (f'placement:resource_providers:{what}:list', 'plan (a host is full)'): (
        'plan cmp01 cmp02'
    )
    for what in ('inventories', 'traits')
}
EVACUATE = f'{DRAIN} --evacuate --fenced'
DEAD: Lines = {
    (f'{NOVA}os-evacuate', 'drain --evacuate'): f'{EVACUATE} cmp01',
    (
        f'{NOVA}os-admin-actions:reset_state',
        'drain --evacuate --leave-stopped',
    ): f'{EVACUATE} --leave-stopped cmp01',
}
RESTORE = 'restore -f json --since 1h'
BACK: Lines = {
    (LIVE, 'restore'): f'{RESTORE} --stopped leave cmp01',
    (COLD, 'restore'): f'{RESTORE} --running leave cmp01',
    (CONFIRM, 'restore'): f'{RESTORE} --running leave cmp01',
}
ACTING = (STAYING, EMPTY, FAILING, STALLING, MOVING, FULL, DEAD, BACK)


def looking(right: rights.Right, command: str) -> bool:
    """Whether a case of a row is one that changes nothing."""
    return right.outcome == 'refused' or command not in CHANGING


def acting(lines: Lines) -> list[tuple[rights.Right, str, str]]:
    """The rows that these lines are about, each with command and line."""
    return [
        (right, command, lines[right.policy, command])
        for right in rights.table()
        for command in right.commands
        if (right.policy, command) in lines
    ]


class TableTest(base.FunctionalTest):
    def hold(self, right: rights.Right, command: str, line: str) -> None:
        """Take a right away, and see that what the table says is so."""
        with self.subTest(policy=right.policy, command=command):
            self.take(right.policy)
            self.cloud.requests.reset()
            done = self.run_command(f'host maintenance {line}')
            self.cloud.set_policy({})
            said = done.out + done.err
            self.assertIn(right.policy, said, (line, done))
            self.assertIn(right.printed, said, line)
            asked = map(rights.template, self.cloud.requests.log())
            self.assertIn(right.template, {*asked}, line)
            getattr(self, f'assert_{right.outcome.replace(" ", "_")}')(done)

    def take(self, policy: str) -> None:
        if policy != 'context_is_admin':
            self.cloud.set_policy({policy: OTHERS})
            return
        # What is an administrator's by default is given to the role.
        nova = {
            right.policy: f'{OTHERS} or rule:host_maintenance'
            for right in rights.table()
            if right.policy.startswith(NOVA)
        }
        self.cloud.set_policy({**nova, policy: OTHERS})

    def taken(self) -> list[ty.Any]:
        """The requests for changes that were not refused."""
        return [r for r in self.changes() if r.status < 400]

    def assert_refused(self, done: base.Done) -> None:
        self.assertEqual(1, done.code, done)
        self.assertEqual([], self.taken(), done)
        self.assertEqual(1, len(done.err.splitlines()), done.err)

    def assert_stops(self, done: base.Done) -> None:
        self.assertEqual(1, done.code, done)

    def assert_server_left(self, done: base.Done) -> None:
        self.assertEqual(3, done.code, done)

    def assert_done_without(self, done: base.Done) -> None:
        self.assertNotEqual(1, done.code, done)


class TestLooking(TableTest):
    """They change nothing."""

    def test_all(self) -> None:
        group = self.cloud.group('apart', 'anti-affinity')
        self.cloud.aggregate('rack', ['cmp01', 'cmp02'])
        self.cloud.boot_many(
            base.lot('cmp02', 'SHUTOFF', 1)
            + base.lot('cmp03', 'SHUTOFF', 1, group=group)
        )
        self.drain('--to cmp01 cmp02 cmp03')
        self.openstack('host maintenance unset cmp03')
        self.cloud.boot('here', host='cmp03')
        self.cloud.force_down('cmp04')
        for right in rights.table():
            for command in right.commands:
                line = LOOKING.get(command)
                if (
                    line
                    and looking(right, command)
                    and right.service != KEYSTONE
                ):
                    self.hold(right, command, line)
                    if command == 'unset' and right.outcome != 'refused':
                        self.openstack('host maintenance set cmp02')

    def test_keystone(self) -> None:
        (right,) = (r for r in rights.table() if r.service == KEYSTONE)
        for command in right.commands:
            done = self.run_command(
                f'host maintenance {LOOKING[command]}', OS_PASSWORD='wrong'
            )
            self.assert_refused(done)
            self.assertIn(right.printed, done.err)


class TestCases(unittest.TestCase):
    def test_each_row_has_a_case(self) -> None:
        lines = {case for lines in ACTING for case in lines}
        rows = {
            (right.policy, command): looking(right, command)
            for right in rights.table()
            for command in right.commands
        }
        pairs = sum(len(right.commands) for right in rights.table())
        self.assertEqual(pairs, len(rows), 'twice in the table')
        missing = {
            case
            for case, looks in rows.items()
            if not (looks and case[1] in LOOKING) and case not in lines
        }
        self.assertEqual(set(), missing)
        self.assertEqual(set(), lines - rows.keys())


class TestActing(TableTest):
    def test_nothing_moves(self) -> None:
        states = ('ACTIVE', 'SHUTOFF', 'SUSPENDED', 'SHELVED')
        self.cloud.boot_many(
            [spec for state in states for spec in base.lot('cmp01', state, 1)]
        )
        for case in (*acting(STAYING), *acting(EMPTY)):
            self.hold(*case)
            self.assertEqual(4, len(self.cloud.servers('cmp01')), case)

    def test_moves(self) -> None:
        for right, command, line in acting(MOVING):
            state = 'SHUTOFF' if line.startswith(STOPPED) else 'ACTIVE'
            state = 'SUSPENDED' if 'resume' in line else state
            self.cloud.boot_many(base.lot('cmp01', state, 1))
            self.hold(right, command, line)
            self.assertEqual([], self.cloud.servers('cmp01'), command)
            self.openstack('host maintenance unset cmp01')

    def test_a_move_fails(self) -> None:
        self.cloud.boot('s', host='cmp01', metadata={'lm_fail': 'precheck'})
        for case in acting(FAILING):
            self.hold(*case)

    def test_a_move_stalls(self) -> None:
        self.cloud.boot('s', host='cmp01', metadata={'lm_stuck': '1'})
        for case in acting(STALLING):
            self.hold(*case)

    def test_a_host_is_full(self) -> None:
        one = {'total': 1, 'allocation_ratio': 1.0}
        for host in ('cmp02', 'cmp03'):
            self.cloud.inventory(host, VCPU=one)
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp02', 'ACTIVE', 1)
        )
        for case in acting(FULL):
            self.hold(*case)

    def test_a_host_died(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ERROR', 1) + base.lot('cmp01', 'SHUTOFF', 1)
        )
        self.cloud.kill_host('cmp01')
        for case in acting(DEAD):
            self.hold(*case)

    def test_back(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp01', 'SHUTOFF', 1)
        )
        self.drain('cmp01')
        self.openstack('host maintenance unset cmp01')
        for case in acting(BACK):
            self.hold(*case)


class TestDestinations(base.FunctionalTest):
    """They may move servers, and not say where to."""

    def statuses(self, action: str) -> list[int]:
        """What Nova answered to one kind of request, in order."""
        log = self.cloud.requests.log()
        return [r.status for r in log if r.action == action]

    def test_scheduler_picks(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 3)
            + base.lot('cmp01', 'SHUTOFF', 3)
            + base.lot('cmp02', 'ACTIVE', 2)
            + base.lot('cmp01', 'SUSPENDED', 1)
        )
        self.cloud.set_policy({LIVE: NOBODY})
        self.cloud.requests.reset()

        done = self.run_command(
            'host maintenance drain --suspended resume cmp01 cmp02'
        )

        self.assertEqual(0, done.code, done.err)
        self.assertEqual(1, done.err.count(LIVE), done.err)
        self.assertIn('the scheduler picks it for the rest', done.err)
        self.assertEqual(
            [403] + 6 * [202], self.statuses('os-migrateLive'), done.err
        )
        # Of those the destinations may be named.
        self.assertEqual(3 * [202], self.statuses('migrate'))
        self.assertIn('cold migration to cmp0', done.err)
        self.assert_empty('cmp01')
        self.assert_empty('cmp02')

    def test_neither(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 2) + base.lot('cmp01', 'SHUTOFF', 2)
        )
        self.cloud.set_policy({LIVE: NOBODY, COLD: NOBODY})
        rows = self.drain('cmp01')
        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assertEqual({1}, {row['Attempts'] for row in rows})


class TestRecords(base.FunctionalTest):
    """They see migrations, and not between which hosts."""

    def test_first_record(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'SHUTOFF', 6))
        self.cloud.knobs(cm_seconds=2)
        self.cloud.set_policy({HOSTS: NOBODY})
        self.cloud.requests.reset()
        done = self.run_command('host maintenance drain --timeout 20 cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn(HOSTS, done.err)
        moves = [r for r in self.changes() if r.method == 'POST']
        self.assertLess(len(moves), 6, done.err)
