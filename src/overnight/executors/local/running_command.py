"""One command while it runs, and the words about how it ended.

The end of the main process is not the end of the attempt: what it left behind dies with it, and
only when nothing is left is there an outcome. After TERM the rest of the tree gets the remaining
grace as well, for the shell in front dies at once and the work behind it may have to clean up.
"""

from __future__ import annotations

import os
import signal
from typing import Protocol

import msgspec

from overnight.core.endings import Ended, Ending
from overnight.core.limits import LOOK_SHARE, SHORTEST_PAUSE, Usage, Watch
from overnight.core.task import text
from overnight.core.verdict import EXIT_DONE_AND_STOP
from overnight.executors.contract import Spec
from overnight.executors.local.command import Template
from overnight.executors.local.main_process import MAXRSS_UNIT, MainProcess
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.segments import Recording
from overnight.host.clock import SystemClock
from overnight.host.freezing import Stillness
from overnight.host.processes import peak_of_memory
from overnight.host.purge import purge, strays

#: Of what was printed last, so much explains a failure.
LAST_WORDS = 2000
#: Of what a step prints, so much is its output.
MOST_CAPTURED = 1024 * 1024

_monotonic = SystemClock().monotonic


class Desk(Protocol):
    """What the keeper does for a command that runs."""

    def others(self) -> tuple[int, ...]:
        """Children of the keeper that do not belong to the command."""

    def measure(self, exact_above: int | None) -> Usage:
        """What the tree of the command uses; from so many bytes on shared memory is counted once."""

    def signs(self) -> object:
        """Another one whenever the task has reported something."""


class RunningCommand:
    """A command that has been started.

    Args:
        main: Its main process.
        pipes: Into which it prints.
        spec: The attempt.
        template: Its action.
        position: Its place in the marks.
        wall: When it began, POSIX seconds.
        start: When it began, monotonic.
        recording: Where its output goes.
    """

    def __init__(
        self,
        main: MainProcess,
        pipes: Pipes,
        spec: Spec,
        template: Template,
        *,
        position: int,
        wall: float,
        start: float,
        recording: Recording,
    ) -> None:
        self.main = main
        self.pipes = pipes
        self.spec = spec
        self.position = position
        self.recording = recording
        self._template = template
        self._grace = template.action.kill_grace
        self._wall = wall
        self._start = start
        #: When something must be done to it, monotonic; None: nothing is planned.
        self.due: float | None = None if template.first_due is None else start + template.first_due
        #: While it is frozen, and since when, monotonic; seconds that it was so before.
        self._still: Stillness | None = None
        self._frozen_at = 0.0
        self._due_then: float | None = None
        self._rested = 0.0
        #: Made at the first look: most commands have ended by then.
        self._watch: Watch | None = None
        self._why: Ending | None = None
        self._kill_at = 0.0
        #: Since when it or something of it should be dead and is not, monotonic.
        self.stuck_since: float | None = None
        self._code: int | None = None
        self._seconds = 0.0
        self._cpu_seconds = 0.0
        self._peak: int | None = None
        self._last = [b"", b"", b""]
        #: What it printed on stdout, if that is its output for other steps.
        self._captured: bytearray | None = bytearray() if template.action.captures else None

    @property
    def pid(self) -> int:
        """The child of ours that stands for it, which nobody else reaps."""
        return self.main.pid

    @property
    def key(self) -> tuple[int, int]:
        return self.spec.task_id, self.spec.attempt

    def printed(self, stream: int, data: bytes, now: float) -> None:
        """It has printed something."""
        self.recording.write(stream, data, now)
        self._last[stream] = (self._last[stream] + data)[-LAST_WORDS:]
        if self._captured is not None and stream == 1:
            self._captured += data[: MOST_CAPTURED - len(self._captured)]
        if self.recording.printed > self._template.max_output and self._why is None:
            self.end(Ending.OUTPUT, None, _monotonic())

    def freeze(self, desk: Desk) -> bool:
        """Let its whole tree stand still, and its limits with it. Whether it does: one that is ending does not."""
        if self._still is None:
            if self._why is not None or self.over or self.main.has_ended():
                return False
            self._frozen_at, self._due_then = _monotonic(), self.due
            self._still = Stillness(os.getpid(), desk.others())
            self.due = None
        return True

    def thaw(self) -> bool:
        """Let it go on, if it is frozen."""
        if self._still is not None:
            self._still.end()
            self._still = None
            moment = _monotonic()
            self._rested += moment - self._frozen_at
            if self._watch is not None:
                self._watch.rested(moment - self._frozen_at)
            self.due = moment if self._due_then is not None else None
        return True

    def end(self, why: Ending, grace: float | None, moment: float) -> None:
        """TERM now, KILL after `grace` seconds (None: as its action says). A second call only hurries."""
        kill_at = moment + (self._grace if grace is None else grace)
        if self._why is not None:
            self._kill_at = self.due = min(self._kill_at, kill_at)
            return
        if self._code is None and self.main.has_ended():
            return  # it ended by itself first
        self._why = why
        self._kill_at = self.due = kill_at
        if self._watch is not None:
            self.due = min(kill_at, moment + SHORTEST_PAUSE)
        self._signal(signal.SIGTERM)
        if self._still is not None:  # they can answer only when they run, and the signal waits for them
            due = self.due
            self.thaw()
            self.due = due
        self._signal(signal.SIGCONT)

    def act(self, moment: float, desk: Desk) -> None:
        """What was due is due now: an end, or a look at its tree."""
        limit = self._template.limit
        if self._why is None and 0 <= limit <= moment - self._start - self._rested:
            self.end(Ending.TIMEOUT, None, moment)
        elif self._why is None:
            self._look(moment, desk)
        elif moment < self._kill_at and not self._runs_away(desk):
            self.due = min(self._kill_at, moment + max(SHORTEST_PAUSE, LOOK_SHARE * (_monotonic() - moment)))
        else:
            self._kill(moment)

    def _look(self, moment: float, desk: Desk) -> None:
        watch = self._watch = self._watch or Watch(self._template.limits, self._start + self._rested)
        usage = desk.measure(self._template.limits.memory_bytes)
        signs = (self.recording.printed, desk.signs())
        why = watch.look(usage, signs, moment=moment, cost=_monotonic() - moment)
        if why is not None:
            self.end(why, None, moment)
        else:
            limit = self._template.limit
            self.due = min(watch.due, self._start + self._rested + limit) if limit >= 0 else watch.due

    def _runs_away(self, desk: Desk) -> bool:
        """The grace is for cleaning up: whoever eats on in it has none."""
        if self._watch is None:
            return False
        return self._watch.is_runaway(desk.measure(self._template.limits.memory_bytes))

    def _kill(self, moment: float) -> None:
        self._kill_at = min(self._kill_at, moment)
        self.stuck_since = self.stuck_since or moment
        self._signal(signal.SIGKILL)
        self.due = moment + 1.0

    def _signal(self, number: int) -> None:
        if self._code is None:
            self.main.signal(number)

    def main_ended(self, moment: float) -> None:
        """The main process has ended: take its status, from it alone."""
        self.thaw()  # it was killed while it was frozen: what is left may answer
        end = self.main.take()
        self._code = end.code
        self._seconds = moment - self._start
        self._cpu_seconds = end.cpu_seconds
        self._peak = end.maxrss * MAXRSS_UNIT if end.maxrss > _floor(end.maxrss) else None

    def gone(self, moment: float, desk: Desk) -> bool:
        """After the main process has ended: whether everything else is dead too, killing it when its time has come."""
        if self.leaves:
            return True
        keep = desk.others()
        if self._why is not None and moment < self._kill_at and strays(keep) and not self._runs_away(desk):
            self.due = min(max(0.01, LOOK_SHARE * (_monotonic() - moment)) + moment, self._kill_at)
            return False
        if purge(keep, seconds=0.5):
            self.stuck_since = self.stuck_since or moment
            self.due = moment + 0.5
            return False
        return True

    @property
    def leaves(self) -> bool:
        """Whether what it has left may go on: it was added so, and it has ended well and by itself.

        After any other end there may be another attempt, which must not begin beside what this one has left.
        """
        return self._template.action.keep_children and self._why is None and self._code in (0, EXIT_DONE_AND_STOP)

    @property
    def failed(self) -> bool:
        """Whether the main process has ended, and badly."""
        return bool(self._code)

    def met_a_wall(self) -> None:
        """The kernel has killed something of it for want of memory."""
        self._why = self._why or Ending.MEMORY

    @property
    def over(self) -> bool:
        """Whether the main process has ended."""
        return self._code is not None

    def outcome(self, retry_at: float | None, now: float) -> Ended:
        """How it ended. Nothing of it is alive any more, but what it may leave."""
        self.pipes.drain(lambda stream, data: self.printed(stream, data, now))
        output = self.recording.end(now)
        code = self._code or 0
        failed = code != 0 or self._why is not None
        ending = self._why or (Ending.SIGNALLED if code < 0 else Ending.EXITED)
        return Ended(
            task_id=self.spec.task_id,
            attempt=self.spec.attempt,
            ending=ending,
            started_at=self._wall,
            seconds=self._seconds,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            detail=self._detail() if failed or self.recording.lost else "",
            retry_at=retry_at,
            cpu_seconds=self._cpu_seconds,
            peak_memory_bytes=max(self._peak or 0, self._watch.peak if self._watch else 0) or None,
            output=output,
            result=b"" if failed else self._result(),
        )

    def _result(self) -> bytes:
        if self._captured is None:
            return b""
        from overnight.core.workflow.outputs import of_stdout  # only steps that others use have need of it

        return msgspec.json.encode(of_stdout(bytes(self._captured)))

    def _detail(self) -> str:
        words = readable(text(self._last[2] or self._last[1]).rstrip())
        if not self.recording.lost:
            return words
        return f"{words}\n({self.recording.lost} bytes of output were not kept: the disk is full)".lstrip()


_own_peak = 0


def _floor(peak: int) -> int:
    """Below this nothing is known of a peak: it is counted from before exec, when it was still in our memory.

    Asked for again only when it could matter, because ours never sinks. What getrusage says of ourselves
    would be too much: it counts from before our own exec, when we were in the engine's memory.
    """
    global _own_peak  # noqa: PLW0603 - a number of the whole process
    if peak > _own_peak:
        _own_peak = peak_of_memory() // MAXRSS_UNIT
    return _own_peak


def readable(words: str) -> str:
    """The words as valid UTF-8; what is none is shown escaped."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")
