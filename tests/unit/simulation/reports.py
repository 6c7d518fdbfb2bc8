# SPDX-License-Identifier: Apache-2.0

"""Reports written by hand, to see that what is untrue in them is found."""

import contextlib
import copy
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint.engine import loop
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.server import status as server_status
from tests import unit
from tests.unit.simulation import client as clients
from tests.unit.simulation import cloud as clouds
from tests.unit.simulation import report_checks
from tests.unit.simulation import scene
from tests.unit.simulation import timeline
from tests.unit.simulation import world

Code = exceptions.ExitCode
Phase = server_status.Phase


class Reporter:
    """Somebody who asks a cloud for things, and then reports."""

    def __init__(self, cloud: clouds.Cloud, **options: ty.Any):
        """:param options: of the policy he pretends to follow."""
        self.clock = timeline.VirtualClock(cloud.timeline)
        self.client = clients.Client(cloud, self.clock)
        told, policy = scene.Recorder(self.client), policies.Policy(**options)
        self._run = scene.Run(
            cloud, self.clock, self.client, told, (scene.SOURCE,), policy
        )

    def look(self) -> None:
        self.client.servers(scene.SOURCE)
        self.client.allocations(scene.SOURCE)

    def run(self, *rows, code=None, errors=None, **values) -> scene.Run:
        """Return what he reports, by default with the code that fits it."""
        if code is None:
            left = any(each.left for each in rows)
            code = Code.LEFT if left else Code.DONE
        run = copy.copy(self._run)
        vars(run).update(values)
        run.outcome = loop.DrainResult(rows, errors or {}, code)
        run.ended = self.clock.now()
        run.untrue_reports = report_checks.untrue_reports(run)
        return run

    def untrue_reports(self, *rows, **options) -> list[str]:
        self.look()
        return self.run(*rows, **options).untrue_reports


def row(server: world.Server, phase: Phase, reason: str = '') -> decisions.Row:
    return decisions.Row(
        server_id=server.id,
        name=server.name,
        host=scene.SOURCE,
        status='ACTIVE',
        move='',
        destination='',
        phase=phase,
        reason=reason,
        attempts=0,
        seconds=None,
    )


class ChecksTestCase(unit.TestCase):
    """A host with a server, and somebody who has to do with it."""

    #: Of the policy that he pretends to follow.
    POLICY: ty.ClassVar[dict[str, ty.Any]] = {}

    def setUp(self) -> None:
        self.cloud = scene.cloud(slots=9)
        self.server = self.cloud.add(scene.SOURCE)
        self.follow()

    def follow(self, **options: ty.Any) -> None:
        self.reporter = Reporter(self.cloud, **{**self.POLICY, **options})

    def ask(self, kind, server=None, *hosts, wait=10.0) -> None:
        """Ask for something, whatever comes of it."""
        server = server or self.server
        with contextlib.suppress(exceptions.CloudError):
            getattr(self.reporter.client, kind)(server.id, *hosts)
        self.reporter.clock.sleep(wait)

    def check(self, found: list[str], *words: str) -> None:
        """Check what a judge has found, each by some words."""
        self.assertEqual(len(words), len(found), found)
        for error, word in zip(found, words, strict=True):
            self.assertIn(word, error)
