#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""A server that was built anew elsewhere: is it what it was?"""

import ddt

from osc_hostmaint.planning import arrival
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.planning import base
from tests.unit.planning import deaths

Kind = memories.Kind
Phase = base.Phase
State = deaths.State
NOSTATE = {'power_state': State.NOSTATE}
SHUTDOWN = {'power_state': State.SHUTDOWN}
RUNNING = {'power_state': State.RUNNING}
OFF = 'left stopped: it was off when the host died'
LOST = 'what was on the old one is lost, unless the hosts share it'


class EvacuatedTestCase(base.CaseTestCase):
    def arrive(self, before, after, history=None, record=None, **options):
        """Return where a server stands that we evacuated."""
        case = base.case(
            view=after,
            track=base.asked(Kind.EVACUATE, before),
            policy=policies.Policy(evacuate=True, **options),
            service=builders.dead(),
            histories={} if history is None else {'vm1': history},
        )
        return arrival.stand(case, after, record)

    def assert_stands(self, expected, stand):
        """:param expected: '' for a move that went well, or what did not."""
        if expected:
            self.assertIs(Phase.FAILED, stand.phase, stand)
            self.assertEqual(f'moved to cmp02, but {expected}', stand.reason)
        else:
            self.assertIs(Phase.MOVED, stand.phase, stand)
        self.assertEqual(builders.DEST, stand.destination)


@ddt.ddt
class TestState(EvacuatedTestCase):
    @ddt.data(
        # before, after; what is wrong
        ('ACTIVE', {}, 'ACTIVE', ''),
        ('SHUTOFF', {}, 'SHUTOFF', ''),
        ('ACTIVE', {}, 'SHUTOFF', 'its state was active and is stopped'),
        ('SHUTOFF', {}, 'ACTIVE', 'its state was stopped and is active'),
        # Nova brings what was in ERROR up.
        ('ERROR', RUNNING, 'ACTIVE', ''),
        ('ERROR', SHUTDOWN, 'SHUTOFF', ''),
        ('ERROR', SHUTDOWN, 'ACTIVE', 'its state was stopped and is active'),
        # An earlier run had reset it.
        ('ACTIVE', SHUTDOWN, 'SHUTOFF', ''),
        ('ACTIVE', SHUTDOWN, 'ACTIVE', 'its state was stopped and is active'),
    )
    @ddt.unpack
    def test_table(self, status, power, after, wrong):
        before = deaths.server(status, **power)

        self.assert_stands(wrong, self.arrive(before, deaths.there(after)))

    def test_broken(self):
        stand = self.arrive(deaths.server(), deaths.there('ERROR'))

        self.assertIs(Phase.FAILED, stand.phase)

    def test_addresses(self):
        after = deaths.there(addresses=())
        stand = self.arrive(deaths.server(), after)

        self.assertIn('10.0.0.5 and are none', stand.reason)
        self.assertIs(Phase.FAILED, stand.phase)

    @ddt.data(
        # before, its newest deed, after; what is wrong
        ('ERROR', 'stop', 'SHUTOFF', ''),
        ('ERROR', 'stop', 'ACTIVE', 'its state was stopped and is active'),
        ('ERROR', 'start', 'ACTIVE', ''),
        ('ACTIVE', 'stop', 'SHUTOFF', ''),
        ('ACTIVE', 'start', 'ACTIVE', ''),
        ('ACTIVE', 'start', 'SHUTOFF', 'its state was active and is stopped'),
    )
    @ddt.unpack
    def test_what_only_its_history_tells(self, status, deed, after, wrong):
        """Another run's evacuation had begun when this one came."""
        before, after = deaths.server(status, **NOSTATE), deaths.there(after)
        stand = self.arrive(before, after)
        self.assertIs(Phase.SETTLING, stand.phase)
        self.assertTrue(stand.history)

        self.assert_stands(
            wrong, self.arrive(before, after, [base.deed(deed)])
        )


@ddt.ddt
class TestLeaveStopped(EvacuatedTestCase):
    @ddt.data(
        # before, after; what is wrong
        ('ACTIVE', 'SHUTOFF', ''),
        ('SHUTOFF', 'SHUTOFF', ''),
        ('ERROR', 'SHUTOFF', ''),
        ('ACTIVE', 'ACTIVE', 'it runs there, in spite of --leave-stopped'),
        ('ERROR', 'ACTIVE', 'it runs there, in spite of --leave-stopped'),
        ('SHUTOFF', 'ACTIVE', 'its state was stopped and is active'),
    )
    @ddt.unpack
    def test_table(self, before, after, wrong):
        before = deaths.server(before, power_state=State.RUNNING)
        stand = self.arrive(before, deaths.there(after), leave_stopped=True)

        self.assert_stands(wrong, stand)

    def test_its_addresses_are_kept_all_the_same(self):
        stand = self.arrive(
            deaths.server(),
            deaths.there('SHUTOFF', addresses=()),
            leave_stopped=True,
        )

        self.assertIs(Phase.FAILED, stand.phase)


@ddt.ddt
class TestPrice(EvacuatedTestCase):
    """What its owner notices."""

    def test_nothing(self):
        for status in ('ACTIVE', 'SHUTOFF'):
            stand = self.arrive(deaths.server(status), deaths.there(status))
            self.assertEqual('', stand.reason)

    def test_its_local_disk(self):
        before = deaths.server(local_disk=True)
        stand = self.arrive(before, deaths.there())

        self.assert_stands('', stand)
        self.assertIn(LOST, stand.reason)

    @ddt.data('ACTIVE', 'ERROR')
    def test_it_was_off_though_its_status_said_otherwise(self, status):
        before = deaths.server(status, **SHUTDOWN)
        stand = self.arrive(before, deaths.there('SHUTOFF'))
        self.assertEqual(OFF, stand.reason)

        before = deaths.server(status, local_disk=True, **SHUTDOWN)
        stand = self.arrive(before, deaths.there('SHUTOFF'))
        self.assertIn(LOST, stand.reason)
        self.assertIn(OFF, stand.reason)

    def test_of_another_runs_evacuation_too(self):
        before = deaths.server(local_disk=True)
        policy = policies.Policy(evacuate=True)
        for record, told in (
            (builders.evacuation(status='done'), LOST),
            (builders.migration(status='completed'), ''),
        ):
            case = base.case(
                record,
                view=deaths.there(),
                track=builders.track(before),
                policy=policy,
            )
            stand = arrival.stand(case, deaths.there(), record)
            self.assertIn(told, stand.reason)
            self.assertEqual(bool(told), bool(stand.reason))

    def test_what_failed_is_told_first(self):
        before = deaths.server(local_disk=True)
        stand = self.arrive(before, deaths.there('SHUTOFF'))

        self.assertNotIn(LOST, stand.reason)
