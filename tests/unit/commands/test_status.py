# SPDX-License-Identifier: Apache-2.0

"""``openstack host maintenance show`` and ``list``."""

import json

import ddt

from osc_hostmaint import api
from osc_hostmaint import model
from osc_hostmaint.commands import status
from osc_hostmaint.planning import summary
from tests.unit import builders
from tests.unit.commands import shell

HOSTILE = '\x1b[2Jbroken\nfan'


def shown(service=None, **kwargs):
    """Return what is to be told of a host."""
    return summary.Summary(
        service=service or builders.service(),
        **{
            'servers': 3,
            'servers_by_status': {'ACTIVE': 2, 'SHUTOFF': 1},
            'moving_out': 1,
            'moving_in': 0,
            'awaiting_confirm': 1,
            'awaiting_cleanup': 2,
            'allocations': 4,
            **kwargs,
        },
    )


class TestShow(shell.CommandTestCase):
    command = status.ShowHostMaintenance

    def test_fields(self):
        """Frozen: scripts depend on them."""
        self.maintenance.show.return_value = shown()
        done = self.run_command('-f json cmp01')

        self.assertEqual(0, done.code)
        self.assertEqual(
            {
                'host': 'cmp01',
                'mode': 'maintenance',
                'reason': 'kernel',
                'since': '2026-11-20T23:31:07Z',
                'set_by': 'alice',
                'service_state': 'up',
                'forced_down': False,
                'availability_zone': 'nova',
                'servers': 3,
                'servers_by_status': {'ACTIVE': 2, 'SHUTOFF': 1},
                'moving': {'out': 1, 'in': 0},
                'awaiting_confirm': 1,
                'awaiting_cleanup': 2,
                'allocations': 4,
                'drained': False,
            },
            json.loads(done.stdout),
        )
        self.maintenance.show.assert_called_once_with('cmp01')

    def test_in_service(self):
        self.maintenance.show.return_value = shown(
            builders.service(enabled=True),
            servers=0,
            servers_by_status={},
            moving_out=0,
            awaiting_confirm=0,
            awaiting_cleanup=0,
            allocations=0,
        )
        fields = json.loads(self.run_command('-f json cmp01').stdout)

        self.assertEqual('operational', fields['mode'])
        self.assertIsNone(fields['since'])
        self.assertIsNone(fields['set_by'])
        self.assertEqual('', fields['reason'])
        self.assertIs(True, fields['drained'])

    def test_somebody_elses_reason_is_shown_as_it_is(self):
        service = builders.service(disabled_reason=HOSTILE, up=False)
        self.maintenance.show.return_value = shown(service)

        fields = json.loads(self.run_command('-f json cmp01').stdout)
        self.assertEqual('disabled', fields['mode'])
        self.assertEqual(HOSTILE, fields['reason'])
        self.assertEqual('down', fields['service_state'])

    def test_usage(self):
        self.assert_usage('', '<host>')
        self.assert_usage('cmp01 cmp02', 'cmp02')


@ddt.ddt
class TestList(shell.CommandTestCase):
    command = status.ListHostMaintenance

    def setUp(self):
        super().setUp()
        theirs = builders.service(
            host='cmp02', disabled_reason=HOSTILE, up=False, forced_down=True
        )
        self.maintenance.list.return_value = (
            api.ListedHost(builders.service(), 3),
            api.ListedHost(theirs, 0),
        )

    @ddt.data(
        ('', {'maintenance'}),
        ('--mode maintenance', {'maintenance'}),
        ('--mode operational', {'operational'}),
        ('--mode disabled', {'disabled'}),
        ('--all', set(model.Mode)),
    )
    @ddt.unpack
    def test_which(self, arguments, modes):
        done = self.run_command(arguments)

        self.assertEqual(0, done.code)
        self.maintenance.list.assert_called_once_with(
            frozenset(map(model.Mode, modes)),
            hypervisor_types=arguments == '--all',
        )

    def test_columns(self):
        """Frozen: scripts depend on them."""
        done = self.run_command('-f json')

        self.assertEqual(
            [
                {
                    'Host': 'cmp01',
                    'Mode': 'maintenance',
                    'Since': '2026-11-20T23:31:07Z',
                    'Servers': 3,
                    'Reason': 'kernel',
                },
                {
                    'Host': 'cmp02',
                    'Mode': 'disabled',
                    'Since': None,
                    'Servers': 0,
                    'Reason': HOSTILE,
                },
            ],
            json.loads(done.stdout),
        )

    def test_long(self):
        rows = json.loads(self.run_command('--long -f json').stdout)

        self.assertEqual(
            ['alice', 'up', False, 'nova'], list(rows[0].values())[-5:-1]
        )
        self.assertEqual(
            [None, 'down', True, 'nova'], list(rows[1].values())[-5:-1]
        )
        self.assertEqual(
            ['Set By', 'Service State', 'Forced Down', 'Availability Zone'],
            list(rows[0])[-5:-1],
        )

    @ddt.data(('--all', True), ('--long', True), ('', False))
    @ddt.unpack
    def test_hypervisor_type(self, line, shown):
        self.maintenance.list.return_value = (
            api.ListedHost(builders.service(), 3, 'ironic'),
        )

        done = self.run_command(f'{line} -f json')

        (row,) = json.loads(done.stdout)
        found = row.get('Hypervisor Type')
        self.assertEqual('ironic' if shown else None, found)
        call = self.maintenance.list.call_args
        self.assertEqual({'hypervisor_types': shown}, call.kwargs)

    def test_hostile_reasons_are_harmless_in_a_table(self):
        done = self.run_command('')

        self.assertIn(r'\x1b[2Jbroken\nfan', done.stdout)
        self.assertTrue(done.stdout.replace('\n', '').isprintable())

    def test_usage(self):
        self.assert_usage('--mode broken', "'broken'")
        self.assert_usage('--all --mode disabled', 'not allowed with')
        self.assert_usage('cmp01', 'cmp01')
