"""Running tasks that a person freezes and thaws.

Asking is one thing and standing still another: the control lies there until the worker has said that
the tree stands still, and goes in the transaction that tells of it. An attempt that has not begun yet
is asked again. Nothing of this is in the store: an attempt that is frozen ends with its engine, like any
other, so there is nothing to be frozen afterwards; one that goes on elsewhere is moving by then. A drain
thaws, for it waits for what runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from overnight.core.endings import AttemptKey
from overnight.core.events import stamp
from overnight.core.step_events import froze
from overnight.engine.agenda import Agenda
from overnight.engine.attempts import Attempts, Running
from overnight.executors.contract import Executor
from overnight.host.clock import Clock
from overnight.store.contract import Control

#: What is asked of a running task, and whether it is to stand still then.
FREEZES = {"freeze": True, "thaw": False}
#: Who thaws when the engine stops, in the event of it.
BY_STOP = "stop"
#: Seconds after which an attempt that had not begun is asked again, whatever it is asked.
ASK_AGAIN = 0.05


class Freezing:
    """Freezes and thaws.

    Args:
        agenda: Where workers' words lie, and what is to be told.
        attempts: What can be frozen.
        executor: Who freezes.
        clock: Both clocks.
    """

    def __init__(self, agenda: Agenda, attempts: Attempts, executor: Executor, clock: Clock) -> None:
        self._agenda = agenda
        self._attempts = attempts
        self._executor = executor
        self._clock = clock
        #: When each control was passed on last, monotonic.
        self._asked: dict[int, float] = {}
        #: Who has asked about a task last.
        self._by: dict[int, str] = {}
        #: What each attempt was asked last.
        self._sent: dict[AttemptKey, bool] = {}

    @property
    def ask_again_at(self) -> float | None:
        """When to ask once more, monotonic; None when nothing is open."""
        return min(self._asked.values()) + ASK_AGAIN if self._asked else None

    def obey(self, control: Control, running: Running, *, stopping: bool) -> None:
        """Pass on what is asked, until it is so."""
        frozen = FREEZES[control.verb]
        if running.intent is not None or (frozen and stopping):
            self.done(control)  # it is ending, or is to finish
            return
        # What was sent and is not answered may still come true.
        is_so = (running.frozen is not None) is frozen and self._sent.get(running.key, frozen) is frozen
        if is_so:
            self.done(control)
            return
        moment = self._clock.monotonic()
        if moment >= self._asked.get(control.id, moment - ASK_AGAIN) + ASK_AGAIN:
            self._asked[control.id] = moment
            self._send(running, control.by, frozen=frozen)

    def overtaken(self, control: Control, controls: Sequence[Control]) -> bool:
        """Whether a person has changed his mind about the same task since; then it is done with."""
        later = any(one.id > control.id and one.task_id == control.task_id and one.verb in FREEZES for one in controls)
        if later:
            self.done(control)
        return later

    def _send(self, running: Running, by: str, *, frozen: bool) -> None:
        under_way = {one.key for one in self._attempts.running()}
        self._sent = {key: sent for key, sent in self._sent.items() if key in under_way} | {running.key: frozen}
        self._by = {key.task_id: self._by[key.task_id] for key in self._sent if key.task_id in self._by}
        self._by[running.claimed.id] = by
        self._executor.freeze(running.key, frozen=frozen)

    def done(self, control: Control) -> None:
        """It was obeyed, or there is nothing left that it could be about."""
        self._agenda.obeyed.append(control.id)
        self._asked.pop(control.id, None)

    def thaw_all(self) -> None:
        """Let everything go on, so that it can finish."""
        for running in self._attempts.running():
            if running.frozen is not None and running.intent is None:
                self._send(running, BY_STOP, frozen=False)

    def take_in(self) -> bool:
        """What workers have said; whether anything stands still or goes on that did not."""
        said, self._agenda.froze = self._agenda.froze, []
        changed = False
        for running, frozen in said:
            if (running.frozen is not None) is not frozen:
                self._note(running, frozen=frozen)
                changed = True
        return changed

    def _note(self, running: Running, *, frozen: bool) -> None:
        now = self._clock.now()
        running.frozen = now if frozen else None
        claimed = running.claimed
        self._agenda.note(
            froze(
                frozen=frozen,
                at=stamp(now),
                task_id=claimed.id,
                attempt=claimed.attempt,
                by=self._by.get(claimed.id, BY_STOP),
                parent=claimed.parent_id or 0,
                step=claimed.step,
            )
        )
