# SPDX-License-Identifier: Apache-2.0

"""The mutants apply to the code as it is."""

from tests import unit
from tests.mutants import run


class TestMutants(unit.TestCase):
    def test_every_patch_applies(self):
        mutants = run.mutants()
        self.assertTrue(mutants)
        for mutant in mutants:
            with self.subTest(mutant.slug):
                source = (run.ROOT / mutant.path).read_text()
                self.assertNotEqual(source, mutant.applied(source))
