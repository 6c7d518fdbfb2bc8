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

#: What is named instead of extra specs that are hidden.
_HIDDEN = (
    'flavor extra specs (hidden by the policy '
    'os_compute_api:servers:show:flavor-extra-specs)'
)
#: Extra specs for Placement, with the name of a group of them or without
#: (nova/scheduler/utils.py: ResourceRequest).
_FOR_PLACEMENT = re.compile(r'(resources|trait)([a-zA-Z0-9_-]{1,64})?:(.*)')
_POLICIES = ('isolate', 'none')
_FOR_AGGREGATES = 'aggregate_instance_extra_specs:'

_ANY: frozenset[str] = frozenset()
_TRUE = frozenset({'1', 't', 'true', 'on', 'y', 'yes'})
#: Extra specs that only the scheduler can judge, with the values that matter.
#: An image has most of them as properties, with _ for the colon.
_UNCHECKED: abc.Mapping[str, frozenset[str]] = {
    'accel:device_profile': _ANY,
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
    shown: _Texts | None = (data.get('flavor') or {}).get('extra_specs')
    specs = shown or {}
    properties = (data.get('image') or {}).get('properties') or {}
    hints = data.get('scheduler_hints')
    groups = _request_groups(specs)
    any_provider = groups.pop('')
    numbered = [group for group in groups.values() if group.resources]
    return model.Needs(
        zone=data.get('pinned_availability_zone'),
        zone_known='pinned_availability_zone' in data,
        required_traits=any_provider.required_traits,
        forbidden_traits=any_provider.forbidden_traits,
        resources=any_provider.resources,
        # Servers that ask for the same are to be alike.
        groups=tuple(sorted(numbered, key=_order)),
        isolate=specs.get('group_policy') == 'isolate',
        aggregate_specs=tuple(
            sorted(
                (key.removeprefix(_FOR_AGGREGATES), value)
                for key, value in specs.items()
                if key.startswith(_FOR_AGGREGATES)
            )
        ),
        unchecked=(
            *((_HIDDEN,) if shown is None else ()),
            *_refused(specs, groups),
            *sorted(k for k, value in specs.items() if _unchecked(k, value)),
            *sorted(_of_image(properties)),
            *(f'hint {hint}' for hint in _HINTS if (hints or {}).get(hint)),
        ),
        # Of a server of before Newton hints may be lost: null.
        grouped=None if hints is None else bool(hints.get('group')),
    )


def _request_groups(specs: _Texts) -> dict[str, model.RequestGroup]:
    """Return what extra specs ask Placement for, by the group's name.

    That without a name, '', is of any providers of a host.
    """
    amounts = collections.defaultdict[str, dict[str, int]](dict)
    traits = collections.defaultdict[tuple[str, str], set[str]](set)
    for key, value in specs.items():
        match = _FOR_PLACEMENT.fullmatch(key)
        if not match:
            continue
        kind, group, name = match[1], match[2] or '', match[3]
        if kind == 'trait':
            traits[group, value].add(name)
        # Nova also ignores what is no number.
        elif value.isdecimal() and int(value):
            amounts[group][name] = int(value)
    return {
        group: model.RequestGroup(
            tuple(sorted(amounts[group].items())),
            frozenset(traits[group, 'required']),
            frozenset(traits[group, 'forbidden']),
        )
        for group in ('', *amounts, *(group for group, _value in traits))
    }


def _refused(
    specs: _Texts, groups: abc.Mapping[str, model.RequestGroup]
) -> abc.Iterator[str]:
    """Yield what makes Placement refuse what Nova asks (HTTP 400)."""
    for name, group in groups.items():
        if not group.resources:
            yield f'trait{name}'
    if len(groups) > 1 and specs.get('group_policy') not in _POLICIES:
        yield 'group_policy'


def _order(group: model.RequestGroup) -> tuple[ty.Any, ...]:
    traits = (group.required_traits, group.forbidden_traits)
    return (group.resources, *map(sorted, traits))


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
