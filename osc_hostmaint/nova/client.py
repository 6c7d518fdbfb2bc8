# SPDX-License-Identifier: Apache-2.0

"""The session with a cloud: its services, and the current user."""

from collections import abc
import datetime
import functools
import logging
import time
import urllib.parse

from keystoneauth1 import access
from keystoneauth1.identity import base as identity
from openstack import connection

from osc_hostmaint import exceptions
from osc_hostmaint import mark as marks
from osc_hostmaint import model
from osc_hostmaint import text
from osc_hostmaint.i18n import _
from osc_hostmaint.nova import errors
from osc_hostmaint.nova import records
from osc_hostmaint.nova import transport
from osc_hostmaint.planning import timing

LOG = logging.getLogger(__name__)

#: The microversion everything is asked at, lists of servers excepted, and the
#: least that will do: 2.59 lists migrations with their uuid and
#: `changes-since` (Nova 17, Queens). 2.65 aborts live migrations that wait
#: for their turn. 2.84 tells why a move failed. Up to 2.87 the list of
#: hypervisors costs no RPC per host.
WANTED = '2.87'
NEEDED = '2.59'
#: What is dated later than that after now is not trusted.
AHEAD = datetime.timedelta(seconds=timing.PLANTED_AHEAD_SECONDS)


class Client:
    """Nova, Placement and Keystone behind an openstacksdk connection.

    The questions to them are functions of the modules beside this one. What
    one answer tells for the next question is kept here.
    """

    def __init__(self, conn: connection.Connection):
        """:param conn: gets a time-out if it has none.

        It has to be the session's: tokens and lists of versions are asked
        for in between, by keystoneauth1.
        """
        self._conn = conn
        #: Before a question is repeated.
        self.pause = transport.Pause()
        if not conn.session.timeout:
            conn.session.timeout = timing.REQUEST_TIMEOUT_SECONDS
        #: The hosts of the newest list of services; empty: there was none yet.
        self.known_hosts: set[str] = set()
        #: Those of them whose cell did not answer: these are not among them.
        self.silent_hosts: set[str] = set()
        #: Nova is known to take the user for an administrator.
        self.is_admin = False
        #: A policy hides the progress of live migrations.
        self.progress_hidden = False
        #: The policies that are done without.
        self.missing: set[str] = set()
        #: Those whose servers Nova cannot list at the newest microversion.
        self.unlistable: set[str] = set()
        #: All hypervisors; None: not asked yet.
        self.known_hypervisors: tuple[model.Hypervisor, ...] | None = None
        #: The hypervisor hostnames that were seen of each host.
        self.nodes_seen: dict[str, set[str]] = {}
        self.candidates = records.CandidatesReader()
        #: Nova's clock, less our monotonic one, at the least; None: no time
        #: of Nova's own was seen yet.
        self._nova_ahead: float | None = None
        #: It was said that a time of Nova's is ignored.
        self._said_ahead = False
        #: Keystone gives a token that lasts longer than the one before.
        self._renewable = True

    @functools.cached_property
    def nova(self) -> transport.Transport:
        """Nova, asked at the microversion wanted where none is named.

        :raises ApiTooOld: Nova does not offer the least that will do.
        """
        looking = _('Looking for Nova')
        with transport.discovering(self._conn.session, looking):
            service = self._conn.compute
        # Any Nova since Liberty knows 2.1.
        nova = transport.Transport(
            service, 'Nova', '2.1', 'version', self.pause
        )
        nova.version = nova.microversion(WANTED, _('Host maintenance'), NEEDED)
        return nova

    @functools.cached_property
    def placement(self) -> transport.Transport:
        """Placement, asked at a microversion that each request names."""
        looking = _('Looking for Placement')
        with transport.discovering(self._conn.session, looking):
            service = self._conn.placement
        return transport.Transport(
            service, 'Placement', '1.0', 'versions', self.pause
        )

    def do_without(self, policy: str, words: str) -> None:
        """Say, once, what is not known, as a policy does not allow it."""
        if policy not in self.missing:
            self.missing.add(policy)
            LOG.warning(words)

    def learn_node(self, host: str | None, node: str | None) -> None:
        """Take note that a hypervisor is on a host."""
        if host and node and isinstance(node, str):
            self.nodes_seen.setdefault(host, set()).add(node)

    def now(self) -> datetime.datetime:
        """Return Nova's time, in UTC, or a little earlier.

        It is compared with Nova's records, so it comes from the newest
        heartbeat that Nova recorded, and lags by the age of that heartbeat.
        Our clock does not count, nor the ``Date`` of answers, which a front
        end may have set. Only before the first heartbeat our clock is used.
        """
        if self._nova_ahead is None:
            return datetime.datetime.now(datetime.UTC)
        now = self._nova_ahead + time.monotonic()
        return datetime.datetime.fromtimestamp(now, datetime.UTC)

    def keep_time(self, services: abc.Iterable[model.Service]) -> None:
        """Learn Nova's time: its clock shows no less than what it wrote.

        Only a service that is up counts: Nova shows it as down if it is dated
        long before or long after the API's own clock
        (nova/servicegroup/drivers/db.py). A time of more than a day ahead of
        our clock is also left out: a wrong clock must not date marks.
        """
        latest = datetime.datetime.now(datetime.UTC) + AHEAD
        for service in services:
            if not (written := service.updated_at):
                continue
            if written > latest:
                self._say_ahead(service.host, written)
                continue
            if service.up:
                ahead = written.timestamp() - time.monotonic()
                self._nova_ahead = max(ahead, self._nova_ahead or ahead)

    def _say_ahead(self, host: str, written: datetime.datetime) -> None:
        """Say, once, that Nova's clock and ours are too far apart."""
        if not self._said_ahead:
            words = _(
                'The heartbeat of %(host)s is dated %(time)s, more than a day '
                'ahead of this machine, and is ignored: check the clocks of '
                "Nova's services and of this machine"
            )
            time_ = marks.iso(written)
            LOG.warning(words, {'host': text.printable(host), 'time': time_})
        self._said_ahead = True

    def renew_token(self) -> None:
        """See to it that the token lasts for the move that is to start.

        keystoneauth1 would use it almost to its end, and Nova goes on with
        the one that it was given. Where it cannot be renewed, that is said
        once, and it is used as it is.

        :raises Unavailable: Keystone does not answer. Nothing was changed.
        """
        session, auth = self._conn.session, self._conn.session.auth
        if not isinstance(auth, identity.BaseIdentityPlugin):
            # Auth types none and admin_token.
            return
        if not self._renewable:
            return
        expires, why = None, ''
        try:
            with errors.translated(_('Asking Keystone for a token')):
                expires = _expiry_if_soon(auth.get_access(session))
                if expires is None:
                    return
                if auth.reauthenticate:
                    # The one that is known is kept if there is no other.
                    new = auth.get_auth_ref(session)
                    if new.expires is None or new.expires > expires:
                        auth.auth_ref = new
                        return
        except exceptions.Unavailable as error:
            raise exceptions.Unavailable(str(error), in_doubt=False) from error
        except exceptions.CloudError as error:
            if expires is None:
                raise
            why = f' ({error})'
        self._renewable = False
        words = _(
            'The token expires at %(time)s and cannot be renewed%(why)s, so '
            'moves that last longer may fail: log in with a password or an '
            'application credential'
        )
        LOG.warning(words, {'time': marks.iso(expires), 'why': why})

    def user_name(self) -> str:
        """Return the name of the current user, or the id, or 'unknown'."""
        name, id_ = self._user()
        return name or id_ or 'unknown'

    def user_id(self) -> str:
        """Return the id of the current user, as in Nova's records.

        '' if Keystone does not say.
        """
        return self._user()[1]

    def uri(self) -> str:
        """Return the cloud's identity endpoint and region, as a URI.

        Both are of the catalog, where there is one: all users of a cloud see
        the same there, whatever their ``clouds.yaml`` says.
        """
        session, config = self._conn.session, self._conn.config
        region = config.get_region_name('compute')
        if isinstance(session.auth, identity.BaseIdentityPlugin):
            with errors.translated(_('Asking Keystone for the catalog')):
                known = session.auth.get_access(session)
            find = known.service_catalog.get_endpoint_data_list
            for nova in find('compute', region_name=region)[:1]:
                region = nova.region_name
            everywhere = find('identity')
            here = [k for k in everywhere if k.region_name == region]
            found = [keystone.url for keystone in (*here, *everywhere)]
            url = found[0] if found else session.auth.auth_url
        else:
            # Auth types none and admin_token.
            url = config.get_endpoint('compute')
        return f'{(url or "").rstrip("/")}#{urllib.parse.quote(region or "")}'

    def _user(self) -> tuple[str, str]:
        """Return the name and the id, '' where Keystone does not say."""
        session = self._conn.session
        if not isinstance(session.auth, identity.BaseIdentityPlugin):
            # Auth types none and admin_token.
            return '', ''
        with errors.translated(_('Asking Keystone for the current user')):
            known = session.auth.get_access(session)
        return known.username or '', known.user_id or ''


def _expiry_if_soon(known: access.AccessInfo) -> datetime.datetime | None:
    """Return when a token expires if it may not last for a move, else None."""
    if known.expires is None:
        return None
    enough = datetime.timedelta(seconds=timing.TOKEN_LEFT_SECONDS)
    if known.issued:
        life = known.expires - known.issued
        enough = min(enough, life * timing.TOKEN_LEFT_PART)
    left = known.expires - datetime.datetime.now(datetime.UTC)
    return known.expires if left < enough else None
