# SPDX-License-Identifier: Apache-2.0

"""What is to become of requests, as a test sets it beforehand."""

import dataclasses
import enum


class MoveOutcome(enum.Enum):
    """What becomes of a move that Nova has taken."""

    WELL = enum.auto()
    #: The scheduler finds no host: record ``error``.
    NO_HOST = enum.auto()
    #: The destination refuses it: record ``error``.
    PRECHECK = enum.auto()
    #: The destination can't get ready for it: a live migration's record is
    #: ``failed`` before it ran, a cold one's ``error``.
    PRE = enum.auto()
    #: It breaks off on the way. Live: record ``failed``, and no reason
    #: anywhere; cold: ``error``. The server is back on the source.
    ROLLED_BACK = enum.auto()
    #: It fails at the end: record ``error``, and the server is in ERROR, a
    #: live-migrated one on the source, a cold-migrated one elsewhere.
    BROKEN = enum.auto()
    #: A live migration's record says ``completed``, and the server is still
    #: on the source. (What is not live goes well.)
    LIE = enum.auto()
    #: After a live migration it is ACTIVE, and its guest does not run: for
    #: good, or for a few seconds. (What is not live goes well.)
    OFF = enum.auto()
    WAKES_LATE = enum.auto()


class Effect(enum.Enum):
    """What becomes of another request that Nova has taken."""

    WELL = enum.auto()
    #: It is tried for a while, and the server is as it was.
    NOTHING = enum.auto()
    #: The server ends in ERROR.
    ERROR = enum.auto()
    #: It is never carried out, and the server's task state stays.
    HANGS = enum.auto()


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What Nova answers to a request that it would take otherwise."""

    text: str
    #: HTTP 400 rather than 409.
    final: bool = False
    #: The gateway's method that it is the answer to; '' for both migrations.
    kind: str = ''
