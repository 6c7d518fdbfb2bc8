# SPDX-License-Identifier: Apache-2.0

"""The simulated Nova does what a real one does."""

from tests import unit
from tests.conformance import scripts
from tests.conformance import simulated


class ConformanceTestCase(unit.TestCase):
    @unit.cases(
        *(
            (module, name)
            for module in scripts.MODULES
            for name in scripts.of(module)
        )
    )
    def test_script(self, module: str, name: str) -> None:
        scripts.of(module)[name](simulated.Simulated())
