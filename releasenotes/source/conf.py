# SPDX-License-Identifier: Apache-2.0

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
