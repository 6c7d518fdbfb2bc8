# SPDX-License-Identifier: Apache-2.0

"""``python -m tests.cloud up``: run a cloud until Ctrl-C.

The other verbs change a cloud that runs: ``python -m tests.cloud --help``.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from tests.cloud import knobs
from tests.cloud import options

# What can be done to a host.
_HOST_VERBS = {
    'crash': 'cut the power of hosts: nova-compute and the guests are gone',
    'kill': 'kill nova-compute, as kill -9 does; the guests run on',
    'stop': 'stop nova-compute, as SIGTERM does; the guests run on',
    'start': 'start nova-compute, and wait until it is up',
}


def main() -> int:
    if sys.argv[1:2] == ['_serve']:
        return _serve(sys.argv[2], sys.argv[3])
    parser = argparse.ArgumentParser(prog='python -m tests.cloud')
    verbs = parser.add_subparsers(dest='verb', required=True)
    up = verbs.add_parser('up', help='run a cloud until Ctrl-C')
    options.Options.add_arguments(up)
    up.add_argument(
        '--until-eof',
        action='store_true',
        help='stop when standard input ends too',
    )
    up.add_argument(
        '--discard',
        action='store_true',
        help='remove the state directory in the end',
    )
    for verb, does in _HOST_VERBS.items():
        each = verbs.add_parser(verb, help=does)
        each.add_argument('hosts', nargs='+', metavar='host')
        _add_state(each)
    turn = verbs.add_parser(
        'knobs',
        help='choose how long moves take and which fail',
        description='Choose how long moves take and which of them fail. What'
        ' a knob does is in tests/cloud/knobs.py. A knob of one server is its'
        ' metadata: openstack server set --property <knob>=<value> <server>.',
    )
    turn.add_argument('--host', help='this host only (default: all)')
    turn.add_argument(
        'values',
        nargs='*',
        metavar='knob=value',
        type=_knob,
        help='without a value: its default; without any: list all',
    )
    _add_state(turn)
    arguments = parser.parse_args()
    if arguments.verb == 'up':
        from tests.cloud import supervisor

        wanted = options.Options.from_arguments(arguments)
        return supervisor.run(
            wanted.resolved(), arguments.until_eof, arguments.discard
        )
    return _control(arguments)


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--state',
        default=options.Options.state,
        help='the directory of the cloud (default: %(default)s)',
    )


def _knob(text: str) -> tuple[str, float | str | None]:
    name, _sign, value = text.partition('=')
    if name not in knobs.DEFAULTS:
        raise argparse.ArgumentTypeError(f'no such knob: {name}')
    if not value:
        return name, None
    if isinstance(knobs.DEFAULTS[name], float):
        try:
            return name, float(value)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f'{name}: {value!r} is no number'
            ) from None
    return name, value


def _control(arguments: argparse.Namespace) -> int:
    from tests.cloud import remote

    if arguments.verb == 'knobs' and not arguments.values:
        for name, default in knobs.DEFAULTS.items():
            print(f'{name}={default}')
        return 0
    if arguments.verb == 'knobs':
        chosen = {'host': arguments.host, 'knobs': dict(arguments.values)}
        wanted = [('PUT', 'knobs', chosen)]
    else:
        wanted = [
            ('POST', f'hosts/{host}/{arguments.verb}', {'grace': 0.0})
            for host in arguments.hosts
        ]
    try:
        port = remote.ports(arguments.state)['side']
        with remote.session() as session:
            for each in wanted:
                remote.control(session, port, *each)
    except (remote.NotRunning, ValueError) as exc:
        print(f'error: {exc}', file=sys.stderr)
        return 1
    return 0


def _serve(service: str, blueprint: str) -> int:
    # The service first: Nova must choose its threading backend before
    # anything else of OpenStack is imported.
    module = importlib.import_module('tests.cloud.' + service)
    from tests.cloud import process

    process.run(module.start, options.Blueprint.load(blueprint))
    return 1


if __name__ == '__main__':
    sys.exit(main())
