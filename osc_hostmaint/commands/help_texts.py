# SPDX-License-Identifier: Apache-2.0

"""The help of a command, which ends with notes and examples."""

import argparse
from collections import abc
import textwrap
import typing as ty

from osc_hostmaint.i18n import _


def epilog(
    *notes: str,
    examples: tuple[str, str],
    columns: abc.Iterable[str] = (),
    preview_columns: abc.Iterable[str] = (),
) -> ty.Any:
    """Return what follows the options, as reStructuredText for the docs.

    :param columns: the columns or fields of what it prints.
    :param preview_columns: those with ``--dry-run``.
    """
    keys = ''
    if columns:
        keys = _('Keys of -f json: %s.') % ', '.join(columns)
    if preview_columns:
        others = ', '.join(preview_columns)
        keys = ' '.join([keys, _('With --dry-run: %s.') % others])
    # Any: cliff declares its ``_epilog`` as None.
    lines = '\n'.join(f'    {line}' for line in examples)
    return '\n\n'.join(filter(None, [*notes, keys, _('Examples::'), lines]))


def lay_out(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return the parser with a help that keeps paragraphs and examples."""
    # cliff's own formatter has no public name.
    bases: ty.Any = (_Paragraphs, parser.formatter_class)
    formatter: ty.Any = type('Formatter', bases, {})
    parser.formatter_class = formatter
    return parser


class _Paragraphs(argparse.HelpFormatter):
    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return '\n\n'.join(
            textwrap.indent(part, indent)
            if part.startswith(' ')
            else super(_Paragraphs, self)._fill_text(
                part.replace('::', ':'), width, indent
            )
            for part in text.split('\n\n')
        )
