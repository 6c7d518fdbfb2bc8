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
#: What changes something.
CHANGES = frozenset({'disable', 'enable', 'force_down', 'evacuate', 'reset'})


class EvacuateTestCase(base.DrainTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.listener = builders.Listener()
        self.questions: list[str] = []
        self.interrupt = types.SimpleNamespace(requested=False)

    def given(self, *services: model.Service) -> None:
        super().given(*services)
        self.cloud.places = {'vm1': 'cmp01', 'vm2': 'cmp02'}
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

    def changes(self) -> list[tuple[str, str]]:
        """Return what was changed, of which host or server."""
        return [
            (call[0], getattr(call.args[0], 'host', call.args[0]))
            for call in self.gateway.method_calls
            if call[0] in CHANGES
        ]

    def told(self) -> str:
        """Return what was told of trouble."""
        return '\n'.join(
            f'{host}: {text}' for host, text in self.listener.troubles
        )
