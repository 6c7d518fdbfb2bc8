# SPDX-License-Identifier: Apache-2.0

"""What others come in by: the public API, and OpenStackClient's plugin."""

import argparse
import dataclasses
from importlib import metadata
import inspect
import pathlib
import re
from unittest import mock

from osc_lib import exceptions as osc_exceptions

from osc_hostmaint import api
from osc_hostmaint import exceptions
from osc_hostmaint import plugin
from tests import unit

DOCS = pathlib.Path(__file__).parents[2] / 'doc/source/user/api.rst'


class TestNames(unit.TestCase):
    def test_every_public_name_is_importable(self):
        for name in api.__all__:
            self.assertTrue(hasattr(api, name), name)

    def test_no_other_name_is_made_up(self):
        with self.assertRaisesRegex(AttributeError, 'Nothing'):
            api.Nothing  # noqa: B018

    def test_every_exception_is_public(self):
        defined = {
            name
            for name, member in inspect.getmembers(exceptions, inspect.isclass)
            if member.__module__ == exceptions.__name__
        }
        self.assertEqual(set(), defined - set(api.__all__))

    def test_docs_have_every_class_and_no_other_path(self):
        paths = re.findall(r'osc_hostmaint\.([\w.]+)', DOCS.read_text())
        documented = {p.split('.')[1] for p in paths if p.startswith('api.')}
        self.assertEqual(set(), {p for p in paths if p.split('.')[0] != 'api'})
        for name in ('PreviewRow', 'PlanRow'):
            fields = {f.name for f in dataclasses.fields(getattr(api, name))}
            of_rows = {p.split('.')[2] for p in paths if f'.{name}.' in p}
            self.assertEqual(set(), fields - of_rows)
        # Signatures spell these two out.
        self.assertEqual({'Confirm', 'Since'}, set(api.__all__) - documented)


class TestExitCode(unit.TestCase):
    def test_codes_are_the_documented_ones(self):
        self.assertEqual(
            {
                'DONE': 0,
                'FAILED': 1,
                'USAGE': 2,
                'LEFT': 3,
                'TIMEOUT': 4,
                'INTERRUPTED': 130,
            },
            {code.name: code.value for code in exceptions.ExitCode},
        )


class TestErrors(unit.TestCase):
    def test_osc_shows_each_as_one_line(self):
        """OSC prints a CommandError's message, and no traceback."""
        for error in (
            exceptions.UnknownHost('no such host'),
            exceptions.Refused('no such host'),
            exceptions.InvalidMark('no such host'),
            exceptions.NotPermitted('no such host'),
            exceptions.Unavailable('no such host'),
            exceptions.ApiTooOld('no such host'),
        ):
            with self.subTest(type(error).__name__):
                self.assertIsInstance(error, osc_exceptions.CommandError)
                self.assertEqual('no such host', str(error))

    def test_no_answer_is_a_doubt_unless_it_says_otherwise(self):
        self.assertTrue(exceptions.Unavailable('').in_doubt)
        self.assertFalse(exceptions.Unavailable('', in_doubt=False).in_doubt)


class TestPlugin(unit.TestCase):
    def test_osc_finds_what_it_reads_unconditionally(self):
        self.assertEqual('hostmaint', plugin.API_NAME)
        self.assertEqual('os_hostmaint_api_version', plugin.API_VERSION_OPTION)
        self.assertIn(plugin.DEFAULT_API_VERSION, plugin.API_VERSIONS)

    def test_no_global_option_is_added(self):
        """One of ours could take the place of somebody else's."""
        parser = argparse.ArgumentParser()
        before = parser.format_help()
        self.assertIs(parser, plugin.build_option_parser(parser))
        self.assertEqual(before, parser.format_help())

    def test_client_is_the_public_api_on_oscs_connection(self):
        instance = mock.Mock()
        with mock.patch('osc_hostmaint.api.Maintenance') as maintenance:
            client = plugin.make_client(instance)
        maintenance.assert_called_once_with(instance.sdk_connection)
        self.assertIs(maintenance.return_value, client)


class TestEntryPoints(unit.TestCase):
    def test_extension_is_registered(self):
        found = metadata.entry_points(
            group='openstack.cli.extension', name='hostmaint'
        )
        self.assertEqual([plugin], [point.load() for point in found])

    def test_every_command_can_be_loaded(self):
        found = metadata.entry_points(group='openstack.hostmaint.v1')

        self.assertEqual(
            {
                'host_maintenance_set',
                'host_maintenance_unset',
                'host_maintenance_show',
                'host_maintenance_list',
                'host_maintenance_drain',
                'host_maintenance_plan',
                'host_maintenance_restore',
            },
            set(found.names),
        )
        for point in found:
            with self.subTest(point.name):
                self.assertTrue(callable(point.load()))
