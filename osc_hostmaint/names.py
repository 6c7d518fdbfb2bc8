# SPDX-License-Identifier: Apache-2.0

"""Finding hosts by their exact names."""

from collections import abc
import difflib

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.planning.host import down_cells


def pick(
    hosts: abc.Iterable[str],
    services: abc.Mapping[str, model.Service],
    ask_hypervisors: abc.Callable[[], abc.Mapping[str, str]],
) -> tuple[model.Service, ...]:
    """Return the hosts' compute services, each once, in their order.

    :param services: of all hosts, by host.
    :param ask_hypervisors: returns the host of each hypervisor, by hypervisor
        hostname; asked only where a host is not known.
    :raises UnknownHost: one of them has no compute service.
    :raises Refused: one of them has several.
    """
    wanted = tuple(dict.fromkeys(hosts))
    unknown = [host for host in wanted if host not in services]
    if unknown:
        owners = ask_hypervisors()
        raise exceptions.UnknownHost(
            ' '.join(_unknown(h, services, owners.get(h)) for h in unknown)
        )
    found = tuple(services[host] for host in wanted)
    if words := ' '.join(ambiguous(s) for s in found if s.namesakes):
        raise exceptions.Refused(words)
    return found


def ambiguous(service: model.Service) -> str:
    """Return that a host has several compute services, and what to do."""
    ids = (*service.namesakes, service.id)
    return _(
        'There are %(many)d compute services on a host named %(host)s, in '
        'different cells: %(ids)s. Nova may mean any of them: delete the '
        'wrong one (openstack compute service delete <id>), map the host to '
        'its cell again (nova-manage cell_v2 discover_hosts --by-service), '
        'and run this again.'
    ) % {'many': len(ids), 'host': service.host, 'ids': ', '.join(ids)}


def _unknown(host: str, services: abc.Iterable[str], owner: str | None) -> str:
    message = _('There is no compute service on a host named %s') % (
        text.printable(repr(host))
    )
    if owner:
        hint = _('%(message)s: that is the hypervisor hostname of %(host)s.')
        return hint % {'message': message, 'host': owner}
    return _with_likest(
        message, host, services, 'openstack compute service list'
    )


def check_known(
    wanted: abc.Iterable[str],
    known: abc.Collection[str],
    kind: str,
    command: str,
) -> None:
    """Check that all names of one kind are known.

    :param kind: what they are the names of, for people.
    :param command: what lists them.
    :raises UnknownHost: one of them is not known.
    """
    unknown = [name for name in wanted if name not in known]
    words = _('There is no %(kind)s named %(name)s')
    if unknown:
        raise exceptions.UnknownHost(
            ' '.join(
                _with_likest(
                    words % {'kind': kind, 'name': text.printable(repr(name))},
                    *(name, known, command),
                )
                for name in unknown
            )
        )


def _with_likest(
    message: str, name: str, known: abc.Iterable[str], command: str
) -> str:
    """Return a message with the names that may be meant."""
    if near := _likest(name, known):
        hint = _('%(message)s; did you mean %(near)s?')
        return hint % {'message': message, 'near': _(' or ').join(near)}
    hint = _('%(message)s: see %(command)s.')
    return hint % {'message': message, 'command': command}


def _likest(host: str, services: abc.Iterable[str]) -> list[str]:
    """Return at most three names that are like a name, the likest first."""
    # Most names of a cloud differ by a digit: case must not decide.
    names = {name.lower(): name for name in services}
    wanted = host.lower()
    near = difflib.get_close_matches(wanted, names, n=len(names) or 1)

    def unlikeness(name: str) -> tuple[float, object]:
        ratio = difflib.SequenceMatcher(None, name, wanted).ratio()
        return -ratio, text.natural(name)

    return [names[name] for name in sorted(near, key=unlikeness)[:3]]


def check_answers(service: model.Service) -> model.Service:
    """Return the compute service.

    :raises SilentCell: the cell of its host does not answer.
    """
    if service.silent:
        raise exceptions.SilentCell(down_cells.words(service.host))
    return service


def check_destination(
    service: model.Service, drained: abc.Container[str]
) -> None:
    """Check that servers can be moved to a host.

    :param drained: the hosts that are to be drained.
    :raises Refused: they cannot.
    """
    host = service.host
    if service.silent:
        problem = down_cells.CELL
    elif service.host in drained:
        problem = _('it is also to be drained')
    elif service.mode is model.Mode.MAINTENANCE:
        problem = _('it is in maintenance (to end that: %s)') % (
            f'openstack host maintenance unset {host}'
        )
    elif not service.enabled:
        problem = _('somebody disabled it (%s)') % (
            text.printable(service.disabled_reason or _('no reason given'))
        )
    elif not service.up:
        problem = _('its compute service is down (start nova-compute first)')
    else:
        return
    raise exceptions.Refused(
        _(
            'No server can be moved to %(host)s, because %(problem)s. Name '
            'another host, or leave it to the scheduler.'
        )
        % {'host': host, 'problem': problem}
    )


def listed(services: abc.Iterable[model.Service]) -> str:
    """Return the names of hosts, for people."""
    return ', '.join(service.host for service in services)
