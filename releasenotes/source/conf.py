#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""Configuration of Sphinx for the release notes."""

import pathlib
import subprocess

import yaml

project = 'osc-hostmaint release notes'
author = 'osc-hostmaint contributors'
copyright = '2026, osc-hostmaint contributors'

extensions = [
    'openstackdocstheme',
    'reno.sphinxext',
]

openstackdocs_auto_name = False
# Release notes are not of one version.
openstackdocs_auto_version = False

html_theme = 'openstackdocs'
pygments_style = 'native'


def _spare_reno_the_history() -> None:
    """Let reno work in a shallow clone, whose history it can't read.

    reno prefers its cache, a file made for source distributions, over git.
    All notes then count as notes of the commit that is checked out.
    """
    notes = pathlib.Path(__file__).parent.parent / 'notes'
    cache = notes / 'reno.cache'
    answer = subprocess.run(
        ['git', 'rev-parse', '--is-shallow-repository'],  # noqa: S607
        cwd=notes,
        capture_output=True,
        text=True,
        check=True,
    )
    if answer.stdout.strip() != 'true':
        cache.unlink(missing_ok=True)
        return
    contents = {
        f'releasenotes/notes/{note.name}': yaml.safe_load(note.read_text())
        for note in sorted(notes.glob('*.yaml'))
    }
    version = 'this commit'
    data = {
        'notes': [
            {'version': version, 'files': [[name, ''] for name in contents]}
        ],
        'dates': [{'version': version, 'date': 0}],
        'file-contents': contents,
    }
    cache.write_text(yaml.safe_dump(data))


_spare_reno_the_history()
