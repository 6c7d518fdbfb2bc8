# SPDX-License-Identifier: Apache-2.0

"""What can go wrong, in one line each, and the exit codes.

Every message says what is wrong, on which host or server, and what to do
next; commands print it as it stands.
"""

import enum

from osc_lib import exceptions

from osc_hostmaint import text


class ExitCode(enum.IntEnum):
    """How a command ended. Frozen: scripts depend on it."""

    #: The requested state is reached.
    DONE = 0
    #: No such host, no permission, API failure, refused for safety.
    FAILED = 1
    #: Wrong usage.
    USAGE = 2
    #: It ended and servers are left; the table says which and why.
    LEFT = 3
    #: ``--timeout`` or ``--until`` passed first.
    TIMEOUT = 4
    #: Interrupted by the user.
    INTERRUPTED = 130


class HostMaintenanceError(exceptions.CommandError):
    """The operation on a host failed or was refused."""

    def __str__(self) -> str:
        # OpenStackClient prints it as it is, with names of the cloud in it.
        return text.printable(super().__str__())


class UnknownHost(HostMaintenanceError):
    """There is no compute service on a host of this exact name."""


class SilentCell(HostMaintenanceError):
    """The cell of a host does not answer.

    Nova knows nothing about the host and its servers then.
    """


class Refused(HostMaintenanceError):
    """The operation is possible, but was refused for safety."""


class InvalidMark(HostMaintenanceError, ValueError):
    """The reason does not fit into the service's disabled reason."""


class CloudError(HostMaintenanceError):
    """OpenStack answered a request with an error, or not at all."""


class NotPermitted(CloudError):
    """Keystone or a policy said no (401, 403)."""

    def __init__(self, message: str, *, policy: str = ''):
        super().__init__(message)
        #: The policy that does not allow it, '' if the service does not say.
        self.policy = policy


class NotFound(CloudError):
    """What the request is about does not exist (404)."""


class UnknownHypervisor(CloudError):
    """Nova's API shows no hypervisor on a host, so Placement cannot be asked.

    For example, the host is not mapped to a cell.
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

    It is not known whether a request that changes something had an effect;
    only 429 says that it had none.
    """

    def __init__(
        self,
        message: str,
        *,
        in_doubt: bool = True,
        retry_after: float | None = None,
        status: int | None = None,
    ):
        super().__init__(message)
        #: The HTTP status of the answer, if there was one.
        self.status = status
        #: After so many seconds the service wants to be asked again, if it
        #: says so.
        self.retry_after = retry_after
        #: True where the request may have been carried out all the same.
        self.in_doubt = in_doubt


class ApiTooOld(CloudError):
    """The cloud's Nova does not offer a microversion that is needed."""
