# SPDX-License-Identifier: Apache-2.0

"""Translation of what a person reads."""

import oslo_i18n

_translators = oslo_i18n.TranslatorFactory(domain='osc_hostmaint')

#: Marks a text for translation, and translates it.
_ = _translators.primary

#: The same for a text that depends on a number: one, several, the number.
ngettext = _translators.plural_form
