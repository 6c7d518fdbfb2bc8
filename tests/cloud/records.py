# SPDX-License-Identifier: Apache-2.0

"""What Nova and Placement have written down: read it, and wipe it.

Straight in the databases: a server takes Nova a tenth of a second to delete,
and its API never deletes what has been (migrations, instance actions).
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import Any

from nova import context as nova_context
from nova import objects
from nova.db.api import api as api_database
from nova.db.main import api as cell_database
import sqlalchemy

_ALL_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
# Tables whose rows do not come from what tests do. Aggregates are left to
# Nova's API, which tells Placement and the scheduler.
_LASTING = {
    'aggregate_hosts',
    'aggregate_metadata',
    'aggregates',
    'alembic_version',
    'cell_mappings',
    'compute_nodes',
    'flavors',
    'host_mappings',
    'services',
}
# What is the same of all clouds that are as new: by database, and by a name
# for messages.
_API = {
    'flavors': 'SELECT flavorid, name, memory_mb, vcpus, root_gb FROM flavors',
    'host mappings': 'SELECT host FROM host_mappings',
    'aggregates': 'SELECT name FROM aggregates',
}
_CELL = {
    'services': """
        SELECT host, disabled, disabled_reason, forced_down FROM services
        WHERE deleted = 0 AND binary = 'nova-compute'
    """,
    'compute nodes': """
        SELECT host, hypervisor_hostname, uuid, vcpus, memory_mb, local_gb,
            vcpus_used, memory_mb_used, local_gb_used, running_vms
        FROM compute_nodes WHERE deleted = 0
    """,
}
_PLACEMENT = {
    'inventories': """
        SELECT p.name, p.uuid, c.name, i.total, i.reserved, i.min_unit,
            i.max_unit, i.step_size, i.allocation_ratio
        FROM resource_providers p
        LEFT JOIN inventories i ON i.resource_provider_id = p.id
        LEFT JOIN resource_classes c ON c.id = i.resource_class_id
    """,
    'traits': """
        SELECT p.name, t.name FROM resource_provider_traits r
        JOIN resource_providers p ON r.resource_provider_id = p.id
        JOIN traits t ON r.trait_id = t.id
    """,
    'provider aggregates': """
        SELECT p.name, a.aggregate_id FROM resource_provider_aggregates a
        JOIN resource_providers p ON a.resource_provider_id = p.id
    """,
    'allocations': 'SELECT consumer_id, used FROM allocations',
}


class Records:
    def __init__(self, api: str, cells: dict[str, str], placement: str):
        """To be made when the cloud is new.

        :param api, placement: the database files.
        :param cells: those of the cells, by the cell's name.
        """
        self._files = {'api': api, **cells, 'placement': placement}
        self._cells = list(cells)
        self._tables = {
            name: [
                table
                for (table,) in self._read(name, _ALL_TABLES)
                if table not in _LASTING
            ]
            for name in ('api', *cells)
        }
        flavors = self._read('api', 'SELECT flavorid FROM flavors')
        self._flavors = ', '.join(f"'{flavor}'" for (flavor,) in flavors)

    def read(self) -> dict[str, Any]:
        """What is written down, for a comparison."""
        found: dict[str, Any] = {
            title: sorted(
                (row for name in names for row in self._read(name, query)),
                key=repr,
            )
            for names, queries in (
                (['api'], _API),
                (self._cells, _CELL),
                (['placement'], _PLACEMENT),
            )
            for title, query in queries.items()
        }
        for name in self._tables:
            for table in self._filled(name):
                found[f'{name}: {table}'] = 'not empty'
        return found

    def wipe(self) -> None:
        """Forget all servers, and everything that ever was about servers."""
        context = nova_context.get_admin_context()
        # By Nova's own sessions: their writers wait for one another.
        with api_database.context_manager.writer.using(context) as session:
            self._empty(session, 'api')
            session.execute(
                sqlalchemy.text(
                    'DELETE FROM flavors WHERE flavorid NOT IN'
                    f' ({self._flavors})'
                )
            )
        for cell in objects.CellMappingList.get_all(context):
            with (
                nova_context.target_cell(context, cell) as inside,
                cell_database.get_context_manager(inside).writer.using(
                    inside
                ) as session,
            ):
                self._empty(session, cell.name)
        # Nova is at rest, so that nobody else writes to it.
        with contextlib.closing(
            sqlite3.connect(self._files['placement'], timeout=60)
        ) as connection:
            for table in ('allocations', 'consumers'):
                connection.execute(f'DELETE FROM {table}')
            connection.commit()

    def _empty(self, session: Any, name: str) -> None:
        for table in self._filled(name):
            session.execute(sqlalchemy.text(f'DELETE FROM "{table}"'))

    def _filled(self, name: str) -> list[str]:
        """The tables that should be empty, and are not."""
        looks = (
            f'SELECT \'{table}\' WHERE EXISTS (SELECT 1 FROM "{table}")'
            for table in self._tables[name]
        )
        return [table for (table,) in self._read(name, *looks)]

    def _read(self, name: str, *queries: str) -> list[tuple[Any, ...]]:
        path = self._files[name]
        with contextlib.closing(
            sqlite3.connect(f'file:{path}?mode=ro', uri=True, timeout=30)
        ) as connection:
            return [
                row for query in queries for row in connection.execute(query)
            ]
