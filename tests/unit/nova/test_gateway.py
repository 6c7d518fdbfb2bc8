# SPDX-License-Identifier: Apache-2.0

"""What goes over the wire for each question and request."""

import datetime
import typing as ty
from urllib import parse

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.nova import records
from osc_hostmaint.planning.capacity import snapshot as snapshots
from tests import unit
from tests.unit.nova import cloud

SERVERS = '/servers/detail?all_tenants=True&host=cmp01&soft_deleted=True'
TIME = datetime.datetime(2026, 11, 20, 23, 30, 7, tzinfo=datetime.UTC)
SINCE = 'changes-since=2026-11-20T23%3A30%3A07%2B00%3A00'
OFF = 'source_compute=cmp01'
EVACUATIONS = f'/os-migrations?{OFF}&migration_type=evacuation'
MIGRATION = '/servers/vm1/migrations/7'
HISTORY = '/servers/vm1/os-instance-actions'
SHAPE = (('CUSTOM_X', 1), ('MEMORY_MB', 512))

#: The method, its arguments, and what is asked for.
QUESTIONS: list[tuple[str, list[ty.Any], str]] = [
    ('services', [], '/os-services?binary=nova-compute'),
    ('server_count', ['cmp01'], SERVERS.replace('/detail', '')),
    ('server', ['vm1'], '/servers/vm1'),
    (
        *('tagged', []),
        '/servers/detail?all_tenants=True&tags=osc-hostmaint%3Aresumed',
    ),
    ('migrations', ['cmp01'], '/os-migrations?host=cmp01'),
    ('migrations', ['cmp01', TIME], f'/os-migrations?host=cmp01&{SINCE}'),
    ('all_migrations', ['cmp01'], '/os-migrations?host=cmp01'),
    ('migrations_in_flight', [], '/os-migrations'),
    ('unconfirmed', ['cmp01'], f'/os-migrations?{OFF}&status=finished'),
    ('evacuations', ['cmp01'], EVACUATIONS),
    ('evacuated', ['cmp01'], f'{EVACUATIONS}&status=done'),
    ('left', ['cmp01', TIME], f'/os-migrations?{OFF}&{SINCE}'),
    ('moves', [TIME], f'/os-migrations?{SINCE}'),
    (
        *('deleted', [TIME]),
        f'/servers/detail?all_tenants=True&deleted=True&{SINCE}'
        '&sort_key=updated_at&sort_dir=desc',
    ),
    ('progress', ['vm1', 7], MIGRATION),
    ('history', ['vm1'], HISTORY),
    ('hypervisors', [], '/os-hypervisors/detail'),
    ('hypervisor_hosts', [], '/os-hypervisors/detail'),
    ('residents', [], '/os-hypervisors/detail?with_servers=true'),
    ('aggregates', [], '/os-aggregates'),
    ('groups', [], '/os-server-groups?all_projects=True'),
]
GPU = (('VGPU', 1),)
FAST = (GPU, frozenset({'A', 'B'}), frozenset({'C'}))


class RequestTest(cloud.CloudTestCase):
    """Method, path, parameters, body and microversion of each request."""

    def setUp(self) -> None:
        super().setUp()
        self.service = records.service(cloud.service())
        for path, answer in {
            '/os-services': {'services': [cloud.service()]},
            '/servers/detail': {'servers': [cloud.server()]},
            '/servers': {'servers': [{'id': 'vm1'}, {'id': 'vm2'}]},
            '/servers/vm1': {'server': cloud.server()},
            MIGRATION: {'migration': cloud.server_migration(7)},
            HISTORY: {'instanceActions': [cloud.instance_action(1, 'create')]},
            '/os-migrations': {'migrations': [cloud.migration()]},
            '/os-aggregates': {'aggregates': []},
            '/os-server-groups': {'server_groups': []},
            '/os-hypervisors/detail': {
                'hypervisors': [
                    cloud.hypervisor(n, f'cmp0{n}') for n in (1, 2)
                ]
            },
        }.items():
            self.answer(path, **answer)
        self.put = f'/os-services/{self.service.id}'
        answer = {'service': cloud.service(status='disabled')}
        self.cloud.put(cloud.NOVA + self.put, json=answer)
        providers = f'{cloud.PLACEMENT}/resource_providers'
        self.cloud.get(providers, json=cloud.tree('provider-1'))
        self.cloud.get(
            f'{providers}/provider-1/allocations',
            json=cloud.allocations(vm1={'VCPU': 2}),
        )
        self.cloud.get(
            f'{cloud.PLACEMENT}/allocation_candidates',
            json={'allocation_requests': [], 'provider_summaries': {}},
        )

    @unit.named_cases(*((question[0], *question) for question in QUESTIONS))
    def test_question(self, name, arguments, expected):
        getattr(self.gateway, name)(*arguments)
        self.assertEqual([f'GET {expected}'], self.sent)
        self.assert_version('compute 2.87')

    def test_servers(self) -> None:
        # The only list that tells more the newer it is, and costs no RPC.
        self.gateway.servers('cmp01')
        self.assertEqual([f'GET {SERVERS}'], self.sent)
        self.assert_version('compute 2.100')

    def _assert_put(self, body: ty.Any) -> None:
        self.assertEqual(f'PUT {self.put}', self.sent[-1])
        self.assertEqual(body, self.last_request().json())
        self.assert_version('compute 2.87')

    def test_disable(self) -> None:
        service = self.gateway.disable(self.service, 'maintenance: ünïcode')
        self.assertFalse(service.enabled)
        reason = {'disabled_reason': 'maintenance: ünïcode'}
        self._assert_put({'status': 'disabled', **reason})

    def test_enable(self) -> None:
        self.gateway.enable(self.service)
        self._assert_put({'status': 'enabled'})

    def test_force_down(self) -> None:
        for down in (True, False):
            self.gateway.force_down(self.service, down=down)
            self._assert_put({'forced_down': down})
        self.assertEqual(2, len(self.sent))

    def test_hypervisor_states(self) -> None:
        self.cloud.get(
            f'{cloud.NOVA}/os-hypervisors/provider-1',
            json={'hypervisor': cloud.hypervisor(1, 'cmp01', state='up')},
        )
        self.gateway.hypervisor_states('cmp01')
        # From 2.88 on it would cost an RPC.
        self.assert_version('compute 2.87')

    def test_allocations(self) -> None:
        found = self.gateway.allocations('cmp01')
        held = (snapshots.Allocation('provider-1', 'VCPU', 2),)
        self.assertEqual({'vm1': held}, found)
        self.assertEqual(
            [
                'GET /os-hypervisors/detail',
                'GET /resource_providers?in_tree=provider-1',
                'GET /resource_providers/provider-1/allocations',
            ],
            self.sent,
        )
        self.assert_version('placement 1.6')

    @unit.cases(
        ([], False, ''),
        ([(GPU,)], False, '&resources1=VGPU:1&group_policy=none'),
        ([FAST], True,
         '&resources1=VGPU:1&required1=A,B,!C&group_policy=isolate'),
        # Refused, as when Nova asks.
        ([(GPU,)], False,
         'required=A&resources1=VGPU:1&group_policy=none', ((), {'A'})),
    )  # fmt: skip
    def test_offers(self, numbered, isolate, more, any_=(SHAPE,)) -> None:
        unnumbered, *groups = (
            model.RequestGroup(*g) for g in (any_, *numbered)
        )
        self.gateway.allocation_candidates(
            snapshots.ResourceRequest(unnumbered, tuple(groups), isolate)
        )
        any_amounts = 'resources=CUSTOM_X:1,MEMORY_MB:512' if any_[0] else ''
        query = f'limit=10000&{any_amounts}{more}'
        (sent,) = map(parse.unquote, self.sent)
        self.assertEqual(f'GET /allocation_candidates?{query}', sent)
        self.assert_version('placement 1.29')

    def test_hypervisors_are_asked_for_once(self) -> None:
        for _tick in range(3):
            self.gateway.allocations('cmp01')
        self.gateway.hypervisor_hosts()
        self.gateway.hypervisors()
        self.assertEqual(1, self.sent.count('GET /os-hypervisors/detail'))

    def test_discovery_and_login_once(self) -> None:
        for _tick in range(3):
            self.gateway.services()
        self.assertEqual(1, self.versions.call_count)
        self.assertEqual(1, self.tokens.call_count)


class PinnedMicroversionTest(RequestTest):
    """A default for other commands must not change what ours mean."""

    config = {
        'compute_default_microversion': '2.1',
        'placement_default_microversion': '1.0',
    }


ACTION = '/servers/vm1/action'
POST = f'POST {ACTION}'
TO = {'host': 'cmp02'}
#: No `force`: false by default, and gone from 2.68 on.
LIVE = {'host': None, 'block_migration': 'auto'}

TAG = '/servers/vm1/tags/osc-hostmaint%3Aresumed'

#: Name of the method, its arguments, the request, and its body.
ACTIONS: list[ty.Any] = [
    ('live', 'live_migrate', ['vm1'], POST, {'os-migrateLive': LIVE}),
    (
        *('live_to', 'live_migrate', ['vm1', 'cmp02'], POST),
        {'os-migrateLive': {**LIVE, 'host': 'cmp02'}},
    ),
    # {}, not null: Nova's schema wants an object.
    ('evacuate', 'evacuate', ['vm1'], POST, {'evacuate': {}}),
    ('evacuate_to', 'evacuate', ['vm1', 'cmp02'], POST, {'evacuate': TO}),
    ('cold', 'cold_migrate', ['vm1'], POST, {'migrate': None}),
    ('cold_to', 'cold_migrate', ['vm1', 'cmp02'], POST, {'migrate': TO}),
    ('reset', 'reset', ['vm1'], POST, {'os-resetState': {'state': 'active'}}),
    ('confirm', 'confirm', ['vm1'], POST, {'confirmResize': None}),
    ('resume', 'resume', ['vm1'], POST, {'resume': None}),
    ('untag', 'untag', ['vm1'], f'DELETE {TAG}', None),
    ('suspend', 'suspend', ['vm1'], POST, {'suspend': None}),
    ('shelve', 'shelve', ['vm1'], POST, {'shelve': None}),
    ('offload', 'offload', ['vm1'], POST, {'shelveOffload': None}),
    ('abort', 'abort', ['vm1', 7], f'DELETE {MIGRATION}', None),
    (
        *('force', 'force_complete', ['vm1', 7], f'POST {MIGRATION}/action'),
        {'force_complete': None},
    ),
]


class ActionTest(cloud.CloudTestCase):
    version = '2.87'

    @unit.named_cases(*ACTIONS)
    def test_request(self, name, arguments, request, body):
        self._answer(request, status_code=202)
        getattr(self.gateway, name)(*arguments)
        self.assertEqual([request], self.sent)
        last = self.last_request()
        self.assertEqual(body, last.json() if last.body else None)
        self.assert_version(f'compute {self.version}')

    @unit.named_cases(*ACTIONS)
    def test_refused(self, name, arguments, request, body):
        """Sent once, whatever the answer is."""
        call = getattr(self.gateway, name)
        self._answer(request, **cloud.fault('x', 503, 'Busy.'))
        with self.raises(exceptions.Unavailable) as doubt:
            call(*arguments)
        self.assertTrue(doubt.exception.in_doubt)

        fault = cloud.fault('conflictingRequest', 409, 'In task_state x.')
        self._answer(request, **fault)
        with self.raises(exceptions.RequestRefused) as caught:
            call(*arguments)
        self.assertFalse(caught.exception.final)
        self.assertEqual([request] * 2, self.sent)
        self.sleep.assert_not_called()
        # What was refused, in words that tell it from other requests.
        what = ' '.join([request, *(body or {})])
        self.assertEqual(
            f'Nova: {what}: In task_state x (HTTP 409, {cloud.REQUEST_ID})',
            str(caught.exception),
        )

    def _answer(self, request: str, **answer: ty.Any) -> None:
        method, path = request.split()
        self.cloud.request(method, cloud.NOVA + path, **answer)


class TagTest(cloud.CloudTestCase):
    """What it takes to resume a server: without it, that is not asked."""

    def _answer(self, tags=(), **answer: ty.Any) -> None:
        self.cloud.put(cloud.NOVA + TAG, **answer)
        self.answer('/servers/vm1', server=cloud.server(tags=list(tags)))

    def test_request(self) -> None:
        self._answer(status_code=201)
        self.gateway.tag('vm1')
        self.assertEqual([f'PUT {TAG}'], self.sent)
        self.assertIsNone(self.last_request().body)

    @unit.cases(
        # what Nova says; whether once and for all; what else is said
        (403, "Policy doesn't allow os_compute_api:os-server-tags:update to be"
        ' performed.', True, 'ask for a role'),
        (400, 'The number of tags exceeded the per-server limit 50', True,
        'remove one of its tags'),
        (409, 'while it is in vm_state error', False, 'HTTP 409'),
    )  # fmt: skip
    def test_refused(self, code, words, final, hint) -> None:
        self._answer(**cloud.fault('x', code, words))
        with self.raises(exceptions.RequestRefused, words[:30]) as caught:
            self.gateway.tag('vm1')
        self.assertIn('not resumed', str(caught.exception))
        self.assertIn(hint, str(caught.exception))
        self.assertIs(final, caught.exception.final)

    def test_one_of_50(self) -> None:
        """Nova refuses a tag that the server has already."""
        words = 'The number of tags exceeded the per-server limit 50'
        self._answer(['osc-hostmaint:resumed'], **cloud.fault('x', 400, words))
        self.gateway.tag('vm1')

    def test_may_not_be_taken_back(self) -> None:
        words = "Policy doesn't allow os_compute_api:os-server-tags:delete"
        self.cloud.delete(cloud.NOVA + TAG, **cloud.fault('x', 403, words))
        with self.raises(exceptions.RequestRefused, words) as caught:
            self.gateway.untag('vm1')
        self.assertTrue(caught.exception.final)


class StoppedEvacuationTest(cloud.CloudTestCase):
    """At 2.95, and at no other: from there on servers stay stopped."""

    def setUp(self) -> None:
        super().setUp()
        self.cloud.post(cloud.NOVA + ACTION)

    def test_request(self) -> None:
        self.gateway.evacuate('vm1', 'cmp02', stopped=True)
        self._assert_asked('2.95', {'evacuate': {'host': 'cmp02'}})
        # But not of all.
        self.gateway.evacuate('vm1')
        self._assert_asked('2.87', {'evacuate': {}})

    def test_refused(self) -> None:
        # Some nova-compute is older than Antelope.
        words = 'Starting with microversion 2.95, evacuate API will stop ...'
        fault = cloud.fault('badRequest', 400, words)
        self.cloud.post(cloud.NOVA + ACTION, **fault)
        with self.raises(
            exceptions.RequestRefused, 'evacuate: Starting with'
        ) as caught:
            self.gateway.evacuate('vm1', stopped=True)
        self.assertTrue(caught.exception.final)

    def _assert_asked(self, version: str, body: ty.Any) -> None:
        self.assertEqual(body, self.last_request().json())
        self.assert_version(f'compute {version}')


class OldNovaTest(cloud.CloudTestCase):
    nova_maximum = '2.94'

    def test_cannot_leave_it_stopped(self) -> None:
        # A refusal of this one server, not the end of a drain.
        with self.raises(
            exceptions.RequestRefused, r'vm1.*\b2\.95\b.*\b2\.94\b'
        ) as caught:
            self.gateway.evacuate('vm1', stopped=True)
        self.assertTrue(caught.exception.final)
        self.assertEqual([], self.sent)


class OldestNovaTest(ActionTest):
    """What is asked means the same at the least microversion."""

    nova_maximum = version = '2.59'


class PinnedActionTest(ActionTest):
    """A default for other commands must not change what ours mean."""

    config = {'compute_default_microversion': '2.1'}
