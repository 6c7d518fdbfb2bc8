# SPDX-License-Identifier: Apache-2.0

"""A real Nova does what the scripts say that the simulated one does."""

import concurrent.futures
import queue
import typing as ty
import unittest

import ddt
import pytest

from tests import cloud as clouds
from tests.conformance import embedded
from tests.conformance import scripts
from tests.functional import base

#: The modules whose scripts take minutes.
SLOW = frozenset({'deaths', 'destinations', 'evacuations'})


class Conformance(unittest.TestCase):
    """The scripts of a module are played side by side, each in a zone."""

    cloud: ty.ClassVar[clouds.Cloud]
    zones: ty.ClassVar['queue.SimpleQueue[embedded.Zone]']

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.cloud = clouds.Cloud.start(cache=base.CACHE, **embedded.OPTIONS)
        cls.addClassCleanup(cls.cloud.stop)
        cls.zones = queue.SimpleQueue()
        for number in range(embedded.ZONES):
            cls.zones.put(embedded.Zone(cls.cloud, number))

    def play_all(self, module: str) -> None:
        """Play all scripts of a module, and tell which of them fail."""
        with concurrent.futures.ThreadPoolExecutor(embedded.ZONES) as pool:
            played = {
                name: pool.submit(self.play, script)
                for name, script in scripts.of(module).items()
            }
        for name, future in played.items():
            with self.subTest(name):
                future.result()

    def play(self, script: scripts.Script) -> None:
        """Play a script in a zone that is free."""
        zone = self.zones.get()
        try:
            zone.begin()
            script(zone)
        finally:
            try:
                zone.end()
            finally:
                self.zones.put(zone)


@ddt.ddt
class TestConformance(Conformance):
    @ddt.data(*sorted(set(scripts.MODULES) - SLOW))
    def test_scripts(self, module: str) -> None:
        self.play_all(module)


@pytest.mark.soak
@ddt.ddt
class TestSlowConformance(Conformance):
    @ddt.data(*sorted(SLOW))
    def test_scripts(self, module: str) -> None:
        self.play_all(module)
