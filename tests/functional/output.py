# SPDX-License-Identifier: Apache-2.0

"""What ``-f json`` prints, held to the schema that is shipped."""

from importlib import resources
import json
import typing as ty

import jsonschema

_SCHEMA = json.loads(
    resources.files('osc_hostmaint').joinpath('schema.json').read_text()
)


def check(words: ty.Any, out: str) -> None:
    """Check what a command printed on stdout, if that is JSON.

    :param words: of the command, the first of which may start Python.
    :raises jsonschema.ValidationError: it is not as the schema has it.
    """
    words = list(words)
    if not out or 'maintenance' not in words or 'json' not in words:
        return
    name = words[words.index('maintenance') + 1]
    if name == 'unset':
        name = 'restore'
    if '--dry-run' in words:
        name += '-dry-run'
    if '-c' not in words:
        _validate(name, json.loads(out))


def check_event(event: ty.Any) -> None:
    """Check an event that was sent.

    :raises jsonschema.ValidationError: it is not as the schema has it.
    """
    _validate('event', event)


def _validate(name: str, value: ty.Any) -> None:
    schema = {**_SCHEMA, 'anyOf': [{'$ref': f'#/$defs/{name}'}]}
    jsonschema.Draft202012Validator(schema).validate(value)
