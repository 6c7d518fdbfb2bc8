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

"""The scripts, in modules by what they are about."""

import collections.abc
import importlib
import inspect
import pkgutil

from tests.conformance import nova

Script = collections.abc.Callable[[nova.Nova], None]

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
