# SPDX-License-Identifier: Apache-2.0

"""What is installed beside the modules."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

from tests import unit

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOKS = 'doc/source/ansible'
BUILD = 'import sys; from pbr import build; build.build_wheel(sys.argv[1])'


class TestWheel(unit.TestCase):
    def test_playbook_and_role(self):
        directory = pathlib.Path(
            self.enterContext(tempfile.TemporaryDirectory())
        )
        for name in ('setup.cfg', 'setup.py', 'README.rst', 'LICENSE'):
            shutil.copy(ROOT / name, directory)
        for name in (PLAYBOOKS, 'osc_hostmaint'):
            shutil.copytree(ROOT / name, directory / name)
        subprocess.run(
            [sys.executable, '-c', BUILD, directory],
            cwd=directory,
            env={**os.environ, 'PBR_VERSION': '1.0.0'},
            check=True,
            capture_output=True,
        )

        (wheel,) = directory.glob('*.whl')
        names = zipfile.ZipFile(wheel).namelist()
        there = '/data/share/osc-hostmaint/ansible/'
        installed = {n.partition(there)[2] for n in names if there in n}
        files = {
            str(path.relative_to(ROOT / PLAYBOOKS))
            for path in (ROOT / PLAYBOOKS).rglob('*')
            if path.is_file()
        }
        self.assertIn('rolling.yml', files)
        self.assertEqual(files, installed)
