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

"""From a command to the public API, which is slow to import."""

import typing as ty

if ty.TYPE_CHECKING:
    from osc_lib import shell

    from osc_hostmaint import api


def maintenance(app: 'shell.OpenStackShell') -> 'api.Maintenance':
    """Return the public API on the connection of OSC's shell."""
    from osc_hostmaint import api

    # Not client_manager.compute: OSC caches that on the class, so an
    # interactive shell would keep the first login's.
    return api.Maintenance(app.client_manager.sdk_connection)
