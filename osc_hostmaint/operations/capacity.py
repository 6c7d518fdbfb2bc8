# SPDX-License-Identifier: Apache-2.0

"""Whether a drain may start: do the servers fit on other hosts?"""

from collections import abc

from osc_hostmaint import events
from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint import names
from osc_hostmaint.engine.capacity import dry_run
from osc_hostmaint.i18n import _
from osc_hostmaint.operations import requests
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.progress import lines as progress_lines


def is_balanced(policy: policies.Policy) -> bool:
    """Tell whether we pick the destinations, not the scheduler."""
    return policy.spread is policies.Spread.BALANCE and not policy.to


def check(
    request: requests.DrainRequest,
    sources: abc.Iterable[model.Service],
    seen: dry_run.DryRun | None,
    state: str,
) -> None:
    """Report what could not be checked, and refuse servers that do not fit.

    :param seen: None: nothing is known.
    :param state: how the hosts are left when it is refused.
    :raises Refused: the servers do not fit elsewhere.
    """
    where = names.listed(sources)
    notes = list(seen.preview.notes) if seen else []
    if is_balanced(request.policy) and not (seen and seen.known):
        notes.append(_('destinations are left to the scheduler'))
    for note in notes:
        request.report.publish(events.Trouble(where, note))
    if not seen or request.skip_capacity_check:
        return
    if seen.preview.capacity_forecast.misfits:
        words = progress_lines.misfit(where, seen.preview, state)
        raise exceptions.Refused(words)
