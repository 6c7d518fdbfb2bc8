# SPDX-License-Identifier: Apache-2.0

"""Records what a drain observed and did, for a replay."""

from collections import abc
import contextlib
import datetime
import importlib.metadata
import json
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import streams
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.recording import anonymizer
from osc_hostmaint.recording import records

#: What a recording that can be appended to begins with.
_BEGINNING = f'{records.BEGINNING}{records.FORMAT},'.encode()


class Recording:
    """Writes a line for each decision and each action; a context manager.

    Each line is written at once, so a drain that is killed leaves all lines
    except perhaps the last one. A file that cannot be written any more (the
    disk is full) never ends a drain: it is reported once, then given up.
    """

    def __init__(
        self,
        path: str,
        *,
        names: bool = False,
        warn: abc.Callable[[str], object],
    ):
        """Open the file, and write that a drain begins.

        A new file can be read by its owner only (mode 0600). An older
        recording is appended to: whoever continues an interrupted drain
        types the same command again.

        :param names: keep the servers' names and addresses.
        :param warn: is given the reason why recording stops.
        :raises HostMaintenanceError: the file cannot be written, or is no
            recording; it is left as it is.
        """
        self._path = path
        self._warn = warn
        self._hide = None if names else anonymizer.Anonymizer().hide
        self._hosts: dict[str, ty.Any] = {}
        self._file: ty.TextIO | None = None
        began = records.Began(
            format=records.FORMAT,
            version=importlib.metadata.version('osc-hostmaint'),
            at=datetime.datetime.now(datetime.UTC).isoformat(),
            names=names,
        )
        try:
            self._file = open(  # noqa: SIM115 -- close() closes it
                path, 'a', encoding='utf-8', opener=streams.open_to_append
            )
            streams.claim(
                self._file.fileno(),
                lambda begin: begin.startswith(_BEGINNING),
                busy=_('another drain is writing to it'),
            )
            self._write('began', records.CONVERTER.unstructure(began))
        except OSError as error:
            self._abandon()
            raise exceptions.HostMaintenanceError(
                _('%(reason)s. Name another file for the observations.')
                % {'reason': self._explain(error)}
            ) from error

    def __enter__(self) -> ty.Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing is recorded any more."""
        if error := self._abandon():
            # Some file systems report only now that they are full.
            self._warn(self._explain(error))

    def decided(
        self,
        seen: model.Observation,
        policy: policies.Policy,
        now: float,
        decision: decisions.Decision,
    ) -> None:
        """Record a decision, and what it was made from."""
        if not self._file:
            return
        with self._recording():
            statuses = records.statuses(decision)
            decided = records.Decided(
                now, seen, policy, decision.actions, statuses, decision.done
            )
            new = records.CONVERTER.unstructure(decided)
            # If an interruption comes before the line is written, the next
            # one for this host has everything.
            old = self._hosts.pop(seen.host, None)
            change = records.difference(old, new)
            self._write('decided', {seen.host: change})
            self._hosts[seen.host] = new

    def acted(
        self,
        host: str,
        action: memories.Action,
        outcome: memories.Outcome,
        highest_id: int,
    ) -> None:
        """Record the outcome of an action."""
        with self._recording():
            acted = records.Acted(host, action, outcome, highest_id)
            self._write('acted', records.CONVERTER.unstructure(acted))

    @contextlib.contextmanager
    def _recording(self) -> abc.Iterator[None]:
        """Stop recording after an error: servers are being moved."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._abandon()
            reason = repr(error)
            if isinstance(error, OSError):
                reason = self._explain(error)
            self._warn(
                _('%s; the drain continues without saving observations.')
                % reason
            )

    def _write(self, kind: str, tree: ty.Any) -> None:
        if self._file:
            tree = self._hide(tree) if self._hide else tree
            line = json.dumps({kind: tree}, separators=(',', ':'))
            self._file.write(f'{line}\n')
            self._file.flush()

    def _abandon(self) -> OSError | None:
        """Close the file, and return why it cannot be written."""
        file, self._file = self._file, None
        try:
            if file:
                file.close()
        except OSError as error:
            return error
        return None

    def _explain(self, error: OSError) -> str:
        return _('Cannot save observations to %(path)s: %(reason)s') % {
            'path': text.printable(repr(self._path)),
            'reason': error.strerror or str(error),
        }
