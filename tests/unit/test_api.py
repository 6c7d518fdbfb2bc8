#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""The verbs, as programs use them, against a cloud that only remembers."""

import dataclasses
import datetime
import typing as ty
import unittest
from unittest import mock

import ddt

from osc_hostmaint import api
from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint.nova import gateway
from osc_hostmaint.planning import decision as decisions
from tests.unit import builders

NOW = datetime.datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=datetime.UTC)
#: Written by builders.service().
OLD_MARK = 'maintenance since 2026-11-20T23:31:07Z by alice: kernel'


class Cloud:
    """What the gateway's methods answer; moves are done at once."""

    def __init__(self, *services: model.Service):
        self.hosts = {s.host: s for s in services}
        self.places: dict[str, str] = {}
        self.records: list[model.Migration] = []

    def services(self) -> list[model.Service]:
        return list(self.hosts.values())

    def disable(self, service: model.Service, reason: str) -> model.Service:
        return self._change(service, enabled=False, disabled_reason=reason)

    def enable(self, service: model.Service) -> model.Service:
        return self._change(service, enabled=True, disabled_reason=None)

    def _change(
        self, service: model.Service, **changes: ty.Any
    ) -> model.Service:
        changed = dataclasses.replace(service, **changes)
        self.hosts[service.host] = changed
        return changed

    def servers(self, host: str) -> list[model.Server]:
        return [
            self.server(server)
            for server, place in self.places.items()
            if place == host
        ]

    def server(self, server_id: str) -> model.Server:
        return builders.server(server_id, host=self.places[server_id])

    def server_count(self, host: str) -> int:
        return len(self.servers(host))

    def migrations(
        self, host: str, changed_since: datetime.datetime | None = None
    ) -> list[model.Migration]:
        return [r for r in self.records if host in (r.source, r.dest)]

    def consumers(self, host: str) -> frozenset[str]:
        return frozenset(s.id for s in self.servers(host))

    def live_migrate(self, server_id: str) -> None:
        self.records.append(
            builders.migration(
                len(self.records) + 1,
                'completed',
                server_id,
                source=self.places[server_id],
                dest='cmp09',
                created_at=NOW,
            )
        )
        self.places[server_id] = 'cmp09'

    def hypervisor_hosts(self) -> dict[str, str]:
        return {f'{host}.example.org': host for host in self.hosts}

    def gateway(self) -> mock.Mock:
        """Return a gateway to this cloud."""
        asked = mock.create_autospec(gateway.Gateway, instance=True)
        asked.user_name.return_value = 'bob'
        asked.now.return_value = NOW
        asked.unconfirmed.return_value = []
        for name in (
            'services',
            'disable',
            'enable',
            'servers',
            'server',
            'server_count',
            'migrations',
            'consumers',
            'live_migrate',
            'hypervisor_hosts',
        ):
            getattr(asked, name).side_effect = getattr(self, name)
        return ty.cast(mock.Mock, asked)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class MaintenanceTestCase(unittest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.enterContext(
            mock.patch.object(api.clock, 'Clock', return_value=self.clock)
        )
        self.given(
            builders.service(host='cmp01', enabled=True),
            builders.service(host='cmp02', enabled=True),
        )

    def given(self, *services: model.Service) -> None:
        """Let the cloud have these hosts."""
        self.cloud = Cloud(*services)
        self.gateway = self.cloud.gateway()
        with mock.patch.object(
            api.gateway, 'Gateway', return_value=self.gateway
        ):
            self.maintenance = api.Maintenance(mock.Mock())

    def reason(self, host: str = 'cmp01') -> str | None:
        """Return what stands in a host's disabled reason."""
        return self.cloud.hosts[host].disabled_reason

    def assert_untouched(self) -> None:
        """Check that nothing was changed in the cloud."""
        self.gateway.disable.assert_not_called()
        self.gateway.enable.assert_not_called()
        self.gateway.live_migrate.assert_not_called()
        self.gateway.cold_migrate.assert_not_called()
        self.gateway.confirm.assert_not_called()


@ddt.ddt
class SetTest(MaintenanceTestCase):
    @ddt.unpack
    @ddt.named_data(
        (
            'with_reason',
            'kernel CHG0042',
            'maintenance since 2026-11-21T08:00:00Z by bob: kernel CHG0042',
        ),
        (
            'without_reason',
            None,
            'maintenance since 2026-11-21T08:00:00Z by bob',
        ),
    )
    def test_operational(self, reason: str | None, expected: str) -> None:
        service = self.maintenance.set('cmp01', reason=reason)
        self.assertIs(model.Mode.MAINTENANCE, service.mode)
        self.assertEqual(expected, self.reason())
        self.assertIsNone(self.reason('cmp02'))

    @ddt.data(None, 'kernel')
    def test_already_so(self, reason: str | None) -> None:
        self.given(builders.service())
        service = self.maintenance.set('cmp01', reason=reason)
        self.assertEqual(OLD_MARK, service.disabled_reason)
        self.assert_untouched()

    def test_twice(self) -> None:
        for _time in range(2):
            self.maintenance.set('cmp01', reason='kernel')
        self.gateway.disable.assert_called_once()

    def test_new_reason_keeps_since_and_by_whom(self) -> None:
        self.given(builders.service())
        self.maintenance.set('cmp01', reason='disk')
        self.assertEqual(OLD_MARK.replace('kernel', 'disk'), self.reason())

    def test_novas_own_reason_is_taken_over(self) -> None:
        self.given(
            builders.service(
                disabled_reason='AUTO: Connection to libvirt lost'
            )
        )
        self.maintenance.set('cmp01')
        self.assertEqual(
            'maintenance since 2026-11-21T08:00:00Z by bob', self.reason()
        )

    @ddt.data('broken fan', 'broken \x1b[31m\u202e', '', None)
    def test_somebody_elses(self, theirs: str | None) -> None:
        self.given(builders.service(disabled_reason=theirs))
        with self.assertRaisesRegex(
            exceptions.Refused, 'cmp01 .*somebody else.*--force'
        ) as caught:
            self.maintenance.set('cmp01', reason='kernel')
        self.assertTrue(str(caught.exception).isprintable())
        self.assert_untouched()

    def test_somebody_elses_forced(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        self.maintenance.set('cmp01', reason='kernel', force=True)
        self.assertEqual(
            'maintenance since 2026-11-21T08:00:00Z by bob: kernel',
            self.reason(),
        )

    @ddt.data('x' * 300, 'two\nlines', ' blank')
    def test_reason_that_does_not_fit(self, reason: str) -> None:
        with self.assertRaises(exceptions.InvalidMark):
            self.maintenance.set('cmp01', reason=reason)
        self.assert_untouched()

    def test_hostile_user_name(self) -> None:
        self.gateway.user_name.return_value = 'b\x1b[31m: o\u202eb'
        service = self.maintenance.set('cmp01', reason='kernel')
        self.assertIs(model.Mode.MAINTENANCE, service.mode)
        assert service.mark
        self.assertEqual('b\\x1b[31m: o\\u202eb', service.mark.by)
        self.assertEqual('kernel', service.mark.reason)


@ddt.ddt
class UnsetTest(MaintenanceTestCase):
    def test_maintenance(self) -> None:
        self.given(builders.service())
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)

    def test_already_so(self) -> None:
        self.assertTrue(self.maintenance.unset('cmp01').enabled)
        self.assert_untouched()
        self.gateway.migrations.assert_not_called()

    REFUSED: list[tuple[str, dict[str, ty.Any], str]] = [
        ('somebody_elses', {'disabled_reason': 'broken fan'}, 'broken fan'),
        ('without_a_reason', {'disabled_reason': None}, 'somebody else'),
        ('novas_own', {'disabled_reason': 'AUTO: lost'}, 'AUTO: lost'),
        ('down', {'up': False}, 'down.*start nova-compute first'),
        ('forced_down', {'up': False, 'forced_down': True}, 'forced down'),
    ]

    @ddt.unpack
    @ddt.named_data(*REFUSED)
    def test_refused(self, service: dict[str, ty.Any], words: str) -> None:
        self.given(builders.service(**service))
        with self.assertRaisesRegex(
            exceptions.Refused, f'cmp01.*{words}|{words}.*cmp01'
        ) as caught:
            self.maintenance.unset('cmp01')
        self.assertIn('--force', str(caught.exception))
        self.assert_untouched()

    @ddt.unpack
    @ddt.named_data(*REFUSED)
    def test_forced(self, service: dict[str, ty.Any], words: str) -> None:
        self.given(builders.service(**service))
        self.assertTrue(self.maintenance.unset('cmp01', force=True).enabled)

    @ddt.unpack
    @ddt.named_data(
        ('running', 'running', {}, True),
        ('unknown_status', 'teleporting', {}, True),
        ('completed', 'completed', {}, False),
        ('failed', 'error', {}, False),
        ('arriving', 'running', {'source': 'cmp02', 'dest': 'cmp01'}, False),
    )
    def test_moves(
        self, status: str, record: dict[str, ty.Any], refused: bool
    ) -> None:
        self.given(builders.service())
        self.cloud.records = [builders.migration(1, status, **record)]
        if refused:
            with self.assertRaisesRegex(exceptions.Refused, '1 move is still'):
                self.maintenance.unset('cmp01')
            self.assert_untouched()
            self.maintenance.unset('cmp01', force=True)
        else:
            self.maintenance.unset('cmp01')
        self.assertTrue(self.cloud.hosts['cmp01'].enabled)


@ddt.ddt
class UnknownHostTest(MaintenanceTestCase):
    VERBS = ('set', 'unset', 'show', 'drain')

    def unknown(self, verb: str, host: str) -> str:
        """Return what a verb says of a host that is not there."""
        argument = [host] if verb == 'drain' else host
        with self.assertRaises(exceptions.UnknownHost) as caught:
            getattr(self.maintenance, verb)(argument)
        self.assert_untouched()
        message = str(caught.exception)
        self.assertTrue(message.isprintable(), repr(message))
        return message

    @ddt.data(*VERBS)
    def test_near_match(self, verb: str) -> None:
        self.given(
            builders.service(host='compute-01'),
            builders.service(host='gpu-node-7'),
        )
        message = self.unknown(verb, 'compute-10')
        self.assertIn("'compute-10'", message)
        self.assertIn('did you mean compute-01?', message)
        self.assertNotIn('gpu', message)

    @ddt.data(*VERBS)
    def test_hypervisor_hostname(self, verb: str) -> None:
        message = self.unknown(verb, 'cmp02.example.org')
        self.assertIn('hypervisor hostname of cmp02', message)
        self.assertNotIn('did you mean', message)

    @ddt.data('cmp', 'cmp0', 'cmp*', 'cmp0?', 'cmp0[12]', 'CMP01', ' cmp01')
    def test_never_a_pattern(self, host: str) -> None:
        self.assertIn('cmp01', self.unknown('drain', host))

    @ddt.data('zebra', '', '*')
    def test_nothing_near(self, host: str) -> None:
        message = self.unknown('set', host)
        self.assertIn('compute service list', message)

    def test_hostile_name(self) -> None:
        self.unknown('set', '\x1b[31m\u202ecmp01\n')

    @ddt.data(['nope', 'cmp01'], ['cmp01', 'nope'])
    def test_one_of_several(self, hosts: list[str]) -> None:
        with self.assertRaisesRegex(exceptions.UnknownHost, "'nope'"):
            self.maintenance.drain(hosts)
        self.assert_untouched()
        self.gateway.servers.assert_not_called()

    def test_each_is_named(self) -> None:
        with self.assertRaisesRegex(
            exceptions.UnknownHost, "'cmp03'.*'cmp04'"
        ):
            self.maintenance.drain(['cmp03', 'cmp01', 'cmp04'])


class ShowTest(MaintenanceTestCase):
    def test_show(self) -> None:
        self.given(builders.service())
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02'}
        self.cloud.records = [
            builders.migration(1),
            builders.migration(2, source='cmp02', dest='cmp01'),
            builders.migration(3, 'completed'),
        ]
        self.gateway.unconfirmed.side_effect = [
            [builders.migration(4, 'finished')]
        ]
        shown = self.maintenance.show('cmp01')
        self.assertEqual(
            ({'ACTIVE': 1}, 1, 1, 1, 1, False),
            (
                shown.servers_by_status,
                shown.moving_out,
                shown.moving_in,
                shown.awaiting_confirm,
                shown.allocations,
                shown.drained,
            ),
        )
        self.assert_untouched()

    def test_drained(self) -> None:
        self.assertTrue(self.maintenance.show('cmp01').drained)


class ListTest(MaintenanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.given(
            builders.service(host='cmp03'),
            builders.service(host='cmp02', disabled_reason='broken fan'),
            builders.service(host='cmp01'),
            builders.service(host='cmp04', enabled=True),
        )
        self.cloud.places = {'vm1': 'cmp03', 'vm2': 'cmp03', 'vm3': 'cmp02'}

    def test_maintenance(self) -> None:
        found = self.maintenance.list({model.Mode.MAINTENANCE})
        self.assertEqual(
            [('cmp01', 0), ('cmp03', 2)],
            [(h.service.host, h.servers) for h in found],
        )
        # As many requests as hosts are shown.
        self.assertEqual(2, self.gateway.server_count.call_count)
        self.gateway.services.assert_called_once()

    def test_all(self) -> None:
        found = self.maintenance.list(set(model.Mode))
        self.assertEqual(
            [('cmp01', 0), ('cmp02', 1), ('cmp03', 2), ('cmp04', 0)],
            [(h.service.host, h.servers) for h in found],
        )

    def test_failure_is_not_zero_servers(self) -> None:
        self.gateway.server_count.side_effect = exceptions.Unavailable('x')
        with self.assertRaises(exceptions.Unavailable):
            self.maintenance.list(set(model.Mode))

    def test_nothing_to_list(self) -> None:
        self.given(builders.service(enabled=True))
        found = self.maintenance.list({model.Mode.MAINTENANCE})
        self.assertEqual((), found)


class DrainTest(MaintenanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02'}

    def test_several_hosts(self) -> None:
        result = self.maintenance.drain(['cmp02', 'cmp01'], reason='kernel')
        self.assertIs(exceptions.ExitCode.DONE, result.exit_code)
        self.assertEqual({}, result.errors)
        self.assertEqual(
            {
                ('vm1', 'cmp01', 'cmp09', decisions.Result.MOVED),
                ('vm2', 'cmp02', 'cmp09', decisions.Result.MOVED),
            },
            {
                (r.server_id, r.host, r.destination, r.result)
                for r in result.rows
            },
        )
        for host in ('cmp01', 'cmp02'):
            mark = marks.parse(self.reason(host))
            assert mark
            self.assertEqual('kernel', mark.reason)

    def test_all_are_set_before_anything_moves(self) -> None:
        self.maintenance.drain(['cmp01', 'cmp02'])
        changes = [
            call[0]
            for call in self.gateway.method_calls
            if call[0] in ('disable', 'live_migrate')
        ]
        self.assertEqual(['disable'] * 2 + ['live_migrate'] * 2, changes)

    def test_same_host_twice(self) -> None:
        result = self.maintenance.drain(['cmp01', 'cmp01'])
        self.assertEqual(['vm1'], [r.server_id for r in result.rows])
        self.gateway.disable.assert_called_once()

    def test_already_drained(self) -> None:
        self.given(builders.service())
        for _time in range(2):
            result = self.maintenance.drain(['cmp01'])
            self.assertIs(exceptions.ExitCode.DONE, result.exit_code)
            self.assertEqual((), result.rows)
        self.assert_untouched()
        self.assertEqual(OLD_MARK, self.reason())

    def test_host_of_somebody_else(self) -> None:
        self.given(
            builders.service(host='cmp01', disabled_reason='broken fan'),
            builders.service(host='cmp02', enabled=True),
        )
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02'}
        result = self.maintenance.drain(['cmp01', 'cmp02'])
        self._assert_only_cmp02(result, 'broken fan.*--force')
        self.assertEqual('broken fan', self.reason('cmp01'))

    def test_host_of_somebody_else_forced(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        self.cloud.places = {'vm1': 'cmp01'}
        result = self.maintenance.drain(['cmp01'], force=True)
        self.assertIs(exceptions.ExitCode.DONE, result.exit_code)
        self.assertEqual(['vm1'], [r.server_id for r in result.rows])

    def test_host_that_nova_does_not_disable(self) -> None:
        def disable(service: model.Service, reason: str) -> model.Service:
            if service.host == 'cmp01':
                raise exceptions.Unavailable('Nova: PUT x: no answer')
            return self.cloud.disable(service, reason)

        self.gateway.disable.side_effect = disable
        result = self.maintenance.drain(['cmp01', 'cmp02'])
        self._assert_only_cmp02(result, 'PUT x: no answer')
        # Not even once more: it may have been carried out.
        self.assertEqual(2, self.gateway.disable.call_count)

    def _assert_only_cmp02(self, result: ty.Any, error: str) -> None:
        self.assertIs(exceptions.ExitCode.FAILED, result.exit_code)
        self.assertEqual(['cmp01'], list(result.errors))
        self.assertRegex(result.errors['cmp01'], error)
        self.assertEqual(
            [('vm2', decisions.Result.MOVED)],
            [(r.server_id, r.result) for r in result.rows],
        )
        self.assertEqual('cmp01', self.cloud.places['vm1'])

    def test_no_host_can_be_set(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        self.cloud.places = {'vm1': 'cmp01'}
        result = self.maintenance.drain(['cmp01'])
        self.assertIs(exceptions.ExitCode.FAILED, result.exit_code)
        self.assertEqual(['cmp01'], list(result.errors))
        self.assertEqual((), result.rows)
        self.assert_untouched()

    def test_not_permitted(self) -> None:
        self.gateway.disable.side_effect = exceptions.NotPermitted('no')
        with self.assertRaises(exceptions.NotPermitted):
            self.maintenance.drain(['cmp01', 'cmp02'])
        # Nothing is half set, and the second is not even tried.
        self.gateway.disable.assert_called_once()
        self.gateway.live_migrate.assert_not_called()
        self.assertTrue(all(s.enabled for s in self.cloud.services()))

    def test_not_permitted_to_look(self) -> None:
        self.gateway.services.side_effect = exceptions.NotPermitted('no')
        with self.assertRaises(exceptions.NotPermitted):
            self.maintenance.drain(['cmp01'])
        self.assert_untouched()

    def test_reason_that_does_not_fit(self) -> None:
        result = self.maintenance.drain(['cmp01', 'cmp02'], reason='x' * 300)
        self.assertIs(exceptions.ExitCode.FAILED, result.exit_code)
        self.assertEqual({'cmp01', 'cmp02'}, set(result.errors))
        self.assert_untouched()

    def test_timeout(self) -> None:
        self.gateway.live_migrate.side_effect = lambda server_id: None
        result = self.maintenance.drain(['cmp01'], timeout=30)
        self.assertIs(exceptions.ExitCode.TIMEOUT, result.exit_code)
        self.assertEqual(['vm1'], [r.server_id for r in result.rows])

    def test_a_server_that_arrives_late(self) -> None:
        # It was being scheduled when the host was disabled.
        self.cloud.places = {}
        arrival = self.clock.now() + 2.5

        def servers(host: str) -> list[model.Server]:
            if self.clock.now() >= arrival:
                self.cloud.places.setdefault('late', host)
            return self.cloud.servers(host)

        self.gateway.servers.side_effect = servers
        result = self.maintenance.drain(['cmp01'])
        self.assertEqual(
            [('late', decisions.Result.MOVED)],
            [(r.server_id, r.result) for r in result.rows],
        )
