# SPDX-License-Identifier: Apache-2.0

"""How the help of a command ends: notes and examples."""

import textwrap
import typing as ty

from cliff import _argparse

from osc_hostmaint.i18n import _


def epilog(*notes: str, examples: tuple[str, str]) -> ty.Any:
    """Return what follows the options, as reStructuredText for the docs."""
    # Any: cliff declares its ``_epilog`` as None.
    lines = '\n'.join(f'    {line}' for line in examples)
    return '\n\n'.join([*notes, _('Examples::'), lines])


class Formatter(_argparse.SmartHelpFormatter):
    """Keeps paragraphs apart, and examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return '\n\n'.join(
            textwrap.indent(part, indent)
            if part.startswith(' ')
            else super(Formatter, self)._fill_text(
                part.removesuffix(':') if part.endswith('::') else part,
                width,
                indent,
            )
            for part in text.split('\n\n')
        )
