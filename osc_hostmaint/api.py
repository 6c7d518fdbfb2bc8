# SPDX-License-Identifier: Apache-2.0

"""The public Python API: the verbs of the shell, for programs.

The shell's commands are its first user::

    import openstack
    from osc_hostmaint import api

    maintenance = api.Maintenance(openstack.connect(cloud='prod'))
    result = maintenance.drain(['cmp01'], reason='kernel update')
    for row in result.rows:
        print(row.name, row.result, row.destination)
"""

from openstack import connection

from osc_hostmaint.nova import gateway
from osc_hostmaint.operations import drain
from osc_hostmaint.operations import restore


class Maintenance(drain.Draining, restore.Restoring):
    """Takes compute hosts out of service and puts them back.

    Every method takes exact names of hosts, as ``openstack compute service
    list`` shows them, and raises :class:`exceptions.HostMaintenanceError`.
    All are idempotent: asking for what already is so is a success.
    """

    def __init__(self, conn: connection.Connection):
        """:param conn: to the cloud, as a user who administers Nova.

        Its session gets a time-out of 90 s if it has none (``api_timeout``).
        """
        super().__init__(gateway.Gateway(conn))
