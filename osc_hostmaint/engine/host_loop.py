# SPDX-License-Identifier: Apache-2.0
"""One host on its way: what is seen, remembered and decided, tick by tick."""

import collections
import collections.abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint.engine import actions
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import requested
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories

_SERVICES = decisions.Query(records=False, services=True)
#: So end the policies of Nova that allow to name a destination.
NAMING = ':host'
WAITS = 'waiting for a destination that can take it'

#: Returns why nothing new is started any more, '' while it is.
AskStop = collections.abc.Callable[[], str]


class HostLoop:
    """One host on its way: what is seen, remembered and decided."""

    def __init__(
        self,
        watcher: observer.Observer,
        policy: policies.Policy,
        gateway: ports.Gateway,
        clock: ports.Clock,
        report: reporting.HostReporter,
        recording: ports.Recording | None = None,
        destinations: ports.Destinations | None = None,
    ):
        self.host = watcher.seen.host
        self.decision: decisions.Decision | None = None
        self.error = ''
        #: Servers whose moves are over, as just decided.
        self.finished: tuple[circuit_breaker.Finished, ...] = ()
        self.due = clock.now()
        self.done = False
        self._watcher = watcher
        self._operation = requested.operation(policy)
        self._gateway = gateway
        self._clock = clock
        self._report = report
        self._recording = recording
        self._destinations = destinations
        self._memory = memories.HostMemory()
        self._opened = False
        self._hurried = False
        self._down_since: float | None = None
        self._pause = timing.OUTAGE_PAUSE_SECONDS

    def tick(self, ask_stop: AskStop) -> None:
        """Look, decide, act once, and set when to do it again.

        :param ask_stop: asked after looking, which takes a while.
        """
        try:
            decision = self._step(ask_stop)
        except exceptions.Unavailable as error:
            self._note_outage(str(error))
            return
        except exceptions.CloudError as error:
            self._give_up(str(error))
            return
        self._down_since = None
        self._pause = timing.OUTAGE_PAUSE_SECONDS
        self._conclude(decision)

    def abandon(self, why: str) -> None:
        """Decide a last time, from what is known, without looking.

        :param why: nothing is started or awaited any more.
        """
        operation = self._operation.abandoning(why)
        if not self._opened:
            self.done = True
            return
        seen = self._watcher.seen
        now = self._clock.now()
        decision = decide.decide(seen, operation, self._memory, now)
        if self._recording:
            self._recording.decided(seen, operation.policy, now, decision)
        self._conclude(decision)

    def _step(self, ask_stop: AskStop) -> decisions.Decision:
        if self._down_since is not None:
            # Other requests fail where a cell does not answer.
            self._watcher.look(_SERVICES)
        lost = self._watcher.seen.silent
        if self._opened and self.decision:
            if not (lost and self._down_since):
                self._watcher.look(self.decision.query)
        elif lost:
            raise exceptions.Unavailable(down_cells.words(lost))
        else:
            self._watcher.open()
            self._opened = True
        self._note(self.decision)
        decision = self._decide(ask_stop)
        if decision.query.singles:
            # After the actions, so that no slot idles meanwhile.
            self._watcher.visit(decision.query)
            self._note(decision)
            before = decision.actions
            decision = self._decide(ask_stop)
            decision = dataclasses.replace(
                decision, actions=(*before, *decision.actions)
            )
        if self._destinations and not decision.done:
            self._destinations.renew()
        return decision

    def _note(self, decision: decisions.Decision | None) -> None:
        """Let it be known what has become of moves, as far as seen."""
        if self._destinations:
            rows = decision.rows if decision else ()
            over = {row.server_id for row in rows if row.result}
            self._destinations.note(self._watcher.seen, over)

    def _decide(self, ask_stop: AskStop) -> decisions.Decision:
        sent: list[memories.Action] = []
        began_at = self._clock.now()
        held = True
        # Those whose turn does not come now have it at the next tick.
        while (
            held and self._clock.now() - began_at < timing.STOP_CHECK_SECONDS
        ):
            decision = self._decide_once(ask_stop)
            actions, held = self._act(decision, ask_stop)
            sent += actions
        return dataclasses.replace(decision, actions=tuple(sent))

    def _decide_once(self, ask_stop: AskStop) -> decisions.Decision:
        operation = self._operation.stopping(self.error or ask_stop())
        seen, now = self._watcher.seen, self._clock.now()
        decision = decide.decide(seen, operation, self._memory, now)
        self._memory = decision.memory
        self.finished = decision.finished
        if self._recording:
            self._recording.decided(seen, operation.policy, now, decision)
        return decision

    def _act(
        self, decision: decisions.Decision, ask_stop: AskStop
    ) -> tuple[list[memories.Action], bool]:
        """Send actions until something speaks against it.

        :returns: those sent, and whether others may have the turn of one
            that has to wait for a destination.
        """
        sent: list[memories.Action] = []
        held = False
        highest = max(self._watcher.seen.migrations, default=0)
        decided_at = self._clock.now()
        queue = collections.deque(decision.actions)
        while queue:
            action = queue.popleft()
            if self._stale(decided_at):
                break
            starts = action.kind in memories.STARTING
            if starts and (self.error or decision.doubtful or ask_stop()):
                continue
            try:
                directed = self._direct(action, highest)
            except exceptions.RequestRefused as error:
                refused = memories.Outcome(
                    memories.SendStatus.REFUSED,
                    self._clock.now(),
                    str(error),
                    error.final,
                )
                self._remember(action, refused, highest)
                continue
            if directed is None:
                held = True
                taken = memories.Outcome(
                    memories.SendStatus.POSTPONED, self._clock.now(), WAITS
                )
                self._remember(action, taken, highest)
                continue
            if self._stale(decided_at):
                self._drop(directed)
                break
            outcome, picked = None, not action.host
            try:
                outcome = self._ask(actions.check, directed, picked=picked)
                if outcome and outcome.answer is memories.SendStatus.ACCEPTED:
                    # Holds if the user stops us in the middle of the request.
                    outcome = memories.Outcome(
                        memories.SendStatus.IN_DOUBT, self._clock.now()
                    )
                    outcome = self._ask(actions.send, directed, picked=picked)
            finally:
                if outcome:
                    self._remember(directed, outcome, highest)
            if outcome:
                sent.append(directed)
            else:
                queue.appendleft(action)
        return sent, held

    def _stale(self, decided_at: float) -> bool:
        """Tell whether a request has hung: what follows is decided anew."""
        stale = self._clock.now() - decided_at > timing.DECISION_VALID_SECONDS
        self._hurried = self._hurried or stale
        return stale

    def _direct(
        self, action: memories.Action, highest: int
    ) -> memories.Action | None:
        """Return an action with its destination; None: not now."""
        if self._destinations is None or action.kind not in memories.DIRECTED:
            return action
        directed = self._destinations.direct(self.host, action, highest)
        if directed and action.kind is memories.ActionKind.RESUME:
            # It keeps the place for the migration, which is directed anew.
            return dataclasses.replace(directed, host='')
        return directed

    def _drop(self, action: memories.Action) -> None:
        """Let it be known that an action was not taken."""
        if self._destinations and action.kind in memories.DIRECTED:
            self._destinations.drop(action)

    def _leave_to_scheduler(
        self, action: memories.Action, policy: str
    ) -> None:
        if self._destinations:
            self._destinations.leave_to_scheduler(
                self.host, action.kind, policy
            )

    def _remember(
        self,
        action: memories.Action,
        outcome: memories.Outcome,
        highest: int,
    ) -> None:
        self._memory = self._memory.after(action, outcome, highest)
        if self._recording:
            self._recording.acted(self.host, action, outcome, highest)

    def _ask(
        self,
        ask: collections.abc.Callable[[ports.Gateway, memories.Action], None],
        action: memories.Action,
        *,
        picked: bool,
    ) -> memories.Outcome | None:
        """Ask Nova; None: the action is to be sent again without its host.

        :param picked: its host, if there is one, is our own pick.
        """
        answer, reason, final = memories.SendStatus.ACCEPTED, '', False
        try:
            ask(self._gateway, action)
        except exceptions.Unavailable as error:
            # Never twice on a doubt: what is seen next says whether it took.
            answer = (
                memories.SendStatus.IN_DOUBT
                if error.in_doubt
                else memories.SendStatus.POSTPONED
            )
            reason = str(error)
            self._report.trouble(reason)
        except exceptions.NotPermitted as error:
            if picked and action.host and error.policy.endswith(NAMING):
                self._drop(action)
                self._leave_to_scheduler(action, error.policy)
                return None
            answer, reason = memories.SendStatus.REFUSED, str(error)
            self.error = reason
            self._report.trouble(reason)
        except exceptions.RequestRefused as error:
            answer, reason = memories.SendStatus.REFUSED, str(error)
            final = error.final
        except exceptions.CloudError as error:
            answer, reason = memories.SendStatus.REFUSED, str(error)
        taken = (memories.SendStatus.ACCEPTED, memories.SendStatus.IN_DOUBT)
        if answer not in taken:
            self._drop(action)
        return memories.Outcome(answer, self._clock.now(), reason, final)

    def _conclude(self, decision: decisions.Decision) -> None:
        self.decision = decision
        self.error = self.error or decision.trouble
        pause = 0.0 if self._hurried else decision.interval
        self.due, self._hurried = self._clock.now() + pause, False
        if decision.done:
            self.done = True
            if self._destinations:
                self._destinations.leave(self.host)
        self._report.decided(decision)

    def _note_outage(self, text: str) -> None:
        now = self._clock.now()
        if self._down_since is None:
            self._down_since = now
        if now - self._down_since >= timing.OUTAGE_LIMIT_SECONDS:
            self._give_up(text)
            return
        self._report.trouble(text)
        self.due = now + self._pause
        self._pause = min(2 * self._pause, timing.OUTAGE_PAUSE_MOST_SECONDS)

    def _give_up(self, text: str) -> None:
        self.error = text
        self._report.trouble(text)
        self.abandon(text)
        self.done = True
