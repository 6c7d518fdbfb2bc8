# SPDX-License-Identifier: Apache-2.0

"""Where every server is and how it is, straight from the databases."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

from nova.api.openstack import common

_QUERY = """
    SELECT uuid, host, vm_state, task_state FROM instances WHERE deleted = 0
"""


class View:
    """What tests wait on.

    A look costs a millisecond, the same from the API a hundred: on a machine
    with two cores, waiting by the API would slow down what is waited for.
    """

    def __init__(self, api: str, cells: list[str]) -> None:
        """:param api, cells: the database files."""
        self._api = api
        self._cells = cells

    def look(self) -> dict[str, dict[str, Any]]:
        """Servers by id; one that no cell has yet is in BUILD."""
        found = {}
        for (server,) in self._read(
            self._api, 'SELECT instance_uuid FROM build_requests'
        ):
            found[server] = {
                'host': None,
                'status': 'BUILD',
                'task_state': 'scheduling',
            }
        for cell in self._cells:
            for server, host, vm_state, task_state in self._read(cell, _QUERY):
                found[server] = {
                    'host': host,
                    'status': common.status_from_state(vm_state, task_state),
                    'task_state': task_state,
                }
        return found

    def ids(self) -> set[str]:
        return set(self.look())

    @staticmethod
    def _read(path: str, query: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(
            sqlite3.connect(f'file:{path}?mode=ro', uri=True, timeout=30)
        ) as connection:
            return connection.execute(query).fetchall()
