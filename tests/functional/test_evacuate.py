# SPDX-License-Identifier: Apache-2.0

"""Hosts that die: their servers are rebuilt elsewhere."""

import datetime
import typing as ty

from tests.functional import base
from tests.functional import terminal

DRAIN = 'host maintenance drain -f json'
LINE = f'{DRAIN} --evacuate --fenced'
#: Nova's power state of a guest that runs.
RUNNING = 1


class EvacuationTest(base.FunctionalTest):
    """Lets cmp01 die."""

    def die(self) -> None:
        """Kill the compute service, and wait until Nova has noticed."""
        self.cloud.kill_host('cmp01')
        self.cloud.wait_service('cmp01', 'down')

    def assert_nothing_changed(self) -> None:
        """Nobody has asked for anything, and the host is as it was."""
        self.assertEqual([], self.changes())
        service = self.cloud.service('cmp01')
        self.assertEqual('enabled', service.status)
        self.assertFalse(service.is_forced_down)

    def assert_rebuilt_once(self, servers: ty.Iterable[ty.Any]) -> None:
        """Nova built each server elsewhere, and did so once."""
        compute = self.cloud.connection().compute
        for server in servers:
            records = self.cloud.migrations(instance_uuid=server['id'])
            self.assertEqual(
                [('cmp01', 'evacuation')],
                [(r['source_compute'], r['migration_type']) for r in records],
                server['name'],
            )
            names = [a.action for a in compute.server_actions(server['id'])]
            self.assertEqual(1, names.count('evacuate'), server['name'])

    def assert_runs_once(self, servers: ty.Iterable[ty.Any]) -> None:
        """Each has one guest in truth, on the host where Nova thinks it is.

        Once its old host has cleaned up.
        """
        guests = self.cloud.guests()
        now = {s['id']: s for s in self.cloud.servers()}
        for server in servers:
            hosts = [h for h, there in guests.items() if server['id'] in there]
            host = now[server['id']]['OS-EXT-SRV-ATTR:host']
            self.assertEqual([host], hosts, server['name'])
            runs = guests[host][server['id']] == RUNNING
            status = now[server['id']]['status']
            self.assertEqual(status == 'ACTIVE', runs, server['name'])

    def assert_back_in_service(self) -> None:
        service = self.cloud.service('cmp01')
        self.assertEqual(('enabled', 'up'), (service.status, service.state))
        self.assertFalse(service.is_forced_down)
        self.assertEqual('operational', self.show('cmp01')['mode'])


class TestDeadHost(EvacuationTest):
    def test_evacuated_and_cleaned_up_after_return(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1)
            + base.lot('cmp01', 'SHUTOFF', 1)
            + base.lot('cmp01', 'PAUSED', 1)
            + base.lot('cmp01', 'ERROR', 1)
        )
        servers = {s['name']: s for s in self.cloud.servers('cmp01')}
        paused, broken = servers['paused-0'], servers['error-0']
        whole = [s for s in servers.values() if s not in (paused, broken)]
        self.die()
        self.cloud.requests.reset()

        self.refused_without_the_word()
        self.looked_ahead(servers)
        self.not_drained_alive()
        done = self.run_command(f'{LINE} cmp01')

        self.assertEqual(3, done.code, done.err)
        rows = {row['Name']: row for row in done.json}
        self.assertEqual({*servers}, {*rows})
        left = rows.pop('paused-0')
        self.assertEqual('blocked', left['Result'])
        self.assertIn(
            f"Cannot 'evacuate' instance {paused['id']} while it is in "
            'vm_state paused',
            left['Reason'],
        )
        self.assertEqual(
            {('evacuation', 'moved', 1)},
            {
                (row['Move'], row['Result'], row['Attempts'])
                for row in rows.values()
            },
        )
        self.assertEqual(
            {name: servers[name]['status'] for name in rows},
            {name: row['Status'] for name, row in rows.items()},
        )
        for name in rows:
            self.assertIn(name, done.err)
        self.assertIn('local disk', done.err)
        self.assert_same_elsewhere(whole, 'cmp01')
        self.assert_same_elsewhere([{**broken, 'status': 'ACTIVE'}], 'cmp01')
        self.assert_rebuilt_once([*whole, broken])

        self.waits_for_the_host(left=paused, evacuated=3)
        self.cloud.start_host('cmp01')
        self.assertEqual(0, self.show('cmp01')['awaiting_cleanup'])
        self.assertEqual('', self.openstack('host maintenance unset cmp01'))
        self.assert_back_in_service()
        self.assert_runs_once(servers.values())

        self.comes_home([*whole, {**broken, 'status': 'ACTIVE'}])
        self.assert_runs_once(servers.values())

    def refused_without_the_word(self) -> None:
        """Nobody was asked, nor vouched for it."""
        done = self.run_command(f'{DRAIN} --evacuate cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('--fenced', done.err)
        self.assertEqual('[]', done.out.strip())
        self.assert_nothing_changed()

    def looked_ahead(self, servers: ty.Mapping[str, ty.Any]) -> None:
        done = self.run_command(f'{LINE} --dry-run cmp01')
        self.assertEqual(3, done.code, done.err)
        rows = {row['Name']: row for row in done.json}
        self.assertEqual({*servers}, {*rows})
        left = rows.pop('paused-0')
        self.assertEqual('', left['Move'])
        self.assertEqual(
            {('evacuation', 'yes', 'lost unless shared')},
            {
                (row['Move'], row['Fits'], row['Local Disk'])
                for row in rows.values()
            },
        )
        self.assertIn('3 servers lose their local disks', done.err)
        done = self.run_command(f'{LINE} --dry-run --exclude error-0 cmp01')
        rows = {row['Name']: row for row in done.json}
        self.assertEqual('left here (--exclude)', rows['error-0']['Reason'])
        self.assertIn('2 servers lose their local disks', done.err)
        self.assert_nothing_changed()

    def not_drained_alive(self) -> None:
        """The ordinary drain leads to the right command."""
        done = self.run_command(f'{DRAIN} cmp01')
        self.assertEqual(1, done.code, done.err)
        *_progress, error = done.err.splitlines()
        self.assertIn('the compute service on cmp01 is down', error)
        self.assertIn('host maintenance drain --evacuate cmp01', error)
        self.assertEqual({'blocked'}, {row['Result'] for row in done.json})
        self.assertEqual({'PUT'}, {r.method for r in self.changes()})
        self.assertEqual([], self.records('cmp01'))

    def waits_for_the_host(self, *, left: ty.Any, evacuated: int) -> None:
        """It does not go back into service before it has cleaned up."""
        (there,) = self.cloud.servers('cmp01')
        self.assertEqual(left['id'], there['id'])
        shown = self.show('cmp01')
        self.assertEqual(evacuated, shown['awaiting_cleanup'])
        self.assertEqual(1, shown['servers'])
        self.assertFalse(shown['drained'])
        done = self.run_command('host maintenance unset cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('Start nova-compute on cmp01', done.err)
        self.assertIn('host maintenance unset cmp01 again', done.err)
        service = self.cloud.service('cmp01')
        self.assertEqual('disabled', service.status)
        self.assertTrue(service.is_forced_down)

    def comes_home(self, evacuated: ty.Sequence[ty.Any]) -> None:
        rows = self.openstack_json('host maintenance restore -f json cmp01')
        self.assertEqual(
            {s['id'] for s in evacuated}, {row['Server ID'] for row in rows}
        )
        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        now = {s['id']: s for s in self.cloud.servers('cmp01')}
        for old in evacuated:
            new = now[old['id']]
            self.assertEqual(old['status'], new['status'], old['name'])
            self.assertEqual(
                base.addresses(old), base.addresses(new), old['name']
            )

    def openstack_json(self, line: str) -> list[dict[str, ty.Any]]:
        done = self.run_command(line)
        self.assertEqual(0, done.code, done.err)
        return ty.cast('list[dict[str, ty.Any]]', done.json)


class TestLife(EvacuationTest):
    """Hosts that are not dead, or may not be."""

    def test_refused_while_the_host_is_up(self) -> None:
        """Neither word of the operator has a living host evacuated."""
        servers = self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        self.cloud.requests.reset()

        done = self.run_command(f'{DRAIN} --evacuate cmp01')

        self.assertEqual(1, done.code, done.err)
        self.assertIn('service_down_time', done.err)
        self.assertIn('--fenced', done.err)
        self.assertIn('without --evacuate', done.err)
        self.assert_nothing_changed()

        # By a front end's clock its last heartbeat is an hour old.
        self.set_date(datetime.timedelta(hours=1))
        done = self.run_command(f'{LINE} cmp01')

        self.assertEqual(1, done.code, done.err)
        self.assertIn('cmp01 still sends heartbeats', done.err)
        self.assertIn('evacuation refused', done.err)
        self.assertFalse(self.cloud.service('cmp01').is_forced_down)
        self.cloud.wait_service('cmp01', 'up')
        self.assertEqual([], self.records('cmp01'))
        self.assertEqual(
            {server.id: RUNNING for server in servers},
            self.cloud.guests()['cmp01'],
        )
        self.openstack('host maintenance unset cmp01')
        self.assert_back_in_service()

    def test_refused_for_a_renamed_host(self) -> None:
        """Its host was renamed: all of it is up, under the new name."""
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 1))
        before = self.cloud.servers('cmp01')
        self.die()
        new = self.cloud.add_host('cmp01.example.org', twin='cmp01')
        self.cloud.requests.reset()

        for line in (DRAIN, LINE, f'{DRAIN} --dry-run', f'{LINE} --dry-run'):
            done = self.run_command(f'{line} cmp01')
            self.assertEqual(1, done.code, done.err)
            words = done.err.splitlines()[-1]
            same = f'cmp01 and {new} have the same address (192.0.2.'
            self.assertTrue(words.startswith(same), done.err)
            self.assertIn(f'{new} is up', words)
        done = self.run_command(f'{DRAIN} {new}')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('1 server on cmp01, which is down', done.err)
        self.assert_nothing_changed()

        # What the message advises if the machine was installed anew.
        self.cloud.stop_host(new)
        self.cloud.wait_service(new, 'down')
        done = self.run_command(f'{LINE} cmp01')
        self.assertEqual(0, done.code, done.err)
        self.assert_rebuilt_once(before)
        self.assertNotEqual(new, done.json[0]['Destination'])

    def ask(self, answer: str) -> base.Done:
        """Have somebody at a terminal answer the question."""
        shell = terminal.Terminal(
            [*base.OPENSTACK, *f'{DRAIN} --evacuate cmp01'.split()],
            self.environ(),
        )
        self.addCleanup(shell.close)
        shell.answer('Is cmp01 powered off?', answer)
        done = shell.end()
        self.assertNotIn('Traceback', done.err)
        self.assertIn('evacuating corrupts data', done.err)
        self.assertIn('local disk', done.err)
        return done

    def test_confirmation_asked_for_a_silent_host(self) -> None:
        """Somebody at a terminal is asked; the answer is no, then yes."""
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1) + base.lot('cmp01', 'SHUTOFF', 1)
        )
        before = self.cloud.servers('cmp01')
        self.cloud.crash_host('cmp01')
        self.cloud.wait_service('cmp01', 'down')
        self.cloud.requests.reset()

        done = self.ask('')
        self.assertEqual(1, done.code, done.err)
        self.assertEqual('[]', done.out.strip())
        self.assert_nothing_changed()
        done = self.ask('y')

        self.assertEqual(0, done.code, done.err)
        self.assertEqual({'moved'}, {row['Result'] for row in done.json})
        self.assertTrue(self.cloud.service('cmp01').is_forced_down)
        self.assert_same_elsewhere(before, 'cmp01')
        self.assert_rebuilt_once(before)
