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

"""The mutants apply to the code as it is."""

import unittest

from tests.mutants import run


class TestMutants(unittest.TestCase):
    def test_every_patch_applies(self):
        mutants = run.mutants()
        self.assertTrue(mutants)
        for mutant in mutants:
            with self.subTest(mutant.slug):
                source = (run.ROOT / mutant.path).read_text()
                self.assertNotEqual(source, mutant.applied(source))
