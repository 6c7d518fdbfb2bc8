# SPDX-License-Identifier: Apache-2.0

"""Evacuations tick by tick: what is asked for, and what becomes of it."""

import dataclasses

from osc_hostmaint.planning import timing
from osc_hostmaint.planning.server import memory as memories
from tests import unit
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import evacuation_base

ActionKind = memories.ActionKind
State = evacuation_base.State
rebuilding = evacuation_base.rebuilding
server = evacuation_base.server
there = evacuation_base.there
RETRY = timing.RETRY_WAIT_SECONDS
PATIENCE = timing.EFFECT_WAIT_SECONDS
REFUSED = memories.Outcome(memories.SendStatus.REFUSED, 0.0, base.REFUSAL)


class TestGood(evacuation_base.EvacuatedServerTestCase):
    @unit.cases('ACTIVE', 'SHUTOFF')
    def test_evacuated(self, status):
        timeline = self.begin()
        below = builders.VM_STATES[status]
        self.assert_asked(self.EVACUATE, server(status))
        self.assert_asked((), rebuilding(below))
        record = timeline.record('accepted', dest=None)
        self.assert_asked((), rebuilding(below), record)
        record = timeline.record('pre-migrating')
        self.assert_asked((), rebuilding(below), record)
        timeline.tick(there(status), timeline.record('done'))

        row = self.assert_ends('moved', move='evacuation')
        self.assertEqual(status, row.status)
        self.assertEqual(builders.DEST, row.destination)
        self.assertEqual('', row.reason)
        self.assertEqual(1, row.attempts)

    @unit.cases(
        # How long ago it was asked for: the service, the servers; starts?
        (timing.SERVICE_RECHECK_SECONDS, 0, True),
        (timing.SERVICE_RECHECK_SECONDS + 1, 0, False),
        # Lists take a minute, and that of the services was the last.
        (61, 61, True),
        (*[timing.SLOW_SERVICE_VALID_SECONDS + 1] * 2, False),
    )
    def test_evacuates_only_after_a_fresh_service_check(
        self, service_ago, servers_ago, starts
    ):
        """It may have come back since."""
        timeline = self.begin()
        timeline.tick(
            server(),
            after=0,
            service_at=timeline.now - service_ago,
            servers_at=timeline.now - servers_ago,
            migrations_at=timeline.now - servers_ago,
        )
        self.assertEqual(starts, bool(timeline.decision.actions))
        self.assertTrue(starts or timeline.decision.query.services)

    def test_a_host_is_asked_for(self):
        timeline = self.begin(to='cmp07')
        (action,) = timeline.tick(server())
        self.assertEqual(('cmp07', False), (action.host, action.spread))
        timeline = self.begin()
        (action,) = timeline.tick(server())
        self.assertEqual(('', True), (action.host, action.spread))

    @unit.cases(
        # as it is when the record says done already
        rebuilding(),
        server(),
        server(task_state='powering-off'),
        there(task_state='powering-off'),
        there(**evacuation_base.REBUILDING),
    )
    def test_record_completes_before_the_server(self, view):
        timeline = self.begin()
        timeline.tick(server('SHUTOFF'))
        done = timeline.record('done')
        for _tick in range(10):
            self.assert_asked((), view, done)
            self.assertIsNone(timeline.row.result)
        timeline.tick(there('SHUTOFF'), done)
        self.assert_ends('moved')

    def test_rebuilt_before_its_host_changes(self):
        """Built and stopped already, but its host does not change."""
        timeline = self.begin()
        timeline.tick(server('SHUTOFF'))
        record = timeline.record('pre-migrating')
        for _tick in range(20):
            view = server(
                'SHUTOFF', updated_at=builders.cloud_time(timeline.now)
            )
            ahead = 1.0 - builders.SINCE.timestamp()
            self.assert_asked((), view, record, after=7, ahead=ahead)


class TestBad(evacuation_base.EvacuatedServerTestCase):
    def test_failed_running_server_is_retried(self):
        timeline = self.begin()
        running = server()
        self.assert_asked(self.EVACUATE, running)
        # A failed claim leaves it as it was; no valid host does not.
        record = self.failed(running, 7, 'failed')
        self.assert_asked(self.EVACUATE, running, record)
        error = server('ERROR', power_state=State.RUNNING)
        record = self.failed(error, 8)
        self.assert_asked(self.EVACUATE, error, record)
        timeline.tick(there(), timeline.record('done', 9))

        row = self.assert_ends('moved')
        self.assertEqual(('ACTIVE', 3), (row.status, row.attempts))

    @unit.cases(
        # as what its host told last of the guest is known still, and not
        State.SHUTDOWN,
        State.NOSTATE,
    )
    def test_failed_stopped_server_is_not_started(self, power_state):
        timeline = self.begin()
        self.assert_asked(self.EVACUATE, server('SHUTOFF'))
        error = server('ERROR', power_state=power_state)
        record = self.failed(error)
        self.assert_asked(self.RESET, error, record)
        self.assert_asked((), error, record)
        reset = server('ACTIVE', power_state=power_state)
        self.assert_asked(self.STOPPED, reset, record)
        timeline.tick(there('SHUTOFF'), timeline.record('done', 8))

        row = self.assert_ends('moved')
        self.assertEqual(('SHUTOFF', 2), (row.status, row.attempts))

    def test_somebody_has_reset_it_by_hand(self):
        self.begin().tick(server('SHUTOFF'))
        reset = server('ACTIVE', power_state=State.SHUTDOWN)
        record = self.failed(reset)
        self.assert_asked(self.STOPPED, reset, record)

    @unit.cases(
        # --retries, picks by us, attempts
        (0, False, 1),
        (2, False, 3),
        # Nova's own pick comes on top.
        (0, True, 2),
        (2, True, 4),
    )
    def test_attempts(self, retries, picked, attempts):
        """Each undoes the reset, which is asked for again."""
        timeline = self.begin(retries=retries)
        error = server('ERROR', power_state=State.SHUTDOWN)
        reset = server('ACTIVE', power_state=State.SHUTDOWN)
        records, view, resets, evacuations = [], error, 0, 0
        for _tick in range(60):
            for action in timeline.tick(
                view, *records, failures=evacuation_base.FAILURES
            ):
                if action.kind is ActionKind.RESET:
                    resets, view = resets + 1, reset
                    continue
                evacuations += 1
                self.assertEqual('active', view.vm_state)
                self.assertTrue(action.stopped)
                if not picked:
                    self.direct(timeline, spread=False)
                elif evacuations == 1:
                    self.direct(timeline, host='cmp03', spread=True)
                number, view = len(records) + 1, error
                records.append(timeline.record('error', number, dest='cmp03'))
            if timeline.row.result:
                break
        row = self.assert_ends('failed', base.FAILURE)
        self.assertEqual(
            (attempts, attempts, attempts), (evacuations, resets, row.attempts)
        )

    def direct(self, timeline, **changes):
        """Let the evacuation just asked for be to a pick of ours, or not."""
        remembered = timeline.memory.servers['vm1']
        request = dataclasses.replace(
            remembered.request(ActionKind.EVACUATE), **changes
        )
        timeline.memory = builders.memory(
            builders.remember(remembered, ActionKind.EVACUATE, request),
            no_others_since=timeline.memory.own.no_others_since,
        )

    @unit.cases('ACTIVE', 'ERROR')
    def test_refused_for_good(self, status):
        self.begin()
        view = server(status, power_state=State.SHUTDOWN)
        asked = self.RESET if status == 'ERROR' else self.STOPPED
        self.assert_asked(asked, view, answer=base.FINAL)
        self.assert_asked((), view, after=60)
        self.assert_ends('blocked', base.REFUSAL)

    def test_refused_and_tried_again(self):
        self.begin(retries=1)
        self.assert_asked(self.EVACUATE, server(), answer=REFUSED)
        self.assert_asked(self.EVACUATE, server(), after=RETRY, answer=REFUSED)
        self.assert_asked((), server(), after=60)
        self.assert_ends('blocked', base.REFUSAL)

    def test_nothing_comes_of_its_reset(self):
        self.begin(retries=1)
        view = server('ERROR', power_state=State.SHUTDOWN)
        self.assert_asked(self.RESET, view)
        self.assert_asked((), view, after=PATIENCE - 1)
        self.assert_asked(self.RESET, view, after=1)
        self.assert_asked((), view, after=PATIENCE)
        self.assert_ends('failed', 'request to reset it')

    def test_request_in_doubt(self):
        """It is not asked for again while it may have."""
        self.begin()
        doubt = memories.SendStatus.IN_DOUBT
        self.assert_asked(self.EVACUATE, server(), answer=doubt)
        for _tick in range(4):
            self.assert_asked((), server(), after=7)
        # Its record would be there by now.
        self.assert_asked(self.EVACUATE, server(), after=7)

    def test_record_done_but_server_on_source(self):
        timeline = self.begin()
        timeline.tick(server())
        done = timeline.record('done')
        self.assert_asked((), server(), done)
        self.assert_asked(self.EVACUATE, server(), done, after=PATIENCE)
        self.assertIn('record says done', timeline.row.reason)

    def test_its_destination_dies(self):
        timeline = self.begin()
        timeline.tick(server())
        record = timeline.record('pre-migrating')
        down = frozenset({builders.DEST})
        for _tick in range(3):
            self.assert_asked((), rebuilding(), record, down=down, after=20)
        self.assert_ends('failed', 'destination cmp02 is down')

    def test_it_takes_too_long(self):
        timeline = self.begin(server_timeout=60.0)
        timeline.tick(server())
        record = timeline.record('pre-migrating')
        timeline.tick(rebuilding(), record)
        self.assert_asked((), rebuilding(), record, after=60)
        self.assert_ends('moving', 'may still be running in Nova')
