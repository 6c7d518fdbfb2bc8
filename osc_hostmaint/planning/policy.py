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

"""What the operator asked for: the options of a drain, as a value."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How to drain. What may not start any more, and why, is part of it."""

    #: At most so many moves in flight per host; None follows Nova.
    parallel: int | None = None
    #: Further attempts for a move that failed, or that Nova refused.
    retries: int = 2
    #: Why nothing new is started any more; '' while it is.
    stop: str = ''
    #: Why nothing is awaited any more either; '' while it is.
    abandon: str = ''
    #: A host is not called drained before this time: a server that was being
    #: scheduled when the host was disabled may arrive a moment later.
    settled_from: float = 0.0
