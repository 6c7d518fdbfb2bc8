# SPDX-License-Identifier: Apache-2.0

"""A file that gets a line of JSON for each event."""

import json
import os

from cloudevents.core.formats import json as formats

from osc_hostmaint import exceptions
from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.notifications import cloud_events
from osc_hostmaint.notifications import delivery


class EventLog:
    """Appends events to a file, which several runs may share."""

    def __init__(self, path: str):
        """:param path: a new file, or an older log of the same kind.

        :raises HostMaintenanceError: it cannot be written, or it is something
            else, which is left as it is.
        """
        self.name = text.printable(repr(path))
        self._path = path
        self._fd = -1
        #: The last line was written in part.
        self._is_cut = False
        try:
            self._open()
        except OSError as error:
            raise exceptions.HostMaintenanceError(
                _(
                    'Cannot log events to %(path)s: %(reason)s. Name another '
                    'file.'
                )
                % {
                    'path': self.name,
                    'reason': error.strerror or str(error),
                }
            ) from error

    def deliver(self, event: cloud_events.CloudEvent) -> None:
        """Append an event, by one write.

        :raises NotDelivered: the file cannot be written.
        """
        line = formats.JSONFormat().write(event) + b'\n'
        try:
            if self._fd < 0 or self._is_replaced():
                self._open()
            if self._is_cut:
                line = b'\n' + line
            written = os.write(self._fd, line)
        except OSError as error:
            reason = error.strerror or str(error)
            raise delivery.NotDelivered(reason, may_retry=True) from error
        self._is_cut = written < len(line)
        if self._is_cut:
            raise delivery.NotDelivered(_('the disk is full'), may_retry=True)

    def _open(self) -> None:
        self.close()
        self._fd = streams.open_to_append(self._path)
        try:
            streams.claim(self._fd, _is_log)
        except OSError:
            # What is refused once is not to be written to at the next try.
            self.close()
            raise
        # The last line of this file has an end.
        self._is_cut = False

    def _is_replaced(self) -> bool:
        """Tell whether the file was moved away or removed meanwhile."""
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._fd))

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _is_log(begin: bytes) -> bool:
    """Tell whether a file begins with an event of ours."""
    try:
        first = json.loads(begin.partition(b'\n')[0])
    except ValueError:
        return False
    type_ = first.get('type') if isinstance(first, dict) else None
    return str(type_).startswith(cloud_events.PREFIX)
