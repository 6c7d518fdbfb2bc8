# SPDX-License-Identifier: Apache-2.0

"""What a drain makes sure of before it begins, and where it sends servers."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

Code = exceptions.ExitCode


class CapacityTestCase(base.DrainTestCase):
    def drain(self, *hosts: str, **options: ty.Any) -> ty.Any:
        return self.maintenance.drain(
            hosts or ['cmp01'], report=self.listener, **options
        )

    def told(self) -> list[str]:
        return [text for _host, text in self.listener.troubles]


class CheckTest(CapacityTestCase):
    def assert_refused(self, words: str, *hosts: str, **options: ty.Any):
        """Check why a drain is refused; only marks may be set."""
        with self.assertRaisesRegex(exceptions.Refused, words):
            self.drain(*hosts, **options)
        self.assertLessEqual(
            {what for what, _on in self.changes()}, {'disable'}
        )

    def test_what_does_not_fit_is_not_begun(self) -> None:
        self.cloud.room = {'cmp02': 1, base.ELSEWHERE: 0}
        for words in (
            'Nothing was moved; maintenance stays set on cmp01',
            '1 of 1 servers do not fit',
            '2 without room',
            '--skip-capacity-check',
        ):
            self.assert_refused(words)
        # Nothing but the mark.
        self.gateway.disable.assert_called_once()
        self.assertEqual({'disable'}, set(self.asked()) - self.READING)
        self.assertTrue(marks.parse(self.reason()))
        self.assertEqual([], self.told())

    def test_other_errors_are_told_as_well(self) -> None:
        self.given_broken()
        self.cloud.room = {base.ELSEWHERE: 0}
        self.assert_refused(
            r'broken fan.*maintenance stays set on cmp02\.', 'cmp01', 'cmp02'
        )

    def test_the_check_can_be_skipped(self) -> None:
        self.cloud.room = {'cmp02': 1, base.ELSEWHERE: 0}
        result = self.drain(skip_capacity_check=True)
        self.assertIs(Code.DONE, result.exit_code)
        # No host is known to have room: the scheduler may know better.
        self.assertEqual([('vm1', '')], self.moves())
        self.assertEqual([], self.told())

    def test_one_destination(self) -> None:
        self.cloud.room = {'cmp02': 1}
        to = policies.Policy(to='cmp02')
        self.assert_refused('1 of 1', policy=to)
        self.cloud.room = {'cmp02': 2}
        self.assertIs(Code.DONE, self.drain(policy=to).exit_code)
        self.assertEqual([('vm1', 'cmp02')], self.moves())


class UnknownTest(CapacityTestCase):
    """Placement does not tell: that is no reason not to go on."""

    @unit.cases(*builders.NO_CAPACITY)
    def test_of_room(self, error: Exception) -> None:
        self.gateway.allocation_candidates.side_effect = error
        self.assertIs(Code.DONE, self.drain('cmp01', 'cmp02').exit_code)
        self.assertEqual({('vm1', ''), ('vm2', '')}, set(self.moves()))
        self.assertEqual(
            [
                ('cmp01, cmp02', f'capacity is not known: {error}'),
                ('cmp01, cmp02', 'destinations are left to the scheduler'),
            ],
            self.listener.troubles,
        )

    @unit.cases(*builders.NO_CAPACITY)
    def test_where_the_user_wants_the_scheduler(self, error: Exception):
        self.gateway.allocation_candidates.side_effect = error
        scheduler = policies.Policy(spread=policies.Spread.SCHEDULER)
        self.assertIs(Code.DONE, self.drain(policy=scheduler).exit_code)
        self.assertEqual([f'capacity is not known: {error}'], self.told())

    def test_of_what_the_servers_hold(self) -> None:
        self.gateway.allocations.side_effect = [
            exceptions.Unavailable('Placement: no answer'),
            {},
        ]
        self.assertIs(Code.DONE, self.drain().exit_code)
        self.gateway.allocation_candidates.assert_not_called()
        self.assertEqual([('vm1', '')], self.moves())
        self.assertIn('capacity is not known', self.told()[0])

    def test_nova_does_not_answer_for_a_moment(self) -> None:
        """The drain itself bears with that, for longer."""
        answers = [exceptions.Unavailable('Nova: no answer')]

        def servers(host: str) -> ty.Any:
            if answers:
                raise answers.pop()
            return self.cloud.servers(host)

        self.gateway.servers.side_effect = servers
        self.assertIs(Code.DONE, self.drain().exit_code)
        self.assertEqual(
            [
                'capacity is not known: Nova: no answer',
                'destinations are left to the scheduler',
            ],
            self.told(),
        )
        self.assertEqual([('vm1', '')], self.moves())

    def test_groups_and_aggregates(self) -> None:
        """What the user may not see is told; the rest counts."""
        denied = exceptions.NotPermitted('policy says no')
        self.gateway.groups.side_effect = denied
        self.gateway.aggregates.side_effect = denied
        self.assertIs(Code.DONE, self.drain().exit_code)
        self.assertEqual([('vm1', base.ELSEWHERE)], self.moves())
        self.assertEqual(
            [
                'server groups were not checked: policy says no',
                'host aggregates were not checked: policy says no',
            ],
            self.told(),
        )


class SpreadTest(CapacityTestCase):
    def test_hosts_that_are_drained_are_not_asked_for(self) -> None:
        self.cloud.places |= {f'vm{n}': base.ELSEWHERE for n in range(3, 9)}
        self.drain('cmp01', 'cmp02')
        self.assertEqual(
            {base.ELSEWHERE}, {host for _server, host in self.moves()}
        )

    def test_the_scheduler_picks(self) -> None:
        self.drain(policy=policies.Policy(spread=policies.Spread.SCHEDULER))
        self.assertEqual([('vm1', '')], self.moves())
        # It is still made sure that all fit.
        self.gateway.allocation_candidates.assert_called_once()

    def test_a_bound_per_destination(self) -> None:
        self.gateway.migrations_in_flight.return_value = [
            builders.migration(
                99,
                server_id='x',
                source='far',
                dest='cmp02',
                created_at=base.NOW,
            )
        ]
        self.drain(policy=policies.Policy(per_destination=1))
        self.assertEqual([('vm1', base.ELSEWHERE)], self.moves())
