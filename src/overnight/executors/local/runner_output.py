"""What the functions of a runner print: taken out of its pipes, put away, and the runner told where it lies."""

from __future__ import annotations

from collections.abc import Callable

from overnight.core.task import OutputRef, text
from overnight.executors.local.marks import OUTPUT, OUTPUT_AT, PUMPING_AT, PUMPS, PUMPS_AT, Mark, SlotMarks, State
from overnight.executors.local.pipes import HELD, Pipes
from overnight.executors.local.running_command import readable
from overnight.executors.local.segments import Recording, Segments
from overnight.host.clock import SystemClock

#: Bytes remembered of what was printed while no attempt ran.
STRAY_WORDS = 500

_now = SystemClock().now


class RunnerOutput:
    """The output of one runner.

    Args:
        pipes: Into which it prints.
        marks: Of its slot.
        segments: Where to.
        keep: Bytes to keep of each attempt's.
        told: Called with the mark of an attempt that has printed, and with how many bytes it has by now.
    """

    def __init__(
        self, pipes: Pipes, marks: SlotMarks, segments: Segments, keep: int, told: Callable[[Mark, int], None]
    ) -> None:
        self.pipes = pipes
        self._marks = marks
        self._segments = segments
        self._keep = keep
        self._told = told
        self._recording: Recording | None = None
        self._stray_words = b""

    @property
    def printed(self) -> int:
        """Bytes that the attempt of the moment has printed, as far as they were taken."""
        return self._recording.printed if self._recording is not None else 0

    def pump(self, most: int = 1) -> None:
        """Put away what the attempt of the moment has printed, and tell the runner where.

        An attempt looks whether its pipes are empty and then whether PUMPING is over before it ends.
        So the mark is read after the bytes: when they are the attempt's own it cannot have ended yet,
        and when it had ended before they were read, they are the next one's.
        """
        memory = self._marks.memory
        memory[PUMPING_AT] = 1
        self.pipes.drain(self._take, most=most)
        if self._recording is not None:
            self._publish(self._recording)
        PUMPS.pack_into(memory, PUMPS_AT, PUMPS.unpack_from(memory, PUMPS_AT)[0] + 1)
        memory[PUMPING_AT] = 0

    def _take(self, stream: int, data: bytes) -> None:
        mark = self._marks.current()
        if mark.state != State.STARTED:
            # Before the first attempt it is about the interpreter, later it is nobody's: a thread's, a child's.
            self._stray_words = (self._stray_words + data)[-STRAY_WORDS:]
            return
        if self._recording is None or self._recording.key != mark.key:
            self.end_unless(mark)
            self._recording = Recording(self._segments, *mark.key, self._keep)
        self._recording.write(stream, data, _now())
        self._told(mark, self._recording.printed)

    def _publish(self, recording: Recording) -> None:
        ref = recording.ref()
        if ref is not None:
            where = (self._segments.number, ref.offset, ref.length, ref.printed, recording.lost)
            OUTPUT.pack_into(self._marks.memory, OUTPUT_AT, *recording.key, *where)

    def end_unless(self, mark: Mark) -> None:
        """The attempt that printed last prints no more, unless it is this one and still runs."""
        recording = self._recording
        if recording is not None and (recording.key != mark.key or mark.state != State.STARTED):
            self.end()

    def end(self) -> None:
        """The attempt that printed last prints no more."""
        if self._recording is not None:
            self._recording.end(_now())
            self._recording = None

    def end_of(self, mark: Mark) -> OutputRef | None:
        """The attempt of this mark has been ended: where its output lies, if it has printed."""
        if self._recording is None or self._recording.key != mark.key:
            return None
        ref = self._recording.end(_now())
        self._recording = None
        return ref

    def close(self) -> str:
        """The runner is dead: take what is left, and return its last words outside of attempts."""
        self.pump(most=HELD)
        self.pipes.close()
        return readable(text(self._stray_words).strip())
