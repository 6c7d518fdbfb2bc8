# SPDX-License-Identifier: Apache-2.0

"""The public Python API: where its names are imported from."""

import inspect
import pathlib
import re

from osc_hostmaint import api
from osc_hostmaint import exceptions
from tests import unit

DOCS = pathlib.Path(__file__).parents[2] / 'doc/source/user/api.rst'


class TestNames(unit.TestCase):
    def test_every_public_name_is_importable(self):
        for name in api.__all__:
            self.assertTrue(hasattr(api, name), name)

    def test_no_other_name_is_made_up(self):
        with self.assertRaisesRegex(AttributeError, 'Nothing'):
            api.Nothing  # noqa: B018

    def test_every_exception_is_public(self):
        defined = {
            name
            for name, member in inspect.getmembers(exceptions, inspect.isclass)
            if member.__module__ == exceptions.__name__
        }

        self.assertEqual(set(), defined - set(api.__all__))

    def test_docs_have_every_class_and_no_other_path(self):
        paths = re.findall(r'osc_hostmaint\.([\w.]+)', DOCS.read_text())
        documented = {p.split('.')[1] for p in paths if p.startswith('api.')}

        self.assertEqual(set(), {p for p in paths if p.split('.')[0] != 'api'})
        # Signatures spell these two out.
        self.assertEqual({'Confirm', 'Since'}, set(api.__all__) - documented)
