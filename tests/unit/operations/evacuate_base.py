# SPDX-License-Identifier: Apache-2.0

"""A host that has died, and somebody who wants its servers elsewhere."""

import datetime
import types
import typing as ty

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.planning import policy as policies
from tests.unit import builders
from tests.unit.operations import base

Code = exceptions.ExitCode
EVACUATE = policies.Policy(evacuate=True)


class EvacuateTestCase(base.DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.listener = builders.Listener()
        self.questions: list[str] = []
        self.interrupt = types.SimpleNamespace(requested=False)

    def given(self, *services: model.Service) -> None:
        super().given(*services)
        self.gateway.now.side_effect = self.now

    def now(self) -> datetime.datetime:
        """Return Nova's time: it passes with the clock's."""
        passed = self.clock.now() - 100.0
        return base.NOW + datetime.timedelta(seconds=passed)

    def answer(self, *, yes: bool) -> ty.Callable[[str], bool]:
        """Return somebody who keeps the questions, and gives this answer."""

        def ask(question: str) -> bool:
            self.questions.append(question)
            return yes

        return ask

    def evacuate(self, *hosts: str, **options: ty.Any) -> ty.Any:
        return self.maintenance.drain(
            hosts or ['cmp01'],
            report=self.listener,
            interrupt=self.interrupt,
            **{'policy': EVACUATE, **options},
        )

    def told(self) -> str:
        return '\n'.join(
            f'{host}: {text}' for host, text in self.listener.troubles
        )

    def given_silent(self) -> None:
        """Let nothing be heard of cmp01, which nobody has forced down."""
        self.given(
            builders.service(host='cmp01', enabled=True, up=False),
            builders.service(host='cmp02', enabled=True),
        )

    def assert_evacuated(self, *hosts: str, **options: ty.Any) -> None:
        result = self.evacuate(*hosts, **options)
        self.assertIs(Code.DONE, result.exit_code, result.errors)

    def assert_left_alone(self, words: str, **options: ty.Any) -> None:
        """Check that cmp01 is not touched, and why."""
        result = self.evacuate(**options)
        self.assertIs(Code.FAILED, result.exit_code)
        self.assertRegex(result.errors['cmp01'], words)
        self.assertEqual(((), []), (result.rows, self.changes()))
