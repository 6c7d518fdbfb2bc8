# SPDX-License-Identifier: Apache-2.0

"""Which hosts a server's moves have left."""

import datetime
import typing as ty

import ddt

from osc_hostmaint import exceptions
from tests.unit.nova import cloud

ACTIONS = f'{cloud.NOVA}/servers/vm1/os-instance-actions'
#: Of the minute that the numbers of instance actions stand for.
SINCE = datetime.datetime(2026, 11, 20, 23, 10, tzinfo=datetime.UTC)


def event(
    name: str, host: str, result: str | None = 'Success'
) -> dict[str, ty.Any]:
    """Return an event of an instance action (2.62)."""
    return {'event': name, 'host': host, 'result': result}


def created(host: str) -> list[dict[str, ty.Any]]:
    return [event('compute__do_build_and_run_instance', host)]


def live(source: str, dest: str) -> list[dict[str, ty.Any]]:
    return [
        event('conductor_live_migrate_instance', 'controller'),
        event('compute_check_can_live_migrate_destination', dest),
        event('compute_check_can_live_migrate_source', source),
        event('compute_live_migration', source),
        event('compute_pre_live_migration', dest),
        event('compute_post_live_migration_at_destination', dest),
    ]


def cold(source: str, dest: str) -> list[dict[str, ty.Any]]:
    return [
        event('cold_migrate', 'controller'),
        event('conductor_migrate_server', 'controller'),
        event('compute_prep_resize', dest),
        event('compute_resize_instance', source),
        event('compute_finish_resize', dest),
    ]


def evacuated(dest: str) -> list[dict[str, ty.Any]]:
    return [
        event('rebuild_server', 'controller'),
        event('compute_rebuild_instance', dest),
    ]


@ddt.ddt
class OriginsTest(cloud.CloudTestCase):
    def _answer(self, **deeds: ty.Any) -> None:
        """Answer with actions: number, name, and what was done.

        Their keyword is of no matter; the oldest is first.
        """
        actions = []
        for number, name, events in deeds.values():
            actions.insert(0, cloud.instance_action(number, name))
            self.cloud.get(
                f'{ACTIONS}/req-{number}',
                json={'instanceAction': {'action': name, 'events': events}},
            )
        self.cloud.get(ACTIONS, json={'instanceActions': actions})

    def _assert(self, *hosts: str) -> None:
        self.assertEqual(set(hosts), self.gateway.origins('vm1', SINCE))

    @ddt.unpack
    @ddt.named_data(
        ('live', 'live-migration', live('cmp01', 'cmp02')),
        ('cold', 'migrate', cold('cmp01', 'cmp02')),
        ('evacuation', 'evacuate', evacuated('cmp02')),
    )
    def test_one_move(self, name: str, events: ty.Any) -> None:
        self._answer(
            create=(1, 'create', created('cmp01')),
            stop=(11, 'stop', [event('compute_stop_instance', 'cmp01')]),
            move=(12, name, events),
            delete=(
                13,
                'delete',
                [event('compute_terminate_instance', 'cmp02')],
            ),
        )
        self._assert('cmp01')

    def test_each_of_several(self) -> None:
        self._answer(
            create=(1, 'create', created('cmp01')),
            there=(11, 'live-migration', live('cmp01', 'cmp02')),
            back=(12, 'migrate', cold('cmp02', 'cmp01')),
            away=(13, 'live-migration', live('cmp01', 'cmp03')),
            died=(14, 'evacuate', evacuated('cmp04')),
            again=(15, 'evacuate', evacuated('cmp05')),
        )
        self._assert('cmp01', 'cmp02', 'cmp03', 'cmp04')

    def test_older_moves_do_not_count(self) -> None:
        self._answer(
            create=(1, 'create', created('cmp01')),
            old=(9, 'live-migration', live('cmp01', 'cmp02')),
            new=(10, 'live-migration', live('cmp02', 'cmp03')),
        )
        self._assert('cmp02')

    def test_none_since(self) -> None:
        self._answer(
            create=(1, 'create', created('cmp01')),
            old=(9, 'live-migration', live('cmp01', 'cmp02')),
            delete=(12, 'delete', []),
        )
        self._assert()
        # Nothing is asked about what does not count.
        self.assertEqual(['GET /servers/vm1/os-instance-actions'], self.sent)

    @ddt.unpack
    @ddt.named_data(
        ('live', 'live-migration', live('cmp02', 'cmp03')),
        ('cold', 'migrate', cold('cmp02', 'cmp03')),
        ('resize', 'resize', cold('cmp02', 'cmp03')),
        (
            'revert',
            'revertResize',
            [
                event('compute_revert_resize', 'cmp02'),
                event('compute_finish_revert_resize', 'cmp03'),
            ],
        ),
        (
            'unshelve',
            'unshelve',
            [event('compute_unshelve_instance', 'cmp03')],
        ),
        ('evacuation', 'evacuate', evacuated('cmp03')),
    )
    def test_evacuated_off_where_it_had_come_to(
        self, name: str, events: ty.Any
    ) -> None:
        self._answer(
            create=(1, 'create', created('cmp01')),
            came=(8, name, events),
            reboot=(9, 'reboot', [event('compute_reboot_instance', 'cmp03')]),
            died=(12, 'evacuate', evacuated('cmp04')),
        )
        self._assert('cmp03')

    def test_what_failed_moved_nothing(self) -> None:
        failed = live('cmp01', 'cmp02')[:-1]
        refused = [event('rebuild_server', 'controller', 'Error')]
        broken = [
            event('rebuild_server', 'controller'),
            event('compute_rebuild_instance', 'cmp02', 'Error'),
        ]
        self._answer(
            create=(1, 'create', created('cmp01')),
            live=(11, 'live-migration', failed),
            cold=(12, 'migrate', cold('cmp01', 'cmp02')[:-1]),
            refused=(13, 'evacuate', refused),
            broken=(14, 'evacuate', broken),
        )
        self._assert()

    @ddt.unpack
    @ddt.named_data(
        ('no_events', []),
        ('null', None),
        # Below 2.62, or by policy.
        (
            'no_hosts',
            [
                {'event': 'compute_resize_instance', 'result': 'Success'},
                {'event': 'compute_finish_resize', 'result': 'Success'},
            ],
        ),
    )
    def test_nova_does_not_say(self, events: ty.Any) -> None:
        self._answer(migrate=(12, 'migrate', events))
        self._assert()

    @ddt.unpack
    @ddt.named_data(('purged', 404), ('may_not_look', 403))
    def test_no_answer(self, status: int) -> None:
        self.cloud.get(ACTIONS, **cloud.fault('x', status, 'No.'))
        self._assert()

    def test_outage(self) -> None:
        self.cloud.get(ACTIONS, **cloud.fault('x', 503, 'Busy'))
        with self.assertRaises(exceptions.Unavailable):
            self.gateway.origins('vm1', SINCE)
