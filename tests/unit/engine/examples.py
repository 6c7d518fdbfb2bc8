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

"""How many drains, evacuations and restores are drawn at random.

``SCENARIOS=10000`` plays so many of each module's, others every time.
"""

import os

import hypothesis

#: Of each kind, the same ones on every run, unless somebody asks for more.
FEW = 30


def shared_by(tests: int) -> hypothesis.settings:
    """Return the settings of each of the tests of a module."""
    wanted = os.environ.get('SCENARIOS')
    return hypothesis.settings(
        max_examples=-(-int(wanted) // tests) if wanted else FEW,
        derandomize=not wanted,
        database=None,
        print_blob=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
