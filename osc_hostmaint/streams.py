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

"""Standard streams that may be gone: closed terminals, pipes nobody reads."""

import os
import typing as ty


def settle(stream: ty.TextIO | None) -> None:
    """Flush a stream, once everything is written to it.

    What a broken one still holds goes nowhere from now on. Otherwise Python
    would try again as it exits, complain, and end with a code of its own.

    :raises OSError: the stream is broken.
    """
    if stream is None:
        # Closed before Python began (``2>&-``).
        return
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        raise


def descriptor(stream: ty.TextIO | None) -> int | None:
    """Return a stream's file descriptor, None where it has none."""
    try:
        return stream.fileno() if stream else None
    except (OSError, ValueError):
        # Not a file, or closed.
        return None
