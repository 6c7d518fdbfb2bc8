# SPDX-License-Identifier: Apache-2.0

"""The guide's table of rights, and which of them a request needs."""

import csv
import dataclasses
import functools
import itertools
import pathlib

from tests.cloud import traffic

TABLE = (
    pathlib.Path(__file__).parents[2]
    / 'doc'
    / 'source'
    / 'user'
    / 'rights.csv'
)
#: What stands for the id, or the like, that follows in a path.
_IDS = {
    'servers': '<server>',
    'migrations': '<migration>',
    'os-instance-actions': '<request>',
    'os-services': '<service>',
    'os-hypervisors': '<hypervisor>',
    'resource_providers': '<provider>',
    'tags': '<tag>',
}
#: What all services tell everybody: their versions.
_OPEN = frozenset({'GET /', 'GET /v3'})


@dataclasses.dataclass(frozen=True)
class Right:
    """A row: what some commands do without a right."""

    service: str
    policy: str
    request: str
    commands: tuple[str, ...]
    outcome: str
    printed: str

    @property
    def template(self) -> str:
        """The request, as :func:`template` has it."""
        return self.request.partition(', ')[0].partition('?')[0]


@functools.cache
def table() -> tuple[Right, ...]:
    """The rows of the table."""
    with TABLE.open(newline='') as file:
        text = file.read().replace('``', '')
    rows = [list(row.values()) for row in csv.DictReader(text.splitlines())]
    return tuple(
        Right(*row[:3], tuple(row[3].split(', ')), *row[4:]) for row in rows
    )


def template(request: traffic.Request) -> str:
    """A request as the table has it, with names for ids."""
    words = request.path.removeprefix('/v2.1').strip('/').split('/')
    for number, (before, word) in enumerate(itertools.pairwise(words), 1):
        if before in _IDS and word != 'detail':
            words[number] = _IDS[before]
    action = f' ({request.action})' if request.action else ''
    return f'{request.method} /{"/".join(words)}{action}'


def unknown(log: list[traffic.Request]) -> set[str]:
    """The requests that the table does not have."""
    asked = {template(request) for request in log}
    return asked - {right.template for right in table()} - _OPEN
