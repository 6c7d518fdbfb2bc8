#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0

"""Run tox on a machine that has only Python and git.

    python3 tools/tox.py [arguments for tox...]

tox and tox-uv, in the versions that constraints.txt names, are installed into
a virtual environment of their own in .tox/, where tox keeps everything else
too. Without arguments tox runs everything that has to pass (env_list in
tox.ini), as much of it side by side as there are cores.
"""

import os
import pathlib
import shutil
import subprocess
import sys

MIN_PYTHON = (3, 11)
ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / '.tox' / '.bootstrap'
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'installed'
CONSTRAINTS = ROOT / 'constraints.txt'
EVERYTHING = ['run-parallel', '--parallel', 'auto', '--parallel-no-spinner']


def wanted() -> str:
    """What has to be installed. If this changes, install again."""
    versions = [
        line
        for line in CONSTRAINTS.read_text().splitlines()
        if line.startswith(('tox==', 'tox-uv=='))
    ]
    return f'{versions} on Python {sys.version.split()[0]}'


def is_installed() -> bool:
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted()


def install() -> None:
    try:
        import ensurepip  # noqa: F401 - Debian may leave it out
        import venv
    except ImportError as e:
        sys.exit(
            f'{sys.executable} has no module {e.name}, so it cannot make'
            ' virtual environments: install it (on Debian and Ubuntu:'
            ' apt-get install python3-venv) and try again'
        )
    print(f'Installing tox into {VENV}', file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    venv.create(VENV, with_pip=True)
    subprocess.run(
        [PYTHON, '-m', 'pip', '--disable-pip-version-check', 'install',
         '--quiet', '--constraint', CONSTRAINTS, 'tox', 'tox-uv'],
        check=True,
    )  # fmt: skip
    STAMP.write_text(wanted())


def main() -> None:
    if sys.version_info < MIN_PYTHON:
        sys.exit(
            'Python >= {}.{} is needed, {} is {}.{}'.format(
                *MIN_PYTHON, sys.executable, *sys.version_info[:2]
            )
        )
    if not shutil.which('git'):
        sys.exit('git is needed: the version of the package comes from it')
    if not is_installed():
        try:
            install()
        except subprocess.CalledProcessError as e:
            sys.exit(f'installing tox failed (pip exited with {e.returncode})')
    os.chdir(ROOT)
    arguments = sys.argv[1:] or EVERYTHING
    os.execv(PYTHON, [PYTHON, '-m', 'tox', *arguments])  # noqa: S606


if __name__ == '__main__':
    main()
