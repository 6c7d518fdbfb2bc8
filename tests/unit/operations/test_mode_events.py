# SPDX-License-Identifier: Apache-2.0

"""The events of changed modes."""

from unittest import mock

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from tests.unit import builders
from tests.unit.operations import base


class ReportTest(base.MaintenanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.told: list[events.Event] = []
        self.report = mock.Mock(publish=self.told.append)

    def test_set(self) -> None:
        for _time in range(2):
            self.maintenance.set('cmp01', reason='x', report=self.report)
        mark = marks.parse(self.reason())
        self.assertEqual([events.MaintenanceSet('cmp01', mark)] * 2, self.told)

    def test_set_by_a_drain(self) -> None:
        self.maintenance.drain(['cmp01'], report=self.report)
        mark = marks.parse(self.reason())
        self.assertEqual(events.MaintenanceSet('cmp01', mark), self.told[0])

    def test_unset(self) -> None:
        self.given(builders.service())
        for _time in range(2):
            self.maintenance.unset('cmp01', report=self.report)
        self.assertEqual(
            [events.MaintenanceUnset('cmp01', marks.parse(base.OLD_MARK))],
            self.told,
        )

    def test_unset_by_force(self) -> None:
        self.given(builders.service(disabled_reason='broken'))
        self.maintenance.unset('cmp01', force=True, report=self.report)
        self.assertEqual([events.MaintenanceUnset('cmp01', None)], self.told)

    def test_refused(self) -> None:
        self.given(builders.service(disabled_reason='broken'))
        for change in (self.maintenance.set, self.maintenance.unset):
            with self.assertRaises(exceptions.Refused):
                change('cmp01', report=self.report)
        self.assertEqual([], self.told)
