# SPDX-License-Identifier: Apache-2.0

import dataclasses
import enum

from openstackclient import shell as openstack

from osc_hostmaint.commands import drain as commands
from osc_hostmaint.commands import policy as options
from osc_hostmaint.planning import policy as policies
from tests import unit
from tests.unit.commands import shell

#: What the API fills in, or the loop.
OTHERS = {
    *('stagger', 'stop', 'abandon', 'settled_from'),
    # These are for the way back.
    *('only', 'home', 'since', 'most_starts'),
}
FIELDS = dataclasses.asdict(policies.Policy())


class TestPolicy(shell.CommandTestCase):
    command = commands.DrainHostMaintenance

    def policy(self, arguments: str = '') -> policies.Policy:
        self.run_command(f'{arguments} cmp01')
        return self.asked.call_args.kwargs['policy']

    @unit.cases(
        # what is typed, the field, its value
        *[
            (f'--{name.replace("_", "-")} {value}', name, value)
            for name, default in FIELDS.items()
            if isinstance(default, enum.Enum)
            for value in type(default)
        ],
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
    def test_options(self, arguments, field, value):
        policy = self.policy(arguments)
        self.assertEqual(
            dataclasses.replace(policies.Policy(), **{field: value}), policy
        )
        self.assertIs(type(value), type(getattr(policy, field)))

    def test_every_field_has_its_option(self):
        _command, parsed = self.parse('cmp01')
        self.assertEqual(set(), {*FIELDS} - OTHERS - {*vars(parsed)})
        self.assertEqual(policies.Policy(), options.read(parsed))


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
