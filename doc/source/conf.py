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

"""Configuration of Sphinx for the documentation."""

project = 'osc-hostmaint'
author = 'osc-hostmaint contributors'
copyright = '2026, osc-hostmaint contributors'

extensions = [
    'cliff.sphinxext',
    'openstackdocstheme',
    'sphinx.ext.autodoc',
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
