# SPDX-License-Identifier: Apache-2.0
"""One host on its way: what is seen, remembered and decided, tick by tick."""

import collections
from collections import abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import actions
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.engine import reporting
from osc_hostmaint.planning import code as codes
from osc_hostmaint.planning import operation as operations
from osc_hostmaint.planning import policy as policies
from osc_hostmaint.planning import timing
from osc_hostmaint.planning.host import circuit_breaker
from osc_hostmaint.planning.host import decide
from osc_hostmaint.planning.host import decision as decisions
from osc_hostmaint.planning.host import down_cells
from osc_hostmaint.planning.server import memory as memories
from osc_hostmaint.planning.server import status as server_status

_Action = memories.Action
_Outcome = memories.Outcome
_Status = memories.SendStatus
_WAITING = server_status.Phase.WAITING
_SERVICES = decisions.Query(records=False, services=True)
#: So end the policies of Nova that allow to name a destination.
NAMING = ':host'
WAITS = 'waiting for a destination that can take it'

#: Returns why nothing new is started any more, None while it is.
AskStop = abc.Callable[[], policies.Stop | None]


class HostLoop:
    """One host on its way: what is seen, remembered and decided."""

    def __init__(
        self,
        watcher: observer.Observer,
        report: reporting.HostReporter,
        destinations: ports.Destinations,
        recording: ports.Recording | None = None,
    ):
        self.host = watcher.seen.host
        #: The host that its events name: in a restore, where servers return.
        self.announced_host = report.host
        self.decision: decisions.Decision | None = None
        self.error = ''
        #: The kind of the error, for rows; None: there is none.
        self.error_code: codes.Code | None = None
        #: Why the last look failed, and what is known is old; None: it did
        #: not.
        self.outage: exceptions.Unavailable | None = None
        #: Servers whose moves are over, as just decided.
        self.finished: tuple[circuit_breaker.Finished, ...] = ()
        self.due = watcher.clock.now()
        self.done = False
        #: Returns how many moves may be started now; None: no bound but the
        #: operation's.
        self.places: abc.Callable[[], int] | None = None
        self._watcher = watcher
        self._clock = watcher.clock
        self._report = report
        self._recording = recording
        self._destinations = destinations
        self._ask_stop: AskStop = lambda: None
        self._memory = memories.HostMemory()
        self._opened = False
        self._said_overwritten = False
        self._hurried = False
        self._down_since: float | None = None
        self._pause = timing.OUTAGE_PAUSE_SECONDS

    def hurry(self) -> None:
        """Look at once, and not only when that is due."""
        self.due = min(self.due, self._clock.now())

    def tick(self, ask_stop: AskStop) -> None:
        """Look, decide, act once, and set when to do it again.

        :param ask_stop: asked after looking, which takes a while.
        """
        self._ask_stop = ask_stop
        try:
            decision = self._step()
        except exceptions.Unavailable as error:
            self._note_outage(error)
        except exceptions.CloudError as error:
            self.outage = None
            self.give_up(error)
        else:
            self.outage = self._down_since = None
            self._pause = timing.OUTAGE_PAUSE_SECONDS
            self._conclude(decision)

    def progressed(self, row: decisions.Row, progress: model.Progress) -> None:
        """Let it be known how far the live migration of a server is."""
        self._report.progressed(row, progress)

    def abandon(self, why: policies.Stop) -> None:
        """Decide a last time, from what is known, without looking.

        :param why: nothing is started or awaited any more.
        """
        if self._opened:
            operation = self._watcher.operation.abandoning(why)
            self._conclude(self._decide(operation))
        else:
            self.done = True

    def _step(self) -> decisions.Decision:
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
        self._say_overwritten()
        self._note(self.decision)
        decision, sent = self._decide_and_act()
        if decision.query.singles:
            # After the actions, so that no slot idles meanwhile.
            try:
                self._watcher.visit(decision.query)
            except exceptions.CloudError:
                if sent and not decision.done:
                    sending = dataclasses.replace(
                        decision, actions=tuple(sent)
                    )
                    self._conclude(sending)
                raise
            self._note(decision)
            decision, more = self._decide_and_act()
            sent += more
        if not decision.done:
            self._destinations.renew()
        return dataclasses.replace(decision, actions=tuple(sent))

    def _say_overwritten(self) -> None:
        """Say once that somebody else has overwritten the host's mark."""
        words = self._watcher.operation.mark_overwritten(self._watcher.seen)
        if words and not self._said_overwritten:
            self._said_overwritten = True
            self._report.trouble(words)

    def _note(self, decision: decisions.Decision | None) -> None:
        """Let it be known what has become of moves, as far as seen."""
        rows = decision.rows if decision else ()
        over = {row.server_id for row in rows if row.result}
        self._destinations.note(self._watcher.seen, over)
        actions = decision.actions if decision else ()
        asked = {action.server_id for action in actions}
        waiting = {r.server_id for r in rows if r.phase is _WAITING}
        for server_id in waiting - asked:
            self._destinations.drop(server_id)

    def _decide_and_act(self) -> tuple[decisions.Decision, list[_Action]]:
        """Return the last decision, and all actions sent."""
        sent: list[_Action] = []
        # Those whose turn does not come now have it at the next tick.
        until = self._clock.now() + timing.STOP_CHECK_SECONDS
        while True:
            why = self._ask_stop()
            if self.error:
                why = policies.Stop(self.error, codes.Code.NOT_PERMITTED)
            operation = self._watcher.operation.stopping(why)
            if self.places:
                operation = operation.starting_at_most(self.places())
            decision = self._decide(operation)
            self._memory = decision.memory
            self.finished = decision.finished
            taken, held = self._act(decision)
            sent += taken
            if not held or self._clock.now() >= until:
                return decision, sent

    def _decide(self, operation: operations.Operation) -> decisions.Decision:
        seen, now = self._watcher.seen, self._clock.now()
        decision = decide.decide(seen, operation, self._memory, now)
        if self._recording:
            self._recording.decided(seen, operation.policy, now, decision)
        return decision

    def _act(self, decision: decisions.Decision) -> tuple[list[_Action], bool]:
        """Send actions until something speaks against it.

        :returns: those sent, and whether others may have the turn of one
            that has to wait for a destination.
        """
        sent: list[_Action] = []
        held = False
        highest = max(self._watcher.seen.migrations, default=0)
        decided_at = self._clock.now()
        queue = collections.deque(decision.actions)
        while queue:
            action = queue.popleft()
            if self._stale(decided_at):
                break
            starts = action.kind in memories.STARTING
            stopped = self.error or decision.doubtful
            if starts and (stopped or self._ask_stop()):
                continue
            try:
                directed = self._direct(action, highest)
            except exceptions.RequestRefused as error:
                refused = self._outcome(_Status.REFUSED, error)
                self._remember(action, refused, highest)
                continue
            if directed is None:
                held = True
                waits = self._outcome(_Status.POSTPONED, WAITS)
                self._remember(action, waits, highest)
                continue
            if self._stale(decided_at):
                self._drop(directed)
                break
            if self._send(directed, highest, picked=not action.host):
                sent.append(directed)
            else:
                queue.appendleft(action)
        return sent, held

    def _stale(self, decided_at: float) -> bool:
        """Tell whether a request has hung: what follows is decided anew."""
        stale = self._clock.now() - decided_at > timing.DECISION_VALID_SECONDS
        self._hurried = self._hurried or stale
        return stale

    def _direct(self, action: _Action, highest: int) -> _Action | None:
        """Return an action with its destination; None: not now."""
        if action.kind not in memories.DIRECTED:
            return action
        directed = self._destinations.direct(self.host, action, highest)
        if directed and action.kind is memories.ActionKind.RESUME:
            # It keeps the place for the migration, which is directed anew.
            return dataclasses.replace(directed, host='')
        return directed

    def _drop(self, action: _Action) -> None:
        """Let it be known that an action was not taken."""
        if action.kind in memories.DIRECTED:
            self._destinations.drop(action.server_id)

    def _remember(
        self, action: _Action, outcome: _Outcome, highest: int
    ) -> None:
        self._memory = self._memory.after(action, outcome, highest)
        if self._recording:
            self._recording.acted(self.host, action, outcome, highest)

    def _outcome(self, status: _Status, reason: object = '') -> _Outcome:
        final = isinstance(reason, exceptions.RequestRefused) and reason.final
        return _Outcome(status, self._clock.now(), str(reason), final)

    def _send(self, action: _Action, highest: int, *, picked: bool) -> bool:
        """Ask Nova; False: the action is to be sent again without its host.

        :param picked: its host, if there is one, is our own pick.
        """
        gateway = self._watcher.gateway
        # Holds if the user stops us before the request.
        outcome: _Outcome | None = self._outcome(_Status.POSTPONED)
        try:
            actions.prepare(gateway, action)
            if action.kind in memories.STARTING and (why := self._ask_stop()):
                # That may have taken long.
                raise exceptions.Unavailable(why.reason, in_doubt=False)
            # Holds if the user stops us in the middle of the request.
            outcome = self._outcome(_Status.IN_DOUBT)
            actions.send(gateway, action)
            outcome = self._outcome(_Status.ACCEPTED)
        except exceptions.Unavailable as error:
            # Never twice on a doubt: what is seen next says whether it took.
            answer = _Status.IN_DOUBT if error.in_doubt else _Status.POSTPONED
            outcome = self._outcome(answer, error)
            self._report.trouble(str(error))
        except exceptions.NotPermitted as error:
            if picked and action.host and error.policy.endswith(NAMING):
                outcome = None
                self._drop(action)
                self._destinations.leave_to_scheduler(
                    self.host, action.kind, error.policy
                )
                return False
            outcome = self._outcome(_Status.REFUSED, error)
            self.error = str(error)
            self._report.trouble(self.error)
        except exceptions.CloudError as error:
            outcome = self._outcome(_Status.REFUSED, error)
        finally:
            self._watcher.acted(action.server_id, action.host)
            if outcome is not None:
                self._remember(action, outcome, highest)
        if outcome.answer in (_Status.REFUSED, _Status.POSTPONED):
            self._drop(action)
        return True

    def _conclude(self, decision: decisions.Decision) -> None:
        self.decision = decision
        self.error = self.error or decision.trouble
        pause = 0.0 if self._hurried else decision.interval
        self.due, self._hurried = self._clock.now() + pause, False
        if decision.done:
            self.done = True
            self._destinations.leave(self.host)
        self._report.decided(decision)

    def _note_outage(self, error: exceptions.Unavailable) -> None:
        now, self.outage = self._clock.now(), error
        if self._down_since is None:
            self._down_since = now
        if now - self._down_since >= timing.OUTAGE_LIMIT_SECONDS:
            self.give_up(error)
            return
        self.due = now + self._pause
        self._pause = min(2 * self._pause, timing.OUTAGE_PAUSE_MOST_SECONDS)

    def give_up(self, error: exceptions.CloudError) -> None:
        """Decide a last time, from what is known: the host can't be drained.

        :param error: why.
        """
        self.error_code = codes.Code.REFUSED
        if self._watcher.seen.silent:
            self.error_code = codes.Code.CELL_DOWN
        elif isinstance(error, exceptions.Unavailable):
            self.error_code = codes.Code.API_DOWN
        elif isinstance(error, exceptions.NotPermitted):
            self.error_code = codes.Code.NOT_PERMITTED
        self.error = str(error)
        self._report.trouble(self.error)
        self.abandon(policies.Stop(self.error, self.error_code))
        self.done = True
