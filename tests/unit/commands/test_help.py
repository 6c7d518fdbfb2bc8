# SPDX-License-Identifier: Apache-2.0

"""What ``openstack help`` shows of our commands."""

import shlex
import types
import unittest

import ddt
from osc_lib.command import command as osc_command

from osc_hostmaint.commands import drain
from osc_hostmaint.commands import help_texts
from osc_hostmaint.commands import mark
from osc_hostmaint.commands import restore
from osc_hostmaint.commands import status
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


@ddt.ddt
class TestHelp(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.formatter = help_texts.Formatter('openstack', width=WIDTH)

    def lines(self, text, width=WIDTH):
        return self.formatter._split_lines(text, width)

    @ddt.data(*COMMANDS)
    def test_what_it_does_fits_two_lines(self, name):
        self.assertLessEqual(
            len(self.lines(parser_of(COMMANDS[name]).description)), 2
        )

    @ddt.data(*COMMANDS)
    def test_an_option_fits_two_lines_and_ends_with_its_default(self, name):
        for action in parser_of(COMMANDS[name])._actions:
            if CLIFFS.intersection(action.option_strings):
                continue
            with self.subTest(option=action.option_strings):
                text = self.formatter._expand_help(action)
                self.assertLessEqual(len(self.lines(text, OPTION_WIDTH)), 2)
                if action.option_strings:
                    self.assertRegex(text, r'\(default: .+\)$')

    @ddt.data(*COMMANDS)
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


class TestNotes(shell.CommandTestCase):
    command = drain.DrainHostMaintenance

    def test_paragraphs_stay_apart(self):
        command, _parsed = self.parse('cmp01')
        text = command.get_parser('openstack').format_help()
        self.assertIn('to continue.\n\nExit code: 0 if', text)
