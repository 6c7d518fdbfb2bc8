# SPDX-License-Identifier: Apache-2.0

"""Who may do what: the policies of Nova and Placement."""

from __future__ import annotations

from collections import abc
import pathlib

from oslo_policy import policy

_EXAMPLES = (
    pathlib.Path(__file__).parents[2] / 'doc' / 'source' / 'user' / 'examples'
)


def example(service: str) -> pathlib.Path:
    """The policy file of the guide, which the cloud has."""
    return _EXAMPLES / f'{service}-policy.yaml'


class Rules:
    """A service's rules, of which a test may change some."""

    def __init__(self, enforcer: policy.Enforcer) -> None:
        self._enforcer = enforcer
        self._usual = enforcer.rules

    def change(self, wanted: abc.Mapping[str, str]) -> None:
        """Have rules differ from the usual ones, these and no others.

        All at once: requests are judged meanwhile.

        :param wanted: by policy; '!' allows it to nobody, '@' to everybody.
        :raises ValueError: the service does not know one of the policies.
        """
        unknown = sorted(set(wanted) - set(self._usual))
        if unknown:
            raise ValueError(f'no such policies: {unknown}')
        changed = policy.Rules.from_dict(wanted)
        self._enforcer.rules = policy.Rules(
            {**self._usual, **changed}, self._usual.default_rule
        )
