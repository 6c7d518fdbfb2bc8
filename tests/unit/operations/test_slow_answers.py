# SPDX-License-Identifier: Apache-2.0

"""How far a call is, where Nova takes long for what comes first."""

import typing as ty

from osc_hostmaint import api
from osc_hostmaint.planning import timing
from tests.unit.engine import restore_base
from tests.unit.operations import base

HOSTS = ['cmp01', 'cmp02']
MARKING = 'cmp01: setting maintenance: 1 of 2 hosts done'
SERVERS = 'cmp01: listing servers: 1 of 2 hosts done'
ALLOCATIONS = 'cmp01: listing allocations: 1 of 2 hosts done'


class SlowAnswersTestCase(base.DrainTestCase):
    def given_slow(self, seconds: float) -> None:
        for name in ('disable', 'servers', 'allocations'):
            method = getattr(self.gateway, name)

            def answer(
                *args: ty.Any, method: ty.Any = method.side_effect
            ) -> ty.Any:
                self.clock.sleep(seconds)
                return method(*args)

            method.side_effect = answer

    def published(self) -> list[str]:
        return [
            f'{event.host}: {event.reason}'
            for event in self.listener.events
            if isinstance(event, api.Notice)
        ]

    def test_drain(self) -> None:
        self.given_slow(timing.PREPARATION_SAID_SECONDS)
        self.maintenance.drain(HOSTS, report=self.listener)
        self.assertEqual([MARKING, SERVERS, ALLOCATIONS], self.published())

    def test_dry_run(self) -> None:
        self.given_slow(timing.PREPARATION_SAID_SECONDS)
        self.maintenance.preview(HOSTS, report=self.listener)
        self.assertEqual([SERVERS, ALLOCATIONS], self.published())

    def test_plan(self) -> None:
        self.given_slow(timing.PREPARATION_SAID_SECONDS)
        self.maintenance.plan(HOSTS, report=self.listener)
        self.assertEqual([SERVERS, ALLOCATIONS], self.published())

    def test_nothing_where_answers_are_quick(self) -> None:
        self.given_slow(timing.PREPARATION_SAID_SECONDS / 10)
        self.maintenance.drain(HOSTS, report=self.listener)
        self.assertEqual([], self.published())


class TestRestore(restore_base.RestoreTestCase):
    def test_restore(self) -> None:
        for host in (restore_base.AWAY, restore_base.FAR):
            self.leave(dest=host)
        done = self.restore(latency=timing.PREPARATION_SAID_SECONDS)
        self.assertEqual(
            [
                'listing servers: 1 of 3 hosts done',
                'listing servers: 2 of 3 hosts done',
                'listing allocations: 1 of 2 hosts done',
            ],
            [words for words in done.recorder.troubles if 'hosts' in words],
        )
