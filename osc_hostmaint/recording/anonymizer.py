# SPDX-License-Identifier: Apache-2.0

"""Stand-ins for what belongs to tenants: names and addresses.

A diary is made to be sent to somebody else. What is decided depends on no
name, and of addresses only on whether they are the same.
"""

import collections.abc
import ipaddress
import re
import typing as ty

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


class Standins:
    """Gives each address another one of its kind, always the same."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def hide(self, tree: ty.Any) -> ty.Any:
        """Return a JSON value without names, and with other addresses.

        Names are the values of ``name``; addresses are found within longer
        texts, too.
        """
        match tree:
            case str():
                return _ADDRESS.sub(self._other, tree)
            case dict():
                return {
                    key: '' if key == 'name' else self.hide(value)
                    for key, value in tree.items()
                }
            case collections.abc.Sequence():
                return [self.hide(value) for value in tree]
        return tree

    def _other(self, match: re.Match[str]) -> str:
        found = match[0]
        # A colon after an address belongs to the text.
        for text in (found, found.removesuffix(':')):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                continue
            return self._standin(address) + found.removeprefix(text)
        return found

    def _standin(
        self, address: ipaddress.IPv4Address | ipaddress.IPv6Address
    ) -> str:
        number = len(self._known) + 1
        other = str(_BASES[address.version] + number)
        return self._known.setdefault(str(address), other)
