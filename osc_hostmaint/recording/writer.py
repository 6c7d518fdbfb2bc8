# SPDX-License-Identifier: Apache-2.0

"""Keeps what a drain saw and did, so that it can be decided again."""

import collections.abc
import contextlib
import dataclasses
import datetime
import errno
import fcntl
import importlib.metadata
import json
import os
import stat
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import anonymizer
from osc_hostmaint.recording import changes
from osc_hostmaint.recording import records

#: What a diary begins with.
_MAGIC = b'{"began":'


@dataclasses.dataclass(frozen=True, slots=True)
class _Page:
    """What was written of one host last."""

    seen: model.Observation
    policy: policies.Policy
    stands: collections.abc.Mapping[str, records.Stand]


class Diary:
    """Writes a line for each decision and each action; a context manager.

    Each line is in the file at once, so a drain that is killed leaves all
    but, perhaps, the last one. A file that can't be written any more (its
    disk is full) never ends a drain: it is told once, and then given up.
    """

    def __init__(
        self,
        path: str,
        *,
        names: bool = False,
        warn: collections.abc.Callable[[str], object],
    ):
        """Open the file, and write that a drain begins.

        A new file is for nobody but us (mode 0600). To an older diary it is
        appended: whoever goes on with a drain that was interrupted types
        the same command again.

        :param names: keep the servers' names and addresses.
        :param warn: is told why the file is given up.
        :raises HostMaintenanceError: it can't be written, or is something
            else than a diary; it is left as it is.
        """
        self._path = path
        self._warn = warn
        self._hide = None if names else anonymizer.Standins().hide
        self._pages: dict[str, _Page] = {}
        began = records.Began(
            format=records.FORMAT,
            version=importlib.metadata.version('osc-hostmaint'),
            at=datetime.datetime.now(datetime.UTC).isoformat(),
            names=names,
        )
        self._fd: int | None = None
        try:
            self._fd = _open(path)
            self._write(began)
        except OSError as error:
            self.close()
            raise exceptions.HostMaintenanceError(
                _('%(reason)s. Name another file for the observations.')
                % {'reason': self._explain(error)}
            ) from error

    def __enter__(self) -> ty.Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing is kept any more."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            os.close(fd)
        except OSError as error:
            # Some file systems tell only now that they are full.
            self._warn(self._explain(error))

    def decided(
        self,
        seen: model.Observation,
        policy: policies.Policy,
        now: float,
        decision: decisions.Decision,
    ) -> None:
        """Write down a decision, and what it was made from."""
        if self._fd is None:
            return
        host = seen.host
        # Put back when the line is written: if we are interrupted before,
        # the next one for this host tells everything again.
        page = self._pages.pop(host, None)
        stands = records.stands_of(decision)
        before = page.stands if page else {}
        changed: dict[str, records.Stand | None] = {
            key: stand
            for key, stand in stands.items()
            if before.get(key) != stand
        }
        changed |= {key: None for key in before if key not in stands}
        self._keep(
            lambda: records.Decided(
                host=host,
                now=now,
                seen=changes.find(page.seen if page else None, seen),
                whole=page is None,
                policy=None if page and page.policy == policy else policy,
                actions=decision.actions,
                stands=changed,
                done=decision.done,
            )
        )
        self._pages[host] = _Page(seen, policy, stands)

    def acted(
        self,
        host: str,
        action: memories.Action,
        outcome: memories.Outcome,
        highest_id: int,
    ) -> None:
        """Write down what came of an action."""
        self._keep(lambda: records.Acted(host, action, outcome, highest_id))

    def _keep(self, note: collections.abc.Callable[[], records.Note]) -> None:
        if self._fd is None:
            return
        try:
            self._write(note())
        except OSError as error:
            self._give_up(self._explain(error))
        except Exception as error:  # noqa: BLE001 -- servers are on their way
            self._give_up(repr(error))

    def _write(self, note: records.Note) -> None:
        tree = records.unstructure(note)
        if self._hide:
            tree = self._hide(tree)
        line = json.dumps(tree, separators=(',', ':')) + '\n'
        left = line.encode()
        while left and self._fd is not None:
            left = left[os.write(self._fd, left) :]

    def _give_up(self, reason: str) -> None:
        fd, self._fd = self._fd, None
        with contextlib.suppress(OSError):
            # Why it can't be written is known already.
            os.close(ty.cast(int, fd))
        self._warn(
            _('%s; the drain goes on without saving observations.') % reason
        )

    def _explain(self, error: OSError) -> str:
        return _("Can't save observations to %(path)s: %(reason)s") % {
            'path': text.printable(repr(self._path)),
            'reason': error.strerror or str(error),
        }


def _open(path: str) -> int:
    """Return a descriptor that appends to a diary, new or old.

    :raises OSError: it can't be opened, or it is something else.
    """
    # No link is followed: in a directory that others may write to, it might
    # lead anywhere. A pipe would make us wait for a reader.
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(None, _('it is a symbolic link')) from error
        raise
    try:
        _claim(fd)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _claim(fd: int) -> None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(None, _('it is no regular file'))
    if status.st_uid != os.geteuid():
        raise OSError(None, _('it belongs to another user'))
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(None, _('another drain is writing it')) from error
    if not os.fstat(fd).st_size:
        return
    if os.pread(fd, len(_MAGIC), 0) != _MAGIC:
        raise OSError(None, _('it exists, and holds something else'))
    if os.pread(fd, 1, os.fstat(fd).st_size - 1) != b'\n':
        # The last line was torn when its drain was killed.
        os.write(fd, b'\n')
