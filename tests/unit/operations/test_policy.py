# SPDX-License-Identifier: Apache-2.0

from collections import abc
import dataclasses
import datetime
import functools
import typing as ty
from unittest import mock

from osc_hostmaint import exceptions
from osc_hostmaint.engine import loop
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

POLICY = policies.Policy(
    running=policies.Running.COLD,
    suspended=policies.Suspended.RESUME,
    parallel=3,
    retries=0,
    server_timeout=600.0,
)


class ToldTestCase(base.MaintenanceTestCase):
    """The policy that the loop gets."""

    def setUp(self) -> None:
        super().setUp()
        result = loop.DrainResult((), {}, exceptions.ExitCode.DONE)
        self.drained = self.enterContext(
            mock.patch.object(loop, 'drain', return_value=result)
        )

    def told(self, **kwargs: ty.Any) -> policies.Policy:
        """Return the policy that the loop gets."""
        self.drained.reset_mock()
        self.maintenance.drain(['cmp01'], **kwargs)
        self.drained.assert_called_once()
        policy: policies.Policy = self.drained.call_args.args[3].policy
        return policy


class PolicyTest(ToldTestCase):
    def test_what_is_asked_for_arrives(self) -> None:
        ours = {'stagger': 0.0, 'settled_from': 0.0}
        policy = dataclasses.replace(self.told(policy=POLICY), **ours)
        self.assertEqual(POLICY, policy)

    def test_a_host_just_disabled_settles(self) -> None:
        """A server that was being scheduled may still arrive."""
        due = self.clock.now() + timing.LATE_ARRIVAL_SECONDS
        self.assertEqual(due, self.told().settled_from)
        # It was disabled long ago.
        self.given(builders.service())
        self.assertEqual(self.clock.now(), self.told().settled_from)

    def test_who_watches_is_passed_on(self) -> None:
        names = ('report', 'interrupt', 'recording')
        watchers = {name: mock.Mock(requested=False) for name in names}
        until = datetime.datetime.now(datetime.UTC)
        self.told(timeout=90, until=until, **watchers)
        *_others, request, recording = self.drained.call_args.args
        self.assertIs(watchers['interrupt'], request.interrupt)
        self.assertIs(watchers['recording'], recording)
        self.assertEqual((90, until), (request.timeout, request.until))
        request.report.publish('event')
        watchers['report'].publish.assert_called_with('event')


class ExcludeTest(ToldTestCase):
    """Servers that are left alone are known before anything is touched."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02'}

    def excluding(self, *servers: str) -> policies.Policy:
        return policies.Policy(exclude=frozenset(servers))

    def test_by_name_or_id(self) -> None:
        for words in ('vm1', 'name of vm1'):
            told = self.told(policy=self.excluding(words))
            self.assertEqual({'vm1'}, told.exclude)

    def test_exclusion_of_a_server_already_moving(self) -> None:
        """So that the same command can be run again."""
        self.cloud.records = [builders.migration(1, 'finished', 'vm2')]
        policy = self.told(policy=self.excluding('vm1', 'vm2'))
        self.assertEqual({'vm1', 'vm2'}, policy.exclude)
        # Once that is over, it is no server of this host any more.
        self.cloud.records = [builders.migration(1, 'confirmed', 'vm2')]
        with self.assertRaises(exceptions.Refused):
            self.told(policy=self.excluding('vm2'))

    def test_unknown_exclusion(self) -> None:
        for evacuate in (False, True):
            policy = dataclasses.replace(
                self.excluding('vm2'), evacuate=evacuate
            )
            for verb in (self.maintenance.drain, self.maintenance.preview):
                with self.assertRaisesRegex(exceptions.Refused, 'on cmp01'):
                    verb(['cmp01'], policy=policy)
        self.assert_untouched()
        self.drained.assert_not_called()

    def test_nobody_else_costs_a_request(self) -> None:
        self.told()
        lists = self.gateway.servers.call_count
        self.told(policy=self.excluding('vm1'))
        self.assertEqual(2 * lists + 1, self.gateway.servers.call_count)
        self.gateway.unconfirmed.assert_not_called()


class AvoidTest(ToldTestCase):
    """Hosts to be taken last exist, and can be."""

    def verbs(self, policy: policies.Policy) -> abc.Iterator[ty.Any]:
        for verb in (self.maintenance.drain, self.maintenance.preview):
            for evacuate in (False, True):
                told = dataclasses.replace(policy, evacuate=evacuate)
                yield functools.partial(verb, ['cmp01'], policy=told)

    def test_known(self) -> None:
        policy = policies.Policy(avoid=frozenset({'cmp02'}))
        self.assertEqual({'cmp02'}, self.told(policy=policy).avoid)

    def test_unknown(self) -> None:
        policy = policies.Policy(avoid=frozenset({'cmp2', 'cmp02'}))
        for verb in self.verbs(policy):
            with self.assertRaisesRegex(
                exceptions.UnknownHost, 'did you mean cmp02'
            ):
                verb()
        self.assert_untouched()
        self.drained.assert_not_called()

    @unit.cases(
        ({'cmp01'}, {}),
        ({'cmp02'}, {'to': 'cmp02'}),
        ({'cmp02'}, {'spread': policies.Spread.SCHEDULER}),
    )
    def test_contradiction(self, avoid: set[str], more: ty.Any) -> None:
        policy = policies.Policy(avoid=frozenset(avoid), **more)
        for verb in self.verbs(policy):
            with self.assertRaisesRegex(ValueError, '^--avoid: '):
                verb()
        self.gateway.services.assert_not_called()


class DestinationTest(base.MaintenanceTestCase):
    """The only host that servers may go to."""

    def setUp(self) -> None:
        super().setUp()
        self.given_destination(enabled=True)

    def given_destination(self, **kwargs: ty.Any) -> None:
        """Let there be cmp08 beside cmp01 and cmp02."""
        self.given(
            builders.service(host='cmp01', enabled=True),
            builders.service(host='cmp02', enabled=True),
            builders.service(host='cmp08', **kwargs),
        )
        self.cloud.places = {'vm1': 'cmp01'}

    def drain(self, to: str, *hosts: str) -> loop.DrainResult:
        """Drain cmp01, or some hosts, to another."""
        return self.maintenance.drain(
            hosts or ['cmp01'], policy=policies.Policy(to=to)
        )

    def assert_refused(self, words: str, to: str, *hosts: str) -> None:
        """Check why nothing is touched at all."""
        with self.assertRaisesRegex(exceptions.HostMaintenanceError, words):
            self.drain(to, *hosts)
        self.assert_untouched()

    def test_unknown(self) -> None:
        self.assert_refused('did you mean cmp08', 'cmp8')
        self.assert_refused('hypervisor hostname of', 'cmp08.example.org')

    @unit.cases(['cmp01'], ['cmp01', 'cmp08'], ['cmp08', 'cmp01'])
    def test_one_that_is_drained_itself(self, hosts: list[str]) -> None:
        words = f'{hosts[-1]}.*also to be drained'
        self.assert_refused(words, hosts[-1], *hosts)

    def test_one_that_takes_no_server(self) -> None:
        self.given_destination(enabled=True, up=False)
        self.assert_refused('cmp08.*start nova-compute first', 'cmp08')
