# SPDX-License-Identifier: Apache-2.0

"""Nova's JSON, as it comes on good and on odd days, and Nova's time."""

import datetime
import time
from unittest import mock

from osc_hostmaint import model
from osc_hostmaint import nova_states
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
                needs=model.Needs(unchecked=('flavor extra specs',)),
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
