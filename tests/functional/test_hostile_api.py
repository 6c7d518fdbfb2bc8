# SPDX-License-Identifier: Apache-2.0

"""The real command against an API that misbehaves: a test a behaviour."""

import datetime
import gzip
import signal
import typing as ty
import unittest
from unittest import mock

from osc_hostmaint.nova import transport
from tests.functional import base
from tests.functional import fake_api
from tests.functional import shell

Answer = fake_api.Answer
Request = fake_api.Request
SERVICES = '/v2.1/os-services'
SERVERS = '/v2.1/servers/detail'
MIGRATIONS = '/v2.1/os-migrations'
GROUPS = '/v2.1/os-server-groups'
A_YEAR = {'Retry-After': '31536000'}


def server(number: int, **changes: ty.Any) -> dict[str, ty.Any]:
    """Return a server on cmp01 as Nova shows it."""
    return {
        'id': f'server-{number}',
        'name': f'server {number}',
        'status': 'SHUTOFF',
        'OS-EXT-STS:vm_state': 'stopped',
        'OS-EXT-STS:task_state': None,
        'OS-EXT-STS:power_state': 4,
        'OS-EXT-SRV-ATTR:host': 'cmp01',
        'addresses': {},
        'flavor': {'ram': 512, 'extra_specs': {}},
        'image': '',
        'updated': '2026-11-20T23:31:07Z',
        **changes,
    }


class HostileApiTestCase(base.FunctionalTest):
    def setUp(self) -> None:
        unittest.TestCase.setUp(self)
        self.api = self.enterContext(fake_api.FakeApi())
        self.cloud = ty.cast('ty.Any', self.api)
        # What is waited for a minute takes less than two seconds.
        self.enterContext(mock.patch.object(shell, 'FACTOR', 0.02))

    def behave(self, *behaviours: fake_api.Behaviour) -> None:
        self.api.behaviours.extend(behaviours)

    def host(self, line: str, code: int = 0) -> base.Done:
        """Run a command of host maintenance, and expect an exit code."""
        done = self.run_command(f'host maintenance {line}')
        self.assertEqual(code, done.code, done.err)
        return done


class TestRetries(HostileApiTestCase):
    def test_retry_after_a_year(self) -> None:
        busy = Answer({'overLimit': {'message': 'Slow.'}}, 429, A_YEAR)
        self.behave(fake_api.at(SERVICES, busy))
        done = self.host('list -f json --all')
        self.assertEqual(2, len(done.json))
        self.assertRegex(done.err, r'GET /os-services.*429.*trying again in')

    def test_retry_after_nonsense(self) -> None:
        for asked in ('-1', '1' + 20 * '0', 'tomorrow'):
            with self.subTest(asked):
                answer = Answer(status=503, headers={'Retry-After': asked})
                self.behave(fake_api.at(SERVICES, answer))
                self.host('list --all')

    def look_fails_once(self) -> None:
        """Ask for a year's patience once the drain looks at its moves."""
        asked: list[Request] = []

        def busy(request: Request) -> Answer | None:
            service = self.api.services['cmp01']
            looks = request.path == MIGRATIONS and service['disabled_reason']
            if not looks or asked:
                return None
            asked.append(request)
            return Answer(status=503, headers=A_YEAR)

        self.behave(busy)

    def test_interrupt_ends_the_wait(self) -> None:
        self.look_fails_once()
        process = self.start('host maintenance drain cmp01', TIMING_FACTOR='1')
        self.assertIn('60 s', self.read_until(process, 'trying again in'))
        process.send_signal(signal.SIGINT)
        # As long as that it would have waited.
        _out, err = process.communicate(timeout=45)
        self.assertIn('Interrupted', err)
        self.assertEqual(130, process.returncode)

    def test_timeout_ends_the_wait(self) -> None:
        self.look_fails_once()
        process = self.start(
            'host maintenance drain --timeout 5 cmp01', TIMING_FACTOR='1'
        )
        self.read_until(process, 'trying again in')
        process.communicate(timeout=45)
        self.assertEqual(4, process.returncode)

    def test_update_over_another(self) -> None:
        """Its failure comes late; meanwhile somebody else has disabled it."""

        def fail(request: Request) -> Answer | None:
            if request.method != 'PUT':
                return None
            self.api.services['cmp01'] |= {
                'status': 'disabled',
                'disabled_reason': 'do not enable',
            }
            return Answer(status=504)

        self.behave(fail)
        done = self.host('set --reason kernel cmp01', code=1)
        self.assertIn('was changed by somebody else', done.err)
        reason = self.api.services['cmp01']['disabled_reason']
        self.assertEqual('do not enable', reason)

    def test_update_that_had_an_effect(self) -> None:
        puts = []

        def fail(request: Request) -> Answer | None:
            if request.method != 'PUT':
                return None
            puts.append(request)
            self.api.services['cmp01'].update(request.body)
            return Answer(status=504)

        self.behave(fail)
        self.host('set --reason kernel cmp01')
        self.assertEqual(1, len(puts))


class TestLists(HostileApiTestCase):
    def paged(self, pages: dict[str, list[ty.Any]]) -> None:
        """Answer lists of servers with a page for each marker."""

        def behave(request: Request) -> Answer | None:
            if request.path != SERVERS:
                return None
            marker = request.query.get('marker', '')
            if marker not in pages:
                words = f'marker [{marker}] not found'
                return Answer({'badRequest': {'message': words}}, 400)
            found: dict[str, ty.Any] = {'servers': pages[marker]}
            if marker in self.linked:
                found['servers_links'] = [{'rel': 'next', 'href': 'x'}]
            return Answer(found)

        self.behave(behave)

    def test_marker_deleted_meanwhile(self) -> None:
        first, second, third = map(server, (1, 2, 3))
        self.linked = ['']
        pages = {'': [first, second]}
        self.paged(pages)

        def delete(request: Request) -> None:
            """Delete what the first page ends with, once it was given."""
            if request.query.get('marker') == 'server-2':
                pages.clear()
                pages.update({'': [first, third]})
                self.linked = []

        self.behave(delete)
        self.api.behaviours.reverse()
        # No server has an allocation, so whether they fit is not known.
        done = self.host('drain --dry-run -f json cmp01', code=3)
        names = {row['Name'] for row in done.json}
        self.assertEqual({'server 1', 'server 2', 'server 3'}, names)

    def test_page_that_comes_again(self) -> None:
        page = Answer(
            {
                'servers': [server(1), server(2)],
                'servers_links': [{'rel': 'next', 'href': 'x'}],
            }
        )
        self.behave(fake_api.always(SERVERS, page))
        done = self.host('drain --dry-run cmp01', code=1)
        self.assertIn('GET /servers/detail: the list has no end', done.err)
        self.assertLess(len(self.api.asked('GET', SERVERS)), 10)


class TestAnswers(HostileApiTestCase):
    def refused(self, answer: Answer, words: str = 'cannot be read') -> None:
        self.behave(fake_api.always(SERVICES, answer))
        done = self.host('list', code=1)
        self.assertIn('Nova: GET /os-services: ', done.err)
        self.assertIn(words, done.err)
        self.assertEqual('', done.out.strip())

    def test_malformed_field(self) -> None:
        good = self.api.services['cmp01']
        for changes in (
            {'host': None},
            {'zone': ['nova']},
            {'updated_at': 'yesterday'},
            {'forced_down': 'no'},
        ):
            with self.subTest(changes):
                self.api.behaviours.clear()
                self.refused(Answer({'services': [{**good, **changes}]}))

    def test_deep_nesting(self) -> None:
        self.refused(Answer(10000 * b'[' + 10000 * b']'), 'lacks services')

    def test_endless_answer(self) -> None:
        self.enterContext(mock.patch.object(transport, 'MAX_BYTES', 2**20))
        zeros = Answer(
            gzip.compress(bytes(2**24)), headers={'Content-Encoding': 'gzip'}
        )
        self.refused(zeros, 'is too large')

    def test_a_drain_bears_it(self) -> None:
        """Like an outage: what is malformed now may be good later."""
        self.api.behaviours.append(
            fake_api.at(
                MIGRATIONS,
                Answer({'migrations': []}),
                *3 * [Answer({'migrations': None})],
            )
        )
        self.host('drain cmp01')
        self.assertGreater(len(self.api.asked('GET', MIGRATIONS)), 4)

    def test_other_binary(self) -> None:
        scheduler = {
            **self.api.services['cmp01'],
            'host': 'ctl01',
            'binary': 'nova-conductor',
        }
        services = [*self.api.services.values(), scheduler]
        self.behave(fake_api.always(SERVICES, Answer({'services': services})))
        done = self.host('set ctl01', code=1)
        self.assertIn('ctl01', done.err)
        puts = [r for r in self.api.requests if r.method == 'PUT']
        self.assertEqual([], puts)

    def test_redirect_to_another_origin(self) -> None:
        for path in (SERVICES, '/v2.1'):
            with self.subTest(path), fake_api.FakeApi() as other:
                other.behaviours.append(lambda _: Answer(status=401))
                elsewhere = {'Location': f'{other.url}{path}'}
                answer = Answer(status=302, headers=elsewhere)
                self.api.behaviours = [fake_api.always(path, answer)]
                done = self.host('list', code=1)
                self.assertIn('check the endpoint in the catalog', done.err)
                self.assertEqual([], other.requests)

    def test_malformed_redirect(self) -> None:
        headers = {'Location': 'http://[x/'}
        self.refused(Answer(status=302, headers=headers))

    def test_what_is_no_list_is_not_empty(self) -> None:
        for wrong in ({}, ''):
            with self.subTest(wrong):
                answer = Answer({'servers': wrong})
                self.api.behaviours = [fake_api.always(SERVERS, answer)]
                done = self.host('drain --dry-run cmp01', code=1)
                self.assertIn('servers/detail: a part', done.err)

    def test_malformed_part_of_a_server(self) -> None:
        for changes in (
            {'pinned_availability_zone': ['x']},
            {'flavor': {'extra_specs': {'ssd': None}}},
            {'addresses': {'net': [{'addr': 7}]}},
            {'status': None},
        ):
            with self.subTest(changes):
                answer = Answer({'servers': [server(1, **changes)]})
                self.api.behaviours = [fake_api.always(SERVERS, answer)]
                done = self.host('drain --dry-run cmp01', code=1)
                self.assertIn('servers/detail: a part', done.err)

    def test_password_in_an_endpoint(self) -> None:
        self.api.endpoint = self.api.url.replace('//', '//bob:hush@') + '/v2.1'
        self.behave(fake_api.always(SERVICES, Answer(status=503)))
        done = self.host('list', code=1)
        self.assertNotIn('hush', done.err)
        self.assertIn('503', done.err)


class TestToken(HostileApiTestCase):
    def test_short_token_is_renewed_before_a_move(self) -> None:
        """Nova goes on with it until the move has ended."""
        now = datetime.datetime.now(datetime.UTC)
        token = self.api.token()
        token.issued = now - datetime.timedelta(minutes=55)
        token.expires = now + datetime.timedelta(minutes=5)
        old = Answer(token, 201, {'X-Subject-Token': 'old'})
        self.behave(
            fake_api.at('/v3/auth/tokens', old),
            fake_api.always(SERVERS, Answer({'servers': [server(1)]})),
            fake_api.always(
                '/v2.1/servers/server-1', Answer({'server': server(1)})
            ),
            fake_api.always(
                '/v2.1/servers/server-1/action', Answer(None, 202)
            ),
        )
        self.host('drain --skip-capacity-check --timeout 2 cmp01', 4)
        moves = self.api.asked('POST', '/v2.1/servers/server-1/action')
        tokens = [request.headers['X-Auth-Token'] for request in moves]
        self.assertEqual(['token-1'], tokens[:1])
        looks = self.api.asked('GET', SERVICES)
        self.assertEqual('old', looks[0].headers['X-Auth-Token'])
