# SPDX-License-Identifier: Apache-2.0

"""What can go wrong, in one line each, and the exit codes.

Every message says what is wrong, on which host or server, and what to do
next; commands print it as it stands.
"""

import enum

from osc_lib import exceptions


class ExitCode(enum.IntEnum):
    """How a command ended. Frozen: scripts depend on it."""

    #: What was asked for is so.
    DONE = 0
    #: No such host, no permission, API failure, refused for safety.
    FAILED = 1
    #: Wrong usage.
    USAGE = 2
    #: It ended, and servers are left; the table says which and why.
    LEFT = 3
    #: ``--timeout`` passed first.
    TIMEOUT = 4
    #: Interrupted by the user.
    INTERRUPTED = 130


class HostMaintenanceError(exceptions.CommandError):
    """Anything that ends what was asked for one host."""


class UnknownHost(HostMaintenanceError):
    """There is no compute service on a host of this exact name."""


class SilentCell(HostMaintenanceError):
    """The cell of a host does not answer, so Nova knows nothing of the host.

    Nor of its servers.
    """


class Refused(HostMaintenanceError):
    """Possible, but it would hurt: refused for safety."""


class InvalidMark(HostMaintenanceError, ValueError):
    """A reason that can't be written into the disabled reason."""


class CloudError(HostMaintenanceError):
    """OpenStack answered a request with an error, or not at all."""


class NotPermitted(CloudError):
    """Keystone or a policy said no (401, 403)."""

    def __init__(self, message: str, *, policy: str = ''):
        super().__init__(message)
        #: The policy that does not allow it, '' where nobody names one.
        self.policy = policy


class NotFound(CloudError):
    """What the request is about does not exist (404)."""


class UnknownHypervisor(CloudError):
    """Nova's API knows no hypervisor of a host, so Placement can't be asked.

    A host that is mapped to no cell is so, for instance.
    """


class RequestRefused(CloudError):
    """The service understood the request and said no (other 4xx)."""

    def __init__(self, message: str, *, final: bool = False):
        super().__init__(message)
        #: True where asking again later is no use: what is asked for is
        #: impossible (400), rather than untimely (409).
        self.final = final


class Unavailable(CloudError):
    """No answer, or a failure of the service (time-out, reset, 429, 5xx).

    Whether a request that changes something took is unknown after it, but
    for 429, which says that it did not.
    """

    def __init__(self, message: str, *, in_doubt: bool = True):
        super().__init__(message)
        #: True where the request may have been carried out all the same.
        self.in_doubt = in_doubt


class ApiTooOld(CloudError):
    """The cloud's Nova does not offer a microversion that is needed."""
