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
