# SPDX-License-Identifier: Apache-2.0

"""What the simulated Nova and a real one must do alike.

Each script in :mod:`tests.conformance.scripts` is played with both, through
the same gateway methods that a drain uses.
"""
