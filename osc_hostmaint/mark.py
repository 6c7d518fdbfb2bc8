# SPDX-License-Identifier: Apache-2.0

"""The mark: our text in a compute service's disabled reason.

It is the only state this package writes::

    maintenance since 2026-11-20T23:31:07Z by alice: kernel update CHG0042
"""

import dataclasses
import datetime
import re
import urllib.parse

from osc_hostmaint import exceptions
from osc_hostmaint.i18n import _

#: What a server is tagged with before it is resumed to be moved, until it is
#: suspended again: so any run knows it.
RESUMED_TAG = 'osc-hostmaint:resumed'
#: Nova's limit (``disabled_reason``, PUT /os-services/{id}), in characters.
MAX_LENGTH = 255

#: Nova writes this in front of its own reasons, and enables such a host by
#: itself again (nova.virt.libvirt.driver: DISABLE_PREFIX).
NOVA_PREFIX = 'AUTO:'

#: No mark is dated earlier: OpenStack is younger.
EARLIEST = datetime.datetime(2010, 1, 1, tzinfo=datetime.UTC)

_TIME = '%Y-%m-%dT%H:%M:%SZ'
_MARK = re.compile(
    r'maintenance since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)'
    r' by ([^:]+)(?:: (.+))?'
)
# The user's name ends at the first colon, so its own colons are encoded.
_QUOTED = {ord(c): f'%{ord(c):02X}' for c in '%:'}


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Since when, by whom and why a host is in maintenance."""

    #: UTC, whole seconds.
    since: datetime.datetime
    #: The user's name.
    by: str
    #: What the operator said; may be empty.
    reason: str = ''

    def __str__(self) -> str:
        by = self.by.translate(_QUOTED)
        head = f'maintenance since {iso(self.since)} by {by}'
        return f'{head}: {self.reason}' if self.reason else head


def untag_command(server_id: str) -> str:
    """Return the command that removes the tag of resumed servers."""
    return (
        'openstack --os-compute-api-version 2.26 server unset --tag '
        f'{RESUMED_TAG} {server_id}'
    )


def iso(time: datetime.datetime) -> str:
    """Return a time as this package shows it: ISO 8601, UTC, seconds."""
    return time.astimezone(datetime.UTC).strftime(_TIME)


def with_room(mark: Mark, user_id: str) -> Mark:
    """Return a mark with the user's id if the name is too long to fit."""
    shorter = dataclasses.replace(mark, by=user_id)
    too_long = len(str(mark)) > max(MAX_LENGTH, len(str(shorter)))
    return shorter if user_id and too_long else mark


def write(mark: Mark) -> str:
    """Return the disabled reason for a mark.

    :raises InvalidMark: it would not fit, or would not read back the same.
        A reason is never cut: the end may be the change's number.
    """
    text = str(mark)
    if len(text) > MAX_LENGTH:
        raise exceptions.InvalidMark(
            _(
                'The reason is too long by %(over)d characters: Nova keeps '
                '%(max)d in all, of which the time and the user take '
                '%(head)d. Shorten --reason.'
            )
            % {
                'over': len(text) - MAX_LENGTH,
                'max': MAX_LENGTH,
                'head': len(text) - len(mark.reason),
            }
        )
    if mark.since < EARLIEST:
        raise exceptions.InvalidMark(
            _("This machine's clock shows %s: set it, then run this again")
            % iso(mark.since)
        )
    if parse(text) != mark:
        raise exceptions.InvalidMark(
            _(
                'The reason must be one line of printable characters, without '
                'spaces at either end: %r'
            )
            % mark.reason
        )
    return text


def parse(disabled_reason: str | None) -> Mark | None:
    """Return the mark in a disabled reason, None if it is not ours.

    Ours is not dated before ``EARLIEST``. Nor is it dated much later than
    now, which is checked where a compute service is read (``nova.hosts``).
    """
    match = _MARK.fullmatch(disabled_reason or '')
    if match is None or not match.string.isprintable():
        return None
    time, user, reason = match.groups(default='')
    by = urllib.parse.unquote(user)
    if not by.isprintable() or reason != reason.strip():
        return None
    try:
        since = datetime.datetime.fromisoformat(time)
    except ValueError:
        return None
    return Mark(since, by, reason) if since >= EARLIEST else None


def is_novas(disabled_reason: str | None) -> bool:
    """Tell whether Nova itself disabled the host temporarily."""
    return (disabled_reason or '').startswith(NOVA_PREFIX)
