# SPDX-License-Identifier: Apache-2.0

"""Dry runs of the embedded cloud, and how much its hosts hold."""

import typing as ty

from tests.functional import base

PREVIEW_COLUMNS = [
    'Server ID',
    'Name',
    'Host',
    'Status',
    'Move',
    'Wish',
    'Fits',
    'Candidates',
    'Code',
    'Reason',
]


class ForecastTest(base.FunctionalTest):
    """Looks ahead at the drain of one of four hosts."""

    def preview(
        self, line: str, code: int = 0
    ) -> tuple[dict[str, dict[str, ty.Any]], str]:
        """The rows of a dry run by server's name, and what it says."""
        done = self.run_command(
            f'host maintenance drain --dry-run -f json {line}'
        )
        self.assertEqual(code, done.code, done.err)
        for row in done.json:
            self.assertEqual(PREVIEW_COLUMNS, list(row))
        return {row['Name']: row for row in done.json}, done.err

    def fits(self, line: str, code: int = 0) -> dict[str, str]:
        rows, _said = self.preview(line, code)
        return {name: row['Fits'] for name, row in rows.items()}

    def flavor(self, gib: int, **specs: str) -> str:
        """A flavor of so much memory."""
        return self.cloud.flavor(
            f'{gib}-gib-{len(specs)}', 1, gib << 10, 1, specs
        )

    def fill(self, *free: tuple[str, int]) -> None:
        """Leave so many GiB of memory on each of some hosts."""
        for host, gib in free:
            self.cloud.inventory(
                host, MEMORY_MB={'total': (gib << 10) or 1, 'reserved': 0}
            )

    def everything(self) -> object:
        """All of the cloud that a drain could change."""
        hosts = self.cloud.hosts()
        services = [self.cloud.service(host).to_dict() for host in hosts]
        for service in services:
            # Of the heartbeats.
            del service['updated_at']
        return (
            services,
            [self.cloud.allocations(host) for host in hosts],
            self.cloud.servers(),
            self.cloud.migrations(),
        )
