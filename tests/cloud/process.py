# SPDX-License-Identifier: Apache-2.0

"""What every service process of a cloud does alike."""

from __future__ import annotations

from collections import abc
import ctypes
import gc
import importlib.metadata
import logging
import os
import signal
import sys
import threading
import traceback
import warnings

from keystoneauth1.identity import base

from tests.cloud import options
from tests.cloud import tap
from tests.cloud import web

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Be killed by the kernel when the supervisor is gone, however it went."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # gone before the call above
        os._exit(1)


def run(
    start: abc.Callable[[options.Blueprint], None],
    blueprint: options.Blueprint,
) -> None:
    """Start a service, say so, and serve until told to stop.

    The process ends by os._exit(): Nova alone leaves dozens of threads that
    would be waited for, and all that matters is in the databases.
    """
    die_with_parent(blueprint.parent)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # Keystone and Placement still import eventlet in passing, which warns.
    warnings.filterwarnings('ignore', message=r'[\s\S]*[Ee]ventlet')
    logging.captureWarnings(True)
    base.BaseIdentityPlugin.MIN_TOKEN_LIFE_SECONDS = (
        blueprint.options.token_margin
    )
    try:
        start(blueprint)
        _collect_seldom()
        with os.fdopen(blueprint.ready, 'w') as pipe:
            pipe.write('ready')
        threading.Event().wait()
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


def _collect_seldom() -> None:
    """Spare the collector what is here to stay: a fifth of Nova's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def publish(
    blueprint: options.Blueprint,
    service: str,
    app: web.Application,
    threads: int,
    more: abc.Iterable[tuple[str, str, web.Handler]] = (),
    front: web.Application | None = None,
) -> None:
    """Serve a service's API: to users through the tap, inside without.

    :param more: what the tap answers by itself, besides.
    :param front: what users reach in place of the service.
    """
    web.serve(
        blueprint.sockets[service],
        tap.Tap(service, front or app, more),
        max(4, threads // 2),
    )
    web.serve(blueprint.sockets[service + '-internal'], app, threads)


def release(package: str) -> str:
    """A package's version, for the name of what is made from it."""
    return importlib.metadata.version(package)


def authtoken(blueprint: options.Blueprint, user: str) -> str:
    """keystonemiddleware's section: how a service checks its users' tokens."""
    return f"""
[keystone_authtoken]
www_authenticate_uri = {blueprint.url('identity')}
service_token_roles_required = true
# Longer than any token lives: the middleware looks at the expiry itself, and
# asking Keystone again costs as much as the request.
token_cache_time = 3600
{credentials(blueprint, user)}"""


def credentials(blueprint: options.Blueprint, user: str) -> str:
    """How one service logs in, to talk to another."""
    return f"""\
auth_type = password
auth_url = {blueprint.url('identity-internal', '/v3')}
username = {user}
password = {user}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
"""
