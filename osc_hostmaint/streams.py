# SPDX-License-Identifier: Apache-2.0

"""What is written to: standard streams that may be gone, and log files."""

from collections import abc
import errno
import fcntl
import os
import stat
import typing as ty

from osc_hostmaint.i18n import _

#: By so many bytes at its beginning a log is recognised.
_BEGINNING = 65536


def settle(stream: ty.TextIO | None) -> None:
    """Flush a stream, once everything is written to it.

    What a broken one still holds goes nowhere from now on. Otherwise Python
    would try again as it exits, complain, and end with a code of its own.

    :raises OSError: the stream is broken.
    """
    if stream is None:
        # Closed before Python began (``2>&-``).
        return
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        raise


def descriptor(stream: ty.TextIO | None) -> int | None:
    """Return a stream's file descriptor, None where it has none."""
    try:
        return stream.fileno() if stream else None
    except (OSError, ValueError):
        # Not a file, or closed.
        return None


def open_to_append(path: str, _flags: int = 0) -> int:
    """Return a descriptor that appends to a file, new (mode 0600) or old.

    No link is followed: in a directory that others may write to, it might
    lead anywhere. A pipe does not make us wait for a reader.

    :param _flags: what ``open(opener=...)`` would use.
    :raises OSError: the file cannot be opened.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(None, _('it is a symbolic link')) from error
        raise


def claim(
    fd: int, is_ours: abc.Callable[[bytes], bool], *, busy: str = ''
) -> None:
    """Check that a file is a log for its owner alone; end its last line.

    :param is_ours: recognises such a log by how it begins.
    :param busy: lock the file, and say this if it is locked; '' leaves it to
        several writers at once.
    :raises OSError: it is something else, or locked already.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(None, _('it is not a regular file'))
    if status.st_nlink > 1:
        raise OSError(None, _('it has another name (a hard link)'))
    if status.st_uid != os.geteuid():
        raise OSError(None, _('it belongs to another user'))
    if busy:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(None, busy) from error
    size, mode = os.fstat(fd).st_size, stat.S_IMODE(status.st_mode)
    if size and not is_ours(os.pread(fd, _BEGINNING, 0)):
        raise OSError(None, _('it exists and contains something else'))
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        words = _('others may use it (mode %04o, wanted is 0600)')
        raise OSError(None, words % mode)
    if size and os.pread(fd, 1, size - 1) != b'\n':
        # The last line was cut off when its writer was killed.
        os.write(fd, b'\n')
