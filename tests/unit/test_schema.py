# SPDX-License-Identifier: Apache-2.0

"""The schema of what is printed, and the page on its codes."""

from importlib import resources
import json
import pathlib
import re

from osc_hostmaint import model
from osc_hostmaint.commands import plan
from osc_hostmaint.commands import status
from osc_hostmaint.commands import table
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.planning import code
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.host import decision as decisions
from tests import unit

SCHEMA = json.loads(
    resources.files('osc_hostmaint').joinpath('schema.json').read_text()
)
DEFS = SCHEMA['$defs']
GUIDE = pathlib.Path(__file__).parents[2] / 'doc/source/user'
PAGE, EVENTS = GUIDE / 'wont-drain.rst', GUIDE / 'events.rst'


class TestSchema(unit.TestCase):
    @unit.cases(
        (code.Code, DEFS['code']),
        (decisions.Result, DEFS['result']),
        (['', *model.Move], DEFS['move']),
        (
            ['', *forecast.Fits],
            DEFS['drain-dry-run']['items']['properties']['Fits'],
        ),
        (
            ['', *forecast.Fits],
            DEFS['plan']['items']['properties']['Fits'],
        ),
        (status.MODES, DEFS['list']['items']['properties']['Mode']),
    )
    def test_values(self, values, definition):
        self.assertEqual([str(each) for each in values], definition['enum'])

    @unit.cases(
        ('drain', table.COLUMNS),
        ('drain-dry-run', table.EVACUATION_COLUMNS),
        ('restore', table.RESTORE_COLUMNS),
        ('restore-dry-run', table.RESTORE_PREVIEW_COLUMNS),
        ('plan', plan.COLUMNS),
        ('list', status.ALL_COLUMNS),
        ('show', status.FIELDS),
    )
    def test_columns(self, name, columns):
        definition = DEFS[name].get('items', DEFS[name])
        self.assertEqual(list(columns), list(definition['properties']))

    def test_the_page_has_every_type_of_event(self):
        types = {
            name
            for each in DEFS['event']['oneOf']
            for name in each['properties']['type'].get('enum', ())
        }
        found = re.findall(r'^``([a-z]+\.[a-z]+)``', EVENTS.read_text(), re.M)
        self.assertEqual(types, {cloud_events.PREFIX + name for name in found})

    def test_the_page_has_every_code(self):
        found = re.findall(r'^``([a-z-]+)``$', PAGE.read_text(), re.MULTILINE)
        self.assertEqual(sorted(filter(None, code.Code)), sorted(found))
