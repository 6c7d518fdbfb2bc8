# SPDX-License-Identifier: Apache-2.0

"""Forty servers in every state, on a cloud that has a bad day."""

import collections
import random
import signal
import typing as ty

import pytest

from tests.cloud import waiting
from tests.functional import base

#: A request is lost once in thirteen times: three in a row may be, not six.
LINE = (
    'host maintenance drain -f json --retries 5 '
    '--suspended resume --resized confirm'
)
#: What no option moves, by status.
STUCK = {'RESCUE', 'ERROR', 'SOFT_DELETED'}
#: Statuses that a move changes: what follows from an offload and a confirmed
#: resize.
CHANGED = {'SHELVED': 'SHELVED_OFFLOADED', 'VERIFY_RESIZE': 'ACTIVE'}
_SUCCESS = ('completed', 'confirmed')


@pytest.mark.soak
class TestBadDay(base.FunctionalTest):
    options: ty.ClassVar = {
        'max_live': 3,
        'token_lifetime': 5,
        'rpc_timeout': 60,
    }

    def populate(self) -> list[dict[str, ty.Any]]:
        """Forty servers on cmp01; one in ten of the live ones fails once."""
        running = base.lot('cmp01', 'ACTIVE', 16)
        for spec in running[:2]:
            spec['metadata'] = {'lm_fail': 'precheck', 'lm_fail_times': '1'}
        self.cloud.boot_many(
            running
            + base.lot('cmp01', 'PAUSED', 4)
            + base.lot('cmp01', 'SHUTOFF', 8)
            + base.lot('cmp01', 'SUSPENDED', 4)
            + base.lot('cmp01', 'SHELVED', 3)
            + base.lot('cmp01', 'VERIFY_RESIZE', 2)
            + base.lot('cmp01', 'RESCUE', 1)
            + base.lot('cmp01', 'ERROR', 1)
            + base.lot('cmp01', 'SOFT_DELETED', 1)
        )
        return self.everything()

    def everything(self) -> list[dict[str, ty.Any]]:
        """All servers as they are, soft-deleted ones included."""
        found = self.cloud.connection().compute.get(
            '/servers/detail',
            params={'all_tenants': 1, 'soft_deleted': True},
        )
        return ty.cast('list[dict[str, ty.Any]]', found.json()['servers'])

    def spoil(self) -> None:
        """One request in five gets an error, no answer, or a late one."""
        for service in ('compute', 'placement'):
            add = self.cloud.faults.add
            add(service, status=503, share=0.05)
            add(service, status=502, after=True, share=0.05)
            add(service, reset=True, share=0.03)
            add(service, reset=True, after=True, share=0.03)
            add(service, delay=1.0, share=0.04)

    def assert_true_end(
        self, before: ty.Iterable[ty.Any], done: base.Done
    ) -> None:
        """All that can be moved is, once; the rows name what is left."""
        self.cloud.faults.clear()
        now = {s['id']: s for s in self.everything()}
        stuck = {s['id'] for s in before if s['status'] in STUCK}
        gone = ('moved', 'offloaded')
        left = [r for r in done.json if r['Result'] not in gone]
        ids = {r['Server ID'] for r in left}
        self.assertEqual(stuck, ids, f'{left}\n{done.err}')
        good = collections.Counter(
            record['instance_uuid']
            for record in self.records('cmp01')
            if record['status'] in _SUCCESS
        )
        for old in before:
            new, status = now[old['id']], old['status']
            host = new['OS-EXT-SRV-ATTR:host']
            with self.subTest(name=old['name']):
                self.assertEqual(CHANGED.get(status, status), new['status'])
                self.assertEqual(base.addresses(old), base.addresses(new))
                self.assertEqual(old['id'] in stuck, host == 'cmp01')
                moves = 0 if status in STUCK or status == 'SHELVED' else 1
                self.assertEqual(moves, good[old['id']])
        self.assertEqual(stuck, set(self.cloud.allocations('cmp01')))

    def test_everything_goes_wrong_at_once(self) -> None:
        before = self.populate()
        self.spoil()

        done = self.run_command(f'{LINE} cmp01')

        self.assertEqual(3, done.code, done.err)
        self.assertEqual(40, len(done.json))
        self.assert_true_end(before, done)

    def test_killed_three_times(self) -> None:
        before = self.populate()
        self.spoil()
        chance = random.Random(3)
        for kill in range(3):
            process = self.start(f'{LINE} cmp01')
            wanted = chance.randint(9 * kill + 3, 9 * kill + 9)
            waiting.wait_for(
                lambda wanted=wanted: self.moved() >= wanted,
                f'{wanted} servers to have moved',
                timeout=150,
            )
            process.send_signal(signal.SIGKILL)
            process.communicate()

        done = self.run_command(f'{LINE} cmp01')

        self.assertEqual(3, done.code, done.err)
        self.assert_true_end(before, done)

    def moved(self) -> int:
        return sum(r['status'] in _SUCCESS for r in self.records('cmp01'))
