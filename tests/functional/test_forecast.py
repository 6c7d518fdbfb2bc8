# SPDX-License-Identifier: Apache-2.0

"""Will it fit? What ``drain --dry-run`` says, and what a drain makes of it."""

import json
import typing as ty

import pytest

from tests.functional import base
from tests.functional import forecast_base

#: What a dry run may ask for, three of it about rights, beside one question
#: for each shape of servers and the pages of server groups.
REQUESTS = 9


class TestDryRun(forecast_base.ForecastTest):
    def test_nothing_is_changed(self) -> None:
        self.cloud.boot_many(
            [
                *base.lot('cmp01', 'ACTIVE', 1),
                *base.lot('cmp01', 'SHUTOFF', 1, flavor='m1.tiny'),
                *base.lot('cmp01', 'SUSPENDED', 1),
                *base.lot('cmp01', 'SHELVED', 1),
            ]
        )
        before = self.everything()
        self.cloud.requests.reset()

        rows, said = self.preview('cmp01', code=3)

        log = [r for r in self.cloud.requests.log() if r.service != 'identity']
        self.assertEqual({'GET'}, {r.method for r in log})
        asked = [r for r in log if r.path not in ('/', '/v2.1', '/v2.1/')]
        self.assertLessEqual(len(asked), REQUESTS + 2, asked)
        self.assertEqual(before, self.everything())
        self.assertEqual(
            {
                'active-0': ('live migration', 'yes', 3),
                'shutoff-0': ('cold migration', 'yes', 3),
                'suspended-0': ('', '', None),
                'shelved-0': ('shelve offload', 'yes', None),
            },
            {
                name: (row['Move'], row['Fits'], row['Candidates'])
                for name, row in rows.items()
            },
        )
        self.assertIn('--suspended resume', rows['suspended-0']['Reason'])
        self.assertIn('4 servers; 2 with 2.5 GiB of memory', said)
        self.assertIn('3 hosts may take any of them', said)
        self.assertIn('the tightest resource is MEMORY_MB', said)

    def test_it_is_what_a_drain_does(self) -> None:
        self.cloud.boot_many(
            [
                *base.lot('cmp01', 'ACTIVE', 1),
                *base.lot('cmp01', 'PAUSED', 1),
                *base.lot('cmp01', 'SUSPENDED', 1),
            ]
        )

        rows, _said = self.preview('--suspended resume cmp01')

        drained = self.drain('--suspended resume cmp01')
        self.assertEqual(
            {name: row['Move'] for name, row in rows.items()},
            {row['Name']: row['Move'] for row in drained},
        )

    def test_host_of_somebody_else(self) -> None:
        self.openstack(
            'compute service set --disable --disable-reason theirs cmp01 '
            'nova-compute'
        )

        done = self.run_command('host maintenance drain --dry-run cmp01')

        self.assertEqual(1, done.code)
        self.assertIn('--force', done.err)
        self.assertEqual({}, self.fits('--force cmp01'))

    def test_unknown_host(self) -> None:
        done = self.run_command('host maintenance drain --dry-run cmp1')

        self.assertEqual(1, done.code)
        self.assertIn('did you mean cmp01', done.err)


class TestCapacity(forecast_base.ForecastTest):
    def test_a_set_that_can_not_fit_is_not_begun(self) -> None:
        self.fill(('cmp02', 4), ('cmp03', 2), ('cmp04', 0))
        self.cloud.boot_many(
            [
                {'name': f's{n}', 'host': 'cmp01', 'flavor': '2'}
                for n in range(2)
            ]
            + [{'name': 'big', 'host': 'cmp01', 'flavor': self.flavor(6)}]
        )

        rows, said = self.preview('cmp01', code=3)

        self.assertEqual('no', rows.pop('big')['Fits'])
        self.assertEqual({'yes'}, {row['Fits'] for row in rows.values()})
        self.assertIn('1 do not fit', said)
        self.assertIn('4096 MEMORY_MB more', said)
        self.cloud.requests.reset()

        done = self.run_command('host maintenance drain -f json cmp01')

        self.assertEqual(1, done.code)
        self.assertEqual('', done.out)
        self.assertIn('1 of 3 servers do not fit', done.err)
        self.assertIn('--skip-capacity-check', done.err)
        self.assertEqual('maintenance', self.show('cmp01')['mode'])
        self.assertEqual(
            {'GET', 'PUT'},
            {
                r.method
                for r in self.cloud.requests.log()
                if r.service == 'compute'
            },
        )

        drained = self.drain('--skip-capacity-check cmp01', code=3)

        results = {row['Name']: row['Result'] for row in drained}
        self.assertEqual('failed', results.pop('big'))
        self.assertEqual({'moved'}, set(results.values()))

    def test_exactly_full_and_one_short(self) -> None:
        self.fill(('cmp02', 4), ('cmp03', 0), ('cmp04', 0))
        self.cloud.boot_many(
            [
                {'name': f's{n}', 'host': 'cmp01', 'flavor': '2'}
                for n in range(2)
            ]
        )
        self.assertEqual({'s0': 'yes', 's1': 'yes'}, self.fits('cmp01'))
        self.cloud.boot('tiny', host='cmp01', flavor='m1.tiny')
        self.assertEqual(
            ['no', 'yes', 'yes'], sorted(self.fits('cmp01', 3).values())
        )

    def test_one_destination(self) -> None:
        self.fill(('cmp02', 2))
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))

        fits = self.fits('--to cmp02 cmp01', code=3)

        self.assertEqual(['no', 'yes'], sorted(fits.values()))
        done = self.run_command('host maintenance drain --to cmp02 cmp01')
        self.assertEqual(1, done.code)
        self.assertEqual(2, len(self.cloud.servers('cmp01')))

    @pytest.mark.soak
    def test_two_hosts_that_fit_one_by_one_only(self) -> None:
        self.fill(('cmp03', 4), ('cmp04', 0))
        for host in ('cmp01', 'cmp02'):
            self.cloud.boot_many(
                [
                    {'name': f'{host}-{n}', 'host': host, 'flavor': '2'}
                    for n in range(2)
                ]
            )

        fits = self.fits('cmp01 cmp02', code=3)

        self.assertEqual(['no', 'no', 'yes', 'yes'], sorted(fits.values()))
        _rows, said = self.preview('cmp01 cmp02', code=3)
        self.assertIn('drain one host, put it back into service', said)
        self.assertEqual({'yes'}, set(self.fits('cmp01').values()))
        self.assertEqual({'yes'}, set(self.fits('cmp02').values()))

    def test_suggests_unset_of_a_host_in_maintenance(self) -> None:
        self.fill(('cmp02', 0), ('cmp03', 0))
        self.openstack('host maintenance set cmp04')
        self.cloud.boot('server', host='cmp01')

        rows, said = self.preview('cmp01', code=3)

        self.assertEqual('no', rows['server']['Fits'])
        self.assertEqual(0, rows['server']['Candidates'])
        self.assertIn('1 in maintenance', rows['server']['Reason'])
        self.assertIn('2 without room', rows['server']['Reason'])
        self.assertIn('with cmp04 in service', said)


class TestRules(forecast_base.ForecastTest):
    def test_anti_affinity(self) -> None:
        group = self.cloud.group('apart', 'anti-affinity')
        for host in ('cmp01', 'cmp02', 'cmp03'):
            self.cloud.boot(f'of-{host}', host=host, group=group)

        self.assertEqual({'of-cmp01': 'yes'}, self.fits('cmp01'))
        # There is one host for the two of them.
        both = self.fits('cmp01 cmp02', code=3)
        self.assertEqual(['no', 'yes'], sorted(both.values()))
        rows = self.drain('cmp01')
        self.assertEqual(['cmp04'], [row['Destination'] for row in rows])

    def test_affinity(self) -> None:
        group = self.cloud.group('together', 'affinity')
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2, group=group))

        rows, _said = self.preview('cmp01', code=3)

        for row in rows.values():
            self.assertEqual('no', row['Fits'])
            self.assertIn('(affinity)', row['Reason'])
        left = self.drain('--skip-capacity-check --retries 0 cmp01', code=3)
        self.assertEqual({'failed'}, {row['Result'] for row in left})

    def test_zones(self) -> None:
        self.cloud.aggregate('one', ['cmp01', 'cmp02'], zone='one')
        self.cloud.aggregate('two', ['cmp03', 'cmp04'], zone='two')
        self.fill(('cmp02', 0))
        self.cloud.boot('bound', host='cmp01', az='one')
        self.cloud.boot('free', host='cmp01')

        rows, _said = self.preview('cmp01', code=3)

        self.assertEqual('yes', rows['free']['Fits'])
        self.assertEqual('no', rows['bound']['Fits'])
        self.assertIn('2 not in zone one', rows['bound']['Reason'])

    def test_traits(self) -> None:
        self.cloud.give_traits('cmp01', 'CUSTOM_GOLD')
        wanted = self.flavor(2, **{'trait:CUSTOM_GOLD': 'required'})
        self.cloud.boot('picky', host='cmp01', flavor=wanted)

        rows, _said = self.preview('cmp01', code=3)

        self.assertIn('3 without CUSTOM_GOLD', rows['picky']['Reason'])


class TestUnknownCapacity(forecast_base.ForecastTest):
    """What Placement does not tell is called unknown, and holds up nobody."""

    def blind(self, **fault: ty.Any) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        self.cloud.faults.add(
            'placement', path='/allocation_candidates', **fault
        )

    def assert_told(self, words: str) -> None:
        rows, said = self.preview('cmp01', code=3)
        for row in rows.values():
            self.assertEqual('unknown', row['Fits'])
            self.assertIsNone(row['Candidates'])
        self.assertIn('capacity is not known', said)
        self.assertIn(words, said)
        done = self.run_command('host maintenance drain -f json cmp01')
        self.assertEqual(0, done.code, done.err)
        self.assertEqual(
            {'moved'}, {row['Result'] for row in json.loads(done.out)}
        )
        self.assertIn('capacity is not known', done.err)
        self.assertIn('left to the scheduler', done.err)
        self.assert_empty('cmp01')

    def test_no_permission(self) -> None:
        self.blind(status=403)
        self.assert_told('HTTP 403')

    @pytest.mark.soak
    def test_placement_is_down(self) -> None:
        self.blind(reset=True)
        self.assert_told('no answer')
