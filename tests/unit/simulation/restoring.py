# SPDX-License-Identifier: Apache-2.0

"""Bringing servers of the simulated cloud home."""

import datetime
import typing as ty

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint.engine import board as boards
from osc_hostmaint.engine import loop
from osc_hostmaint.engine import reporting
from osc_hostmaint.engine.capacity import destinations
from osc_hostmaint.engine.restore import capacity
from osc_hostmaint.engine.restore import loop as restore_loop
from osc_hostmaint.engine.restore import plan
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.restore import candidates
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import restore_checks
from tests.unit.simulation import scene
from tests.unit.simulation import world

#: Moves in flight to one home, unless the user says how many.
PARALLEL = 4


def restore(
    made: clouds.Cloud,
    home: str = scene.SOURCE,
    *,
    since: datetime.datetime = world.EPOCH,
    running: policies.Running | None = None,
    looks: bool = True,
    **options: ty.Any,
) -> scene.Run:
    """Bring servers home, if it looks first only where they have room.

    :param since: what left before then is not looked at.
    :param running: what to do with running ones; None: as they left.
    :param options: of :func:`scene.run`.
    """
    options.setdefault('per_destination', PARALLEL)
    expectations = restore_checks.Expectations(home, since, running)

    def bring(run: scene.Run) -> loop.DrainResult:
        expectations.begin(run.cloud)
        try:
            return _bring(run, expectations, looks=looks)
        except exceptions.CloudError as error:
            return _failed(home, str(error))
        except KeyboardInterrupt:
            return loop.DrainResult((), {}, exceptions.ExitCode.INTERRUPTED)

    return scene.run(
        made, (home,), verb=bring, judge=expectations.judge, to=home, **options
    )


def _bring(run, expectations, *, looks) -> loop.DrainResult:
    """Do what operations/restore.py does."""
    client, clock, policy = run.client, run.clock, run.policy
    services = {each.host: each for each in client.services()}
    service = services[expectations.home]
    if words := candidates.against(service):
        return _failed(service.host, words)
    home = plan.Home(service, expectations.since)
    board = boards.Board(client, clock, services)
    preparation = reporting.Preparation(reporting.Publisher(), clock)
    plans = plan.make_plans(
        *(client, clock, services, [home], policy),
        preparation,
        expectations.running,
    )
    seen = None
    if looks and any(each.groups for each in plans):
        _by_home, seen = capacity.look(
            client, services, plans, policy, preparation
        )
    run.blind = seen is None or not seen.known
    if seen and seen.preview.capacity_forecast.misfits:
        return _failed(service.host, 'no room')
    picker = destinations.Destinations(
        client,
        clock,
        run.recorder,
        board,
        bound=policy.per_destination,
        patience=policy.server_timeout,
        expected=seen,
    )
    result = restore_loop.restore(plans, board, picker, run)
    if not result.cut_short:
        for host, words in restore_loop.count_deleted(client, [home]).items():
            run.recorder.publish(events.Trouble(host, words))
    return result


def _failed(host: str, words: str) -> loop.DrainResult:
    return loop.DrainResult((), {host: words}, exceptions.ExitCode.FAILED)
