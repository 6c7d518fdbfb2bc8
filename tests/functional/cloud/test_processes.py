# SPDX-License-Identifier: Apache-2.0

from importlib import metadata
import os
import signal
import tempfile
import unittest

import pytest

from tests.cloud import Cloud
from tests.cloud import handle
from tests.cloud import waiting
from tests.functional.cloud import base

pytestmark = pytest.mark.soak


def children(pid):
    """The processes that a process started, and theirs."""
    with open(f'/proc/{pid}/task/{pid}/children') as file:
        found = [int(child) for child in file.read().split()]
    return found + [deep for child in found for deep in children(child)]


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except OSError:
        return False


class TestProcesses(unittest.TestCase):
    def test_side_by_side_and_ctrl_c(self):
        with (
            Cloud.start(hosts=1, cache=base.CACHE) as one,
            Cloud.start(hosts=1, cache=base.CACHE) as other,
        ):
            one.boot('web')
            self.assertEqual([], other.servers())

            supervisor = other._process
            started = children(supervisor.pid)
            self.assertEqual(3, len(started))
            supervisor.send_signal(signal.SIGINT)
            self.assertEqual(0, supervisor.wait(15))
            self.assertEqual([], [pid for pid in started if alive(pid)])
            self.assertFalse(os.path.exists(other.state))

            self.assertEqual('web', one.servers()[0]['name'])
            started = children(one._process.pid)
            one._process.kill()
            waiting.wait_for(
                lambda: not any(map(alive, started)), 'the orphans to die', 5
            )

    def test_failed_start(self):
        with (
            tempfile.TemporaryDirectory() as state,
            tempfile.TemporaryDirectory() as cache,
        ):
            release = metadata.version('openstack-placement')
            template = os.path.join(cache, f'placement-{release}.sqlite')
            with open(template, 'w') as file:
                file.write('not a database, whatever it is called')
            with self.assertRaisesRegex(
                handle.StartError,
                rf'the placement service ended with 1.*{state}'
                r'(?s:.*)file is not a database',
            ):
                Cloud.start(hosts=1, state=state, cache=cache)
            self.assertTrue(os.path.exists(f'{state}/placement.out'))
