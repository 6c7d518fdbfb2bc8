# SPDX-License-Identifier: Apache-2.0

"""The scripts, in modules by what they are about."""

from collections import abc
import importlib
import inspect
import pkgutil

from tests.conformance import nova

Script = abc.Callable[[nova.Nova], None]

#: The modules' names.
MODULES = tuple(module.name for module in pkgutil.iter_modules(__path__))


def of(module: str) -> dict[str, Script]:
    """Return the scripts of a module, by name."""
    found = importlib.import_module(f'{__name__}.{module}')
    return {
        name: value
        for name, value in vars(found).items()
        if inspect.isfunction(value)
        and value.__module__ == found.__name__
        and not name.startswith('_')
    }
