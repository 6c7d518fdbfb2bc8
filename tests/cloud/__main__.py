# SPDX-License-Identifier: Apache-2.0

"""``python -m tests.cloud up``: run a cloud until Ctrl-C."""

from __future__ import annotations

import argparse
import importlib
import sys

from tests.cloud import options


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
    arguments = parser.parse_args()

    from tests.cloud import supervisor

    wanted = options.Options.from_arguments(arguments)
    return supervisor.run(
        wanted.resolved(), arguments.until_eof, arguments.discard
    )


def _serve(service: str, blueprint: str) -> int:
    # The service first: Nova must choose its threading backend before
    # anything else of OpenStack is imported.
    module = importlib.import_module('tests.cloud.' + service)
    from tests.cloud import process

    process.run(module.start, options.Blueprint.load(blueprint))
    return 1


if __name__ == '__main__':
    sys.exit(main())
