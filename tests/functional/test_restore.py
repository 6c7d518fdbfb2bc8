# SPDX-License-Identifier: Apache-2.0

"""The way back: servers that left a host come home."""

import collections
import datetime
import json
import signal
import typing as ty

from tests.cloud import waiting
from tests.functional import base

RESTORE = 'host maintenance restore -f json'


def stamp(time: str) -> datetime.datetime:
    """A time of Nova's, which is in UTC."""
    return datetime.datetime.fromisoformat(time).replace(tzinfo=datetime.UTC)


class RestoreTest(base.FunctionalTest):
    """Empties cmp01, and brings its servers back."""

    def restore(self, line: str, code: int = 0) -> list[dict[str, ty.Any]]:
        """Restore, expect an exit code, and return the rows."""
        done = self.run_command(f'{RESTORE} {line}')
        self.assertEqual(code, done.code, done.err)
        for row in done.json:
            self.assertEqual([*base.COLUMNS, 'Left At'], list(row))
        return ty.cast('list[dict[str, ty.Any]]', done.json)

    def left_at(self) -> dict[str, str]:
        """When each server has left cmp01, by Nova's records."""
        return {
            record['instance_uuid']: f'{stamp(record["updated_at"]):%FT%TZ}'
            for record in self.records('cmp01')
            if record['status'] in ('completed', 'confirmed')
        }

    def assert_home(self, before: ty.Iterable[ty.Any]) -> None:
        """Servers are on cmp01 again, as they were before they left."""
        now = {s['id']: s for s in self.cloud.servers('cmp01')}
        for old in before:
            self.assertIn(old['id'], now, old['name'])
            new = now[old['id']]
            self.assertEqual(old['status'], new['status'], old['name'])
            self.assertIsNone(new['OS-EXT-STS:task_state'])
            self.assertEqual(
                base.addresses(old), base.addresses(new), old['name']
            )

    def arrivals(self) -> list[dict[str, ty.Any]]:
        """The migration records of moves to cmp01."""
        return [
            record
            for record in self.cloud.migrations()
            if record['dest_compute'] == 'cmp01'
        ]

    def assert_each_came_once(self, servers: ty.Sequence[ty.Any]) -> None:
        names = {s['id']: s['name'] for s in self.cloud.servers()}
        counts = collections.Counter(
            names[record['instance_uuid']] for record in self.arrivals()
        )
        self.assertEqual({s['name']: 1 for s in servers}, dict(counts))


class TestRestore(RestoreTest):
    def test_drain_unset_and_restore(self) -> None:
        cold = {'lm_fail': 'precheck'}
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 1)
            + base.lot('cmp01', 'SHUTOFF', 1)
            + [
                {'name': 'cold', 'host': 'cmp01', 'metadata': cold},
                {'name': 'deleted', 'host': 'cmp01'},
                {'name': 'resized', 'host': 'cmp01', 'flavor': 'm1.tiny'},
                {'name': 'moved', 'host': 'cmp01'},
            ]
        )
        before = {s['name']: s for s in self.cloud.servers('cmp01')}
        rows = self.drain(
            '--running live-or-cold --parallel 12 --retries 0 cmp01'
        )
        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assertEqual(6, len(rows))
        ways = {row['Name']: row['Move'] for row in rows}
        self.assertEqual('cold migration', ways['cold'])

        others = {
            name: before.pop(name) for name in ('deleted', 'resized', 'moved')
        }
        self.live_on(others)
        self.refused_in_maintenance()
        self.cloud.requests.reset()
        done = self.looked_ahead(before, ways)
        self.assertIn('cmp01 is still in maintenance', done.err)
        self.assertEqual([], self.changes())
        self.openstack('host maintenance unset cmp01')
        self.cloud.requests.reset()
        done = self.looked_ahead(before, ways)
        self.assertNotIn('in maintenance', done.err)
        self.assertEqual([], self.changes())

        rows = self.restore('--parallel 12 cmp01')

        results = {row['Name']: row['Result'] for row in rows}
        self.left_alone({row['Name']: row for row in rows})
        for name in others:
            del results[name]
        self.assertEqual(dict.fromkeys(before, 'moved'), results)
        self.assertEqual(
            {name: ways[name] for name in before},
            {
                row['Name']: row['Move']
                for row in rows
                if row['Name'] in before
            },
        )
        self.assert_home(before.values())
        self.assert_each_came_once(list(before.values()))
        self.nothing_is_left_to_do(others)

    def refused_in_maintenance(self) -> None:
        done = self.run_command(f'{RESTORE} cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('openstack host maintenance unset cmp01', done.err)
        self.assertEqual([], self.arrivals())

    def live_on(self, others: dict[str, ty.Any]) -> None:
        """One is deleted, one resized and one moved on by hand."""
        self.cloud.delete(others.pop('deleted'))
        resized, moved = others['resized'], others['moved']
        self.cloud.act(resized, {'resize': {'flavorRef': '2'}})
        now = self.cloud.server(moved).compute_host
        to = next(h for h in self.cloud.hosts() if h not in ('cmp01', now))
        self.cloud.act(
            moved, {'os-migrateLive': {'host': to, 'block_migration': 'auto'}}
        )
        self.cloud.wait_server(resized, 'VERIFY_RESIZE')
        self.cloud.act(resized, {'confirmResize': None})
        self.cloud.wait_server(resized, 'ACTIVE')
        self.cloud.wait_server(moved, 'ACTIVE', host=to)

    def looked_ahead(
        self, coming: ty.Mapping[str, ty.Any], ways: ty.Mapping[str, str]
    ) -> base.Done:
        done = self.run_command(f'{RESTORE} --dry-run cmp01')
        self.assertEqual(0, done.code, done.err)
        rows = {row['Name']: row for row in done.json}
        for name in coming:
            self.assertEqual('yes', rows[name]['Fits'], name)
            self.assertEqual(ways[name], rows[name]['Move'], name)
        left_at = self.left_at()
        for row in done.json:
            self.assertEqual(left_at[row['Server ID']], row['Left At'])
        for name in ('resized', 'moved'):
            self.assertEqual('', rows[name]['Move'], name)
        self.assertEqual(len(coming) + 2, len(rows))
        self.assertRegex(done.err, r'cmp01: \d+ servers? on .* deleted since')
        return done

    def left_alone(self, rows: ty.Mapping[str, ty.Any]) -> None:
        self.assertEqual('skipped', rows['resized']['Result'])
        self.assertIn('resized after', rows['resized']['Reason'])
        self.assertEqual('skipped', rows['moved']['Result'])
        self.assertIn('moved to', rows['moved']['Reason'])

    def nothing_is_left_to_do(self, others: ty.Mapping[str, ty.Any]) -> None:
        self.cloud.requests.reset()
        for line in ('cmp01', '--dry-run cmp01'):
            done = self.run_command(f'{RESTORE} {line}')
            self.assertEqual(0, done.code, done.err)
            self.assertRegex(
                done.err, 'cmp01: nothing to bring back: .* since .*Z are skip'
            )
            rows = {row['Name']: row for row in done.json}
            self.assertEqual({*others}, {*rows})
            if 'Result' in rows['moved']:
                self.left_alone(rows)
        self.assertEqual([], self.changes())

    def test_unset_and_restore_and_killed(self) -> None:
        self.cloud.boot_many(
            base.lot('cmp01', 'ACTIVE', 3) + base.lot('cmp01', 'SHUTOFF', 1)
        )
        before = self.cloud.servers('cmp01')
        self.drain('cmp01')
        late = before[0]
        self.cloud.server_knobs(late, lm_stuck='1', cm_seconds='600')

        process = self.start('host maintenance unset --restore -f json cmp01')
        waiting.wait_for(
            lambda: [
                record
                for record in self.arrivals()
                if record['status'] == 'completed'
            ],
            'the first one to be home',
        )
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual('enabled', self.cloud.service('cmp01').status)
        self.assertLess(len(self.cloud.servers('cmp01')), len(before))
        self.cloud.server_knobs(late, lm_stuck='', cm_seconds='0')
        out = self.openstack('host maintenance unset --restore -f json cmp01')

        rows = json.loads(out)
        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assert_home(before)
        self.assert_each_came_once(before)
        self.assertFalse(
            [s for s in self.cloud.servers() if s['status'] == 'VERIFY_RESIZE']
        )

    def test_the_date_of_a_front_end_does_not_count(self) -> None:
        servers = base.lot('cmp01', 'ACTIVE', 1)
        self.cloud.boot_many(servers + base.lot('cmp01', 'SHUTOFF', 1))
        before = self.cloud.servers('cmp01')
        year = datetime.timedelta(days=365)

        self.set_date(year)
        began = datetime.datetime.now(datetime.UTC)
        rows = self.drain('--timeout 60s cmp01')

        self.assertEqual({'moved'}, {row['Result'] for row in rows})
        self.assert_empty('cmp01')
        since = datetime.datetime.fromisoformat(self.show('cmp01')['since'])
        # The newest heartbeat may be one interval old, in whole seconds.
        self.assertLess(abs((since - began).total_seconds()), 15)
        self.openstack('host maintenance unset cmp01')
        rows = self.restore('--since 1h cmp01')
        self.assertEqual(2, len(rows), rows)
        self.assert_home(before)

    def test_no_room_at_home(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 2))
        before = self.cloud.servers('cmp01')
        self.drain('cmp01')
        self.openstack('host maintenance unset cmp01')
        # Room for one of two.
        self.cloud.inventory('cmp01', MEMORY_MB={'total': 2048})
        self.cloud.requests.reset()

        done = self.run_command(f'{RESTORE} cmp01')

        self.assertEqual(1, done.code, done.err)
        self.assertIn('1 of 2 servers do not fit', done.err)
        self.assertIn('--skip-capacity-check', done.err)
        done = self.run_command(f'{RESTORE} --exclude active-9 cmp01')
        self.assertEqual(1, done.code, done.err)
        self.assertIn('brought back to cmp01 has the id or the name', done.err)
        self.assertEqual([], self.changes())
        # One that stays where it is needs no room at home.
        for line in ('--dry-run --exclude active-0', '--exclude active-0'):
            done = self.run_command(f'{RESTORE} {line} cmp01')
            self.assertEqual(3, done.code, done.err)
            rows = {row['Name']: row for row in done.json}
            self.assertIn('(--exclude)', rows['active-0']['Reason'])
        self.assertEqual('blocked', rows['active-0']['Result'])
        self.assertEqual('moved', rows['active-1']['Result'])
        (row,) = self.restore(
            '--skip-capacity-check --retries 0 cmp01', code=3
        )
        self.assertEqual('failed', row['Result'])
        self.assertEqual(1, len(self.cloud.servers('cmp01')))
        self.cloud.inventory('cmp01', MEMORY_MB={'total': 8192})
        self.restore('cmp01')
        self.assert_home(before)


class TestQueues(RestoreTest):
    options: ty.ClassVar[dict[str, ty.Any]] = {'max_live': 1}

    def test_one_from_each_source_first(self) -> None:
        self.cloud.boot_many(base.lot('cmp01', 'ACTIVE', 3))
        before = self.cloud.servers('cmp01')
        self.cloud.knobs(lm_seconds=3)
        rows = self.drain('--to cmp02 --exclude active-2 cmp01', code=3)
        # The second one has waited for the first.
        records = self.records('cmp01')
        took = max(stamp(r['updated_at']) for r in records) - min(
            stamp(r['created_at']) for r in records
        )
        seconds = [r['Seconds'] for r in rows if r['Result'] == 'moved']
        self.assertEqual(2, len(seconds), rows)
        # Nova keeps whole seconds.
        self.assertLessEqual(sum(seconds), took.total_seconds() + 2, rows)
        self.assertGreaterEqual(min(seconds), 1, rows)
        self.cloud.knobs(lm_seconds=1)
        self.drain('--to cmp03 cmp01')
        self.openstack('host maintenance unset cmp01')
        left_at = self.left_at()

        rows = self.restore('--parallel 2 cmp01')

        self.assert_home(before)
        self.assertEqual(
            left_at, {row['Server ID']: row['Left At'] for row in rows}
        )
        first, second, _third = sorted(self.arrivals(), key=lambda r: r['id'])
        self.assertNotEqual(first['source_compute'], second['source_compute'])
        # Nothing has left this one.
        done = self.run_command(f'{RESTORE} --since 2h cmp04')
        self.assertEqual((0, []), (done.code, done.json), done.err)
        self.assertIn('cmp04: nothing to bring back: no server', done.err)
