# SPDX-License-Identifier: Apache-2.0

"""Text from tenants: harmless for a terminal, and in an order for people."""

import re

from osc_hostmaint.i18n import _


def printable(text: str) -> str:
    """Return the text with everything that could act on a terminal escaped.

    Control characters, escape sequences, bidirectional and zero-width marks
    become visible ``\\x1b`` or ``\\u202e``; ordinary letters of any script
    stay as they are. For people only: machines get the text intact.
    """
    return ''.join(
        c if c.isprintable() else c.encode('unicode_escape').decode('ascii')
        for c in text
    )


def natural(name: str) -> tuple[str | int, ...]:
    """Return a key that sorts names as people count: vm2 before vm10."""
    # Every second part is a number, so that equal places can be compared.
    parts = re.split(r'([0-9]+)', name)
    return tuple(int(p) if i % 2 else p for i, p in enumerate(parts))


def width(text: str) -> int:
    """Return how many columns a text takes on a terminal.

    East Asian characters take two, combining ones none.
    """
    # Every openstack command imports this module; few come here.
    from unicodedata import combining
    from unicodedata import east_asian_width

    return sum(
        (2 if east_asian_width(c) in 'WF' else 1)
        for c in text
        if not combining(c)
    )


def shorten(text: str, columns: int) -> str:
    """Return the text, cut so that it takes so many columns at the most.

    A cut shows as ``…``. For people only.
    """
    taken = 0
    fits = 0
    for i, c in enumerate(text):
        taken += width(c)
        if taken > columns:
            return f'{text[:fits]}…'
        if taken < columns:
            # Room is left for the mark of the cut.
            fits = i + 1
    return text


def in_general(reason: str, server_id: str) -> str:
    """Return a reason of one server as it is for others as well."""
    return reason.replace(server_id, _('<server>'))


def copied(remaining: int, total: int) -> str:
    """Return in words how much was copied, of bytes."""
    gib = 2**30
    done = max(0, total - remaining)
    return f'{done / gib:.1f} of {total / gib:.1f} GiB'
