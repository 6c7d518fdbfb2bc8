# SPDX-License-Identifier: Apache-2.0

"""What a drain would do, without doing it."""

from osc_hostmaint import exceptions
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import forecast
from tests.unit import builders
from tests.unit.operations import base

Fits = forecast.Fits


class PreviewTest(base.DrainTestCase):
    def test_several_hosts(self) -> None:
        preview = self.maintenance.preview(['cmp01', 'cmp02'])
        self.assertEqual(
            [
                ('vm1', 'cmp01', 'live migration', Fits.YES, 1),
                ('vm2', 'cmp02', 'live migration', Fits.YES, 1),
            ],
            [
                (r.server_id, r.host, r.move, r.fits, r.candidates)
                for r in preview.rows
            ],
        )
        self.assertTrue(preview.done)
        self.assertEqual(1024, preview.memory_mb)
        self.assertEqual({}, preview.errors)
        self.assertEqual((), preview.notes)
        self.assert_changed_nothing()

    def test_what_stays_in_service_is_a_destination(self) -> None:
        (row,) = self.maintenance.preview(['cmp01']).rows
        self.assertEqual(2, row.candidates)

    def test_what_does_not_fit(self) -> None:
        self.cloud.room = {'cmp02': 1, base.ELSEWHERE: 0}
        preview = self.maintenance.preview(['cmp01'])
        (row,) = preview.rows
        self.assertEqual((Fits.NO, 0), (row.fits, row.candidates))
        self.assertIn('without room', row.reason)
        self.assertFalse(preview.done)
        self.assertEqual(('vm1',), preview.capacity_forecast.misfits)
        self.assert_changed_nothing()

    def test_two_hosts_that_would_fit_one_by_one(self) -> None:
        self.cloud.room = {'cmp01': 2, 'cmp02': 2, base.ELSEWHERE: 1}
        for host in ('cmp01', 'cmp02'):
            self.assertTrue(self.maintenance.preview([host]).done)
        preview = self.maintenance.preview(['cmp01', 'cmp02'])
        self.assertFalse(preview.done)
        self.assertEqual(1, len(preview.capacity_forecast.misfits))
        self.assertIn(
            'alone would fit', ' '.join(preview.capacity_forecast.suggestions)
        )

    def test_a_host_of_somebody_else(self) -> None:
        self.given_broken()
        preview = self.maintenance.preview(['cmp01', 'cmp02'])
        self.assertEqual(['cmp01'], list(preview.errors))
        self.assertRegex(preview.errors['cmp01'], 'broken fan.*--force')
        self.assertEqual(['vm2'], [row.server_id for row in preview.rows])
        self.assertFalse(preview.done)
        self.assert_changed_nothing()

    def test_a_host_of_somebody_else_forced(self) -> None:
        self.given(builders.service(disabled_reason='broken fan'))
        preview = self.maintenance.preview(['cmp01'], force=True)
        self.assertTrue(preview.done)
        self.assertEqual('broken fan', self.reason())
        self.assert_changed_nothing()

    def test_the_policy_counts(self) -> None:
        leave = policies.Policy(running=policies.Running.LEAVE)
        preview = self.maintenance.preview(['cmp01'], policy=leave)
        (row,) = preview.rows
        self.assertEqual(
            ('', None, None), (row.move, row.fits, row.candidates)
        )
        self.assertIn('--running', row.reason)
        self.assertFalse(preview.done)
        cold = policies.Policy(running=policies.Running.COLD)
        (row,) = self.maintenance.preview(['cmp01'], policy=cold).rows
        self.assertEqual('cold migration', row.move)

    def test_one_destination(self) -> None:
        for room, done in ((2, True), (1, False)):
            self.cloud.room = {'cmp02': room}
            preview = self.maintenance.preview(
                ['cmp01'], policy=policies.Policy(to='cmp02')
            )
            self.assertEqual(done, preview.done)
            self.assertEqual([int(done)], [r.candidates for r in preview.rows])
        self.assert_changed_nothing()

    def test_without_placement(self) -> None:
        for error in builders.NO_CAPACITY:
            for asked in (
                self.gateway.allocations,
                self.gateway.allocation_candidates,
            ):
                with self.subTest(type(error)):
                    before, asked.side_effect = asked.side_effect, error
                    preview = self.maintenance.preview(['cmp01'])
                    asked.side_effect = before
                    self.assertFalse(preview.done)
                    (row,) = preview.rows
                    words = f'capacity is not known: {error}'
                    self.assertEqual(
                        (Fits.UNKNOWN, None, words),
                        (row.fits, row.candidates, row.reason),
                    )
                    self.assertEqual((words,), preview.notes)

    def test_without_nova(self) -> None:
        for error in (exceptions.Unavailable, exceptions.NotPermitted):
            self.gateway.servers.side_effect = error('Nova says no')
            with self.assertRaises(error):
                self.maintenance.preview(['cmp01'])
