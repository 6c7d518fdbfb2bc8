# SPDX-License-Identifier: Apache-2.0

"""What a drain would do, without doing any of it: its rows and its sums."""

from collections import abc
import dataclasses
import datetime

from osc_hostmaint import model
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning.capacity import forecast
from osc_hostmaint.planning.capacity import snapshot as snapshots
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status

_CODES = {
    forecast.Fits.NO: codes.Code.NO_ROOM,
    forecast.Fits.UNKNOWN: codes.Code.CAPACITY_UNKNOWN,
}
_LEFT_ALONE = (server_status.Phase.SKIPPED, server_status.Phase.GONE)


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """What would become of one server."""

    server_id: str
    name: str
    host: str
    status: str
    #: '' where it would stay, or where that is not known yet.
    move: str
    #: None where it would stay.
    fits: forecast.Fits | None
    #: How many hosts could take it alone; None where it needs none, or where
    #: that is not known.
    candidates: int | None
    reason: str
    #: What the reason says first, in a word.
    code: codes.Code = codes.Code.NONE
    #: It would be left alone, which speaks against nothing.
    skipped: bool = False
    #: Of an evacuation: what is on its local disk is lost, unless the hosts
    #: share it. None where it has no evacuation before it.
    local_disk: bool | None = None
    #: Of a restore: when it left the host that it is brought back to; None
    #: where it has not left yet.
    left_at: datetime.datetime | None = None
    #: What its owner wants: a tenant's text.
    wish: str = ''

    @property
    def leaves(self) -> bool:
        """It would surely leave the host."""
        return bool(self.move) and self.fits is forecast.Fits.YES


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """What a drain would do."""

    rows: tuple[Row, ...]
    capacity_forecast: forecast.CapacityForecast
    #: Memory of the servers that would move, in MiB.
    memory_mb: int = 0
    #: What could not be looked at, and how many servers go to hosts to be
    #: avoided: lines for people.
    notes: tuple[str, ...] = ()
    #: What makes a host's drain impossible, by host.
    errors: abc.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Every host would be drained, or all servers brought home."""
        return not self.errors and all(
            row.leaves or row.skipped for row in self.rows
        )


def needs_room(row: decisions.Row) -> bool:
    """Tell whether a server has to find a place on another host.

    Unless it has its place there already, as after a resize. But it may have
    been resized to this host: once confirmed, it has to leave it.
    """
    return row.phase in server_status.OPEN and row.move != model.Move.SHELVE


def row(
    decided: decisions.Row,
    demand: snapshots.Demand | None,
    capacity_forecast: forecast.CapacityForecast,
    server: model.Server | None = None,
) -> Row:
    """Return what would become of one server.

    :param decided: what a drain would begin with.
    :param demand: None where it needs no room, or has its place already.
    :param server: None where it is not on the host any more.
    """
    open_ = decided.phase in server_status.OPEN
    fits = forecast.Fits.YES if open_ else None
    candidates, reason, code = None, decided.reason, decided.code
    if open_ and demand is not None:
        fit = capacity_forecast.fits[decided.server_id]
        fits, candidates = fit.fits, fit.candidates
        code = _CODES.get(fits, code)
        reason = '; '.join(filter(None, (fit.reason, reason)))
    # It was resumed to be moved, by a run that was killed since.
    moved = bool(open_ and decided.destination and not decided.move)
    if moved:
        fits, code = None, codes.Code.NOT_SUSPENDED
        reason = (
            f'already on {decided.destination}; the run suspends it there if '
            'it is running, and removes its tag'
        )
    evacuated = open_ and decided.move == model.Move.EVACUATION
    if not decided.move and fits is forecast.Fits.YES:
        # It moves or not by the state that it ends in.
        fits = forecast.Fits.UNKNOWN
    return Row(
        server_id=decided.server_id,
        name=decided.name,
        host=decided.host,
        status=decided.status,
        move=decided.move if fits else '',
        fits=fits,
        candidates=candidates,
        reason=reason,
        code=code,
        skipped=moved or decided.phase in _LEFT_ALONE,
        local_disk=server.local_disk if server and evacuated else None,
        left_at=decided.left_at,
        wish=decided.wish,
    )
