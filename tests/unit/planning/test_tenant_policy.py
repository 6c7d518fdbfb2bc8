# SPDX-License-Identifier: Apache-2.0

"""What a server's owner wants, and what the operator permits."""

import itertools

from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import tenant_policy
from osc_hostmaint.planning.drain import operation as drains
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import verdicts
from tests import unit
from tests.unit import builders

Running = policies.Running
FOLLOW = policies.TenantPolicy.FOLLOW
IGNORE = policies.TenantPolicy.IGNORE


class TestTenantPolicy(unit.TestCase):
    @unit.cases(
        # tags, properties; the wish
        ([], {}, ''),
        ([], {'maintenance:policy': 'live'}, 'live'),
        (['maintenance:leave'], {}, 'leave'),
        # The tag comes before the property.
        (['a', 'maintenance:leave'], {'maintenance:policy': 'live'}, 'leave'),
        (['maintenance:live'], {'maintenance': 'leave'}, ''),
        ([], {'maintenance:policy': 'Live '}, 'Live '),
    )
    def test_what_is_said(self, tags, properties, wish):
        self.assertEqual(wish, tenant_policy.wish(tags, properties))

    @unit.cases(*itertools.product(Running, ('', 'odd', *Running)))
    def test_the_gentler_counts(self, permitted, wish):
        gentlest = ['leave', 'live', 'live-or-cold', 'cold']
        server = builders.server(wish=str(wish))
        found = tenant_policy.running(
            policies.Policy(running=permitted, tenant_policy=FOLLOW), server
        )
        known = [w for w in (permitted, wish) if w in gentlest]
        self.assertEqual(min(known, key=gentlest.index), found)
        ignoring = policies.Policy(running=permitted)
        self.assertEqual(permitted, tenant_policy.running(ignoring, server))
        self.assertFalse(tenant_policy.leaves(ignoring, server))

    @unit.cases(
        # --running, wish, status, what it failed with; what is asked for
        ('cold', 'live', 'ACTIVE', '', 'live migration'),
        ('cold', '', 'ACTIVE', '', 'cold migration'),
        ('cold', 'live', 'PAUSED', '', 'live migration'),
        ('live-or-cold', 'live', 'ACTIVE', 'no', 'live migration'),
        ('live-or-cold', 'cold', 'ACTIVE', 'no', 'cold migration'),
        ('live', 'cold', 'ACTIVE', '', 'live migration'),
        ('leave', 'live', 'ACTIVE', '', None),
        # Nobody notices the move of one that is off.
        ('live', 'live', 'SHUTOFF', '', 'cold migration'),
        ('live', 'leave', 'SHUTOFF', '', None),
        ('live', 'leave', 'SUSPENDED', '', None),
        ('live', 'leave', 'VERIFY_RESIZE', '', None),
    )
    def test_verdict(self, permitted, wish, status, no_live, asked):
        policy = policies.Policy(
            running=Running(permitted), tenant_policy=FOLLOW
        )
        terms = verdicts.Terms(drains.Drain(policy), no_live=no_live)
        found = verdicts.judge(
            builders.server(status=status, wish=wish), terms
        )
        kind = memories.ActionKind(asked) if asked else None
        self.assertEqual(kind, found.ask)

    def test_what_we_have_shelved_is_offloaded(self):
        terms = verdicts.Terms(
            drains.Drain(policies.Policy(tenant_policy=FOLLOW)), shelving=True
        )
        server = builders.server(status='SHELVED', wish='leave')
        found = verdicts.judge(server, terms)
        self.assertEqual(memories.ActionKind.OFFLOAD, found.ask)

    @unit.cases((FOLLOW, 0), (IGNORE, 9))
    def test_nothing_is_ignored(self, follows, count):
        self.assertEqual((), self.ignored(follows, count))

    @unit.cases(
        (1, "policy is none of live, live-or-cold, cold, leave: vm0 ('odd')"),
        (3, "vm0 ('odd'), vm1 ('odd'), vm2 ('odd')"),
        (5, "vm2 ('odd') and 2 more"),
    )
    def test_what_nobody_knows_is_said_once(self, count, words):
        (line,) = self.ignored(FOLLOW, count)
        self.assertTrue(line.endswith(words), line)

    def ignored(self, follows, count):
        policy = policies.Policy(tenant_policy=follows)
        wishes = {f'vm{number}': 'odd' for number in range(count)}
        known = {'vm97': '', 'vm98': 'leave', 'vm99': 'cold'}
        return tenant_policy.ignored(policy, wishes | known)
