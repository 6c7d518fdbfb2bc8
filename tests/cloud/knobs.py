# SPDX-License-Identifier: Apache-2.0

"""How long things take in the fake hypervisor, and whether they fail.

A knob is looked up in the server's metadata, then in its flavor's extra
specs (as ``cloud:<knob>``), on the host, and in the defaults; and again and
again while something runs, so that a test can turn it in the middle.
"""

from __future__ import annotations

from collections import abc
import threading
from typing import Any

PREFIX = 'cloud:'

DEFAULTS: dict[str, float | str] = {
    'boot_seconds': 0.0,
    'boot_fail': '',
    # A fixed duration of a live migration; below 0: memory by bandwidth.
    'lm_seconds': -1.0,
    'lm_gib_per_second': 4.0,
    # Memory that the guest writes to meanwhile, and is copied again.
    'lm_dirty_gib_per_second': 0.0,
    # Never converge, until aborted or forced to complete.
    'lm_stuck': '',
    # What the destination needs before memory is copied.
    'lm_pre_seconds': 0.0,
    # precheck, pre, running or post: where a live migration fails.
    'lm_fail': '',
    # Fail the first so many attempts of each server only; 0: every one.
    'lm_fail_times': 0.0,
    # off or paused: how a guest arrives that ran.
    'lm_arrives': '',
    # Give up after so many seconds, as libvirt's completion time-out does.
    'lm_completion_timeout': 0.0,
    # Copying the disk, and then what the destination needs to take it.
    'cm_seconds': 0.5,
    'cm_finish_seconds': 0.0,
    # What the source needs to tidy up once the owner has confirmed.
    'cm_confirm_seconds': 0.0,
    # disk (the server stays as it was), error or finish (the server is in
    # ERROR).
    'cm_fail': '',
    'cm_fail_times': 0.0,
    # claim (the server stays as it was) or spawn (it is in ERROR): where an
    # evacuation fails on its destination. It takes boot_seconds.
    'ev_fail': '',
    'ev_fail_times': 0.0,
    # stay (the server stays as it was) or error (it is in ERROR).
    'suspend_fail': '',
    'resume_fail': '',
    # Making the image that a shelved server is kept as.
    'shelve_seconds': 0.0,
}


class Knobs:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_host: dict[str | None, dict[str, Any]] = {None: {}}

    def turn(self, host: str | None, values: abc.Mapping[str, Any]) -> None:
        """Set knobs of one host, or with None the defaults.

        :param values: by knob; None takes a knob back.
        """
        unknown = set(values) - set(DEFAULTS)
        if unknown:
            raise ValueError(f'no such knobs: {sorted(unknown)}')
        with self._lock:
            mine = self._by_host.setdefault(host, {})
            for knob, value in values.items():
                if value is None:
                    mine.pop(knob, None)
                else:
                    mine[knob] = value

    def reset(self) -> None:
        with self._lock:
            self._by_host = {None: {}}

    def read(
        self,
        host: str,
        extra_specs: abc.Mapping[str, str] | None,
        metadata: abc.Mapping[str, str],
    ) -> dict[str, Any]:
        """Every knob as it stands for one server on one host."""
        values: dict[str, Any] = dict(DEFAULTS)
        with self._lock:
            values.update(self._by_host[None])
            values.update(self._by_host.get(host, {}))
        for key, value in (extra_specs or {}).items():
            if key.startswith(PREFIX):
                values[key.removeprefix(PREFIX)] = value
        values.update((k, v) for k, v in metadata.items() if k in DEFAULTS)
        for knob, default in DEFAULTS.items():
            if isinstance(default, float):
                values[knob] = float(values[knob])
        return values


def is_on(value: object) -> bool:
    return str(value).lower() in ('1', 'true', 'yes')


KNOBS = Knobs()
