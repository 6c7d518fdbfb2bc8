# SPDX-License-Identifier: Apache-2.0

"""Starts the three service processes, watches them, stops them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TextIO

from tests.cloud import options
from tests.cloud import state

SERVICES = ('identity', 'placement', 'compute')
START_TIMEOUT = 300
_ENOUGH = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failure(Exception):
    """A service ended, or did not come up."""


class Stopped(Exception):
    """Somebody asked us to stop."""


@dataclasses.dataclass
class Service:
    name: str
    process: subprocess.Popen[bytes]
    output: str
    ready: int

    def __str__(self) -> str:
        return self.name


def run(wanted: options.Options, until_eof: bool, discard: bool) -> int:
    """Run a cloud until it is told to stop, or one of its services ends.

    :param until_eof: stop when standard input ends, which it does when the
        process at its other end dies, whatever it died of.
    :param discard: remove the state directory in the end, unless it holds
        the log of a failure.
    """
    try:
        lock = state.claim(wanted.state)
    except state.Busy as exc:
        print(f'error: {exc}', file=sys.stderr)
        return 1
    os.makedirs(wanted.cache, exist_ok=True)
    for number in _ENOUGH:
        signal.signal(number, _stop)
    if until_eof:
        threading.Thread(target=_await_eof, daemon=True).start()
    services: list[Service] = []
    try:
        began = time.monotonic()
        blueprint = _launch(wanted, services)
        _await_ready(services)
        state.write_contact(blueprint, {'options': vars(wanted)})
        _greet(blueprint, time.monotonic() - began, sys.stdout)
        _watch(services)
    except Stopped:
        code = 0
    except Failure as exc:
        print(f'error: {exc}', file=sys.stderr)
        code = 1
    finally:
        _end(services)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(wanted.state, 'cloud.json'))
        lock.close()
    if discard and code == 0:
        shutil.rmtree(wanted.state, ignore_errors=True)
    return code


def _stop(number: int, frame: object) -> None:
    # Once: a second Ctrl-C must not break off the stopping.
    for each in _ENOUGH:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


def _await_eof() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _launch(
    wanted: options.Options, services: list[Service]
) -> options.Blueprint:
    """Bind every port, then start the services with their listeners."""
    with contextlib.ExitStack() as stack:
        listeners = {}
        for name in options.Blueprint.LISTENERS:
            listener = stack.enter_context(socket.socket())
            listener.bind(('127.0.0.1', 0))
            listener.listen(128)
            listeners[name] = listener
        blueprint = options.Blueprint(
            wanted,
            {name: sock.getsockname()[1] for name, sock in listeners.items()},
            parent=os.getpid(),
        )
        state.write_credentials(blueprint)
        for name in SERVICES:
            given = {
                listener: sock.fileno()
                for listener, sock in listeners.items()
                if listener.split('-')[0] == name
                or (name, listener) == ('compute', 'side')
            }
            services.append(_spawn(name, blueprint, given))
    return blueprint


def _spawn(
    name: str, blueprint: options.Blueprint, given: dict[str, int]
) -> Service:
    reader, writer = os.pipe()
    output = blueprint.path(name + '.out')
    told = dataclasses.replace(blueprint, sockets=given, ready=writer)
    # The user's own OpenStack settings and proxies are not for our services.
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith('OS_') and not key.lower().endswith('_proxy')
    }
    with open(output, 'wb') as out:
        process = subprocess.Popen(
            [sys.executable, '-m', 'tests.cloud', '_serve', name, told.dump()],
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(__file__))),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=[writer, *given.values()],
            # Ctrl-C is for the supervisor alone: it stops the others.
            start_new_session=True,
        )
    os.close(writer)
    return Service(name, process, output, reader)


def _await_ready(services: list[Service]) -> None:
    """Wait until every service has said so; an end without is a failure."""
    waiting = {service.ready: service for service in services}
    deadline = time.monotonic() + START_TIMEOUT
    while waiting:
        left = max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select(list(waiting), [], [], left)
        if not readable:
            names = ', '.join(map(str, waiting.values()))
            raise Failure(f'not ready after {START_TIMEOUT} s: {names}')
        for pipe in readable:
            service = waiting.pop(pipe)
            if os.read(pipe, 16) != b'ready':
                _fail(service)


def _watch(services: list[Service]) -> None:
    """Sleep until a service ends, which is a failure, or a signal comes."""
    ends = {os.pidfd_open(item.process.pid): item for item in services}
    readable, _, _ = select.select(list(ends), [], [])
    _fail(ends[readable[0]])


def _fail(service: Service) -> None:
    code = service.process.wait(10)
    end = state.tail(service.output)
    raise Failure(
        f'the {service} service ended with {code}; its output is in'
        f' {service.output}, its log beside it\n{end}'
    )


def _end(services: list[Service]) -> None:
    for service in services:
        service.process.terminate()
    for service in services:
        try:
            service.process.wait(5)
        except subprocess.TimeoutExpired:
            service.process.kill()
            service.process.wait()


def _greet(blueprint: options.Blueprint, took: float, out: TextIO) -> None:
    clouds = ', '.join(state.CLOUDS)
    print(
        f"""\
The cloud is ready ({blueprint.options.hosts} hosts, {took:.1f} s).
In another shell:

    . {blueprint.path('admin-openrc')}
    openstack compute service list

or:  export OS_CLIENT_CONFIG_FILE={blueprint.path('clouds.yaml')}
     export OS_CLOUD=admin        # or one of: {clouds}

Images cirros and debian-12, network private, flavors m1.tiny to m1.xlarge.
Logs are in {blueprint.options.state}. Ctrl-C stops it.""",
        file=out,
        flush=True,
    )
