# SPDX-License-Identifier: Apache-2.0

"""What was done to a server, why it failed, and how far its move is."""

import datetime
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import records
from tests import unit
from tests.unit.nova import cloud

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
        ('before_2_84', [{'event': 'x', 'result': 'Error'}]),
    )
    def test_nova_does_not_say(self, events: ty.Any) -> None:
        self._answer([cloud.instance_action(3, 'migrate')], events)
        self.assertEqual(model.Failure(), self.gateway.failure(RECORD))

    # Deleted, or a user who may not look.
    @unit.cases(404, 403)
    def test_no_answer(self, status: int) -> None:
        self.cloud.get(cloud.NOVA + ACTIONS, **cloud.fault('x', status, 'No.'))
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
            # A move fails for an unknown reason where one may not look.
            if name != 'failure' or kind is exceptions.Unavailable:
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


class ProgressTest(cloud.CloudTestCase):
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
