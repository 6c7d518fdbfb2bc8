# SPDX-License-Identifier: Apache-2.0

"""Only what is surely off is built anew elsewhere."""

import datetime

from osc_hostmaint.planning.evacuation import heartbeat as heartbeats
from tests import unit
from tests.unit import builders

Heartbeat = heartbeats.Heartbeat
NOW = datetime.datetime(2026, 11, 21, 8, 0, 0, tzinfo=datetime.UTC)
UP = builders.service(enabled=True)
DOWN = builders.service(up=False)
FORCED = builders.dead()


def ago(seconds):
    """Return a time so long before now."""
    return NOW - datetime.timedelta(seconds=seconds)


class TestJudge(unit.TestCase):
    @unit.cases(
        # the service, is it refused, is it in doubt; not if it is --fenced
        (UP, True, True),
        (DOWN, False, True),
        # Whoever forced it down has vouched for it.
        (FORCED, False, False),
    )
    def test_judge(self, service, refused, doubted):
        for fenced in (False, True):
            against = heartbeats.against(service, fenced=fenced)
            doubt = heartbeats.doubt(service, fenced=fenced)
            self.assertEqual(refused and not fenced, bool(against))
            self.assertEqual(doubted and not fenced, bool(doubt))

    def test_up_it_tells_how_long_nova_waits_and_what_else_there_is(self):
        reason = heartbeats.against(UP, fenced=False)
        self.assertRegex(
            reason,
            'cmp01 is up.* without --evacuate.*'
            'service_down_time, 60 s by default.*powered off.*--fenced',
        )
        self.assertTrue(reason.isprintable())

    def test_in_doubt_it_tells_what_may_happen(self):
        self.assertRegex(
            heartbeats.doubt(DOWN, fenced=False),
            'cmp01.*corrupts data.*--fenced',
        )

    @unit.cases(UP, DOWN, FORCED)
    def test_what_it_will_be(self, service):
        will = heartbeats.fenced(service)
        self.assertEqual((False, True), (will.up, will.forced_down))
        self.assertEqual(service.host, will.host)


class TestCompare(unit.TestCase):
    @unit.cases(
        # what differs at the second look, what that means
        ({}, Heartbeat.SILENT),
        ({'updated_at': ago(1)}, Heartbeat.ALIVE),
        ({'updated_at': ago(1), 'up': True}, Heartbeat.ALIVE),
        # A change leaves the same trace as a heartbeat.
        ({'updated_at': ago(1), 'disabled_reason': 'disk'}, Heartbeat.CHANGED),
        ({'updated_at': ago(1), 'forced_down': False}, Heartbeat.CHANGED),
        ({'forced_down': False, 'up': True}, Heartbeat.ALIVE),
    )
    def test_second_look(self, changes, sign):
        first = {'up': False, 'forced_down': True, 'updated_at': ago(10)}
        before = builders.service(**first)
        after = builders.service(**{**first, **changes})
        self.assertIs(sign, heartbeats.compare(before, after))

    def test_first_heartbeat_of_all(self):
        before = builders.service(up=False)
        after = builders.service(up=False, updated_at=NOW)
        self.assertIs(Heartbeat.ALIVE, heartbeats.compare(before, after))

    def test_words(self):
        self.assertEqual(
            'cmp01 still sends heartbeats (last at 2026-11-21T08:00:00Z): the '
            'host is still alive; evacuation refused',
            heartbeats.alive(builders.service(updated_at=NOW)),
        )
        self.assertIn(
            'heartbeats: the host', heartbeats.alive(builders.service())
        )


class TestQuestion(unit.TestCase):
    def test_words(self):
        self.assertRegex(
            heartbeats.question(['cmp01'], 17, 12),
            r'^cmp01 sends no heartbeats\. .* 17 \(12 of them lose '
            r'.*\. Is cmp01 powered off\?$',
        )
        self.assertRegex(
            heartbeats.question(['cmp01', 'cmp02'], 2, 0),
            r'\. Are cmp01, cmp02 all powered off\?$',
        )
        words = 'so nothing was changed on it'
        self.assertIn(words, heartbeats.denied('cmp01'))
