# SPDX-License-Identifier: Apache-2.0

"""``python -m tests.cloud.setups``: set clouds up, over and over.

A test fails for no reason of its own if its cloud cannot be set up. So each
of these clouds starts, builds servers in every state that the tests need,
and stops; a single failure is a failure of the whole run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback

from tests.cloud import handle

_STATES = (
    'ACTIVE',
    'SHUTOFF',
    'PAUSED',
    'SUSPENDED',
    'SHELVED',
    'VERIFY_RESIZE',
)


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m tests.cloud.setups')
    parser.add_argument('--count', type=int, default=100, help='set-ups')
    parser.add_argument('--hosts', type=int, default=5, help='hosts per cloud')
    parser.add_argument(
        '--servers', type=int, default=12, help='servers per cloud'
    )
    arguments = parser.parse_args()
    failed = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='cloud-cache-') as cache:
        for number in range(1, arguments.count + 1):
            failed += not _set_up(
                number, cache, arguments.hosts, arguments.servers
            )
    each = (time.monotonic() - began) / max(1, arguments.count)
    print(
        f'{arguments.count} set-ups, {failed} failed, {each:.1f} s each',
        flush=True,
    )
    return 1 if failed else 0


def _set_up(number: int, cache: str, hosts: int, servers: int) -> bool:
    """Start a cloud, fill it and stop it.

    :returns: whether all of that worked. If not, the state directory with
        the logs is kept.
    """
    state = tempfile.mkdtemp(prefix='cloud-')
    began = time.monotonic()
    try:
        with handle.Cloud.start(hosts, state, cache) as cloud:
            started = time.monotonic()
            cloud.boot_many(
                [
                    {'name': f's{n:02d}', 'state': _STATES[n % len(_STATES)]}
                    for n in range(servers)
                ]
            )
            filled = time.monotonic()
    except Exception:
        traceback.print_exc()
        print(f'{number}: FAILED; its logs are in {state}', flush=True)
        return False
    print(
        f'{number}: {started - began:.1f} s to start,'
        f' {filled - started:.1f} s to fill,'
        f' {time.monotonic() - filled:.1f} s to stop',
        flush=True,
    )
    shutil.rmtree(state)
    return True


if __name__ == '__main__':
    sys.exit(main())
