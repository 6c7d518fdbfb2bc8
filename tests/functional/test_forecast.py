# SPDX-License-Identifier: Apache-2.0

"""Will it fit? What ``drain --dry-run`` says, and what a drain makes of it."""

import json
import typing as ty

from openstack import exceptions
import pytest

from tests.functional import base

PREVIEW_COLUMNS = [
    'Server ID',
    'Name',
    'Host',
    'Status',
    'Move',
    'Fits',
    'Candidates',
    'Reason',
]
#: What a dry run may ask for, beside one question for each shape of servers
#: and the pages of server groups.
REQUESTS = 7
BANDWIDTH = 'NET_BW_EGR_KILOBIT_PER_SEC'
SMALL = {'VCPU': 1, 'MEMORY_MB': 2048, 'DISK_GB': 10}


class ForecastTest(base.FunctionalTest):
    """Looks ahead at the drain of one of four hosts."""

    def preview(
        self, line: str, code: int = 0
    ) -> tuple[dict[str, dict[str, ty.Any]], str]:
        """The rows of a dry run by server's name, and what it says."""
        done = self.run_command(
            f'host maintenance drain --dry-run -f json {line}'
        )
        self.assertEqual(code, done.code, done.err)
        for row in done.json:
            self.assertEqual(PREVIEW_COLUMNS, list(row))
        return {row['Name']: row for row in done.json}, done.err

    def fits(self, line: str, code: int = 0) -> dict[str, str]:
        rows, _said = self.preview(line, code)
        return {name: row['Fits'] for name, row in rows.items()}

    def flavor(self, gib: int, **specs: str) -> str:
        """A flavor of so much memory."""
        return self.cloud.flavor(
            f'{gib}-gib-{len(specs)}', 1, gib << 10, 1, specs
        )

    def fill(self, *free: tuple[str, int]) -> None:
        """Leave so many GiB of memory on each of some hosts."""
        for host, gib in free:
            self.cloud.inventory(
                host, MEMORY_MB={'total': (gib << 10) or 1, 'reserved': 0}
            )

    def everything(self) -> object:
        """All of the cloud that a drain could change."""
        hosts = self.cloud.hosts()
        services = [self.cloud.service(host).to_dict() for host in hosts]
        for service in services:
            # Of the heartbeats.
            del service['updated_at']
        return (
            services,
            [self.cloud.allocations(host) for host in hosts],
            self.cloud.servers(),
            self.cloud.migrations(),
        )


class TestDryRun(ForecastTest):
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


class TestCapacity(ForecastTest):
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


class TestRules(ForecastTest):
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


class TestResourceGroups(ForecastTest):
    """Servers that take of several providers of one host."""

    def allocate(
        self, server: ty.Any, *parts: tuple[str, dict[str, int]]
    ) -> None:
        """Have Placement hold otherwise for a server than Nova asked."""
        # Later ones answer with a consumer type that they do not take.
        where = {'url': f'/allocations/{server.id}', 'microversion': '1.28'}
        placement = self.cloud.connection().placement
        held = placement.get(**where).json()
        held['allocations'] = {
            provider: {'resources': resources} for provider, resources in parts
        }
        exceptions.raise_from_response(placement.put(**where, json=held))

    def test_vgpus_of_different_cards(self) -> None:
        for host in ('cmp01', 'cmp02'):
            self.cloud.child_provider(host, {'VGPU': 1}, 'CUSTOM_A40')
            self.cloud.child_provider(host, {'VGPU': 1})
        self.cloud.child_provider('cmp03', {'VGPU': 9}, 'CUSTOM_A40')
        for _card in range(2):
            self.cloud.child_provider('cmp04', {'VGPU': 1})
        specs = {
            'resources1:VGPU': '1',
            'trait1:CUSTOM_A40': 'required',
            'resources2:VGPU': '1',
            'group_policy': 'isolate',
        }
        self.cloud.boot('vm', host='cmp01', flavor=self.flavor(1, **specs))

        rows, _said = self.preview('cmp01')

        self.assertEqual('yes', rows['vm']['Fits'])
        self.assertEqual(1, rows['vm']['Candidates'])
        (row,) = self.drain('cmp01')
        self.assertEqual('cmp02', row['Destination'])

        rows, _said = self.preview('cmp02', code=3)

        self.assertEqual('no', rows['vm']['Fits'])
        self.assertEqual(
            'no host can take it: 2 without room or traits for its resource '
            'groups, 1 in maintenance',
            rows['vm']['Reason'],
        )

    def test_a_request_that_placement_refuses(self) -> None:
        card = self.cloud.child_provider('cmp01', {'VGPU': 1}, 'CUSTOM_GONE')
        specs = {'resources1:VGPU': '1', 'trait1:CUSTOM_GONE': 'required'}
        self.cloud.boot('gpu', host='cmp01', flavor=self.flavor(1, **specs))
        self.cloud.boot('plain', host='cmp01')
        placement = self.cloud.connection().placement
        for path in (
            f'/resource_providers/{card}/traits',
            '/traits/CUSTOM_GONE',
        ):
            exceptions.raise_from_response(placement.delete(path))

        rows, said = self.preview('cmp01', code=3)

        self.assertIn('1 fit, 1 may fit', said)
        self.assertEqual('yes', rows['plain']['Fits'])
        self.assertEqual('unknown', rows['gpu']['Fits'])
        self.assertIn('No such trait(s): CUSTOM_GONE', rows['gpu']['Reason'])

    def test_what_is_not_known_is_not_refused(self) -> None:
        nics = [
            self.cloud.child_provider(host, {BANDWIDTH: 1000})
            for host in ('cmp01', 'cmp01', 'cmp02', 'cmp02')
        ]
        home, other = (self.cloud.provider(f'cmp0{n}') for n in (1, 3))
        # As of two ports, and as of a live migration that was cut short.
        ports, moved = self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        share = {BANDWIDTH: 1000}
        self.allocate(ports, (home, SMALL), (nics[0], share), (nics[1], share))
        self.allocate(moved, (other, SMALL))

        rows, said = self.preview('cmp01', code=3)

        self.assertIn('2 may fit', said)
        row = rows[ports.name]
        self.assertEqual(('unknown', 1), (row['Fits'], row['Candidates']))
        self.assertIn(f'it holds {BANDWIDTH}, which its flavor', row['Reason'])
        row = rows[moved.name]
        self.assertEqual(('unknown', None), (row['Fits'], row['Candidates']))
        self.assertIn('it has no allocation on cmp01', row['Reason'])
        drained = {row['Name']: row for row in self.drain('cmp01')}
        self.assertEqual('cmp02', drained[ports.name]['Destination'])


class TestUnknownCapacity(ForecastTest):
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
