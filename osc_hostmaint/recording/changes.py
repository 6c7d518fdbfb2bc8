# SPDX-License-Identifier: Apache-2.0

"""What has changed from one observation to the next, as a JSON value.

A host has hundreds of servers, and at most moments nothing is new of most
of them.

The value has a member for each part of the observation that has changed: its
new value. Of a part that is a mapping it is an object with ``changed`` (the
entries that are new or other, and of those that are other only the fields
that are), ``gone`` (keys) and, if it can't be told from these, ``order``
(all keys): what is decided may depend on the order in which Nova listed.
"""

import collections.abc
import dataclasses
import typing as ty

from osc_hostmaint import model
from osc_hostmaint.recording import records

_Mapping = collections.abc.Mapping[ty.Any, ty.Any]

_TYPES = ty.get_type_hints(model.Observation)
#: The parts that are mappings.
MAPPINGS = frozenset(
    name
    for name, kind in _TYPES.items()
    if ty.get_origin(kind) is collections.abc.Mapping
)


def find(
    old: model.Observation | None, new: model.Observation
) -> dict[str, ty.Any]:
    """Return what has changed.

    :param old: None where there is none: everything has changed.
    """
    changes = {}
    for name, kind in _TYPES.items():
        after = getattr(new, name)
        before = getattr(old, name) if old else None
        if old and _same(before, after):
            continue
        if name in MAPPINGS:
            changes[name] = _of_mapping(before or {}, after)
        else:
            changes[name] = records.converter().unstructure(after, kind)
    return changes


def _same(old: ty.Any, new: ty.Any) -> bool:
    if old is new:
        return True
    # Equal mappings may still be in another order.
    mappings = isinstance(new, collections.abc.Mapping)
    return bool(old == new and not (mappings and list(old) != list(new)))


def _of_mapping(old: _Mapping, new: _Mapping) -> dict[str, ty.Any]:
    changed = {
        key: _of_entry(old.get(key), value)
        for key, value in new.items()
        if key not in old or (value is not old[key] and value != old[key])
    }
    gone = [key for key in old if key not in new]
    changes: dict[str, ty.Any] = {'changed': changed, 'gone': gone}
    kept = [key for key in old if key in new]
    if list(new) != kept + [key for key in new if key not in old]:
        changes['order'] = list(new)
    return {name: value for name, value in changes.items() if value}


def _of_entry(old: ty.Any, new: ty.Any) -> ty.Any:
    unstructure = records.converter().unstructure
    if old is None or not dataclasses.is_dataclass(new):
        return unstructure(new)
    return {
        field.name: unstructure(value)
        for field in dataclasses.fields(new)
        if (value := getattr(new, field.name)) != getattr(old, field.name)
    }


def apply(
    tree: collections.abc.Mapping[str, ty.Any],
    changes: collections.abc.Mapping[str, ty.Any],
) -> dict[str, ty.Any]:
    """Return an observation's JSON value with changes made.

    :raises KeyError: the changes were not found from this one.
    """
    result = dict(tree)
    for name, change in changes.items():
        if name in MAPPINGS:
            result[name] = _applied(result.get(name, {}), change)
        else:
            result[name] = change
    return result


def _applied(
    mapping: collections.abc.Mapping[str, ty.Any],
    change: collections.abc.Mapping[str, ty.Any],
) -> dict[str, ty.Any]:
    # In JSON all keys are texts.
    gone = {str(key) for key in change.get('gone', ())}
    result = {k: v for k, v in mapping.items() if k not in gone}
    for key, value in change.get('changed', {}).items():
        match result.get(key), value:
            case dict() as old, dict():
                result[key] = {**old, **value}
            case _:
                result[key] = value
    if 'order' in change:
        result = {str(key): result[str(key)] for key in change['order']}
    return result
