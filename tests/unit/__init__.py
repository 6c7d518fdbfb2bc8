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
