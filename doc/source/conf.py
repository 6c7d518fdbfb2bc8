# SPDX-License-Identifier: Apache-2.0

"""Configuration of Sphinx for the documentation."""

project = 'osc-hostmaint'
author = 'osc-hostmaint contributors'
copyright = '2026, osc-hostmaint contributors'

extensions = [
    'cliff.sphinxext',
    'openstackdocstheme',
    'sphinx.ext.autodoc',
    'sphinxcontrib.svgbob',
]

# The page header; there is no page for the project on docs.openstack.org.
openstackdocs_auto_name = False

html_theme = 'openstackdocs'
pygments_style = 'native'

# The command reference shows commands as they are typed.
autoprogram_cliff_application = 'openstack'

autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
