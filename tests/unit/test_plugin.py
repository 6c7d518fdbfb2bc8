# SPDX-License-Identifier: Apache-2.0

"""OpenStackClient's way in."""

import argparse
from importlib import metadata
from unittest import mock

from osc_hostmaint import plugin
from tests import unit


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
                'host_maintenance_restore',
            },
            set(found.names),
        )
        for point in found:
            with self.subTest(point.name):
                self.assertTrue(callable(point.load()))
