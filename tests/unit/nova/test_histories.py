# SPDX-License-Identifier: Apache-2.0

"""What was done to a server, why it failed, and how far its move is."""

import datetime
import typing as ty

import ddt

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import records
from tests.unit.nova import cloud

RECORD = records.migration(cloud.migration())

ACTIONS = f'{cloud.NOVA}/servers/vm1/os-instance-actions'


@ddt.ddt
class FailureTest(cloud.CloudTestCase):
    """Why a move failed."""

    def _answer(self, actions: ty.Any, events: ty.Any) -> None:
        self.cloud.get(ACTIONS, json={'instanceActions': actions})
        self.cloud.get(
            f'{ACTIONS}/req-3',
            json={'instanceAction': {'action': 'migrate', 'events': events}},
        )

    @ddt.data('live-migration', 'migrate', 'evacuate')
    def test_newest_move(self, name: str) -> None:
        others = [
            cloud.instance_action(5, 'stop'),
            cloud.instance_action(1, 'migrate'),
            cloud.instance_action(0, 'create'),
            cloud.instance_action(2, 'live-migration'),
        ]
        self._answer(
            [
                *others,
                cloud.instance_action(3, name),
                cloud.instance_action(4, 'confirmResize'),
            ],
            [
                {'event': 'conductor_x', 'result': 'Success', 'details': None},
                {
                    'event': 'compute_y',
                    'result': 'Error',
                    'details': 'No valid host was found.',
                },
            ],
        )
        self.assertEqual(
            'No valid host was found.', self.gateway.failure(RECORD)
        )
        self.assertEqual(
            [
                'GET /servers/vm1/os-instance-actions',
                'GET /servers/vm1/os-instance-actions/req-3',
            ],
            self.sent,
        )

    @ddt.unpack
    @ddt.named_data(
        ('no_events', []),
        ('events_null', None),
        ('still_running', [{'event': 'x', 'result': None}]),
        ('none_failed', [{'result': 'Success', 'details': 'not this'}]),
        ('details_null', [{'result': 'Error', 'details': None}]),
        ('before_2_84', [{'result': 'Error'}]),
    )
    def test_nova_does_not_say(self, events: ty.Any) -> None:
        self._answer([cloud.instance_action(3, 'migrate')], events)
        self.assertEqual('', self.gateway.failure(RECORD))

    @ddt.unpack
    @ddt.named_data(('deleted', 404), ('may_not_look', 403))
    def test_no_answer(self, status: int) -> None:
        self.cloud.get(ACTIONS, **cloud.fault('x', status, 'No.'))
        self.assertEqual('', self.gateway.failure(RECORD))

    def test_outage(self) -> None:
        self.cloud.get(ACTIONS, **cloud.fault('x', 503, 'Busy'))
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.failure(RECORD)


@ddt.ddt
class HistoryTest(cloud.CloudTestCase):
    """What was asked of a server, and by whom."""

    def _answer(self, *pages: ty.Any) -> None:
        self.cloud.get(ACTIONS, [{'json': p} for p in pages])

    def test_oldest_first(self) -> None:
        self._answer(
            {
                'instanceActions': [
                    cloud.instance_action(7, 'resume', user_id='u7'),
                    cloud.instance_action(5, 'suspend', project_id='p5'),
                    cloud.instance_action(1, 'create'),
                ]
            }
        )
        times = [
            datetime.datetime(2026, 11, 20, 23, minute, tzinfo=datetime.UTC)
            for minute in (1, 5, 7)
        ]
        self.assertEqual(
            (
                model.InstanceAction('create', 'u', 'p', times[0]),
                model.InstanceAction('suspend', 'u', 'p5', times[1]),
                model.InstanceAction('resume', 'u7', 'p', times[2]),
            ),
            self.gateway.history('vm1'),
        )

    def test_nova_knows_the_order_within_a_second(self) -> None:
        # MySQL keeps no fractions.
        at = '2026-11-20T23:31:07.000000'
        self._answer(
            {
                'instanceActions': [
                    cloud.instance_action(2, 'suspend', start_time=at),
                    cloud.instance_action(1, 'resume', start_time=at),
                ]
            }
        )
        self.assertEqual(
            ['resume', 'suspend'],
            [d.action for d in self.gateway.history('vm1')],
        )

    def test_pages_by_request_id(self) -> None:
        self._answer(
            {
                'instanceActions': [
                    cloud.instance_action(9, 'resume'),
                    cloud.instance_action(8, 'suspend'),
                ],
                # Not `instanceActions_links`, as it would be elsewhere.
                'links': [{'rel': 'next', 'href': 'http://10.0.0.1:8774/x'}],
            },
            {
                'instanceActions': [cloud.instance_action(1, 'create')],
                'links': [{'rel': 'next', 'href': 'http://10.0.0.1:8774/y'}],
            },
            {'instanceActions': []},
        )
        self.assertEqual(
            ['create', 'suspend', 'resume'],
            [d.action for d in self.gateway.history('vm1')],
        )
        path = 'GET /servers/vm1/os-instance-actions'
        self.assertEqual(
            [path, f'{path}?marker=req-8', f'{path}?marker=req-1'], self.sent
        )

    def test_no_such_server(self) -> None:
        self.cloud.get(
            ACTIONS,
            **cloud.fault('itemNotFound', 404, 'Instance vm1 is not found.'),
        )
        self.assertEqual((), self.gateway.history('vm1'))

    @ddt.unpack
    @ddt.named_data(
        ('may_not_look', 403, exceptions.NotPermitted),
        ('outage', 503, exceptions.Unavailable),
    )
    def test_not_known(
        self, status: int, kind: type[exceptions.CloudError]
    ) -> None:
        # An empty history would prove something.
        self.cloud.get(ACTIONS, **cloud.fault('x', status, 'No.'))
        with self.assertRaises(kind):
            self.gateway.history('vm1')

    def test_404_of_a_proxy_is_no_empty_history(self) -> None:
        self.cloud.get(ACTIONS, status_code=404, text='<h1>Not Found</h1>')
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.history('vm1')


MIGRATION = f'{cloud.NOVA}/servers/vm1/migrations/7'
ENDED = 'Live migration 7 for server vm1 is not in progress.'


@ddt.ddt
class ProgressTest(cloud.CloudTestCase):
    def test_runs(self) -> None:
        self.cloud.get(
            MIGRATION, json={'migration': cloud.server_migration(7)}
        )
        self.assertEqual(
            model.Progress(remaining=128 << 20, total=2048 << 20),
            self.gateway.progress('vm1', 7),
        )

    def test_waits_for_its_turn(self) -> None:
        waits = cloud.server_migration(
            7,
            status='queued',
            memory_total_bytes=None,
            memory_processed_bytes=None,
            memory_remaining_bytes=None,
        )
        self.cloud.get(MIGRATION, json={'migration': waits})
        self.assertIsNone(self.gateway.progress('vm1', 7))

    @ddt.data(ENDED, 'Instance vm1 could not be found.')
    def test_is_no_more(self, words: str) -> None:
        self.cloud.get(MIGRATION, **cloud.fault('itemNotFound', 404, words))
        self.assertIsNone(self.gateway.progress('vm1', 7))

    @ddt.unpack
    @ddt.named_data(
        ('may_not_look', 403, exceptions.NotPermitted),
        ('outage', 503, exceptions.Unavailable),
    )
    def test_not_known(
        self, status: int, kind: type[exceptions.CloudError]
    ) -> None:
        self.cloud.get(MIGRATION, **cloud.fault('x', status, 'No.'))
        with self.assertRaises(kind):
            self.gateway.progress('vm1', 7)

    def test_404_of_a_proxy_is_no_end(self) -> None:
        self.cloud.get(MIGRATION, status_code=404, text='<h1>Not Found</h1>')
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.progress('vm1', 7)
