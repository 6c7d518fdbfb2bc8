# SPDX-License-Identifier: Apache-2.0

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
