# SPDX-License-Identifier: Apache-2.0

"""Why a server does not fit, and what would help: words for people."""

from osc_hostmaint import model
from osc_hostmaint.planning.capacity import suggestions
from tests import unit
from tests.unit.planning import clouds

Host = clouds.Host
filled = clouds.filled
A, B = clouds.hosts('a', 'b')
FULL = filled('f', 1)
GOLD = frozenset({'CUSTOM_GOLD'})
GPUS = Host('gpus', nested={'gpu0': {'VGPU': 1}, 'gpu1': {'VGPU': 1}})
NICS = Host('nics', nested={'nic0': {'NET_BW': 3}, 'nic1': {'NET_BW': 3}})
TWO_CARDS = (model.RequestGroup((('VGPU', 1),)),) * 2
ZONED = [
    Host('src', zone='zone1', maintenance=True),
    Host('a', zone='zone2'),
    filled('f', 1, zone='zone1'),
]
BUSY = [
    *(filled('full', 1), filled('fuller', 0.9), filled('third', 0.8)),
    *(Host('off', enabled=False), Host('down', up=False)),
    Host('kept', maintenance=True),
]
NOTHING: dict[str, object] = {}
NO_OTHER = 'there is no other host'
NONE = 'no host can take it: '
APART = clouds.group('anti-affinity', 'vm00', 'there')


class TestReasons(unit.TestCase):
    @unit.cases(
        # The reason, the hosts, what is known, what the server needs.
        ('', [A]),
        (NO_OTHER, []),
        # Others that are drained as well are none.
        (NO_OTHER, [A, B], {'leaving': ['a', 'b']}),
        # Others than the only one wanted do not matter.
        (f'{NONE}1 without room', [A, B, FULL], {'only': 'f'}),
        (NO_OTHER, [A, B, FULL], {'only': 'src'}),
        # Each host has its reason, and the commonest comes first.
        (f'{NONE}3 without room, 1 disabled, 1 down, 1 in maintenance', BUSY),
        (
            f'{NONE}1 not in zone zone2, 1 without room',
            [A, filled('f', 1, zone='zone2')],
            {'aggregates': [clouds.zone('zone2', 'f')]},
            {'zone': 'zone2'},
        ),
        (
            f'{NONE}1 with CUSTOM_GOLD, 1 without room',
            [FULL, Host('b', traits=GOLD)],
            {},
            {'forbidden_traits': GOLD},
        ),
        (
            f'{NONE}1 without CUSTOM_GOLD, 1 without room',
            [A, FULL],
            {},
            {'required_traits': GOLD},
        ),
        (
            f'{NONE}1 excluded by its server group, 1 without room',
            [A, FULL],
            {'groups': [APART], 'located': {'there': 'a'}},
        ),
        (
            'its server group (affinity) requires the host it is on, so Nova '
            'moves it nowhere else',
            [A, B],
            {'groups': [clouds.group('affinity', 'vm00')]},
        ),
        (
            'depends on scheduler filters that the API does not show: '
            f'{NONE}1 not in zone zone1, 1 without room',
            ZONED,
            {},
            {'zone_known': False},
        ),
        ('', [GPUS], {}, {'groups': TWO_CARDS, 'isolate': True}),
        (
            f'{NONE}2 without room or traits for its resource groups',
            [A, Host('b', nested={'gpu0': {'VGPU': 2}})],
            {},
            {'groups': TWO_CARDS, 'isolate': True},
        ),
        (
            'there is room, but it holds NET_BW, which its flavor does not '
            'request: only the scheduler can check what its ports and devices '
            'request',
            [NICS],
            {},
            {'others': (('NET_BW', 5),)},
        ),
        (
            'depends on scheduler filters that the API does not show: '
            f'{NONE}1 without NET_BW',
            [NICS],
            {},
            {'others': (('NET_BW', 7),)},
        ),
    )
    def test_reasons(self, reason, nodes, known=NOTHING, needs=NOTHING):
        demands = clouds.demands(1, **needs)
        found = clouds.capacity_forecast(nodes, demands, **known)
        self.assertEqual(reason, found.fits['vm00'].reason)

    @unit.cases(([A], 'one host'), ([A, B], '2 hosts'))
    def test_alone_it_would_fit(self, nodes, hosts):
        more = clouds.demands(len(nodes) + 1, clouds.WHOLE)
        found = clouds.capacity_forecast(nodes, more)
        (misfit,) = found.misfits
        self.assertEqual(
            f'{hosts} could take it alone, but not together with all the '
            'others',
            found.fits[misfit].reason,
        )


ONE_BY_ONE = (
    'the servers of each host alone would fit: drain one host, put it back '
    'into service, then drain the next'
)


class TestSuggestions(unit.TestCase):
    def find(self, nodes, demands):
        """Return what would help."""
        return suggestions.find(clouds.assign(nodes, demands))

    def test_one_by_one_must_help_each_host(self):
        sources = ('one', 'two')
        nodes = [filled(n, 0.5, maintenance=n != 'a') for n in ('a', *sources)]
        demands = [clouds.demand(n, clouds.HALF, source=n) for n in sources]
        large = clouds.demand('x', clouds.WHOLE, 'two')
        self.assertEqual(ONE_BY_ONE, self.find(nodes, demands)[0])
        # Each may take the other's server only.
        self.assertEqual(ONE_BY_ONE, self.find(nodes[1:], demands)[0])
        self.assertNotIn(ONE_BY_ONE, self.find(nodes, [*demands, large]))

    def test_a_disabled_host_would_have_room(self):
        off = clouds.Host('off', enabled=False)
        self.assertEqual(
            'all would fit with off in service (now disabled)',
            self.find([off], clouds.demands(1))[0],
        )
