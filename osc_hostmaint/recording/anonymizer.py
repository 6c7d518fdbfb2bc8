# SPDX-License-Identifier: Apache-2.0

"""Replaces what belongs to tenants: names and addresses.

A recording is made to be sent to somebody else. No decision depends on a
name, and of addresses only on whether they are the same.
"""

import ipaddress
import re
import typing as ty

from osc_hostmaint.planning import tenant_policy

#: Networks that nobody uses (RFC 2544, RFC 3849).
_BASES = {
    4: ipaddress.ip_address('198.18.0.0'),
    6: ipaddress.ip_address('2001:db8::'),
}
_ADDRESS = re.compile(
    r"""
    (?<![\w.:])
    (?: (?:\d{1,3}\.){3}\d{1,3} (?!\.?\w)
      | (?:[0-9A-Fa-f]{0,4}:){2,7}
        (?:(?:\d{1,3}\.){3}\d{1,3} (?!\.?\w) | [0-9A-Fa-f]{0,4} (?![\w:]|\.\d))
    )
    """,
    re.VERBOSE,
)


class Anonymizer:
    """Replaces each address by another one, everywhere the same."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def hide(self, tree: ty.Any) -> ty.Any:
        """Return a JSON value without names, and with other addresses.

        Names are the values of ``name``, and of ``wish`` where that is free
        text; addresses are also found within longer texts.
        """
        match tree:
            case str():
                return _ADDRESS.sub(self._replaced, tree)
            case dict():
                return {
                    key: _HIDDEN.get(key, self.hide)(value)
                    for key, value in tree.items()
                }
            case list() | tuple():
                return [*map(self.hide, tree)]
        return tree

    def _replaced(self, match: re.Match[str]) -> str:
        found = match[0]
        # A colon after an address belongs to the text.
        for text in (found, found.removesuffix(':')):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                continue
            other = str(_BASES[address.version] + len(self._known) + 1)
            other = self._known.setdefault(str(address), other)
            return other + found.removeprefix(text)
        return found


def _nameless(name: ty.Any) -> ty.Any:
    """Return what stands for a name, or for one that has changed."""
    return [''] * len(name) if isinstance(name, list | tuple) else ''


def _known(wish: ty.Any) -> ty.Any:
    """Return a wish, or one that has changed, without any text of a tenant."""
    if isinstance(wish, list | tuple):
        return [*map(_known, wish)]
    return wish if wish in tenant_policy.KNOWN else ''


_HIDDEN = {'name': _nameless, 'wish': _known}
