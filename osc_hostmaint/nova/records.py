# SPDX-License-Identifier: Apache-2.0

"""Nova's and Placement's JSON, read into the model."""

from collections import abc
import dataclasses
import datetime
import functools
import sys
import types
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import needs
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning.capacity import snapshot as snapshots

Json = dict[str, ty.Any]
_T = ty.TypeVar('_T')
_P = ty.ParamSpec('_P')

#: Without it Nova lists migrations without their hosts.
HOSTS_POLICY = 'os_compute_api:os-migrations:index:host'
#: And without this one servers.
ATTRIBUTES_POLICY = 'os_compute_api:os-extended-server-attributes'

#: Later times are read as this one, so that a difference between clocks can
#: be added.
_LATEST = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


def _checked(read: abc.Callable[_P, _T]) -> abc.Callable[_P, _T]:
    """Let a function raise where what it returns has fields of other types.

    :param read: returns one of our dataclasses, or None.
    """

    @functools.wraps(read)
    def check(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        found = read(*args, **kwargs)
        cls: type = type(found)
        for name, types_, of_texts in _field_types(cls):
            value = getattr(found, name)
            texts = not of_texts or all(isinstance(v, str) for v in value)
            if not isinstance(value, types_) or not texts:
                raise TypeError(f'{name} is of another type')
        return found

    return check


@functools.cache
def _field_types(
    cls: type,
) -> tuple[tuple[str, tuple[type, ...], bool], ...]:
    """Return each field with its types, and whether it consists of texts."""
    found = []
    hints = ty.get_type_hints(cls) if dataclasses.is_dataclass(cls) else {}
    for name, hint in hints.items():
        union = isinstance(hint, types.UnionType)
        options = ty.get_args(hint) if union else (hint,)
        origins = tuple(ty.get_origin(each) or each for each in options)
        of_texts = hint in (tuple[str, ...], frozenset[str])
        found.append((name, origins, of_texts))
    return tuple(found)


_needs = _checked(needs.needs)


@_checked
def service(data: Json) -> model.Service:
    """Read an entry of GET /os-services (>= 2.53: ``id`` is a UUID)."""
    if 'id' not in data:
        # Of a cell that does not answer (>= 2.69).
        return model.Service(
            '', data['host'], zone='', up=False, enabled=False, silent=True
        )
    return model.Service(
        id=data['id'],
        host=data['host'],
        zone=data['zone'],
        up=data['state'] == 'up',
        enabled=data['status'] == 'enabled',
        disabled_reason=data['disabled_reason'],
        forced_down=data['forced_down'],
        updated_at=_time(data.get('updated_at')),
    )


@_checked
def server(data: Json) -> model.Server:
    """Read a server's details (>= 2.47: the flavor is embedded).

    :raises NotPermitted: Nova hides its host. One on no host has null.
    """
    # A server in a cell that does not answer has little more than id and
    # status (>= 2.69).
    silent = data['status'] == nova_states.Status.UNKNOWN
    if 'OS-EXT-SRV-ATTR:host' not in data and not silent:
        raise _hidden(_('servers'), ATTRIBUTES_POLICY)
    flavor = data.get('flavor', {})
    _text_values(flavor.get('extra_specs') or {})
    # A server that boots from a volume has '' for its image.
    disks = data.get('image'), flavor.get('ephemeral'), flavor.get('swap')
    fixed = [
        address['addr']
        for network in data.get('addresses', {}).values()
        for address in network
        if address.get('OS-EXT-IPS:type', 'fixed') == 'fixed'
    ]
    tags = listed(data.get('tags', []))
    return model.Server(
        id=data['id'],
        name=data.get('name', ''),
        status=data['status'],
        vm_state=data.get('OS-EXT-STS:vm_state') or '',
        task_state=data.get('OS-EXT-STS:task_state'),
        host=data.get('OS-EXT-SRV-ATTR:host') or None,
        addresses=tuple(sorted(fixed)),
        power_state=data.get('OS-EXT-STS:power_state'),
        fault=' '.join(data.get('fault', {}).get('message', '').split()),
        memory_mb=flavor.get('ram', 0),
        local_disk=any(disks),
        project_id=data.get('tenant_id') or '',
        updated_at=_time(data.get('updated')),
        tagged=marks.RESUMED_TAG in tags,
        wish=tenant_policy.wish(tags, data.get('metadata') or {}),
        needs=_needs(data),
    )


def deleted(server_id: str) -> model.Server:
    """Return what stands for a server that Nova does not know."""
    status = nova_states.Status.DELETED.value
    vm_state = nova_states.VmState.DELETED.value
    return model.Server(server_id, '', status, vm_state, None, host=None)


@_checked
def hypervisor(data: Json) -> model.Hypervisor:
    """Read an entry of GET /os-hypervisors/detail (>= 2.53)."""
    return model.Hypervisor(
        provider=data['id'],
        name=data['hypervisor_hostname'],
        host=data['service']['host'],
        type=data.get('hypervisor_type') or '',
        address=data.get('host_ip') or '',
    )


@_checked
def group(data: Json) -> snapshots.Group:
    """Read an entry of GET /os-server-groups.

    Below 2.64 of the one policy a group has there is a list, and no rules.
    """
    policies = data.get('policies') or ['']
    rules = data.get('rules') or {}
    return snapshots.Group(
        id=data['id'],
        policy=data.get('policy') or policies[0],
        members=frozenset(listed(data['members'])),
        most_per_host=int(rules.get('max_server_per_host', 1)),
    )


@_checked
def aggregate(data: Json) -> snapshots.Aggregate:
    """Read an entry of GET /os-aggregates."""
    return snapshots.Aggregate(
        frozenset(listed(data['hosts'])),
        _text_values(data['metadata']),
        text(data['name']),
    )


@_checked
def migration(data: Json) -> model.Migration:
    """Read an entry of GET /os-migrations (>= 2.59: with ``uuid``).

    :raises NotPermitted: Nova hides its hosts. Every migration has a source.
    """
    if data['source_compute'] is None:
        raise _hidden(_('migrations'), HOSTS_POLICY)
    return model.Migration(
        id=data['id'],
        uuid=data['uuid'],
        server_id=data['instance_uuid'],
        type=data['migration_type'],
        status=data['status'],
        source=data['source_compute'],
        dest=data['dest_compute'],
        created_at=_utc(data['created_at']),
        updated_at=_time(data.get('updated_at')),
    )


def _hidden(what: str, policy: str) -> exceptions.NotPermitted:
    words = _(
        'Nova hides the hosts of %(what)s (policy %(policy)s): ask for a role '
        'that this policy allows'
    )
    words %= {'what': what, 'policy': policy}
    return exceptions.NotPermitted(words, policy=policy)


@_checked
def progress(data: Json) -> model.Progress | None:
    """Read an entry of GET /servers/{id}/migrations.

    None before the hypervisor knows what there is to copy: nothing at all
    (null), or 0 of 0 bytes, which would pass for all of it.
    """
    remaining = data['memory_remaining_bytes']
    total = data['memory_total_bytes']
    if remaining is None or not total:
        return None
    return model.Progress(remaining=remaining, total=total)


@_checked
def instance_action(data: Json) -> model.InstanceAction:
    """Read an entry of GET /servers/{id}/os-instance-actions."""
    return model.InstanceAction(data['action'], _utc(data['start_time']))


@_checked
def failure(data: Json) -> model.Failure:
    """Read why it failed from an instance action with its events.

    Nova ends only the first event of a name (nova/db/main/api.py:
    action_event_finish): of the others, on other hosts, it never says how
    they ended.
    """
    events, failed = _events(data), failed_events(data)
    details = (event.get('details') for event in failed)
    # The conductor's events have the name of a controller.
    names = {e['event'] for e in failed if e['event'].startswith('compute')}
    hosts = (e.get('host') for e in events if e['event'] in names)
    return model.Failure(
        next(filter(None, details), ''), frozenset(filter(None, hosts))
    )


def failed_events(data: Json) -> list[Json]:
    """Read the events of an instance action that failed."""
    return [e for e in _events(data) if e.get('result') == 'Error']


def _events(data: Json) -> list[Json]:
    return [e for e in data.get('events') or () if e.get('event')]


def hypervisor_is_up(data: Json) -> bool:
    """Read the state of a hypervisor."""
    return text(data['state']) == 'up'


def allocations(data: Json) -> dict[str, dict[str, int]]:
    """Read the amounts that each consumer holds, by its id."""
    return {
        consumer: {c: int(n) for c, n in held['resources'].items()}
        for consumer, held in data.items()
    }


def inventories(data: Json) -> dict[str, snapshots.Inventory]:
    """Read the inventories of a resource provider, by resource class."""
    return {
        name: snapshots.Inventory(
            # As Placement rounds it (placement/objects/inventory.py).
            int((own['total'] - own['reserved']) * own['allocation_ratio']),
            used=0,
            max_unit=own['max_unit'],
        )
        for name, own in data.items()
    }


def ids(data: ty.Any) -> list[str]:
    """Read the ids of resource providers, or of a hypervisor's servers."""
    return [text(entry['uuid']) for entry in listed(data)]


class CandidatesReader:
    """Reads answers of GET /allocation_candidates (>= 1.29).

    Each answer has all providers with all their traits, and most are the
    same in the next one: what is the same is kept once.
    """

    def __init__(self) -> None:
        self._providers: dict[str, snapshots.Provider] = {}
        self._traits: dict[frozenset[str], frozenset[str]] = {}

    def read(self, data: Json) -> snapshots.AllocationCandidates:
        """Read an answer."""
        return snapshots.AllocationCandidates(
            providers={
                sys.intern(provider): self._provider(provider, summary)
                for provider, summary in data['provider_summaries'].items()
            },
            # Groups that ask for the same can change places: that makes
            # no other candidate.
            candidates=tuple(
                {
                    frozenset(candidate): candidate
                    for request in data['allocation_requests']
                    if (candidate := _candidate(request['allocations']))
                }.values()
            ),
            cut=len(data['allocation_requests']) >= snapshots.MOST_CANDIDATES,
        )

    def _provider(self, provider: str, summary: Json) -> snapshots.Provider:
        """Return a provider, the same as before if it is as before."""
        traits = frozenset(listed(summary['traits']))
        found = snapshots.Provider(
            id=sys.intern(provider),
            root=sys.intern(summary['root_provider_uuid']),
            traits=self._traits.setdefault(traits, traits),
            inventories={
                sys.intern(name): _inventory(inventory)
                for name, inventory in summary['resources'].items()
            },
        )
        if self._providers.get(provider) != found:
            self._providers[found.id] = found
        return self._providers[provider]


@_checked
def _inventory(data: Json) -> snapshots.Inventory:
    return snapshots.Inventory(data['capacity'], data['used'])


def _candidate(allocations: Json) -> snapshots.AllocationRequest:
    """Read an allocation request, which names amounts by provider."""
    return tuple(
        snapshots.Allocation(
            sys.intern(provider), sys.intern(name), _number(amount)
        )
        for provider, allocation in allocations.items()
        for name, amount in allocation['resources'].items()
    )


def text(value: ty.Any) -> str:
    """:raises TypeError: it is no text."""
    if not isinstance(value, str):
        raise TypeError(f'{type(value)} instead of a text')
    return value


def listed(value: ty.Any) -> list[ty.Any]:
    """:raises TypeError: it is no list; an empty text is none, either."""
    if not isinstance(value, list):
        raise TypeError(f'{type(value)} instead of a list')
    return value


def _number(value: ty.Any) -> int:
    """:raises TypeError: it is no number."""
    if not isinstance(value, int):
        raise TypeError(f'{type(value)} instead of a number')
    return value


def _text_values(values: dict[str, ty.Any]) -> dict[str, str]:
    """:raises TypeError: one of them is no text."""
    return {name: text(value) for name, value in values.items()}


def _time(text: str | None) -> datetime.datetime | None:
    """Read a time of Nova's, if there is one."""
    return _utc(text) if text else None


def _utc(text: str) -> datetime.datetime:
    """Read a time of Nova's, which is UTC even where it does not say so.

    One that no clock of Nova's can show becomes the nearest that it can.
    """
    time = datetime.datetime.fromisoformat(text)
    time = time.replace(tzinfo=time.tzinfo or datetime.UTC)
    return min(max(time, marks.EARLIEST), _LATEST)
