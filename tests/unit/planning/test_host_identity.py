# SPDX-License-Identifier: Apache-2.0


"""What stands below a host."""

from osc_hostmaint import model
from osc_hostmaint.planning import host_identity
from tests import unit
from tests.unit import builders

ADDRESS = '192.0.2.7'


def hypervisor(host, address=ADDRESS, kind='QEMU') -> model.Hypervisor:
    return model.Hypervisor('rp', f'{host}.node', host, kind, address)


class TestHostIdentity(unit.TestCase):
    """Of the host ``old`` and others: whether each is up."""

    def judge(self, states, hypervisors, *, evacuate=False):
        """Return why the first host is left alone, and its old names."""
        services = {
            host: builders.service(host=host, up=up)
            for host, up in states.items()
        }
        known = (next(iter(services.values())), services, hypervisors)
        return (
            host_identity.against(*known, evacuate=evacuate),
            host_identity.old_names(*known),
        )

    @unit.cases(
        # up or not, the first one first; evacuate; refused
        ({'old': False, 'new': True}, False, True),
        ({'old': False, 'new': True}, True, True),
        # Said to have died, and shown up until Nova misses it.
        ({'old': True, 'new': True}, True, True),
        # Both live, so they are two, or it does no harm.
        ({'old': True, 'new': True}, False, False),
        ({'old': False, 'new': False}, True, False),
        # That address is nobody's own.
        ({'old': False, 'new': True, 'third': True}, True, False),
        ({'old': False, 'new': True, 'third': False}, True, True),
    )
    def test_same_address(self, states, evacuate, refused):
        words, _old = self.judge(
            states, [hypervisor(h) for h in states], evacuate=evacuate
        )
        self.assertIs(refused, bool(words), words)
        if refused:
            told = f'old and new have the same address ({ADDRESS})'
            self.assertIn(told, words)
            self.assertIn('new is up', words)
            self.assertTrue(words.isprintable())

    @unit.cases(
        *('', '127.0.0.1', '::1', '0.0.0.0', '::', '169.254.0.1', 'cmp01')
    )
    def test_shared_addresses_are_ignored(self, address):
        states = {'old': False, 'new': True}
        nodes = [hypervisor(host, address) for host in states]
        words, _old = self.judge(states, nodes, evacuate=True)
        self.assertEqual('', words)

    @unit.cases(
        # Several hypervisors of one host.
        [hypervisor('old'), hypervisor('old'), hypervisor('new', '192.0.2.8')],
        # vCenter: the guests are elsewhere.
        [hypervisor(h, kind='VMware vCenter Server') for h in ('old', 'new')],
        [hypervisor('old')],
        # No service tells of it.
        [hypervisor('old'), hypervisor('gone')],
        [],
    )
    def test_no_other_name(self, nodes):
        for evacuate in (False, True):
            words, _old = self.judge(
                {'old': False, 'new': True}, nodes, evacuate=evacuate
            )
            self.assertEqual('', words)

    @unit.cases(
        ({'new': True, 'old': False}, ('old',)),
        ({'new': True, 'old': True}, ()),
        ({'new': True, 'old': False, 'third': True}, ()),
        ({'new': False, 'old': False}, ()),
    )
    def test_old_names_of_a_renamed_host(self, states, expected):
        nodes = [hypervisor(host) for host in states]
        self.assertEqual(expected, self.judge(states, nodes)[1])

    def test_bare_metal(self):
        nodes = [hypervisor('old', kind='ironic'), hypervisor('new')]
        words, _old = self.judge({'old': True, 'new': True}, nodes)
        self.assertIn('old manages bare metal', words)
