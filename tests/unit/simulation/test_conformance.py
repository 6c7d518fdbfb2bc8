# SPDX-License-Identifier: Apache-2.0

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
