# SPDX-License-Identifier: Apache-2.0

"""What hosts have room for, and what servers take of it."""

import collections
from collections import abc
import dataclasses

VCPU = 'VCPU'
MEMORY_MB = 'MEMORY_MB'
DISK_GB = 'DISK_GB'

#: Amounts by resource class.
Amounts = abc.Mapping[str, int]

#: More than any test fills.
ROOMY: Amounts = {VCPU: 10**6, MEMORY_MB: 10**9, DISK_GB: 10**7}
#: What a consumer holds of which nothing else is known.
LEAST: Amounts = {VCPU: 1}


def needed(memory_mb: int, *, volume_backed: bool) -> Amounts:
    """Return what a server of a size takes, its disk only if it is local."""
    amounts = {VCPU: max(1, memory_mb // 2048), MEMORY_MB: memory_mb}
    if not volume_backed:
        amounts[DISK_GB] = max(1, memory_mb // 512)
    return amounts


@dataclasses.dataclass(eq=False)
class Inventory:
    """What a host has, and what allocations take of it."""

    capacity: dict[str, int] = dataclasses.field(
        default_factory=lambda: dict(ROOMY)
    )
    used: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )

    def fits(self, amounts: Amounts) -> bool:
        """Tell whether there is room; for nothing there always is."""
        return all(
            self.used[name] + amount <= self.capacity.get(name, 0)
            for name, amount in amounts.items()
            if amount
        )

    def take(self, amounts: Amounts) -> None:
        self.used.update(amounts)

    def give_back(self, amounts: Amounts) -> None:
        self.used.subtract(amounts)
