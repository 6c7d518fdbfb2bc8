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

"""The simulated Nova does what a real one does."""

import unittest

import ddt

from tests.conformance import scripts
from tests.conformance import simulated


@ddt.ddt
class ConformanceTestCase(unittest.TestCase):
    @ddt.data(
        *(
            (module, name)
            for module in scripts.MODULES
            for name in scripts.of(module)
        )
    )
    @ddt.unpack
    def test_script(self, module: str, name: str) -> None:
        scripts.of(module)[name](simulated.Simulated())
