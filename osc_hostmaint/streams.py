# SPDX-License-Identifier: Apache-2.0

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
