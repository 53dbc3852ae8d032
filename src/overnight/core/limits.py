"""What an attempt may take of the machine, and when it has taken too much.

Its tree of processes is looked at now and then. How often is a question of what can happen in between:
a look costs a fraction of a millisecond, so a tree that is far from its limits is left alone for longer
than one that is near, and what ends within a tenth of a second is never looked at.

An attempt that gives no sign of life for too long is stalled. Signs are output, reported progress, and
CPU time; of the last a trace is not enough, for a program that hangs still has timers that tick.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from overnight.core.endings import Ending
from overnight.core.task import Action

#: Seconds after its beginning at which an attempt is looked at first.
FIRST_LOOK = 0.1
#: Seconds between two looks.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
#: Bytes that one tree can take in a second.
FASTEST = 4_000_000_000
#: Between two looks lies so many times what a look takes, so that looking costs 2 % of a CPU at most.
LOOK_SHARE = 50
#: CPU time that counts as a sign of life: so many seconds (the kernel's tick), and so much of the time since the last
#: sign. Measured: programs that only wait use 0 to 0.02 % (node, Python, with a timer each second), a download of
#: 50 kB/s 0.07 %. An idle Java machine is above with 0.1 %; better to miss its hanging than to end a slow download.
LEAST_CPU, LEAST_CPU_SHARE = 0.01, 0.0005
#: Beyond so many times its limit a tree that was asked to end is killed at once: it would take the machine along.
RUNAWAY = 1.5


class Usage(NamedTuple):
    """What a tree has at one moment: CPU seconds since it began, and what it holds now."""

    cpu_seconds: float
    memory_bytes: int
    #: Threads included, as the kernel counts them.
    processes: int


class Limits(msgspec.Struct, frozen=True):
    """What is looked for. None: no limit."""

    #: Seconds without a sign of life.
    stall: float | None = None
    memory_bytes: int | None = None
    processes: int | None = None

    @classmethod
    def of(cls, action: Action) -> Limits:
        """Those of an action."""
        return cls(action.stall, action.memory, action.processes)

    def first_look(self) -> float | None:
        """Seconds after its beginning at which an attempt is to be looked at; None: never."""
        return None if self == _NONE else FIRST_LOOK


_NONE = Limits()


class Watch:
    """One attempt under its limits.

    Args:
        limits: Its limits.
        start: When it began, monotonic.
    """

    def __init__(self, limits: Limits, start: float) -> None:
        self._limits = limits
        #: When to look next, monotonic.
        self.due = start + FIRST_LOOK
        #: The most memory seen, bytes.
        self.peak = 0
        self._alive_at = start
        self._cpu_then = 0.0
        self._signs: object = None

    def look(self, usage: Usage, signs: object, *, moment: float, cost: float) -> Ending | None:
        """Judge what was measured; says by which limit the attempt must end, if any.

        Args:
            usage: Of its whole tree.
            signs: What stands for output and reports: it has given a sign of life when this is not what it was.
            moment: Now, monotonic.
            cost: Seconds that measuring took.
        """
        limits = self._limits
        self.peak = max(self.peak, usage.memory_bytes)
        if limits.memory_bytes is not None and usage.memory_bytes > limits.memory_bytes:
            return Ending.MEMORY
        if limits.processes is not None and usage.processes > limits.processes:
            return Ending.PROCESSES
        self._feel(usage, signs, moment)
        if limits.stall is not None and moment >= self._alive_at + limits.stall:
            return Ending.STALLED
        self.due = moment + self._pause(usage, cost, moment)
        return None

    def rested(self, seconds: float) -> None:
        """It has been frozen for so long, and could give no sign of life."""
        self._alive_at += seconds
        self.due += seconds

    def is_runaway(self, usage: Usage) -> bool:
        """Whether a tree that was asked to end must not be waited for."""
        memory, processes = self._limits.memory_bytes, self._limits.processes
        return (memory is not None and usage.memory_bytes > RUNAWAY * memory) or (
            processes is not None and usage.processes > RUNAWAY * processes
        )

    def _feel(self, usage: Usage, signs: object, moment: float) -> None:
        used = usage.cpu_seconds - self._cpu_then
        if used < 0:  # the time of somebody who was not waited for is gone with him
            self._cpu_then = usage.cpu_seconds
        if signs != self._signs or used >= max(LEAST_CPU, LEAST_CPU_SHARE * (moment - self._alive_at)):
            self._signs, self._cpu_then, self._alive_at = signs, usage.cpu_seconds, moment

    def _pause(self, usage: Usage, cost: float, moment: float) -> float:
        """Seconds until it could have come to a limit."""
        pause = LONGEST_PAUSE
        if self._limits.memory_bytes is not None:
            pause = (self._limits.memory_bytes - usage.memory_bytes) / FASTEST
        if self._limits.processes is not None:
            pause = SHORTEST_PAUSE
        if self._limits.stall is not None:
            pause = min(pause, self._alive_at + self._limits.stall - moment, self._limits.stall / 4)
        return max(LOOK_SHARE * cost, SHORTEST_PAUSE, min(pause, LONGEST_PAUSE))
