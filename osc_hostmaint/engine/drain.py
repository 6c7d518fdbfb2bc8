#    Licensed under the Apache License, Version 2.0 (the "License"); you may
#    not use this file except in compliance with the License. You may obtain
#    a copy of the License at
#
#         http://www.apache.org/licenses/LICENSE-2.0
#
#    Unless required by applicable law or agreed to in writing, software
#    distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
#    WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
#    License for the specific language governing permissions and limitations
#    under the License.

"""The control loop: observe, decide, act, for several hosts at once.

Level-triggered: every tick looks at what is, decides from that alone, acts
and forgets. Being resumed after a crash, or run twice at once, is therefore
nothing special.
"""

import collections.abc
import dataclasses

from osc_hostmaint import exceptions
from osc_hostmaint import model
from osc_hostmaint.engine import actions
from osc_hostmaint.engine import observer
from osc_hostmaint.engine import ports
from osc_hostmaint.planning import decide
from osc_hostmaint.planning import decision as decisions
from osc_hostmaint.planning import memory as memories
from osc_hostmaint.planning import policy as policies

#: An outage of the API this long, in seconds, ends a drain.
OUTAGE_SECONDS = 300.0
#: Pause after a look that failed: it doubles up to the largest.
OUTAGE_PAUSES = (2.0, 30.0)

#: How old a decision may be to be carried out, in seconds.
STALE_SECONDS = 5.0
#: How long a wish to stop may go unnoticed, in seconds.
HEED_SECONDS = 1.0

WAITS = 'it waits for a destination that may take it'
INTERRUPTED = 'interrupted: run the same command again to go on'
TIMED_OUT = '--timeout passed: run the same command again to go on'

AskPolicy = collections.abc.Callable[[], policies.Policy]


@dataclasses.dataclass(frozen=True, slots=True)
class DrainResult:
    """How a drain ended."""

    rows: tuple[decisions.Row, ...]
    #: What made a host's drain impossible, by host.
    errors: collections.abc.Mapping[str, str]
    exit_code: exceptions.ExitCode


class HostDrain:
    """One host on its way: what is seen, remembered and decided."""

    def __init__(
        self,
        watcher: observer.Observer,
        gateway: ports.Gateway,
        clock: ports.Clock,
        report: ports.Reporter,
        diary: ports.Diary | None = None,
        destinations: ports.Destinations | None = None,
    ):
        self.host = watcher.seen.host
        self.decision: decisions.Decision | None = None
        self.error = ''
        self.due = clock.now()
        self.done = False
        self._watcher = watcher
        self._gateway = gateway
        self._clock = clock
        self._report = report
        self._diary = diary
        self._destinations = destinations
        self._memory = memories.Memory()
        self._opened = False
        self._hurried = False
        self._down_since: float | None = None
        self._pause = OUTAGE_PAUSES[0]

    def tick(self, ask_policy: AskPolicy) -> None:
        """Look, decide, act once, and set when to do it again.

        :param ask_policy: asked after looking, which takes a while.
        """
        try:
            decision = self._step(ask_policy)
        except exceptions.Unavailable as error:
            self._bear(str(error))
            return
        except exceptions.CloudError as error:
            self._give_up(str(error))
            return
        self._down_since, self._pause = None, OUTAGE_PAUSES[0]
        self._conclude(decision)

    def abandon(self, policy: policies.Policy) -> None:
        """Decide a last time, from what is known, without looking."""
        if not self._opened:
            self.done = True
            return
        seen = self._watcher.seen
        now = self._clock.now()
        decision = decide.decide(seen, policy, self._memory, now)
        if self._diary:
            self._diary.decided(seen, policy, now, decision)
        self._conclude(decision)

    def _step(self, ask_policy: AskPolicy) -> decisions.Decision:
        if self._opened and self.decision:
            self._watcher.look(self.decision.inquiry)
        else:
            self._watcher.open()
            self._opened = True
        if self._destinations:
            rows = self.decision.rows if self.decision else ()
            over = {row.server_id for row in rows if row.result}
            self._destinations.note(self._watcher.seen, over)
        decision = self._decide(ask_policy)
        if decision.inquiry.singles:
            # After the actions, so that no slot idles meanwhile.
            self._watcher.visit(decision.inquiry)
            before = decision.actions
            decision = self._decide(ask_policy)
            decision = dataclasses.replace(
                decision, actions=(*before, *decision.actions)
            )
        if self._destinations and not decision.done:
            self._destinations.renew()
        return decision

    def _decide(self, ask_policy: AskPolicy) -> decisions.Decision:
        sent: list[memories.Action] = []
        began_at = self._clock.now()
        held = True
        # Those whose turn does not come now have it at the next tick.
        while held and self._clock.now() - began_at < HEED_SECONDS:
            decision = self._decide_once(ask_policy)
            actions, held = self._act(decision, ask_policy)
            sent += actions
        return dataclasses.replace(decision, actions=tuple(sent))

    def _decide_once(self, ask_policy: AskPolicy) -> decisions.Decision:
        policy = ask_policy()
        if self.error:
            policy = dataclasses.replace(policy, stop=self.error)
        seen, now = self._watcher.seen, self._clock.now()
        decision = decide.decide(seen, policy, self._memory, now)
        self._memory = decision.memory
        if self._diary:
            self._diary.decided(seen, policy, now, decision)
        return decision

    def _act(
        self, decision: decisions.Decision, ask_policy: AskPolicy
    ) -> tuple[list[memories.Action], bool]:
        """Send actions until something speaks against it.

        :returns: those sent, and whether others may have the turn of one
            that has to wait for a destination.
        """
        sent: list[memories.Action] = []
        held = False
        highest = max(self._watcher.seen.migrations, default=0)
        decided_at = self._clock.now()
        for action in decision.actions:
            if self._stale(decided_at):
                break
            starts = action.kind in memories.STARTING
            if starts and (self.error or ask_policy().stop):
                continue
            directed = self._direct(action, highest)
            if directed is None:
                held = True
                taken = memories.Outcome(
                    memories.Answer.POSTPONED, self._clock.now(), WAITS
                )
                self._remember(action, taken, highest)
                continue
            if self._stale(decided_at):
                self._drop(directed)
                break
            sent.append(directed)
            # Holds if the user stops us in the middle of the request.
            outcome = memories.Outcome(
                memories.Answer.IN_DOUBT, self._clock.now()
            )
            try:
                outcome = self._send(directed)
            finally:
                self._remember(directed, outcome, highest)
        return sent, held

    def _stale(self, decided_at: float) -> bool:
        """Tell whether a request has hung: what follows is decided anew."""
        stale = self._clock.now() - decided_at > STALE_SECONDS
        self._hurried = self._hurried or stale
        return stale

    def _direct(
        self, action: memories.Action, highest: int
    ) -> memories.Action | None:
        """Return an action with its destination; None: not now."""
        if self._destinations is None or action.kind not in memories.DIRECTED:
            return action
        directed = self._destinations.direct(self.host, action, highest)
        if directed and action.kind is memories.Kind.RESUME:
            # It keeps the place for the migration, which is directed anew.
            return dataclasses.replace(directed, host='')
        return directed

    def _drop(self, action: memories.Action) -> None:
        """Let it be known that an action was not taken."""
        if self._destinations and action.kind in memories.DIRECTED:
            self._destinations.drop(action)

    def _remember(
        self,
        action: memories.Action,
        outcome: memories.Outcome,
        highest: int,
    ) -> None:
        self._memory = self._memory.after(action, outcome, highest)
        if self._diary:
            self._diary.acted(self.host, action, outcome, highest)

    def _send(self, action: memories.Action) -> memories.Outcome:
        answer, reason, final = memories.Answer.ACCEPTED, '', False
        try:
            actions.send(self._gateway, action)
        except exceptions.Unavailable as error:
            # Never twice on a doubt: what is seen next says whether it took.
            answer = (
                memories.Answer.IN_DOUBT
                if error.in_doubt
                else memories.Answer.POSTPONED
            )
            reason = str(error)
            self._report.trouble(self.host, reason)
        except exceptions.NotPermitted as error:
            answer, reason = memories.Answer.REFUSED, str(error)
            self.error = reason
            self._report.trouble(self.host, reason)
        except exceptions.RequestRefused as error:
            answer, reason = memories.Answer.REFUSED, str(error)
            final = error.final
        except exceptions.CloudError as error:
            answer, reason = memories.Answer.REFUSED, str(error)
        taken = (memories.Answer.ACCEPTED, memories.Answer.IN_DOUBT)
        if answer not in taken:
            self._drop(action)
        return memories.Outcome(answer, self._clock.now(), reason, final)

    def _conclude(self, decision: decisions.Decision) -> None:
        self.decision = decision
        self.error = self.error or decision.trouble
        pause = 0.0 if self._hurried else decision.interval
        self.due, self._hurried = self._clock.now() + pause, False
        self._report.decided(self.host, decision)
        if decision.done:
            self.done = True
            if self._destinations:
                self._destinations.leave(self.host)
            self._report.ended(self.host, decision)

    def _bear(self, text: str) -> None:
        now = self._clock.now()
        if self._down_since is None:
            self._down_since = now
        if now - self._down_since >= OUTAGE_SECONDS:
            self._give_up(text)
            return
        self._report.trouble(self.host, text)
        self.due = now + self._pause
        self._pause = min(2 * self._pause, OUTAGE_PAUSES[1])

    def _give_up(self, text: str) -> None:
        self.error = text
        self._report.trouble(self.host, text)
        self.abandon(policies.Policy(stop=text, abandon=text))
        self.done = True


def drain(
    services: collections.abc.Sequence[model.Service],
    policy: policies.Policy,
    gateway: ports.Gateway,
    clock: ports.Clock,
    report: ports.Reporter,
    interrupt: ports.Interrupt,
    timeout: float | None = None,
    diary: ports.Diary | None = None,
    destinations: ports.Destinations | None = None,
    board: observer.ServiceBoard | None = None,
) -> DrainResult:
    """Move every server off hosts that are in maintenance already.

    :param services: the hosts' compute services, disabled.
    :param timeout: seconds after which nothing is awaited any more.
    :param diary: keeps what every decision was made from.
    :param destinations: knows where moves are to go; None leaves that to the
        scheduler.
    :param board: the compute services that it knows, too.
    :returns: a row per server, whatever happened.
    """
    board = board or observer.ServiceBoard(gateway, clock)
    hosts = [
        HostDrain(
            observer.Observer(gateway, clock, board, service),
            gateway,
            clock,
            report,
            diary,
            destinations,
        )
        for service in services
    ]

    def current_policy() -> policies.Policy:
        if interrupt.requested:
            return dataclasses.replace(policy, stop=INTERRUPTED)
        return policy

    deadline = None if timeout is None else clock.now() + timeout
    timed_out = interrupted = False
    try:
        while open_ := [h for h in hosts if not h.done]:
            host = min(open_, key=lambda h: h.due)
            wake = host.due if deadline is None else min(host.due, deadline)
            if (pause := wake - clock.now()) > 0:
                clock.sleep(min(pause, HEED_SECONDS))
            if deadline is not None and clock.now() >= deadline:
                timed_out = True
                _abandon(open_, policy, TIMED_OUT)
                break
            if interrupt.requested and not interrupted:
                interrupted = True
                for other in open_:
                    other.due = clock.now()
            if clock.now() >= host.due:
                host.tick(current_policy)
        interrupted = interrupted or interrupt.requested
    except KeyboardInterrupt:
        interrupted = True
        _abandon([h for h in hosts if not h.done], policy, INTERRUPTED)
    return _result(hosts, interrupted=interrupted, timed_out=timed_out)


def _abandon(
    hosts: collections.abc.Iterable[HostDrain],
    policy: policies.Policy,
    why: str,
) -> None:
    for host in hosts:
        host.abandon(dataclasses.replace(policy, stop=why, abandon=why))


def with_errors(
    result: DrainResult, errors: collections.abc.Mapping[str, str]
) -> DrainResult:
    """Return a result with hosts added that could not even begin."""
    if not errors:
        return result
    code = result.exit_code
    if code is not exceptions.ExitCode.INTERRUPTED:
        code = exceptions.ExitCode.FAILED
    return dataclasses.replace(
        result, errors={**errors, **result.errors}, exit_code=code
    )


def _result(
    hosts: collections.abc.Sequence[HostDrain],
    *,
    interrupted: bool,
    timed_out: bool,
) -> DrainResult:
    rows = tuple(
        row for host in hosts if host.decision for row in host.decision.rows
    )
    errors = {host.host: host.error for host in hosts if host.error}
    code = exceptions.ExitCode.DONE
    if interrupted:
        code = exceptions.ExitCode.INTERRUPTED
    elif errors:
        code = exceptions.ExitCode.FAILED
    elif timed_out:
        code = exceptions.ExitCode.TIMEOUT
    elif any(row.left for row in rows):
        code = exceptions.ExitCode.LEFT
    return DrainResult(rows, errors, code)
