"""One command while it runs, and the words about how it ended.

The end of the main process is not the end of the attempt: what it left behind dies with it, and
only when nothing is left is there an outcome. After TERM the rest of the tree gets the remaining
grace as well, for the shell in front dies at once and the work behind it may have to clean up.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys

from overnight.core.endings import Ended, Ending
from overnight.core.task import text
from overnight.executors.contract import Spec
from overnight.executors.local.command import Template
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.segments import Recording
from overnight.host.processes import Exit
from overnight.host.purge import purge, strays

#: Of what was printed last, so much explains a failure.
LAST_WORDS = 2000
#: ru_maxrss is in KiB on Linux, in bytes on macOS. Source: getrusage(2) of both.
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class RunningCommand:
    """A command that has been started.

    Args:
        pid: Its main process, a child of ours that nobody else reaps.
        spec: The attempt.
        template: Its action.
        position: Its place in the marks.
        wall: When it began, POSIX seconds.
        start: When it began, monotonic.
        recording: Where its output goes.
    """

    def __init__(
        self,
        pid: int,
        spec: Spec,
        template: Template,
        *,
        position: int,
        wall: float,
        start: float,
        recording: Recording,
    ) -> None:
        self.pid = pid
        self.spec = spec
        self.position = position
        self.exit = Exit(pid)
        self.recording = recording
        self._grace = template.action.kill_grace
        self._wall = wall
        self._start = start
        #: When something must be done to it, monotonic; None: nothing is planned.
        self.due: float | None = start + template.limit if template.limit >= 0 else None
        self._why: Ending | None = None
        self._kill_at = 0.0
        self._code: int | None = None
        self._seconds = 0.0
        self._cpu_seconds = 0.0
        self._peak: int | None = None
        self._last = [b"", b"", b""]

    @property
    def key(self) -> tuple[int, int]:
        return self.spec.task_id, self.spec.attempt

    def printed(self, stream: int, data: bytes, now: float) -> None:
        """It has printed something."""
        self.recording.write(stream, data, now)
        self._last[stream] = (self._last[stream] + data)[-LAST_WORDS:]

    def end(self, why: Ending, grace: float | None, moment: float) -> None:
        """TERM now, KILL after `grace` seconds (None: as its action says). A second call only hurries."""
        kill_at = moment + (self._grace if grace is None else grace)
        if self._why is not None:
            self._kill_at = self.due = min(self._kill_at, kill_at)
            return
        if self._code is None and self.exit.wait(0):
            return  # it ended by itself first
        self._why = why
        self._kill_at = self.due = kill_at
        for number in (signal.SIGTERM, signal.SIGCONT):
            self._signal(number)

    def act(self, moment: float) -> None:
        """What was due is due now."""
        if self._why is None:
            self.end(Ending.TIMEOUT, None, moment)
        elif self._code is None and moment >= self._kill_at:
            self._signal(signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)  # it may have left its group
            self.due = moment + 1.0

    def _signal(self, number: int) -> None:
        # Not reaped yet, so the number is still its own, and so is the group.
        if self._code is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def main_ended(self, moment: float) -> None:
        """The main process has ended: take its status, from it alone."""
        _, status, usage = os.wait4(self.pid, 0)
        self._code = os.waitstatus_to_exitcode(status)
        self._seconds = moment - self._start
        self._cpu_seconds = usage.ru_utime + usage.ru_stime
        # Counted from before exec, when it was still in the keeper's memory: below that nothing is known.
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self._peak = usage.ru_maxrss * _MAXRSS_UNIT if usage.ru_maxrss > own else None
        self.exit.close()

    def gone(self, moment: float, keep: tuple[int, ...]) -> bool:
        """After the main process has ended: whether everything else is dead too, killing it when its time has come."""
        if self._why is not None and moment < self._kill_at and strays(keep):
            self.due = min(moment + 0.01, self._kill_at)
            return False
        if purge(keep, seconds=0.5):
            self.due = moment + 0.5
            return False
        return True

    @property
    def over(self) -> bool:
        """Whether the main process has ended."""
        return self._code is not None

    def outcome(self, pipes: Pipes, retry_at: float | None, now: float) -> Ended:
        """How it ended. Nothing of it is alive any more."""
        pipes.drain(lambda stream, data: self.printed(stream, data, now))
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
            peak_memory_bytes=self._peak,
            output=output,
        )

    def _detail(self) -> str:
        words = readable(text(self._last[2] or self._last[1]).rstrip())
        if not self.recording.lost:
            return words
        return f"{words}\n({self.recording.lost} bytes of output were not kept: the disk is full)".lstrip()


def readable(words: str) -> str:
    """The words as valid UTF-8; what is none is shown escaped."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")
