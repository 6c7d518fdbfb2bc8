# SPDX-License-Identifier: Apache-2.0

"""Setting, unsetting and showing maintenance, and what goes wrong."""

import json
import shlex

from tests.cloud import waiting
from tests.functional import base

THEIRS = 'broken fan, hands off'


class TestMaintenance(base.FunctionalTest):
    def disable_by_hand(self, host: str, reason: str = THEIRS) -> None:
        compute = self.cloud.connection().compute
        compute.disable_service(
            self.cloud.service(host).id, disabled_reason=reason
        )

    def test_set_show_and_unset(self) -> None:
        self.assertEqual(
            '', self.openstack('host maintenance set --reason CHG1 cmp01')
        )
        first = self.show('cmp01')
        self.cloud.restart_host('cmp01')
        before = first.pop('updated_at')
        waiting.wait_for(
            lambda: self.show('cmp01')['updated_at'] > before, 'a heartbeat'
        )
        shown = self.show('cmp01')
        heard = shown['updated_at']
        self.assertEqual({**first, 'updated_at': heard}, shown, 'restarted')
        self.assertEqual('maintenance', shown['mode'])
        self.assertEqual('CHG1', shown['reason'])
        self.assertEqual(base.OPERATOR, shown['set_by'])
        self.assertEqual('up', shown['service_state'])

        self.openstack('host maintenance set cmp01')
        shown = self.show('cmp01')
        del shown['updated_at']
        self.assertEqual(first, shown, 'nothing new to say')
        self.openstack('host maintenance set --reason CHG2 cmp01')
        shown = self.show('cmp01')
        del shown['updated_at']
        self.assertEqual({**first, 'reason': 'CHG2'}, shown)
        self.assertIn(
            f'maintenance since {first["since"]} by {base.OPERATOR}: CHG2',
            self.openstack('compute service list --long -f json'),
        )

        self.assertEqual('', self.openstack('host maintenance unset cmp01'))
        self.openstack('host maintenance unset cmp01')
        shown = self.show('cmp01')
        self.assertEqual('operational', shown['mode'])
        self.assertIsNone(shown['since'])
        self.openstack('host maintenance set cmp02 cmp03 cmp04')
        server = self.cloud.boot('server')
        self.assertIn(
            server.id, [s['id'] for s in self.cloud.servers('cmp01')]
        )

    def test_list(self) -> None:
        self.cloud.boot_many(
            [{'name': 'a', 'host': 'cmp01'}, {'name': 'b', 'host': 'cmp01'}]
        )
        self.openstack('host maintenance set --reason CHG1 cmp01')
        self.disable_by_hand('cmp02')

        def listed(line: str) -> dict[str, dict[str, object]]:
            out = self.openstack(f'host maintenance list -f json {line}')
            return {row['Host']: row for row in json.loads(out)}

        row = listed('')['cmp01']
        since = row.pop('Since')
        self.assertRegex(str(since), r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
        self.assertEqual(
            {
                'Host': 'cmp01',
                'Mode': 'maintenance',
                'State': 'up',
                'Servers': 2,
                'Reason': 'CHG1',
            },
            row,
        )
        self.assertEqual({'cmp01'}, set(listed('')))
        self.assertEqual({'cmp02'}, set(listed('--mode disabled')))
        everything = listed('--all --long')
        self.assertEqual(
            ['maintenance', 'disabled', 'operational', 'operational'],
            [row['Mode'] for row in everything.values()],
        )
        self.assertEqual(THEIRS, everything['cmp02']['Reason'])
        self.assertEqual(base.OPERATOR, everything['cmp01']['Set By'])
        self.assertEqual('nova', everything['cmp01']['Availability Zone'])

    def test_host_disabled_by_others_is_refused(self) -> None:
        self.disable_by_hand('cmp01')
        for line in (
            *('set', 'unset', 'drain'),
            *('set --reason mine', 'drain --dry-run'),
        ):
            done = self.run_command(f'host maintenance {line} cmp01')
            self.assertEqual(1, done.code)
            self.assertEqual(1, len(done.err.splitlines()), done.err)
            self.assertIn(THEIRS, done.err)
            self.assertIn('--force', done.err)
        self.assertEqual(THEIRS, self.cloud.service('cmp01').disabled_reason)
        self.assertEqual('disabled', self.show('cmp01')['mode'])

        self.openstack('host maintenance set --force --reason CHG1 cmp01')
        self.assertEqual('CHG1', self.show('cmp01')['reason'])
        self.disable_by_hand('cmp01')
        self.openstack('host maintenance unset --force cmp01')
        self.assertEqual('operational', self.show('cmp01')['mode'])

    def test_marks_with_dates_that_no_mark_has(self) -> None:
        for year in ('0001', '2009', '9999'):
            planted = f'maintenance since {year}-01-01T00:00:00Z by eve: x'
            self.disable_by_hand('cmp01', planted)
            self.cloud.requests.reset()
            for line in ('unset --restore', 'set', 'drain'):
                done = self.run_command(f'host maintenance {line} cmp01')
                self.assertEqual(1, done.code, done.err)
                self.assertIn(
                    f'somebody else (their reason: {planted!r})', done.err
                )
            self.assertEqual([], self.changes())
            shown = self.show('cmp01')
            self.assertEqual(
                ('disabled', None), (shown['mode'], shown['since'])
            )
        self.openstack('host maintenance set --force cmp01')
        self.assertEqual('maintenance', self.show('cmp01')['mode'])

    def test_user_name_too_long_for_the_mark(self) -> None:
        keystone = self.cloud.connection().identity
        name, password = 'n' * 230, 'secret'
        user = keystone.create_user(name=name, password=password)
        self.addCleanup(keystone.delete_user, user)
        project, role = (
            keystone.find_project('operations'),
            keystone.find_role('host_maintenance'),
        )
        keystone.assign_project_role_to_user(project, user, role)
        env = {'OS_USERNAME': name, 'OS_PASSWORD': password}

        done = self.run_command(
            'host maintenance set --reason CHG0042 cmp01', **env
        )

        self.assertEqual(0, done.code, done.err)
        shown = self.show('cmp01')
        self.assertEqual(
            (user.id, 'CHG0042'), (shown['set_by'], shown['reason'])
        )
        reason = 'x' * 250
        done = self.run_command(
            f'host maintenance set --reason {reason} cmp02', **env
        )
        self.assertEqual(1, done.code, done.err)
        self.assertIn('too long by', done.err)

    def test_novas_own_reason_is_taken_over(self) -> None:
        self.disable_by_hand('cmp01', 'AUTO: Connection to libvirt lost: 1')

        self.openstack('host maintenance set cmp01')

        self.assertEqual('maintenance', self.show('cmp01')['mode'])

    def test_not_back_into_service_yet(self) -> None:
        self.cloud.boot('s', host='cmp01', metadata={'lm_seconds': '60'})
        process = self.start('host maintenance drain cmp01')
        waiting.wait_for(
            lambda: self.cloud.migrations(status='running'), 'a move'
        )
        done = self.run_command('host maintenance unset cmp01')
        self.assertEqual(1, done.code)
        self.assertIn('1 move is still under way from cmp01', done.err)
        self.assertEqual({'out': 1, 'in': 0}, self.show('cmp01')['moving'])
        process.kill()
        process.communicate()

        self.openstack('host maintenance set cmp02')
        self.cloud.kill_host('cmp02')
        self.cloud.wait_service('cmp02', 'down')
        done = self.run_command('host maintenance unset cmp02')
        self.assertEqual(1, done.code)
        self.assertIn('compute service on cmp02 is down', done.err)
        self.openstack('host maintenance unset --force cmp02')
        self.assertEqual('operational', self.show('cmp02')['mode'])


class TestTrouble(base.FunctionalTest):
    """One clear line each, and nothing changed."""

    def assert_one_line(
        self, done: base.Done, *words: str, code: int = 1
    ) -> None:
        self.assertEqual(code, done.code, done.err)
        self.assertEqual(1, len(done.err.splitlines()), done.err)
        for word in words:
            self.assertIn(word, done.err)
        self.assertEqual('', done.out.strip())
        for host in self.cloud.hosts():
            self.assertEqual('enabled', self.cloud.service(host).status)

    def test_unknown_hosts(self) -> None:
        for host in ('cmp1', 'cmp0', 'cmp0*', 'CMP01', 'cmp01 '):
            for verb in ('set', 'unset', 'show', 'drain'):
                done = self.run_command(f'host maintenance {verb}', host)
                self.assert_one_line(done, repr(host), 'did you mean')
        done = self.run_command('host maintenance drain cmp01 cmp09')
        self.assert_one_line(done, "'cmp09'")

    def test_hypervisor_hostname(self) -> None:
        (name,) = [
            h.name
            for h in self.cloud.connection().compute.hypervisors(details=True)
            if h.service_details['host'] == 'cmp01'
        ]
        self.assertNotEqual('cmp01', name)
        done = self.run_command(f'host maintenance drain {name}')
        self.assert_one_line(done, 'hypervisor hostname of cmp01')

    def test_two_services_of_one_name(self) -> None:
        ids = {self.cloud.service('cmp01').id}
        wrong = self.cloud.add_namesake('cmp01')
        ids.add(wrong)

        def unite() -> None:
            compute = self.cloud.connection().compute
            compute.delete(f'/os-services/{wrong}')
            self.cloud.map_hosts()

        self.addCleanup(unite)
        for verb in (
            *('set', 'unset', 'show', 'restore'),
            *('drain', 'drain --dry-run', 'drain --evacuate --fenced'),
        ):
            done = self.run_command(f'host maintenance {verb} cmp01')
            self.assert_one_line(done, *ids, 'compute service delete')
        out = self.openstack('host maintenance list --all -f json')
        hosts = [row['Host'] for row in json.loads(out)]
        self.assertEqual(2, hosts.count('cmp01'))
        self.cloud.boot_many(
            [{'name': host, 'host': host} for host in ('cmp02', 'cmp03')]
        )
        self.cloud.boot('left', host='cmp04')
        (row,) = self.drain('cmp04')
        self.assertNotEqual('cmp01', row['Destination'])
        self.openstack('host maintenance unset cmp04')
        done = self.run_command('host maintenance drain --to cmp01 cmp02')
        self.assert_one_line(done, *ids)

        # What the message advises.
        unite()
        self.cloud.boot('moved', host='cmp01')
        self.drain('cmp01')
        self.assert_empty('cmp01')
        self.openstack('host maintenance unset cmp01')

    def test_bare_metal(self) -> None:
        self.cloud.add_host('ironic01', kind='ironic', ram_gib=64, vcpus=64)
        for line in ('drain', 'drain --evacuate --fenced'):
            done = self.run_command(f'host maintenance {line} ironic01')
            self.assert_one_line(done, 'ironic01 manages bare metal (ironic)')
        done = self.run_command('host maintenance drain --dry-run ironic01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('ironic01 manages bare metal (ironic)', done.err)
        out = self.openstack('host maintenance list --all -f json')
        types = {r['Host']: r['Hypervisor Type'] for r in json.loads(out)}
        self.assertEqual('ironic', types.pop('ironic01'))
        self.assertEqual({'fake'}, set(types.values()))
        self.cloud.boot('server', host='cmp01')

        (row,) = self.drain('cmp01')

        self.assertNotEqual('ironic01', row['Destination'])
        self.openstack('host maintenance set ironic01')

    def test_no_rights(self) -> None:
        for line in ('set cmp01', 'unset cmp01', 'show cmp01', 'list'):
            done = self.run_command(f'host maintenance {line}', user='demo')
            self.assert_one_line(done, 'os_compute_api:os-services:list')
        done = self.run_command('host maintenance drain cmp01', user='demo')
        self.assert_one_line(done, 'os_compute_api:os-services:list')

    def test_wrong_password(self) -> None:
        done = self.run_command(
            'host maintenance drain cmp01', OS_PASSWORD='wrong'
        )
        self.assert_one_line(done, 'requires authentication', '401')

    def test_nova_does_not_answer(self) -> None:
        self.cloud.faults.add(reset=True)
        done = self.run_command('host maintenance drain cmp01')
        self.assert_one_line(done, 'Nova', 'no answer')
        self.cloud.faults.clear()
        self.cloud.faults.add(status=503)
        done = self.run_command('host maintenance set cmp01')
        self.assert_one_line(done, 'Nova', '503')

    def test_no_right_to_disable(self) -> None:
        self.cloud.faults.add(method='PUT', status=403)
        done = self.run_command('host maintenance drain cmp01 cmp02')
        self.assert_one_line(done, 'PUT /os-services', '403')

    def test_wrong_usage(self) -> None:
        for line in (
            'drain',
            'set',
            'show',
            'drain --timeout soon cmp01',
            'drain --parallel 0 cmp01',
            'list --mode sleeping',
            'restore --since yesterday cmp01',
            'restore --since 2026-11-31 cmp01',
            'restore --since 2999-01-01T00:00Z cmp01',
            'restore --since 0001-01-01T00:00+23:59 cmp01',
            'drain --save-names cmp01',
            'drain --dry-run --save-observations seen.jsonl cmp01',
            # As from an empty variable.
            'drain cmp01 --to=',
            *('set ""', 'unset ""', 'drain ""', 'restore ""', 'show ""'),
        ):
            self.cloud.requests.reset()
            done = self.run_command('host maintenance', *shlex.split(line))
            self.assertEqual(2, done.code, done.err)
            asked = {r.service for r in self.cloud.requests.log()}
            self.assertLessEqual(asked, {'identity'}, line)
        long = 'x' * 300
        done = self.run_command(f'host maintenance set --reason {long} cmp01')
        self.assert_one_line(done, 'too long by')
