# SPDX-License-Identifier: Apache-2.0

"""URLs of receivers: what of them may be printed, and who logs in there."""

import urllib.parse

from osc_hostmaint.i18n import _

_PORTS = {'http': 80, 'https': 443}


def split(url: str) -> tuple[str, tuple[str, str] | None]:
    """Return a URL without its user and password, and these, if any.

    :raises ValueError: it is no URL of http or https. What the error says
        does not repeat the URL, which may contain a password.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS or not _is_plain(url):
        raise ValueError(_('not an http or https URL (it is not shown here)'))
    netloc = _netloc(host, port)
    bare = urllib.parse.urlunsplit(
        (parts.scheme, netloc, parts.path or '/', parts.query, '')
    )
    if parts.username is None:
        return bare, None
    user, password = (
        urllib.parse.unquote(each or '', errors='surrogateescape')
        for each in (parts.username, parts.password)
    )
    return bare, (user, password)


def origin(url: str) -> str:
    """Return the part of a URL that may be printed: a path may be a secret.

    Two URLs with the same origin are on the same server.

    :raises ValueError: it is no URL of http or https.
    """
    parts = urllib.parse.urlsplit(split(url)[0])
    port = None if parts.port == _PORTS[parts.scheme] else parts.port
    return f'{parts.scheme}://{_netloc(parts.hostname or "", port)}'


def _netloc(host: str, port: int | None) -> str:
    name = f'[{host}]' if ':' in host else host
    return name if port is None else f'{name}:{port}'


def _is_plain(url: str) -> bool:
    # urlsplit() takes line breaks away without a word.
    return url.isprintable() and ' ' not in url
