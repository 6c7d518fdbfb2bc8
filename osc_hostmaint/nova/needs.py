# SPDX-License-Identifier: Apache-2.0

"""What a server asks of its host, read from Nova's JSON.

Nova's scheduler is asked again at every move for what was asked for at the
server's creation: by its flavor, its image, hints and a zone. What follows
from Placement's numbers or traits can be foreseen; the rest is only named.
"""

import collections
from collections import abc
import re
import typing as ty

from osc_hostmaint import model

_Texts = abc.Mapping[str, str]

#: Extra specs for Placement, with the name of a group of them or without
#: (nova/scheduler/utils.py: ResourceRequest).
_FOR_PLACEMENT = re.compile(r'(resources|trait)(?:[a-zA-Z0-9_-]{1,64})?:(.*)')
_FOR_AGGREGATES = 'aggregate_instance_extra_specs:'

_ANY: frozenset[str] = frozenset()
_TRUE = frozenset({'1', 't', 'true', 'on', 'y', 'yes'})
#: Extra specs that only the scheduler can judge, with the values that matter.
#: An image has most of them as properties, with _ for the colon.
_UNCHECKED: abc.Mapping[str, frozenset[str]] = {
    'accel:device_profile': _ANY,
    'group_policy': frozenset({'isolate'}),
    'hw:cpu_policy': frozenset({'dedicated', 'mixed'}),
    'hw:cpu_thread_policy': frozenset({'isolate', 'require'}),
    'hw:ephemeral_encryption': _TRUE,
    'hw:firmware_stateless': _TRUE,
    'hw:maxphysaddr_bits': _ANY,
    'hw:maxphysaddr_mode': _ANY,
    'hw:mem_encryption': _TRUE,
    'hw:mem_page_size': _ANY,
    'hw:pci_numa_affinity_policy': _ANY,
    'hw:pmem': _ANY,
    'hw:sound_model': frozenset({'virtio'}),
    'hw:tpm_version': _ANY,
    'hw:virtio_packed_ring': _TRUE,
    'img:hv_requested_version': _ANY,
    'os:secure_boot': frozenset({'required'}),
}
_UNCHECKED_SCOPES = ('capabilities:', 'hw:numa_', 'pci_passthrough:')
#: Extra specs without a scope that no filter looks at: others may be meant
#: for aggregates, or for a host's capabilities.
_UNSCOPED = frozenset({'group_policy', 'hide_hypervisor_id'})
_SCOPES_OF_IMAGES = re.compile('(hw|img|os)_')
#: Hints that filters look at, of Nova and (reservation) of Blazar.
_HINTS = (
    *('build_near_host_ip', 'different_host', 'query', 'reservation'),
    'same_host',
)


def needs(data: abc.Mapping[str, ty.Any]) -> model.Needs:
    """Read what a server asks for from its details (>= 2.47).

    Of an image Nova shows only properties that it knows itself, so not the
    traits; of a server that boots from a volume, none at all.
    """
    # Policy may hide them: show:flavor-extra-specs.
    shown: _Texts | None = (data.get('flavor') or {}).get('extra_specs')
    specs = shown or {}
    properties = (data.get('image') or {}).get('properties') or {}
    hints = data.get('scheduler_hints')
    traits = list(_for_placement('trait', specs))
    return model.Needs(
        zone=data.get('pinned_availability_zone'),
        zone_known='pinned_availability_zone' in data,
        required_traits=frozenset(t for t, v in traits if v == 'required'),
        forbidden_traits=frozenset(t for t, v in traits if v == 'forbidden'),
        resources=_resources(specs),
        aggregate_specs=tuple(
            sorted(
                (key.removeprefix(_FOR_AGGREGATES), value)
                for key, value in specs.items()
                if key.startswith(_FOR_AGGREGATES)
            )
        ),
        unchecked=(
            *(('flavor extra specs',) if shown is None else ()),
            *sorted(k for k, value in specs.items() if _unchecked(k, value)),
            *sorted(_of_image(properties)),
            *(f'hint {hint}' for hint in _HINTS if (hints or {}).get(hint)),
        ),
        # Of a server of before Newton hints may be lost: null.
        grouped=None if hints is None else bool(hints.get('group')),
    )


def _for_placement(kind: str, specs: _Texts) -> abc.Iterator[tuple[str, str]]:
    """Yield names and values of extra specs of one kind, of all groups."""
    for key, value in specs.items():
        match = _FOR_PLACEMENT.fullmatch(key)
        if match and match[1] == kind:
            yield match[2], value


def _resources(specs: _Texts) -> tuple[tuple[str, int], ...]:
    """Return the amounts asked for, of all groups together."""
    found = collections.Counter[str]()
    for name, value in _for_placement('resources', specs):
        # Nova ignores what is no number, too.
        if value.isdecimal():
            found[name] += int(value)
    # Without those that come to 0.
    return tuple(sorted((+found).items()))


def _of_image(properties: _Texts) -> abc.Iterator[str]:
    """Yield the properties that only the scheduler can judge."""
    for key, value in properties.items():
        if _only_for_scheduler(_SCOPES_OF_IMAGES.sub(r'\1:', key, 1), value):
            yield f'image {key}'


def _unchecked(key: str, value: str) -> bool:
    """Tell whether only the scheduler can judge an extra spec."""
    unscoped = ':' not in key and key not in _UNSCOPED
    return unscoped or _only_for_scheduler(key, value)


def _only_for_scheduler(key: str, value: str) -> bool:
    """Tell it of an extra spec with a scope, or an image's property."""
    if key.startswith(_UNCHECKED_SCOPES):
        return True
    values = _UNCHECKED.get(key)
    return values is not None and (not values or value.lower() in values)
