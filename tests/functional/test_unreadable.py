# SPDX-License-Identifier: Apache-2.0

"""Servers that Nova itself cannot read."""

from tests.functional import base


class TestUnreadable(base.FunctionalTest):
    def test_the_others_move(self) -> None:
        bad, *_others = self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 3) + base.lot('cmp01', 'SHUTOFF', 1)
        )
        self.cloud.damage_request(bad)
        done = self.run_command('host maintenance drain -f json cmp01')
        self.assertEqual(3, done.code, done.err)
        self.assertEqual(1, done.err.count('cannot list the servers of cmp01'))
        rows = {row['Name']: row for row in done.json}
        results = [row['Result'] for row in rows.values()]
        self.assertEqual(['failed'] + 3 * ['moved'], sorted(results))
        self.assertRegex(
            rows['active-0']['Reason'],
            r'had no effect: Nova: POST .*JSONDecodeError.*HTTP 500',
        )
