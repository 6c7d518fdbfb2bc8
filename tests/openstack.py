# SPDX-License-Identifier: Apache-2.0

"""``python -m tests.openstack``: the real command, which waits less.

All durations of ``osc_hostmaint.planning.timing`` are multiplied by the
environment's ``TIMING_FACTOR`` (1 where it is not set); all else is as in the
``openstack`` script, which takes the same arguments.
"""

import os
import sys

from openstackclient import shell

from tests import scaling

#: The environment variable with the factor.
FACTOR = 'TIMING_FACTOR'


def main() -> int:
    """Run the command, and return its exit code."""
    # The name in what --help says.
    sys.argv[0] = 'openstack'
    with scaling.scaled(float(os.environ.get(FACTOR, '1'))):
        return shell.main()


if __name__ == '__main__':
    sys.exit(main())
