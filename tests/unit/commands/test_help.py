# SPDX-License-Identifier: Apache-2.0

"""What ``openstack help`` shows of our commands."""

import shlex
import types

from osc_lib.command import command as osc_command

from osc_hostmaint.commands import drain
from osc_hostmaint.commands import mark
from osc_hostmaint.commands import restore
from osc_hostmaint.commands import status
from tests import unit
from tests.unit.commands import shell

COMMANDS = {
    'drain': drain.DrainHostMaintenance,
    'list': status.ListHostMaintenance,
    'restore': restore.RestoreHostMaintenance,
    'set': mark.SetHostMaintenance,
    'show': status.ShowHostMaintenance,
    'unset': mark.UnsetHostMaintenance,
}
#: Of a terminal with 80 columns, as argparse divides it.
WIDTH = 78
OPTION_WIDTH = 54


class _Plain(osc_command.Lister):
    """cliff's own options."""

    def take_action(self, parsed_args):
        """Do nothing."""


class _PlainOne(osc_command.ShowOne):
    """cliff's own options."""

    def take_action(self, parsed_args):
        """Do nothing."""


def parser_of(command):
    app = types.SimpleNamespace(client_manager=None, options=None, stdout=None)
    return command(app, None).get_parser('openstack')


CLIFFS = {
    option
    for command in (_Plain, _PlainOne)
    for action in parser_of(command)._actions
    for option in action.option_strings
}


class TestHelp(unit.TestCase):
    def setUp(self):
        self.formatter = parser_of(drain.DrainHostMaintenance).formatter_class(
            'openstack', width=WIDTH
        )

    def lines(self, text, width=WIDTH):
        return self.formatter._split_lines(text, width)

    @unit.cases(*COMMANDS)
    def test_what_it_does_fits_two_lines(self, name):
        self.assertLessEqual(
            len(self.lines(parser_of(COMMANDS[name]).description)), 2
        )

    @unit.cases(*COMMANDS)
    def test_an_option_fits_two_lines_and_ends_with_its_default(self, name):
        for action in parser_of(COMMANDS[name])._actions:
            if CLIFFS.intersection(action.option_strings):
                continue
            with self.subTest(option=action.option_strings):
                text = self.formatter._expand_help(action)
                self.assertLessEqual(len(self.lines(text, OPTION_WIDTH)), 2)
                if action.option_strings:
                    self.assertRegex(text, r'\(default: .+\)$')

    @unit.cases(*COMMANDS)
    def test_it_ends_with_two_examples_that_work(self, name):
        parser = parser_of(COMMANDS[name])
        text = parser.format_help()
        _before, _title, examples = text.partition('\nExamples:\n\n')
        lines = [line for line in examples.splitlines() if line[:1] == ' ']
        self.assertEqual(2, len(lines))
        for line in lines:
            _program, *words = shlex.split(line)
            self.assertEqual(['host', 'maintenance', name], words[:3])
            parser.parse_args(words[3:])

    def test_paragraphs_stay_apart(self):
        text = parser_of(drain.DrainHostMaintenance).format_help()
        self.assertIn('to continue.\n\nExit code: 0 if', text)

    @unit.cases(
        # the command, what its help says
        *[
            ('drain', words)
            for words in (
                *('0 if every host is drained', '3 if servers are left'),
                *('1 if', '4 if --timeout', '130 if it was interrupted'),
                *('--parallel <n>', '--timeout <duration>', '--save-names'),
                *('--dry-run', '--skip-capacity-check', '--leave-stopped'),
                *('--evacuate', '--fenced', 'You vouch', 'have died'),
                *('local disks', '0 if all would move and fit, 3 if not'),
            )
        ],
        ('drain', 'Code, Reason, Attempts, Seconds. With --dry-run: Server'),
        ('show', 'Keys of -f json: host, mode,'),
        ('list', 'Availability Zone, Age, Hypervisor Type.'),
        ('restore', '{as-left,live,live-or-cold,cold,leave}'),
        ('set', '--reason <text>'),
        ('set', '<host>'),
        ('set', 'by its exact name'),
        ('unset', '--force'),
    )
    def test_words(self, name, words):
        text = parser_of(COMMANDS[name]).format_help()
        self.assertIn(words, ' '.join(text.split()))

    @unit.cases(
        # the command, the defaults of its options
        (
            'drain',
            {
                '--running': 'live',
                '--stopped': 'cold',
                '--suspended': 'leave',
                '--shelved': 'offload',
                '--resized': 'leave',
                '--retries': '2',
                '--on-stall': 'wait',
                '--stall-after': '10m',
                '--spread': 'balance',
                '--max-failures': '3',
                '--parallel-per-destination': 'no limit',
            },
        ),
        (
            'restore',
            {'--since': '7d', '--running': 'as-left', '--parallel': '4'},
        ),
    )
    def test_defaults(self, name, expected):
        found = {
            option: self.formatter._expand_help(action)
            for action in parser_of(COMMANDS[name])._actions
            for option in action.option_strings
        }
        for option, default in expected.items():
            self.assertIn(f'(default: {default})', found[option])


class TestUsage(shell.CommandTestCase):
    @unit.cases(
        # the command, what is typed, what is said
        *[(name, '', '<host>') for name in COMMANDS if name != 'list'],
        ('drain', '--running slowly cmp01', "'live-or-cold'"),
        ('drain', '--stopped live cmp01', "'cold'"),
        ('drain', '--suspended cold cmp01', "'resume'"),
        ('drain', '--shelved cold cmp01', "'offload'"),
        ('drain', '--resized revert cmp01', "'confirm'"),
        ('drain', '--on-stall fail cmp01', "'force-complete'"),
        ('drain', '--spread evenly cmp01', "'balance'"),
        ('drain', '--avoid cmp02, cmp01', 'the name of a host is empty'),
        ('drain', '--avoid @none cmp01', "cannot read 'none': No such file"),
        ('drain', '--parallel 0 cmp01', 'at least 1'),
        ('drain', '--parallel-per-destination 0 cmp01', 'at least 1'),
        ('drain', '--retries -1 cmp01', '--retries'),
        ('drain', '--retries two cmp01', 'at least 0'),
        ('drain', '--stall-after 0 cmp01', '15m'),
        ('drain', '--server-timeout soon cmp01', '15m'),
        ('drain', '--timeout soon cmp01', '15m'),
        ('list', '--mode broken', "'broken'"),
        ('list', '--all --mode disabled', 'not allowed with'),
        ('list', 'cmp01', 'cmp01'),
        ('restore', 'cmp01 --since soon', 'nor a time in the past'),
        ('restore', 'cmp01 --parallel 0', 'at least 1'),
        ('restore', 'cmp01 --suspended shelve', 'invalid choice'),
        ('restore', 'cmp01 --to cmp02', 'unrecognized'),
        ('restore', 'cmp01 --evacuate', 'unrecognized'),
        ('restore', 'cmp01 --avoid cmp02', 'unrecognized'),
        ('set', 'cmp01 --reason', '--reason'),
        ('show', 'cmp01 cmp02', 'cmp02'),
        ('unset', 'cmp01 --reason x', '--reason'),
    )
    def test_is_refused(self, name, arguments, words):
        self.command = COMMANDS[name]
        self.assert_usage(arguments, words)
