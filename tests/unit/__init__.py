# SPDX-License-Identifier: Apache-2.0

"""Tests without a cloud.

The same examples on every run: a failure in a gate must be one here, too.
Long runs look at more of them: EXAMPLES=20 at twenty times as many.
"""

import os
import pathlib
import tempfile
import typing as ty
import unittest

import ddt
import hypothesis

_MORE = float(os.environ.get('EXAMPLES', '1'))


def examples(number: int) -> int:
    """Return how many examples a test looks at, by default so many."""
    return max(1, round(number * _MORE))


class TestCase(unittest.TestCase):
    """Tests, of which each may run for several cases."""

    def __init_subclass__(cls, **kwargs: ty.Any) -> None:
        super().__init_subclass__(**kwargs)
        ddt.ddt(cls)

    def new_folder(self) -> pathlib.Path:
        """Return a folder that is there until the test ends."""
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))


def cases(*rows: ty.Any) -> ty.Callable[..., ty.Any]:
    """Run a test once for each row; a tuple is all of its arguments."""
    unpacked = any(isinstance(row, tuple) for row in rows)

    def decorate(test: ty.Callable[..., None]) -> ty.Callable[..., None]:
        return ddt.data(*rows)(ddt.unpack(test) if unpacked else test)

    return decorate


#: The same, with a name before the arguments, which the test's name ends with.
named_cases = ddt.named_data

hypothesis.settings.register_profile(
    'unit',
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    database=None,
)
hypothesis.settings.load_profile('unit')
