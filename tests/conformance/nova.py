# SPDX-License-Identifier: Apache-2.0

"""What a script may ask of a Nova, simulated or real."""

import abc
import collections
import collections.abc
import dataclasses
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import ports

T = ty.TypeVar('T')
State = tuple[str, str | None]


class Gateway(ports.Gateway, ty.Protocol):
    """The gateway of the engine, and what the marks need."""

    def disable(self, service: model.Service, reason: str) -> model.Service:
        """Disable a compute service."""

    def enable(self, service: model.Service) -> model.Service:
        """Enable a compute service."""


@dataclasses.dataclass(frozen=True)
class Look:
    """A server at one moment, and its records, the newest first."""

    server: model.Server
    records: tuple[model.Migration, ...]

    @property
    def record(self) -> model.Migration:
        """The newest record."""
        return self.records[0]

    @property
    def record_status(self) -> str:
        """The status of the newest record, '' without one."""
        return self.records[0].status if self.records else ''


class Nova(abc.ABC):
    """Three hosts of a zone, a gateway, and what is done beside it.

    All servers are bound to the zone, so a script never disturbs another.
    """

    #: Every state is seen, however short it is.
    sees_all = False

    def __init__(
        self,
        gateway: Gateway,
        hosts: collections.abc.Sequence[str],
        elsewhere: str,
    ):
        """:param elsewhere: a host of another zone."""
        self.gateway = gateway
        self.hosts = tuple(hosts)
        self.elsewhere = elsewhere
        #: States of each server, in the order that they were seen.
        self.states: dict[str, list[State]] = collections.defaultdict(list)
        #: Statuses of each record, by its id.
        self.statuses: dict[int, list[str]] = collections.defaultdict(list)
        self._homes: dict[str, dict[str, None]] = {}
        self._records: dict[str, model.Migration] = {}

    # What the drivers do

    @abc.abstractmethod
    def boot(
        self,
        host: str,
        status: str = 'ACTIVE',
        *,
        to: str = '',
        fails: str = '',
        slow: str = '',
        group: str = '',
        trait: str = '',
    ) -> str:
        """Make a server, and return its id.

        :param to: of a status VERIFY_RESIZE, where it was resized to.
        :param fails: where its next move fails: a live migration in
            ``precheck``, ``pre``, ``running`` or ``post``, a cold one in
            ``disk`` or ``finish``, an evacuation in ``claim`` or ``spawn``;
            or what fails, and how: ``resume stay``, ``suspend error``.
        :param slow: what takes until :meth:`hurry`: ``preparing`` or
            ``copying`` a live migration, the ``disk`` of a cold one,
            ``confirming`` it, ``shelving``, ``building``.
        :param group: id of its server group.
        :param trait: that its flavor requires.
        """

    def boot_all(self, host: str, *statuses: str) -> list[str]:
        """Make a server in each of several states."""
        return [self.boot(host, status) for status in statuses]

    @abc.abstractmethod
    def slow_down(self, server_id: str, slow: str) -> None:
        """Make something take until :meth:`hurry` from now on."""

    @abc.abstractmethod
    def hurry(self, server_id: str) -> None:
        """Let go on what is slow."""

    @abc.abstractmethod
    def delete(self, server_id: str) -> None:
        """Delete a server, as its owner."""

    @abc.abstractmethod
    def revert(self, server_id: str) -> None:
        """Revert a resize, as its owner."""

    @abc.abstractmethod
    def group(self, policy: str) -> str:
        """Make a server group, and return its id."""

    @abc.abstractmethod
    def fill(self, host: str) -> None:
        """Leave no memory on a host."""

    @abc.abstractmethod
    def give_trait(self, host: str, trait: str) -> None:
        """Give a host a trait."""

    @abc.abstractmethod
    def kill(self, host: str) -> None:
        """Kill nova-compute; the guests run on."""

    @abc.abstractmethod
    def start(self, host: str) -> None:
        """Start nova-compute again."""

    @abc.abstractmethod
    def settle(self) -> None:
        """Let a request be known to whoever comes after it."""

    @abc.abstractmethod
    def wait(
        self, condition: collections.abc.Callable[[], T | None], what: str
    ) -> T:
        """Let time pass until a condition returns something."""

    # What is the same for both

    def look(self, server_id: str) -> Look:
        """Look at a server and its records, and take note of both."""
        homes = self._homes.setdefault(server_id, {})
        # First, since a record ends when its server has arrived.
        found = {
            record.id: record
            for home in homes
            for record in self.gateway.migrations(home)
            if record.server_id == server_id
        }
        records = tuple(found[key] for key in sorted(found, reverse=True))
        server = self.gateway.server(server_id)
        if server.host:
            homes[server.host] = None
        _note(self.states[server_id], (server.status, server.task_state))
        for record in records:
            _note(self.statuses[record.id], record.status)
            self._records[record.uuid] = record
        return Look(server, records)

    def until(
        self,
        server_id: str,
        status: str | None = None,
        *,
        task: str | None = None,
        host: str | None = None,
        record: str | None = None,
    ) -> Look:
        """Wait until a server and its newest record are like that.

        :param status: with it and no task, the server has to be at rest.
        """
        last: list[Look] = []

        def like_that() -> Look | None:
            found = self.look(server_id)
            last[:] = [found]
            server = found.server
            at_rest = server.task_state is None or status in PASSING
            fits = (
                status in (None, server.status)
                and (task == server.task_state if task else True)
                and (bool(task) or status is None or at_rest)
                and host in (None, server.host)
                and record in (None, found.record_status)
            )
            return found if fits else None

        wanted = f'{status}, {task}, {host}, {record}'
        try:
            return self.wait(like_that, wanted)
        except TimeoutError as error:
            raise AssertionError(f'{wanted}: {last}, {self.states}') from error

    def holds(self, host: str) -> set[str]:
        """Return what of this script's holds an allocation on a host.

        Servers by their id, migrations by the type of their record.
        """
        return {
            self._records[key].type if key in self._records else key
            for key in self.gateway.allocations(host)
            if key in self._records or key in self._homes
        }

    def until_holds(self, host: str, wanted: set[str]) -> None:
        """Wait until that is what holds an allocation on a host.

        It changes a moment after what a server and its record say.
        """
        try:
            self.wait(lambda: self.holds(host) == wanted, 'allocations')
        except TimeoutError as error:
            raise AssertionError(
                f'on {host}: wanted {wanted}, found {self.holds(host)}'
            ) from error

    def service(self, host: str) -> model.Service:
        """Return a host's compute service."""
        return next(s for s in self.gateway.services() if s.host == host)

    def down(self, host: str) -> None:
        """Kill a host's nova-compute, and have Nova know it."""
        self.kill(host)
        self.gateway.force_down(self.service(host), down=True)

    def back(self, host: str) -> None:
        """Take that back."""
        self.start(host)
        self.gateway.force_down(self.service(host), down=False)

    # What must be so

    def check_states(self, server_id: str, *wanted: State) -> None:
        """Compare the states a server was seen in."""
        self._check_order(self.states[server_id], wanted)

    def check_statuses(self, record: model.Migration, *wanted: str) -> None:
        """Compare the statuses a record was seen in."""
        self._check_order(self.statuses[record.id], wanted)

    def _check_order(
        self,
        seen: collections.abc.Sequence[T],
        wanted: collections.abc.Sequence[T],
    ) -> None:
        if self.sees_all:
            same(list(wanted), list(seen))
            return
        rest = iter(wanted)
        in_order = all(each in rest for each in seen)
        if not in_order or seen[-1] != wanted[-1]:
            raise AssertionError(f'{seen} is not in the order of {wanted}')

    def check_refused(
        self,
        code: int,
        words: str,
        request: collections.abc.Callable[..., object],
        *arguments: object,
        final: bool = False,
        **options: object,
    ) -> None:
        """Expect a refusal with a code and some words in it.

        :param final: the same request would be refused again.
        """
        try:
            request(*arguments, **options)
        except exceptions.CloudError as error:
            if f'HTTP {code}' not in str(error) or words not in str(error):
                raise AssertionError(f'{code}, {words}: {error!r}') from error
            same(final, getattr(error, 'final', False), str(error))
            same(code == 404, isinstance(error, exceptions.NotFound))
        else:
            raise AssertionError(f'not refused: {request} {arguments}')


#: Statuses that go with a task.
PASSING = frozenset({'MIGRATING', 'RESIZE', 'REBUILD', 'REVERT_RESIZE'})


def same(wanted: object, found: object, about: object = '') -> None:
    """Expect two things to be equal."""
    if wanted != found:
        raise AssertionError(f'{about} wanted {wanted!r}, found {found!r}')


def move(look: Look) -> tuple[str, str, str, str | None]:
    """Return type, status, source and destination of the newest record."""
    record = look.record
    return record.type, record.status, record.source, record.dest


def _note(seen: list[T], what: T) -> None:
    if not seen or seen[-1] != what:
        seen.append(what)
