# SPDX-License-Identifier: Apache-2.0

import dataclasses

import ddt
from openstackclient import shell as openstack

from osc_hostmaint import exceptions
from osc_hostmaint.commands import drain as commands
from osc_hostmaint.commands import policy as options
from osc_hostmaint.engine import loop
from osc_hostmaint.planning import policy as policies
from tests.unit.commands import shell

#: What the API fills in, or the loop.
OTHERS = {
    *('user_id', 'stagger', 'stop', 'abandon', 'settled_from'),
    # These are for the way back.
    *('only', 'home', 'since'),
}


@ddt.ddt
class TestPolicy(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def policy(self, arguments: str = '') -> policies.Policy:
        """Return the policy that the API is asked to drain with."""
        self.maintenance.drain.return_value = loop.DrainResult(
            (), {}, exceptions.ExitCode.DONE
        )
        self.run_command(f'{arguments} cmp01')
        (call,) = self.maintenance.drain.call_args_list
        return call.kwargs['policy']

    def test_defaults_are_the_policys_own(self):
        self.assertEqual(policies.Policy(), self.policy())

    @ddt.data(
        *[('running', value) for value in policies.Running],
        *[('stopped', value) for value in policies.Stopped],
        *[('suspended', value) for value in policies.Suspended],
        *[('shelved', value) for value in policies.Shelved],
        *[('resized', value) for value in policies.Resized],
        *[('on_stall', value) for value in policies.OnStall],
        *[('spread', value) for value in policies.Spread],
    )
    @ddt.unpack
    def test_choices(self, field, value):
        policy = self.policy(f'--{field.replace("_", "-")} {value}')

        self.assertEqual(
            dataclasses.replace(policies.Policy(), **{field: value}), policy
        )
        self.assertIs(type(value), type(getattr(policy, field)))

    @ddt.data(
        # what is typed, the field, its value
        ('--to cmp09', 'to', 'cmp09'),
        ('--parallel 3', 'parallel', 3),
        ('--parallel-per-destination 2', 'per_destination', 2),
        ('--retries 0', 'retries', 0),
        ('--retries 7', 'retries', 7),
        ('--max-failures 0', 'max_failures', 0),
        ('--stall-after 90', 'stall_after', 90),
        ('--stall-after 2h', 'stall_after', 7200),
        ('--server-timeout 15m', 'server_timeout', 900),
        ('--evacuate', 'evacuate', True),
        ('--exclude a,b --exclude c', 'exclude', frozenset({'a,b', 'c'})),
    )
    @ddt.unpack
    def test_values(self, arguments, field, value):
        self.assertEqual(
            dataclasses.replace(policies.Policy(), **{field: value}),
            self.policy(arguments),
        )

    def test_every_field_has_its_option(self):
        _command, parsed = self.parse('cmp01')
        fields = {field.name for field in dataclasses.fields(policies.Policy)}

        self.assertEqual(set(), fields - OTHERS - set(vars(parsed)))
        self.assertEqual(policies.Policy(), options.read(parsed))

    @ddt.data(
        # what is typed, what is said
        ('--running slowly', "'live-or-cold'"),
        ('--stopped live', "'cold'"),
        ('--suspended cold', "'resume'"),
        ('--shelved cold', "'offload'"),
        ('--resized revert', "'confirm'"),
        ('--on-stall fail', "'force-complete'"),
        ('--spread evenly', "'balance'"),
        ('--parallel 0', 'at least 1'),
        ('--parallel-per-destination 0', 'at least 1'),
        ('--retries -1', '--retries'),
        ('--retries two', 'at least 0'),
        ('--stall-after 0', '15m'),
        ('--server-timeout soon', '15m'),
    )
    @ddt.unpack
    def test_usage(self, arguments, words):
        self.assert_usage(f'{arguments} cmp01', words)

    def test_help_tells_defaults(self):
        text = self.help()
        for option, default in (
            *(('--running', 'live'), ('--stopped', 'cold')),
            *(('--suspended', 'leave'), ('--shelved', 'offload')),
            *(('--resized', 'leave'), ('--retries', '2')),
            *(('--on-stall', 'wait'), ('--stall-after', '10m')),
            *(('--spread', 'balance'), ('--max-failures', '3')),
            *(('--parallel-per-destination', 'no limit'),),
        ):
            # The first is in the usage.
            told = text.split(f' {option} ')[-1].split(' --')[0]
            self.assertIn(f'(default: {default})', told)


class TestGlobalParser(shell.CommandTestCase):
    """It sees the line first, and takes what may be short for its own."""

    command = commands.DrainHostMaintenance

    def test_every_option_arrives(self):
        command, _parsed = self.parse('cmp01')
        options_ = {
            option
            for action in command.get_parser('openstack')._actions
            for option in action.option_strings
            if option.startswith('--')
        } - {'--help'}
        self.assertLessEqual({'--to', '--timeout', '--save-names'}, options_)
        parser = openstack.OpenStackShell().parser
        for option in options_:
            line = ['host', 'maintenance', 'drain', option, 'x']
            _known, left = parser.parse_known_args(line)
            self.assertEqual(line, left, option)
