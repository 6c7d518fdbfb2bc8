# SPDX-License-Identifier: Apache-2.0

"""What goes over the wire for each request that changes a server."""

import typing as ty

from osc_hostmaint import exceptions
from tests import unit
from tests.unit.nova import cloud

ACTION = '/servers/vm1/action'
POST = f'POST {ACTION}'
MIGRATION = '/servers/vm1/migrations/7'
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


class PinnedMicroversionTest(ActionTest):
    """A default for other commands must not change what ours mean."""

    config = {'compute_default_microversion': '2.1'}
