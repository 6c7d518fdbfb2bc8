# SPDX-License-Identifier: Apache-2.0

"""A cell that does not answer: nothing is concluded from that."""

from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit import builders
from tests.unit.planning import base

NOW = builders.NOW
LIMIT = timing.OUTAGE_LIMIT_SECONDS
Phase = server_status.Phase


class TestHost(base.DecideTestCase):
    SERVERS = (builders.server('vm1'), builders.server('vm2', 'SHUTOFF'))
    #: vm1 is on its way.
    RECORD = builders.migration(1, 'running', 'vm1')

    def begin(self, **observed):
        """Return what is remembered of the time when it answered."""
        return self.decide(
            servers=self.SERVERS, migrations=[self.RECORD], **observed
        ).memory

    def silent(self, memory, *seconds, **observed):
        """Return what is decided so long after it fell silent, at last."""
        for after in seconds or (0.0,):
            at = NOW + 1 + after
            observed = {
                'silent': builders.HOST,
                'servers_at': float('-inf'),
                'migrations': [self.RECORD],
                **observed,
                'service_at': at,
            }
            found = self.decide(memory=memory, now=at, **observed)
            memory = found.memory
        return found

    @unit.cases({}, {'migrations': []}, {'servers': SERVERS})
    def test_it_is_awaited(self, observed):
        found = self.silent(self.begin(), **observed)
        self.assertEqual((), found.actions)
        self.assertFalse(found.done)
        self.assertTrue(found.query.services)
        self.assertFalse(found.query.singles or found.query.records)
        self.assertEqual([None, None], [row.result for row in found.rows])
        self.assertIn('the cell of cmp01', found.waiting_for)

    @unit.cases(False, True)
    def test_after_a_while_that_is_an_error(self, evacuate):
        observed = {
            'policy': policies.Policy(evacuate=evacuate),
            'service': builders.service(up=not evacuate),
        }
        found = self.silent(self.begin(**observed), 0.0, LIMIT, **observed)
        self.assert_over(found)
        self.assertEqual(down_cells.words('cmp01'), found.trouble)
        for row in found.rows:
            self.assertTrue(row.left)
            self.assertIn(down_cells.CELL, row.reason)
            self.assertNotIn('evacuate', row.reason)

    @unit.cases(('running', 'moving'), ('completed', 'failed'))
    def test_what_has_ended_is_not_called_moving(self, status, result):
        record = builders.migration(1, status, 'vm1')
        found = self.silent(self.begin(), 0.0, LIMIT, migrations=[record])
        rows = {row.server_id: row for row in found.rows}
        self.assertEqual(result, rows['vm1'].result)

    def test_down_cell_host_is_never_drained(self):
        found = self.silent(memories.HostMemory(), 0.0, LIMIT, migrations=[])
        self.assertEqual(down_cells.words('cmp01'), found.trouble)
        self.assertFalse(found.drained)

    def test_it_answers_again(self):
        found = self.decide(
            memory=self.silent(self.begin(), LIMIT - 1).memory,
            now=NOW + LIMIT,
            migrations=[self.RECORD],
            servers_at=float('-inf'),
            service_at=NOW + LIMIT,
        )
        self.assertTrue(found.query.servers)
        self.assertIsNone(found.memory.lost_since)

    def test_it_was_down_before(self):
        down = {'service': builders.service(up=False)}
        found = self.silent(
            self.begin(**down), timing.DOWN_GRACE_SECONDS + 1, **down
        )
        self.assertFalse(found.done, 'that it is down is not known now')

    def test_home_cell_is_down(self):
        observed = {
            'policy': policies.Policy(
                home='cmp09', to='cmp09', only=frozenset({'vm1', 'vm2'})
            ),
            'home': builders.service(host='cmp09', enabled=True),
        }
        found = self.silent(self.begin(**observed), silent='cmp09', **observed)
        self.assertEqual((), found.actions)
        found = self.silent(found.memory, LIMIT, silent='cmp09', **observed)
        self.assertEqual(down_cells.words('cmp09'), found.trouble)

    def test_its_service_is_listed_no_more(self):
        found = self.silent(
            self.begin(),
            0.0,
            timing.DOWN_GRACE_SECONDS,
            silent='',
            service=builders.service(id='', up=False),
        )
        self.assertTrue(found.done)
        self.assertIn('it was deleted, or its cell', found.trouble)


class TestServer(base.DecideTestCase):
    """The host's cell answers, but that of a server does not."""

    def decided(self, unseen_ago=0.0, service_ago=1.0, since=0.0):
        memory = self.decide(servers=[builders.server()]).memory
        memory = self.decide(memory=memory, unseen={'vm1': NOW - since}).memory
        return self.decide(
            memory=memory,
            unseen={'vm1': NOW - unseen_ago},
            service_at=NOW - service_ago,
            servers_at=NOW - 2,
        )

    @unit.cases(
        # Looked at since when, the services since when, and look again?
        (0.0, 1.0, False),
        (1.0, 0.0, True),
        (timing.UNLISTED_RECHECK_SECONDS, 40.0, True),
    )
    def test_it_is_awaited(self, unseen_ago, service_ago, looks):
        found = self.decided(unseen_ago, service_ago)
        self.assertIs(Phase.SETTLING, self.row(found).phase)
        self.assertEqual(looks, 'vm1' in found.query.visit)
        self.assertFalse(found.done)

    def test_reported_after_the_limit(self):
        found = self.decided(since=LIMIT)
        self.assertIs(Phase.FAILED, self.row(found).phase)
        self.assertEqual(down_cells.LEFT, self.row(found).reason)

    @unit.cases((1.0, False), (timing.UNLISTED_RECHECK_SECONDS, True))
    def test_abandoned_server_is_visited_periodically(self, unseen_ago, looks):
        policy = policies.Policy(server_timeout=60)
        cold = builders.migration(
            1, 'migrating', type='migration', seen_at=NOW - 100
        )
        found = self.decide(
            migrations=[cold],
            policy=policy,
            memory=self.decide(
                servers=[builders.server('vm1', 'RESIZE', seen_at=NOW - 100)],
                migrations=[cold],
                policy=policy,
                now=NOW - 100,
            ).memory,
            unseen={'vm1': NOW - unseen_ago},
            service_at=NOW - unseen_ago,
        )
        self.assertIs(Phase.STILL_MOVING, self.row(found).phase)
        self.assertEqual(looks, 'vm1' in found.query.visit)

    @unit.cases(0.0, LIMIT)
    def test_server_never_seen(self, since):
        """A record binds it to the host: the drain does not wait for ever."""
        record = builders.migration(1, 'finished', type='resize')
        observed = {'servers': [], 'migrations': [record]}
        memory = self.decide(unseen={'vm1': NOW - since}, **observed).memory
        found = self.decide(
            memory=memory, unseen={'vm1': NOW}, service_at=NOW, **observed
        )
        self.assertEqual('vm1' in found.query.visit, not since)
        self.assertEqual(bool(since), found.query.consumers)
        if since:
            self.assertTrue(self.row(found).left)

    def test_what_is_known_stays(self):
        found = self.decide(
            visited=[base.THERE],
            migrations=[builders.migration(1, 'completed')],
            memory=self.decide(servers=[base.HERE]).memory,
            silent=builders.HOST,
        )
        self.assert_row(found, 'moved')

    @unit.cases(
        (builders.server(seen_at=NOW - 1), True),
        (model.Server('vm1', '', 'DELETED', 'deleted', None, None), False),
    )
    def test_vanished_record_in_a_down_cell(self, view, looks):
        found = self.decide(
            migrations=[builders.migration(1, 'running')],
            visited=[view],
            missing=frozenset({'vm1'}),
        )
        self.assertEqual(looks, 'vm1' in found.query.visit)
