"""A night in virtual time against a service that misbehaves in every way that services do.

It is gone for ten minutes, serves so many calls a window and then says until when it serves no more, resets
connections, answers 5xx, and lets callers wait until their time is over. Whoever looks afterwards believes
the service, which has noted every call, and not the books.
"""

from __future__ import annotations

import random
from pathlib import Path

import msgspec

from overnight.core.endings import AttemptKey, Ending
from overnight.core.states import ErrorClass, TaskState
from overnight.core.task import Action
from overnight.executors.contract import Spec
from overnight.testing import Play, Simulation

MINUTE = 60.0
#: For how long it is gone.
GONE_FOR = 10 * MINUTE
#: Calls that it serves in each window of so many seconds.
WINDOW = 20 * MINUTE
TIMEOUT = 30.0
#: Seconds of a call.
A_CALL = 0.1
SLOTS = 8


class Call(msgspec.Struct):
    """One call: when it came, and what was answered."""

    at: float
    answer: str


class Service:
    """What all tasks of a night call.

    Args:
        simulation: Whose clock it goes by.
        gone_at: When it goes, in seconds from the beginning.
        quota: Calls served in a window.
        seed: Of its moods.
    """

    def __init__(self, simulation: Simulation, *, gone_at: float, quota: int, seed: int) -> None:
        self._simulation = simulation
        self._gone_at = gone_at
        self._quota = quota
        self._seed = seed
        self._start = simulation.clock.now()
        self._served: dict[int, int] = {}
        #: Until when it serves no more, and the attempt with whose end that is known.
        self._told: tuple[float, AttemptKey] = (0.0, AttemptKey(0, 0))
        self.calls: list[Call] = []
        #: Calls that came when it was known that it is too early.
        self.too_early = 0
        #: Seconds from the end of each such time to the next call.
        self.resumed: list[float] = []

    def play(self, spec: Spec, _action: Action) -> Play:
        """A call comes."""
        now = self._simulation.clock.now() - self._start
        self._heed_quota(spec, now)
        answer, play = self._answer(spec, now)
        self.calls.append(Call(now, answer))
        return play

    def _heed_quota(self, spec: Spec, now: float) -> None:
        opens, known = self._told
        if now < opens:
            # Asked of the world and not of the time: what ends at one moment may differ by a rounding.
            self.too_early += known not in self._simulation.world._alive
        elif opens:
            self.resumed.append(now - opens)
            self._told = (0.0, spec.key)

    def _answer(self, spec: Spec, now: float) -> tuple[str, Play]:
        if self._gone_at <= now < self._gone_at + GONE_FOR:
            return "gone", _raised("connection refused")
        window = int(now // WINDOW)
        if self._served.get(window, 0) >= self._quota:
            opens = (window + 1) * WINDOW
            self._told = self._told if self._told[0] else (opens, spec.key)
            answer = _raised("HTTP 429", ErrorClass.RATE_LIMITED)
            return "quota", msgspec.structs.replace(answer, retry_at=self._start + opens)
        self._served[window] = self._served.get(window, 0) + 1
        return self._mood(spec)

    def _mood(self, spec: Spec) -> tuple[str, Play]:
        throw = random.Random(f"{self._seed} {spec.task_id} {spec.attempt}").random()  # noqa: S311 - a schedule
        if throw < 0.02:
            return "reset", _raised("connection reset by peer")
        if throw < 0.04:
            return "5xx", _raised("HTTP 503")
        if throw < 0.045:
            return "timeout", Play(TIMEOUT, Ending.TIMEOUT)
        return "served", Play(A_CALL)

    def count(self, answer: str) -> int:
        """How many calls were answered like this."""
        return sum(call.answer == answer for call in self.calls)


def _raised(error: str, kind: ErrorClass = ErrorClass.TRANSIENT) -> Play:
    return Play(A_CALL, Ending.RAISED, error=error, error_class=kind)


class Figures(msgspec.Struct):
    """How it went."""

    tasks: int
    completed: int
    calls: int
    #: By what was answered.
    answers: dict[str, int]
    #: Share of all calls that went to a service that was not there.
    wasted: float
    too_early: int
    #: Seconds, at most, from the time that the service named until it was called again.
    resumed: float
    quotas: int
    #: Virtual seconds.
    seconds: float
    violations: list[str]

    def __str__(self) -> str:
        return (
            f"{self.completed:,} of {self.tasks:,} completed in {self.seconds / MINUTE:.0f} min; {self.calls:,} calls"
            f" {self.answers}; wasted {self.wasted:.3%}; too early {self.too_early}; {self.quotas} quotas,"
            f" resumed within {self.resumed:.3f} s"
        )


def night(directory: Path, *, tasks: int, quota: int, gone_at: float = 30.0, seed: int = 1) -> Figures:
    """Let one such night pass, and say how it went."""
    simulation = Simulation(directory, slots=SLOTS)
    service = Service(simulation, gone_at=gone_at, quota=quota, seed=seed)
    simulation._play = service.play
    simulation.queue(*(f"page {number}" for number in range(tasks)), timeout=TIMEOUT)
    told = simulation.run()
    answers = {answer: service.count(answer) for answer in ("served", "gone", "quota", "reset", "5xx", "timeout")}
    return Figures(
        tasks=tasks,
        completed=sum(state is TaskState.COMPLETED for state in told.states.values()),
        calls=len(service.calls),
        answers=answers,
        wasted=answers["gone"] / len(service.calls),
        too_early=service.too_early,
        resumed=max(service.resumed, default=0.0),
        quotas=len(service.resumed),
        seconds=told.seconds,
        violations=simulation.violations(),
    )
