#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""OpenStackClient's way in: found by the ``openstack.cli.extension`` group.

OSC imports this module for every command, before it parses the command line,
and reads the names below unconditionally.
"""

import argparse
import typing as ty

API_NAME = 'hostmaint'
API_VERSION_OPTION = 'os_hostmaint_api_version'
API_VERSIONS = ('1',)
DEFAULT_API_VERSION = '1'


def make_client(instance: ty.Any) -> ty.Any:
    """Return the client of the commands: the public API of this package.

    :param instance: OSC's client manager.
    :returns: a :class:`osc_hostmaint.api.Maintenance` on OSC's connection.
    """
    # Imported late: every ``openstack`` command imports this module.
    from osc_hostmaint import api

    return api.Maintenance(instance.sdk_connection)


def build_option_parser(
    parser: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    """Add no global option: there is one version of these commands."""
    return parser
