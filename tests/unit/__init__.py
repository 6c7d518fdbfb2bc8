# SPDX-License-Identifier: Apache-2.0

"""Tests without a cloud.

The same examples on every run: a failure in a gate must be one here, too.
Long runs look at more of them: EXAMPLES=20 at twenty times as many.
"""

import os

import hypothesis

_MORE = float(os.environ.get('EXAMPLES', '1'))


def examples(number: int) -> int:
    """Return how many examples a test looks at in this run.

    :param number: in an ordinary one.
    """
    return max(1, round(number * _MORE))


hypothesis.settings.register_profile(
    'unit',
    derandomize=True,
    deadline=None,
    max_examples=examples(100),
    database=None,
)
hypothesis.settings.load_profile('unit')
