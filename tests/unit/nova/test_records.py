# SPDX-License-Identifier: Apache-2.0

"""Nova's JSON on good and odd days, its time, and histories of servers."""

import datetime
import time
import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.nova import moves
from osc_hostmaint.nova import needs
from osc_hostmaint.nova import records
from tests import unit
from tests.unit.nova import cloud

SERVICES = f'{cloud.NOVA}/os-services'
TIME = datetime.datetime(2026, 11, 20, 23, 31, 7, tzinfo=datetime.UTC)


class ServiceTest(unit.TestCase):
    def test_all(self) -> None:
        changes = {'disabled_reason': 'broken', 'forced_down': True}
        data = cloud.service(status='disabled', state='down', **changes)
        self.assertEqual(
            model.Service(
                id=data['id'],
                host='cmp01',
                zone='az1',
                up=False,
                enabled=False,
                updated_at=TIME - datetime.timedelta(seconds=67),
                **changes,
            ),
            records.service(data),
        )


class ServerTest(unit.TestCase):
    def test_all(self) -> None:
        name = '\x1b[31m\u202ehostile\n'
        data = cloud.server(
            name=name,
            status='MIGRATING',
            addresses={
                'private': [
                    {'addr': '10.0.0.9', 'OS-EXT-IPS:type': 'fixed'},
                    {'addr': '192.0.2.7', 'OS-EXT-IPS:type': 'floating'},
                ],
                'another': [
                    {'addr': '10.0.0.10', 'OS-EXT-IPS:type': 'fixed'},
                    {'addr': '2001:db8::1'},
                ],
            },
            fault={'message': 'No\n\tdisk.', 'code': 500, 'details': 'x'},
            tags=['another', 'osc-hostmaint:resumed'],
            metadata={'maintenance:policy': 'live', 'other': '1'},
            **{'OS-EXT-STS:task_state': 'migrating'},
        )
        self.assertEqual(
            model.Server(
                id='vm1',
                # Intact, for machines; people are shown it escaped.
                name=name,
                status='MIGRATING',
                vm_state='active',
                task_state='migrating',
                host='cmp01',
                power_state=nova_states.PowerState.RUNNING,
                fault='No disk.',
                addresses=('10.0.0.10', '10.0.0.9', '2001:db8::1'),
                memory_mb=2048,
                local_disk=True,
                project_id='p',
                updated_at=TIME,
                tagged=True,
                wish='live',
                needs=model.Needs(zone_known=True, grouped=False),
            ),
            records.server(data),
        )

    @unit.named_cases(
        ('image', {'id': 'image-1'}, {}, True),
        ('volume', '', {}, False),
        ('volume_and_ephemeral', '', {'ephemeral': 5}, True),
        ('volume_and_swap', '', {'swap': 512}, True),
        ('volume_and_none_of_them', '', {'ephemeral': 0, 'swap': 0}, False),
    )
    def test_local_disk(self, image, flavor, expected):
        data = cloud.server(image=image, flavor={'ram': 512, **flavor})
        self.assertIs(expected, records.server(data).local_disk)

    @unit.cases(None, '')
    def test_on_no_host(self, host: str | None) -> None:
        self.assertIsNone(records.server(cloud.server(host=host)).host)

    def test_least(self) -> None:
        # In a cell that does not answer.
        data = {'id': 'vm1', 'status': 'UNKNOWN', 'tenant_id': 'p'}
        self.assertEqual(
            model.Server(
                id='vm1',
                name='',
                status='UNKNOWN',
                vm_state='',
                task_state=None,
                host=None,
                project_id='p',
                # As good as none is known of what it asks for.
                needs=needs.needs({}),
            ),
            records.server(data),
        )


class MigrationTest(unit.TestCase):
    def test_all(self) -> None:
        self.assertEqual(
            model.Migration(
                id=7,
                uuid='uuid-7',
                server_id='vm1',
                type='live-migration',
                status='running',
                source='cmp01',
                dest='cmp02',
                created_at=TIME,
            ),
            records.migration(cloud.migration(7)),
        )

    @unit.cases(
        '2026-11-20T23:31:07.000000',
        '2026-11-20T23:31:07',
        '2026-11-20T23:31:07Z',
        '2026-11-20T23:31:07+00:00',
        '2026-11-21T01:31:07+02:00',
    )
    def test_times_are_utc(self, text: str) -> None:
        data = cloud.migration(created_at=text, updated_at=text)
        found = records.migration(data)
        self.assertEqual((TIME, TIME), (found.created_at, found.updated_at))


class ProgressTest(unit.TestCase):
    @unit.named_cases(
        ('queued', None, None),
        # It would pass for a migration with nothing left to copy.
        ('no_figures_yet', 0, 0),
        ('total_missing', 5, None),
        ('remaining_missing', None, 5),
    )
    def test_not_known(self, remaining: int | None, total: int | None) -> None:
        data = cloud.server_migration(
            memory_remaining_bytes=remaining, memory_total_bytes=total
        )
        self.assertIsNone(records.progress(data))


class HiddenProgressTest(cloud.CloudTestCase):
    def test_said_once_and_not_asked_again(self) -> None:
        denied = cloud.forbidden('os_compute_api:servers:migrations:show')
        self.cloud.get(cloud.NOVA + MIGRATION, **denied)
        with self.assertLogs('osc_hostmaint', 'WARNING') as logged:
            for _time in range(2):
                self.assertIsNone(self.gateway.progress('vm1', 7))
        (line,) = logged.output
        self.assertIn('os_compute_api:servers:migrations:show', line)
        self.assertEqual([f'GET {MIGRATION}'], self.sent)


class NovasTimeTest(cloud.CloudTestCase):
    """What Nova wrote down tells, and nobody else."""

    def _now(self, *stamps: str | None, state='up') -> datetime.timedelta:
        """Return how much later than TIME it is, by the heartbeats seen."""
        services = [cloud.service(updated_at=t, state=state) for t in stamps]
        self.cloud.get(
            SERVICES,
            json={'services': services},
            # A front end's.
            headers={'Date': 'Fri, 20 Nov 2099 10:00:00 GMT'},
        )
        self.gateway.services()
        return self.gateway.now() - TIME

    def test_newest_heartbeat(self) -> None:
        passed = self._now(
            '2026-11-20T23:30:00.000000', None, '2026-11-20T23:31:07.000000'
        )
        self.assertLess(abs(passed.total_seconds()), 1)
        # None is up since, whoever changed it; time passes all the same.
        self._now('2026-11-20T23:50:00.000000', state='down')
        later = time.monotonic() + 60
        with mock.patch.object(time, 'monotonic', return_value=later):
            passed = self.gateway.now() - TIME
        self.assertAlmostEqual(60, passed.total_seconds(), delta=1)

    def test_our_own_change_of_a_service(self) -> None:
        self._now('2026-11-20T23:30:00.000000')
        service = records.service(cloud.service())
        changed = cloud.service(updated_at='2026-11-20T23:31:07.000000')
        self.cloud.put(f'{SERVICES}/{service.id}', json={'service': changed})
        self.gateway.disable(service, 'reason')
        passed = self.gateway.now() - TIME
        self.assertLess(abs(passed.total_seconds()), 1)

    @unit.cases('9998-01-01T00:00:00', '9999-12-31T23:59:59', '0001-01-01')
    def test_wrong_clock_among_novas(self, wrong: str) -> None:
        passed = self._now(wrong, '2026-11-20T23:31:07.000000')
        self.assertLess(abs(passed.total_seconds()), 1)

    def test_no_heartbeat(self) -> None:
        passed = self._now(None) + (TIME - datetime.datetime.now(datetime.UTC))
        self.assertLess(abs(passed.total_seconds()), 30)


RECORD = records.migration(cloud.migration())

ACTIONS = '/servers/vm1/os-instance-actions'
MIGRATION = '/servers/vm1/migrations/7'


_ERROR = {'result': 'Error', 'host': 'cmp02', 'details': None}


class FailureTest(cloud.CloudTestCase):
    def _answer(self, actions: ty.Any, events: ty.Any) -> None:
        self.answer(ACTIONS, instanceActions=actions)
        action = {'action': 'migrate', 'events': events}
        self.answer(f'{ACTIONS}/req-3', instanceAction=action)

    @unit.cases('live-migration', 'migrate', 'evacuate')
    def test_of_the_request_for_the_move(self, name: str) -> None:
        kinds = ['create', 'migrate', 'live-migration', name]
        kinds += ['confirmResize', 'stop']
        order = 5, 1, 0, 2, 3, 4
        words = 'No valid host was found.'
        self._answer(
            [cloud.instance_action(n, kinds[n]) for n in order],
            [
                {'event': 'conductor_x', 'result': 'Success', 'details': None},
                {**_ERROR, 'event': 'conductor_y', 'host': 'ctl01'},
                {**_ERROR, 'event': 'compute_z', 'details': words},
                {'event': 'compute_z', 'result': None, 'host': 'cmp03'},
            ],
        )
        self.assertEqual(
            model.Failure(words, frozenset({'cmp02', 'cmp03'})),
            self.gateway.failure(RECORD),
        )
        self.assertEqual([f'GET {ACTIONS}', f'GET {ACTIONS}/req-3'], self.sent)

    # Nova's controllers may have other clocks.
    @unit.cases(('02:59.8', 3), ('03:00.2', 3), ('02:01', 2), ('09:00', 3))
    def test_move_of_the_record(self, time: str, number: int) -> None:
        moves = [cloud.instance_action(n, 'migrate') for n in (3, 2)]
        self.answer(ACTIONS, instanceActions=moves)
        self.answer(f'{ACTIONS}/req-{number}', instanceAction={})
        record = cloud.migration(created_at=f'2026-11-20T23:{time}')
        self.gateway.failure(records.migration(record))
        self.assertEqual(f'GET {ACTIONS}/req-{number}', self.sent[-1])

    @unit.named_cases(
        ('no_events', []),
        ('events_null', None),
        ('still_running', [{'event': 'x', 'result': None}]),
        ('none_failed', [{'result': 'Success', 'details': 'not this'}]),
        ('details_null', [{**_ERROR, 'event': 'x'}]),
    )
    def test_nova_does_not_say(self, events: ty.Any) -> None:
        self._answer([cloud.instance_action(3, 'migrate')], events)
        self.assertEqual(model.Failure(), self.gateway.failure(RECORD))

    def test_before_2_84(self) -> None:
        self.cloud.get(cloud.NOVA, json=cloud.nova_versions('2.83'))
        events = [{'event': 'x', 'result': 'Error', 'host': 'cmp02'}]
        self._answer([cloud.instance_action(3, 'migrate')], events)
        self.assertEqual(model.Failure(), self.gateway.failure(RECORD))

    def test_policy_hides_the_details(self) -> None:
        events = [{'event': 'x', 'result': 'Error', 'host': 'cmp02'}]
        self._answer([cloud.instance_action(3, 'migrate')], events)
        found = self.gateway.failure(RECORD)
        self.assertIn(moves.DETAILS_POLICY, found.reason)

    def test_policy_hides_the_hosts(self) -> None:
        events = [{'event': 'compute_x', 'result': 'Error', 'details': 'Bad'}]
        self._answer([cloud.instance_action(3, 'migrate')], events)
        with self.assertLogs('osc_hostmaint', 'WARNING') as logged:
            for _time in range(2):
                found = self.gateway.failure(RECORD)
                self.assertEqual(model.Failure('Bad'), found)
        (line,) = logged.output
        self.assertIn(moves.EVENTS_POLICY, line)

    def test_policy_hides_the_actions(self) -> None:
        self.cloud.get(cloud.NOVA + ACTIONS, **cloud.forbidden('the:policy'))
        self.assertIn('the:policy', self.gateway.failure(RECORD).reason)

    def test_deleted(self) -> None:
        self.cloud.get(cloud.NOVA + ACTIONS, **cloud.fault('x', 404, 'No.'))
        self.assertEqual(model.Failure(), self.gateway.failure(RECORD))


class NotKnownTest(cloud.CloudTestCase):
    """No answer is not an empty one, which would prove something."""

    @unit.cases(
        ('history', ACTIONS, 'vm1'),
        ('progress', MIGRATION, 'vm1', 7),
        ('failure', ACTIONS, RECORD),
        ('server', '/servers/vm1', 'vm1'),
    )
    def test_raised(self, name: str, path: str, *arguments: ty.Any) -> None:
        for kind, answer in (
            (exceptions.NotPermitted, cloud.fault('x', 403, 'No')),
            (exceptions.Unavailable, cloud.fault('x', 503, 'Busy.')),
            # A proxy's.
            (exceptions.Unavailable, {'status_code': 404, 'text': '<h1>'}),
        ):
            self.cloud.get(cloud.NOVA + path, **answer)
            with self.subTest(answer), self.raises(kind):
                getattr(self.gateway, name)(*arguments)


class HistoryTest(cloud.CloudTestCase):
    def _answer(self, *pages: ty.Any) -> None:
        # Not `instanceActions_links`, as it would be elsewhere.
        links = {'links': cloud.link('/x')}
        answers = [{'json': {'instanceActions': p, **links}} for p in pages]
        del answers[-1]['json']['links']
        self.cloud.get(cloud.NOVA + ACTIONS, answers)

    def test_what_and_when(self) -> None:
        self._answer([cloud.instance_action(7, 'resume')])
        at = datetime.datetime(2026, 11, 20, 23, 7, tzinfo=datetime.UTC)
        expected = (model.InstanceAction('resume', at),)
        self.assertEqual(expected, self.gateway.history('vm1'))

    def _actions(self) -> list[str]:
        return [d.action for d in self.gateway.history('vm1')]

    def test_nova_knows_the_order_within_a_second(self) -> None:
        # MySQL keeps no fractions.
        at = '2026-11-20T23:31:07.000000'
        self._answer(
            [
                cloud.instance_action(2, 'suspend', start_time=at),
                cloud.instance_action(1, 'resume', start_time=at),
            ]
        )
        self.assertEqual(['resume', 'suspend'], self._actions())

    def test_pages_by_request_id(self) -> None:
        first = {9: 'resume', 8: 'suspend'}.items()
        self._answer(
            [cloud.instance_action(*action) for action in first],
            [cloud.instance_action(1, 'create')],
            [],
        )
        self.assertEqual(['create', 'suspend', 'resume'], self._actions())
        path = f'GET {ACTIONS}'
        self.assertEqual(
            [path, f'{path}?marker=req-8', f'{path}?marker=req-1'], self.sent
        )

    def test_no_such_server(self) -> None:
        fault = cloud.fault('itemNotFound', 404, 'Instance vm1 is not found.')
        self.cloud.get(cloud.NOVA + ACTIONS, **fault)
        self.assertEqual((), self.gateway.history('vm1'))


class MemoryLeftTest(cloud.CloudTestCase):
    def test_runs(self) -> None:
        self.answer(MIGRATION, migration=cloud.server_migration(7))
        self.assertEqual(
            model.Progress(remaining=128 << 20, total=2048 << 20),
            self.gateway.progress('vm1', 7),
        )

    @unit.cases(
        'Live migration 7 for server vm1 is not in progress.',
        'Instance vm1 could not be found.',
    )
    def test_is_no_more(self, words: str) -> None:
        fault = cloud.fault('itemNotFound', 404, words)
        self.cloud.get(cloud.NOVA + MIGRATION, **fault)
        self.assertIsNone(self.gateway.progress('vm1', 7))

    @unit.cases((True, 3), (False, 1))
    def test_no_answer(self, repeated: bool, times: int) -> None:
        asked = self.cloud.get(cloud.NOVA + MIGRATION, status_code=503)
        with self.raises(exceptions.Unavailable):
            self.gateway.progress('vm1', 7, repeated=repeated)
        self.assertEqual(times, asked.call_count)
