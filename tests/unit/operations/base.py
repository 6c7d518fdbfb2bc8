# SPDX-License-Identifier: Apache-2.0

"""A cloud behind the public API that moves servers at once."""

import dataclasses
import datetime
import inspect
import types
import typing as ty
from unittest import mock

from osc_hostmaint import api
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import nova_states
from osc_hostmaint.nova import gateway
from osc_hostmaint.nova import transport
from osc_hostmaint.operations import clock
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit import builders

NOW = datetime.datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=datetime.UTC)
#: Written by builders.service().
OLD_MARK = 'maintenance since 2026-11-20T23:31:07Z by alice: kernel'

#: What changes something.
CHANGES = frozenset(
    'disable enable force_down reset confirm live_migrate cold_migrate '
    'evacuate'.split()
)
#: Where the scheduler puts every server.
ELSEWHERE = 'cmp09'


class Cloud:
    """What the gateway's methods answer; moves are done at once."""

    def __init__(self, *services: model.Service):
        self.hosts = {s.host: s for s in services}
        self.places: dict[str, str] = {}
        self.records: list[model.Migration] = []
        #: How many servers each host has room for.
        self.room: dict[str, int] = {}
        #: Hosts whose nova-compute is not alive, whatever the services say.
        self.dead: set[str] = set()
        #: Of servers that are busy.
        self.tasks: dict[str, str] = {}
        #: Of servers that do not run.
        self.power: dict[str, nova_states.PowerState] = {}
        #: Servers whose disks lie on their hosts.
        self.local: set[str] = set()
        #: What is known of hosts' hypervisors beside their names.
        self.hypervisor_of: dict[str, model.Hypervisor] = {}
        #: Hosts that have not cleaned up after evacuations.
        self.uncleaned: set[str] = set()

    def services(self) -> list[model.Service]:
        return list(self.hosts.values())

    def services_on(self, host: str) -> list[model.Service]:
        return [self.hosts[host]]

    def disable(self, service: model.Service, reason: str) -> model.Service:
        return self._change(service, enabled=False, disabled_reason=reason)

    def enable(self, service: model.Service) -> model.Service:
        return self._change(service, enabled=True, disabled_reason=None)

    def force_down(self, service: model.Service, *, down: bool):
        if service.host in self.uncleaned and not down:
            raise exceptions.RequestRefused(
                'Unable to force up: `done` evacuation migration records',
                final=True,
            )
        up = not down and service.host not in self.dead
        return self._change(service, forced_down=down, up=up)

    def hypervisor_states(self, host: str) -> dict[str, bool]:
        return {f'{host}.example.org': self.hosts[host].up}

    def _change(self, service: model.Service, **changes: ty.Any):
        changed = dataclasses.replace(service, **changes)
        self.hosts[service.host] = changed
        return changed

    def servers(self, host: str) -> list[model.Server]:
        return [
            self.server(server)
            for server, place in self.places.items()
            if place == host
        ]

    def server(self, server_id: str) -> model.Server:
        return builders.server(
            server_id,
            host=self.places[server_id],
            task_state=self.tasks.get(server_id),
            power_state=self.power.get(
                server_id, nova_states.PowerState.RUNNING
            ),
            local_disk=server_id in self.local,
        )

    def server_count(self, host: str) -> int:
        return len(self.servers(host))

    def migrations(
        self, host: str, changed_since: datetime.datetime | None = None
    ) -> list[model.Migration]:
        return [r for r in self.records if host in (r.source, r.dest)]

    def evacuations(self, host: str) -> list[model.Migration]:
        return [
            r
            for r in self.records
            if r.source == host and r.type == model.MigrationType.EVACUATION
        ]

    def allocations(self, host: str) -> dict[str, snapshots.AllocationRequest]:
        held = (snapshots.Allocation(f'rp of {host}', 'VCPU', 1),)
        return {server.id: held for server in self.servers(host)}

    def hypervisors(self) -> dict[str, str]:
        return {f'rp of {host}': host for host in self.hosts}

    def hypervisor_details(self) -> list[model.Hypervisor]:
        return [
            self.hypervisor_of.get(host)
            or model.Hypervisor(provider, f'{host}.example.org', host)
            for provider, host in self.hypervisors().items()
        ]

    def allocation_candidates(self, request: snapshots.ResourceRequest):
        """Each host has room for a hundred servers, unless said otherwise."""
        providers = [
            snapshots.Provider(
                provider,
                provider,
                frozenset(),
                {
                    name: snapshots.Inventory(
                        self.room.get(host, 100), len(self.servers(host))
                    )
                    for name, _amount in request.shape
                },
            )
            for provider, host in self.hypervisors().items()
        ]
        return snapshots.AllocationCandidates(
            {provider.id: provider for provider in providers},
            tuple(
                tuple(
                    snapshots.Allocation(provider.id, *part)
                    for part in request.shape
                )
                for provider in providers
                if all(
                    provider.inventories[name].used + amount
                    <= provider.inventories[name].capacity
                    for name, amount in request.shape
                )
            ),
        )

    def live_migrate(self, server_id: str, host: str = '') -> None:
        self.records.append(
            builders.migration(
                len(self.records) + 1,
                'completed',
                server_id,
                source=self.places[server_id],
                dest=host or ELSEWHERE,
                created_at=NOW,
            )
        )
        self.places[server_id] = host or ELSEWHERE

    def evacuate(
        self, server_id: str, host: str = '', *, stopped: bool = False
    ):
        source = self.places[server_id]
        assert not self.hosts[source].up
        self.live_migrate(server_id, host)
        self.records[-1] = dataclasses.replace(
            self.records[-1],
            type=model.MigrationType.EVACUATION,
            status='done',
        )

    def hypervisor_hosts(self) -> dict[str, str]:
        return {f'{host}.example.org': host for host in self.hosts}

    def gateway(self) -> mock.Mock:
        asked = mock.create_autospec(gateway.Gateway, instance=True)
        asked.pause = transport.Pause()
        asked.user_name.return_value = 'bob'
        asked.user_id.return_value = 'id of bob'
        asked.now.return_value = NOW
        asked.unconfirmed.return_value = []
        asked.tagged.return_value = []
        asked.evacuated.return_value = []
        asked.history.return_value = ()
        asked.groups.return_value = []
        asked.aggregates.return_value = []
        for name, method in inspect.getmembers(self, inspect.ismethod):
            if not name.startswith('_') and hasattr(gateway.Gateway, name):
                getattr(asked, name).side_effect = method
        return ty.cast(mock.Mock, asked)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class MaintenanceTestCase(unit.TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.enterContext(
            mock.patch.object(clock, 'Clock', return_value=self.clock)
        )
        self.given(
            builders.service(host='cmp01', enabled=True),
            builders.service(host='cmp02', enabled=True),
        )

    def given(self, *services: model.Service) -> None:
        self.cloud = Cloud(*services)
        self.gateway = self.cloud.gateway()
        with mock.patch.object(gateway, 'Gateway', return_value=self.gateway):
            self.maintenance = api.Maintenance(mock.Mock())

    def reason(self, host: str = 'cmp01') -> str | None:
        return self.cloud.hosts[host].disabled_reason

    def changes(self) -> list[tuple[str, str]]:
        return [
            (call[0], getattr(call.args[0], 'host', call.args[0]))
            for call in self.gateway.method_calls
            if call[0] in CHANGES
        ]

    def assert_untouched(self) -> None:
        self.assertEqual([], self.changes())


class DrainTestCase(MaintenanceTestCase):
    """There is a third host, with room for what two hosts have."""

    #: What asks for something and changes nothing.
    READING = frozenset(
        'services services_on servers server server_count migrations now '
        'unconfirmed allocations hypervisors hypervisor_details groups '
        'aggregates allocation_candidates residents user_name user_id '
        'check_hosts_shown check_servers_shown'.split()
    )

    def setUp(self) -> None:
        super().setUp()
        self.listener = builders.Listener()

    def given(self, *services: model.Service) -> None:
        super().given(
            *services, builders.service(host=ELSEWHERE, enabled=True)
        )
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02'}

    def given_broken(self) -> None:
        """Let somebody else have disabled cmp01."""
        self.given(
            builders.service(host='cmp01', disabled_reason='broken fan'),
            builders.service(host='cmp02', enabled=True),
        )

    def asked(self) -> list[str]:
        return [call[0] for call in self.gateway.method_calls]

    def moves(self) -> list[tuple[str, str]]:
        calls = self.gateway.live_migrate.call_args_list
        return [call.args for call in calls]

    def assert_changed_nothing(self) -> None:
        self.assertLessEqual(set(self.asked()), self.READING)
        self.assertEqual({'vm1': 'cmp01', 'vm2': 'cmp02'}, self.cloud.places)


Code = exceptions.ExitCode
EVACUATE = policies.Policy(evacuate=True)


class EvacuateTestCase(DrainTestCase):
    """A host that has died, and somebody who wants its servers elsewhere."""

    def setUp(self) -> None:
        super().setUp()
        self.questions: list[str] = []
        self.interrupt = types.SimpleNamespace(requested=False)

    def given(self, *services: model.Service) -> None:
        super().given(*services)
        self.gateway.now.side_effect = self.now

    def now(self) -> datetime.datetime:
        """Return Nova's time: it passes with the clock's."""
        return NOW + datetime.timedelta(seconds=self.clock.now() - 100.0)

    def answer(self, *, yes: bool) -> ty.Callable[[str], bool]:
        """Return somebody who keeps the questions, and gives this answer."""

        def ask(question: str) -> bool:
            self.questions.append(question)
            return yes

        return ask

    def evacuate(self, *hosts: str, **options: ty.Any) -> ty.Any:
        return self.maintenance.drain(
            hosts or ['cmp01'],
            report=self.listener,
            interrupt=self.interrupt,
            **{'policy': EVACUATE, **options},
        )

    def told(self) -> str:
        return '\n'.join(
            f'{host}: {text}' for host, text in self.listener.troubles
        )

    def given_silent(self) -> None:
        """Let nothing be heard of cmp01, which nobody has forced down."""
        self.given(
            builders.service(host='cmp01', enabled=True, up=False),
            builders.service(host='cmp02', enabled=True),
        )

    def assert_evacuated(self, *hosts: str, **options: ty.Any) -> None:
        result = self.evacuate(*hosts, **options)
        self.assertIs(Code.DONE, result.exit_code, result.errors)

    def assert_left_alone(self, words: str, **options: ty.Any) -> None:
        """Check that cmp01 is not touched, and why."""
        result = self.evacuate(**options)
        self.assertIs(Code.FAILED, result.exit_code)
        self.assertRegex(result.errors['cmp01'], words)
        self.assertEqual(((), []), (result.rows, self.changes()))
