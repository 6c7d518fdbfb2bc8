# SPDX-License-Identifier: Apache-2.0

"""Hosts that are left alone, which is known before anything is touched."""

import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit import builders
from tests.unit.operations import base

EVACUATE = {'policy': base.EVACUATE, 'fenced': True}
POLICIES = (policies.Policy(), base.EVACUATE)


class HostIdentityTest(base.DrainTestCase):
    def let(self, *, up: bool, **details: str) -> None:
        """Let there be cmp01, cmp02 and a third; cmp01 is up or down."""
        self.given(
            builders.service(host='cmp01', enabled=True, up=up),
            builders.service(host='cmp02', enabled=True),
        )
        self.cloud.hypervisor_of = {
            host: model.Hypervisor(f'rp of {host}', 'node', host, **details)
            for host in ('cmp01', 'cmp02')
        }

    @unit.cases(*POLICIES)
    def test_two_names(self, policy: policies.Policy) -> None:
        self.let(up=False, address='192.0.2.7')
        preview = self.maintenance.preview(['cmp01'], policy=policy)
        result = self.maintenance.drain(['cmp01'], policy=policy)
        for errors in (preview.errors, result.errors):
            self.assertRegex(errors['cmp01'], 'cmp01 and cmp02 have the same')
        self.assertIs(exceptions.ExitCode.FAILED, result.exit_code)
        self.assertEqual((), result.rows)
        self.assert_changed_nothing()

    def test_the_new_name(self) -> None:
        self.let(up=False, address='192.0.2.7')
        result = self.maintenance.drain(['cmp02'])
        self.assertRegex(
            result.errors['cmp02'], '1 server on cmp01, which is down'
        )
        self.assert_changed_nothing()
        # Nothing is left on the old one.
        self.cloud.places = {'vm2': 'cmp02'}
        result = self.maintenance.drain(['cmp02'])
        self.assertIs(exceptions.ExitCode.DONE, result.exit_code)

    def test_the_others_are_drained(self) -> None:
        self.let(up=True)
        node = model.Hypervisor('rp', 'node', 'cmp02', type='ironic')
        self.cloud.hypervisor_of = {'cmp02': node}
        result = self.maintenance.drain(['cmp01', 'cmp02'])
        self.assertRegex(result.errors['cmp02'], 'bare metal')
        self.assertEqual([('vm1', base.ELSEWHERE)], self.moves())

    @unit.cases(*POLICIES)
    def test_not_known(self, policy: policies.Policy) -> None:
        self.let(up=True)
        error = exceptions.NotPermitted('no right')
        self.gateway.hypervisor_details.side_effect = error
        preview = self.maintenance.preview(['cmp01'], policy=policy)
        self.assertIn('is the same machine', preview.notes[0])
        self.maintenance.drain(['cmp01'], report=self.listener)
        ((_host, told), *_others) = self.listener.troubles
        self.assertRegex(told, 'is the same machine: no right')

    @unit.cases('set', 'unset', 'show', 'drain', 'preview', 'restore')
    def test_two_services_of_one_name(self, verb: str) -> None:
        self.gateway.services.side_effect = lambda: [
            builders.service(host='cmp01', id=name) for name in ('a', 'b')
        ]
        many = verb in ('drain', 'preview', 'restore')
        with self.assertRaisesRegex(exceptions.Refused, 'a, b'):
            getattr(self.maintenance, verb)(['cmp01'] if many else 'cmp01')
        self.assert_untouched()


class UnknownHostTest(base.MaintenanceTestCase):
    def unknown(self, verb: str, host: str) -> str:
        """Return what a verb says of a host that is not there."""
        with self.assertRaises(exceptions.UnknownHost) as caught:
            getattr(self.maintenance, verb)(
                [host] if verb == 'drain' else host
            )
        self.assert_untouched()
        return str(caught.exception)

    @unit.cases('set', 'unset', 'show', 'drain')
    def test_hypervisor_hostname(self, verb: str) -> None:
        message = self.unknown(verb, 'cmp02.example.org')
        self.assertIn('hypervisor hostname of cmp02', message)
        self.assertIn('did you mean', self.unknown(verb, 'cmp2'))

    @unit.cases('cmp', 'cmp0', 'cmp*', 'cmp0?', 'cmp0[12]', 'CMP01', ' cmp01')
    def test_never_a_pattern(self, host: str) -> None:
        self.assertIn('cmp01', self.unknown('drain', host))

    @unit.cases(['nope', 'cmp01'], ['cmp01', 'nope'])
    def test_one_of_several(self, hosts: list[str]) -> None:
        with self.assertRaisesRegex(exceptions.UnknownHost, "'nope'"):
            self.maintenance.drain(hosts)
        self.assert_untouched()
        self.gateway.servers.assert_not_called()


class HiddenHostsTest(base.DrainTestCase):
    @unit.cases(
        ('drain', {}),
        ('drain', EVACUATE),
        ('preview', {}),
        ('preview', EVACUATE),
        ('restore', {}),
        ('preview_restore', {}),
        ('unset_and_restore', {}),
    )
    def test_refused(self, verb: str, options: dict[str, ty.Any]) -> None:
        for check in ('check_hosts_shown', 'check_servers_shown'):
            self.given(builders.service(host='cmp01'))
            denied = exceptions.NotPermitted('hidden')
            getattr(self.gateway, check).side_effect = denied
            with self.assertRaisesRegex(exceptions.NotPermitted, 'hidden'):
                getattr(self.maintenance, verb)(['cmp01'], **options)
            self.assert_untouched()

    def test_short_outage_is_tolerated(self) -> None:
        self.gateway.check_hosts_shown.side_effect = exceptions.Unavailable(
            'no answer'
        )
        result = self.maintenance.drain(['cmp01'])
        self.assertEqual(exceptions.ExitCode.DONE, result.exit_code)


SILENT = model.Service('', 'cmp09', '', up=False, enabled=False, silent=True)
WORDS = '^host cmp09: its cell does not answer, '


class DownCellTest(base.MaintenanceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.given(builders.service(), SILENT)

    @unit.cases('set', 'unset', 'show')
    def test_one_host(self, verb: str) -> None:
        with self.assertRaisesRegex(exceptions.SilentCell, WORDS):
            getattr(self.maintenance, verb)('cmp09')
        self.assert_untouched()

    def test_other_hosts_are_drained(self) -> None:
        evacuate = policies.Policy(evacuate=True)
        for result in (
            self.maintenance.drain(['cmp09', 'cmp01']),
            self.maintenance.preview(['cmp09', 'cmp01']),
            self.maintenance.drain(['cmp09'], policy=evacuate, fenced=True),
            self.maintenance.restore(['cmp09']),
            self.maintenance.unset_and_restore(['cmp09']),
        ):
            self.assertEqual(['cmp09'], list(result.errors))
            self.assertRegex(result.errors['cmp09'], WORDS)

    def test_nothing_is_sent_to_a_down_cell(self) -> None:
        to = policies.Policy(to='cmp09')
        with self.assertRaisesRegex(exceptions.Refused, 'its cell does not'):
            self.maintenance.drain(['cmp01'], policy=to)

    def test_listed_in_any_mode(self) -> None:
        for mode in model.Mode:
            found = self.maintenance.list({mode})
            listed = {h.service.host: h.servers for h in found}
            self.assertIsNone(listed['cmp09'])

    def test_it_falls_silent_before_it_is_looked_at(self) -> None:
        here = builders.service()
        gone = model.Service(
            '', 'cmp01', '', up=False, enabled=False, silent=True
        )
        self.gateway.services.side_effect = [[here], [gone]]
        with self.assertRaises(exceptions.SilentCell):
            self.maintenance.show('cmp01')
        self.gateway.services.side_effect = [[here], [gone]]
        (listed,) = self.maintenance.list({model.Mode.MAINTENANCE})
        self.assertIsNone(listed.servers)
        self.gateway.services.side_effect = [[here], [gone]]
        self.assertIn('cmp01', self.maintenance.preview(['cmp01']).errors)
