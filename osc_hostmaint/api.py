# SPDX-License-Identifier: Apache-2.0

"""The public Python API: the commands' functions, for programs.

The commands themselves use it::

    import openstack
    from osc_hostmaint import api

    maintenance = api.Maintenance(openstack.connect(cloud='prod'))
    result = maintenance.drain(['cmp01'], reason='kernel update')
    for row in result.rows:
        print(row.name, row.result, row.destination)
"""

import typing as ty

from osc_hostmaint.engine.loop import DrainResult
from osc_hostmaint.engine.ports import Interrupt
from osc_hostmaint.engine.ports import Reporter
from osc_hostmaint.engine.reporting import Publisher
from osc_hostmaint.events import DestinationExcluded
from osc_hostmaint.events import Event
from osc_hostmaint.events import HostEnded
from osc_hostmaint.events import HostEvent
from osc_hostmaint.events import HostStarted
from osc_hostmaint.events import LookEnded
from osc_hostmaint.events import MaintenanceSet
from osc_hostmaint.events import MaintenanceUnset
from osc_hostmaint.events import MoveAdopted
from osc_hostmaint.events import MoveDelayed
from osc_hostmaint.events import MoveEnded
from osc_hostmaint.events import MoveNotAwaited
from osc_hostmaint.events import MoveProgressed
from osc_hostmaint.events import MoveStarted
from osc_hostmaint.events import Notice
from osc_hostmaint.events import Operation
from osc_hostmaint.events import RequestSent
from osc_hostmaint.events import ResultExplained
from osc_hostmaint.events import RetryScheduled
from osc_hostmaint.events import ServerBlocked
from osc_hostmaint.events import ServerBusy
from osc_hostmaint.events import ServerChanged
from osc_hostmaint.events import ServerDropped
from osc_hostmaint.events import ServerEvent
from osc_hostmaint.events import Trouble
from osc_hostmaint.events import Waiting
from osc_hostmaint.events import WaitingEnded
from osc_hostmaint.exceptions import ApiTooOld
from osc_hostmaint.exceptions import CloudError
from osc_hostmaint.exceptions import ExitCode
from osc_hostmaint.exceptions import HostMaintenanceError
from osc_hostmaint.exceptions import InvalidMark
from osc_hostmaint.exceptions import NotFound
from osc_hostmaint.exceptions import NotPermitted
from osc_hostmaint.exceptions import Refused
from osc_hostmaint.exceptions import RequestRefused
from osc_hostmaint.exceptions import SilentCell
from osc_hostmaint.exceptions import Unavailable
from osc_hostmaint.exceptions import UnknownHost
from osc_hostmaint.exceptions import UnknownHypervisor
from osc_hostmaint.mark import Mark
from osc_hostmaint.model import Mode
from osc_hostmaint.model import Service
from osc_hostmaint.operations.maintenance import Maintenance
from osc_hostmaint.operations.requests import Confirm
from osc_hostmaint.operations.requests import Since
from osc_hostmaint.operations.status import ListedHost
from osc_hostmaint.planning.batches.plan import Plan
from osc_hostmaint.planning.batches.plan import Row as PlanRow
from osc_hostmaint.planning.capacity.forecast import CapacityForecast
from osc_hostmaint.planning.capacity.forecast import Fit
from osc_hostmaint.planning.capacity.forecast import Fits
from osc_hostmaint.planning.capacity.forecast import Utilization
from osc_hostmaint.planning.code import Code
from osc_hostmaint.planning.dry_run import Preview
from osc_hostmaint.planning.dry_run import Row as PreviewRow
from osc_hostmaint.planning.host.decision import Result
from osc_hostmaint.planning.host.decision import Row
from osc_hostmaint.planning.policy import OnStall
from osc_hostmaint.planning.policy import Policy
from osc_hostmaint.planning.policy import Resized
from osc_hostmaint.planning.policy import Running
from osc_hostmaint.planning.policy import Shelved
from osc_hostmaint.planning.policy import Spread
from osc_hostmaint.planning.policy import Stop
from osc_hostmaint.planning.policy import Stopped
from osc_hostmaint.planning.policy import Suspended
from osc_hostmaint.planning.policy import TenantPolicy
from osc_hostmaint.planning.summary import MoveInFlight
from osc_hostmaint.planning.summary import Summary

if ty.TYPE_CHECKING:
    from osc_hostmaint.notifications.notifier import Notifier
    from osc_hostmaint.recording.writer import Recording

__all__ = ['Maintenance']
# What is asked for.
__all__ += ['Policy', 'Resized', 'Running', 'Shelved', 'Stopped', 'Suspended']
__all__ += ['Confirm', 'Interrupt', 'OnStall', 'Publisher', 'Recording']
__all__ += ['Notifier', 'Operation', 'TenantPolicy']
__all__ += ['Reporter', 'Since', 'Spread', 'Stop']
# What a listener receives.
__all__ += ['Event', 'HostEnded', 'HostEvent', 'HostStarted', 'ServerChanged']
__all__ += ['RequestSent', 'ServerEvent', 'Trouble', 'Waiting', 'WaitingEnded']
__all__ += ['MoveAdopted', 'MoveDelayed', 'MoveStarted', 'RetryScheduled']
__all__ += ['MoveEnded', 'ServerBlocked', 'ServerBusy', 'ServerDropped']
__all__ += ['LookEnded', 'MoveNotAwaited', 'MoveProgressed']
__all__ += ['DestinationExcluded', 'MaintenanceSet', 'MaintenanceUnset']
__all__ += ['Notice', 'ResultExplained']
# What is returned.
__all__ += ['ListedHost', 'Mark', 'Mode', 'MoveInFlight', 'Service']
__all__ += ['Code', 'DrainResult', 'ExitCode', 'PreviewRow', 'Result', 'Row']
__all__ += ['CapacityForecast', 'Fit', 'Fits', 'Preview', 'Summary']
__all__ += ['Plan', 'PlanRow', 'Utilization']
# What is raised.
__all__ += ['HostMaintenanceError', 'Refused', 'SilentCell', 'UnknownHost']
__all__ += ['CloudError', 'InvalidMark', 'NotFound', 'NotPermitted']
__all__ += ['ApiTooOld', 'RequestRefused', 'Unavailable', 'UnknownHypervisor']


def __getattr__(name: str) -> ty.Any:
    """Import only where it is used what takes a while."""
    if name == 'Recording':
        from osc_hostmaint.recording import writer

        return writer.Recording
    if name == 'Notifier':
        from osc_hostmaint.notifications import notifier

        return notifier.Notifier
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
