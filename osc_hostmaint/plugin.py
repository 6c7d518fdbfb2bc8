# SPDX-License-Identifier: Apache-2.0

"""OpenStackClient's way in: found by the ``openstack.cli.extension`` group.

OSC imports this module for every command, before it parses the command line,
and reads the names below unconditionally.
"""

import argparse
import typing as ty

if ty.TYPE_CHECKING:
    from osc_hostmaint import api

API_NAME = 'hostmaint'
API_VERSION_OPTION = 'os_hostmaint_api_version'
API_VERSIONS = ('1',)
DEFAULT_API_VERSION = '1'


def make_client(instance: ty.Any) -> 'api.Maintenance':
    """Return the client of the commands: the public API of this package.

    :param instance: OSC's client manager.
    :returns: a :class:`osc_hostmaint.api.Maintenance` on OSC's connection.
    """
    # Our commands call this, not ``client_manager.hostmaint``: OSC caches that
    # on the class, so an interactive shell would keep the first login's.
    # Imported late: every ``openstack`` command imports this module.
    from osc_hostmaint import api

    return api.Maintenance(instance.sdk_connection)


def build_option_parser(
    parser: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add no global option: there is one version of these commands."""
    return parser
