"""The keeper's care for its runner: starting it, limiting what runs in it, and clearing up after it.

The runner talks to the engine by itself, so the keeper learns what it does from the marks alone. It
looks at them at least once a second while a runner lives: then it sees an attempt that has begun,
and from there on it knows exactly when its time is over. A function cannot be ended without its
process, so a limit or a cancel costs the runner; what it had not begun is handed out again.
"""

# ruff: noqa: PTH103, PTH108, PTH123 - paths of users are bytes, which pathlib does not take
# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Protocol

import msgspec

from overnight.core.endings import Ended, Ending
from overnight.core.states import ErrorClass
from overnight.core.task import Action, text
from overnight.executors.local.command import RefusedError, environment, spawn
from overnight.executors.local.context import digest
from overnight.executors.local.marks import (
    CURRENT,
    CURRENT_AT,
    HALT_AT,
    OUTPUT,
    OUTPUT_AT,
    PUMPING_AT,
    PUMPS,
    PUMPS_AT,
    Mark,
    Ring,
    SlotMarks,
    State,
)
from overnight.executors.local.pipes import HELD, Pipes
from overnight.executors.local.place import EXIT_HANDOVER, EXIT_UNUSABLE, Handover, Place, RunnerPlace, runner_argv
from overnight.executors.local.running_command import readable
from overnight.executors.local.segments import Recording, Segments
from overnight.executors.local.spool import Spool
from overnight.executors.local.wire import Cancel, Lag, Line, Message, Run, RunnerGone, RunnerReport, encode, unpack
from overnight.host.clock import SystemClock
from overnight.host.processes import Exit
from overnight.host.purge import purge, strays

#: Seconds between two looks while nothing is known to be due.
LOOK = 1.0
#: Seconds between two looks for the beginning of an attempt that is to be cancelled.
LOOK_FOR_START = 0.01
#: Bytes remembered of what was printed while no attempt ran.
STRAY_WORDS = 500
#: An attempt that has run so long keeps the reports of those before it waiting.
LAGGING = 0.05

_clock = SystemClock()


class Desk(Protocol):
    """What the keeper does for its runner's care."""

    place: Place
    marks: SlotMarks
    segments: Segments
    spool: Spool

    @property
    def busy(self) -> bool:
        """Whether a command runs."""

    def pids(self) -> tuple[int, ...]:
        """The command that runs, whose end nobody else may take."""

    def watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        """Call `handler` when there is something to read."""

    def unwatch(self, descriptor: int) -> None:
        """Stop watching."""

    def tell(self, message: Message) -> None:
        """Send to the engine."""


class _Ending:
    """An attempt of the runner that is being ended."""

    def __init__(self, why: Ending, mark: Mark, position: int, kill_at: float) -> None:
        self.why = why
        self.mark = mark
        self.position = position
        self.kill_at = kill_at


class RunnerCare:
    """Everything about the runner of one slot.

    Args:
        desk: The keeper.
        calls: The runner's end of its line to the engine.
    """

    def __init__(self, desk: Desk, calls: Line) -> None:
        self._desk = desk
        self._calls = calls
        self._place = desk.place
        self._marks = desk.marks
        self._handover = desk.place.in_spool(f"handover-{desk.place.slot}")
        self._number = 0
        self._prefix = b""
        self._stray_words = b""
        self._pid = 0
        self._exit: Exit | None = None
        self._pipes: Pipes | None = None
        self._frame = b""
        self._status: int | None = None
        self._ending: _Ending | None = None
        self._cancels: list[Cancel] = []
        self._recording: Recording | None = None
        self._keep_output = 0
        self._lag_told = -1
        self._look_at = 0.0
        self._closing = False
        #: When the next runner may start; None: now, or when the engine has said so.
        self._resume_at: float | None = None
        self._desk.watch(calls.fileno(), self._on_calls)

    @property
    def idle(self) -> bool:
        """Whether there is no runner."""
        return not self._pid

    def pids(self) -> tuple[int, ...]:
        """The runner, which a purge after a command must leave alone."""
        return (self._pid,) if self._exit is not None else ()

    # -- starting ----------------------------------------------------------------------------

    def _on_calls(self) -> None:
        """There is work and no runner."""
        packed = self._calls.receive_packed()
        if packed is not None:
            self._desk.unwatch(self._calls.fileno())
            self._number += 1
            self._prefix = self._place.in_spool(f"s{self._place.slot}-{self._place.serial}-r{self._number}")
            self._start(Handover(packed, None))

    def _start(self, handover: Handover) -> None:
        run = unpack(handover.frame)
        assert isinstance(run, Run)  # noqa: S101 - nothing else goes over this line
        # A spilled frame is unpacked once: from here on it travels as it is.
        self._frame = encode(run)
        action = msgspec.msgpack.decode(run.action, type=Action)
        self._keep_output = action.keep_output
        try:
            self._spawn(action, run, Handover(self._frame, handover.spool))
        except (OSError, ValueError, RefusedError) as error:
            if self._pipes is not None:
                self._pipes.close()
                self._pipes = None
            self._refuse(*_why_not(action, error))
            self._gone("could not be started", ours=True)

    def _spawn(self, action: Action, run: Run, handover: Handover) -> None:
        os.makedirs(self._place.spool, 0o700, exist_ok=True)  # somebody may have taken it away
        with open(self._handover, "wb") as file:
            file.write(msgspec.msgpack.encode(handover))
        self._stray_words = b""
        self._pipes = pipes = Pipes()
        self._marks.wipe_page()
        # Else its place of the moment would be one where another runner may have died.
        CURRENT.pack_into(self._marks.memory, CURRENT_AT, run.first)
        environ = environment(action, self._place)
        runner = RunnerPlace(
            self._place, self._prefix, self._handover, digest(action), action.cwd, pipes.stdout, pipes.stderr
        )
        argv = runner_argv(action.python, runner)
        _enter(action.cwd)
        self._pid = self._spawn_with_descriptors(argv, environ, pipes)
        self._exit = Exit(self._pid)
        self._desk.watch(self._exit.fileno(), self._on_exit)
        self._desk.watch(pipes.stdout, self._pump)
        self._desk.watch(pipes.stderr, self._pump)
        self._look_at = _clock.monotonic()

    def _spawn_with_descriptors(self, argv: list[bytes], environ: dict[bytes, bytes], pipes: Pipes) -> int:
        """Spawn with descriptors passed under their own numbers. One thread: nobody else spawns in between."""
        passed = [self._calls.fileno(), pipes.stdout, pipes.stderr]
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, null, 0),
            (os.POSIX_SPAWN_DUP2, pipes.stdout_writer, 1),
            (os.POSIX_SPAWN_DUP2, pipes.stderr_writer, 2),
        ]
        for descriptor in passed:
            os.set_inheritable(descriptor, True)
        try:
            return spawn(_which(argv[0], environ), argv, environ, actions)
        finally:
            os.close(null)
            for descriptor in passed:
                os.set_inheritable(descriptor, False)

    def _refuse(self, words: str, error_class: ErrorClass = ErrorClass.PERMANENT) -> None:
        """Nothing of the frame that the runner was to begin with can be started."""
        run = unpack(self._frame)
        assert isinstance(run, Run)  # noqa: S101 - nothing else goes over this line
        now, moment = _clock.now(), _clock.monotonic()
        for step, spec in enumerate(run.specs):
            mark = Mark(spec.task_id, spec.attempt, 0, now, moment, -1.0, 0.0, 0.0, State.STARTED)
            self._marks.begin(Ring.RUNNER, run.first + step, mark)
            ended = Ended(spec.task_id, spec.attempt, Ending.REFUSED, now, 0.0, error=words, error_class=error_class)
            self._report(ended, run.first + step)

    def _report(self, ended: Ended, position: int) -> None:
        if self._desk.spool.append(encode(ended)):
            self._marks.finish(Ring.RUNNER, position, end=_clock.monotonic(), state=State.SPOOLED)
        self._desk.tell(RunnerReport([ended]))

    # -- looking -----------------------------------------------------------------------------

    def due(self) -> float | None:
        """When to look again, monotonic; None when there is no runner."""
        return self._look_at if self._pid else self._resume_at

    def look(self, moment: float) -> None:
        """Do what is due."""
        due = self.due()
        if due is None or moment < due:
            return
        if not self._pid:
            self._resume_at = None
            if not self._closing:
                self._desk.watch(self._calls.fileno(), self._on_calls)
        elif self._status is not None:
            self._clear_up()
        else:
            strays(self.pids() + self._desk.pids())  # orphans that have ended are ours to wait for
            self._look_at_marks(moment)
            if self._ending is not None:
                self._press(self._ending, moment)

    def _look_at_marks(self, moment: float) -> None:
        position = self._marks.position()
        mark = self._marks.read(Ring.RUNNER, position)
        self._look_at = moment + LOOK
        self._end_recording_unless(mark)
        self._cancels = [cancel for cancel in self._cancels if self._still_to_begin(cancel, moment)]
        if self._cancels:
            self._look_at = moment + LOOK_FOR_START
        if self._ending is not None or mark.state != State.STARTED:
            return
        if position != self._lag_told and moment - mark.start > LAGGING:
            self._lag_told = position
            self._desk.tell(Lag())
        if mark.limit >= 0:
            if moment >= mark.start + mark.limit:
                self._end(Ending.TIMEOUT, mark, position, mark.grace, moment)
            else:
                self._look_at = min(self._look_at, mark.start + mark.limit)

    # -- ending ------------------------------------------------------------------------------

    def cancel(self, cancel: Cancel) -> None:
        """End an attempt of the runner, if need be when it begins."""
        self._cancels.append(cancel)
        self._look_at = 0.0

    def _still_to_begin(self, cancel: Cancel, moment: float) -> bool:
        mark = self._marks.read(Ring.RUNNER, cancel.position)
        if mark.state == State.EMPTY:
            return True
        if mark.key == (cancel.task_id, cancel.attempt) and mark.state == State.STARTED:
            grace = mark.grace if cancel.grace is None else cancel.grace
            self._end(Ending.CANCELLED, mark, cancel.position, grace, moment)
        return False

    def _end(self, why: Ending, mark: Mark, position: int, grace: float, moment: float) -> None:
        if self._ending is not None:
            self._ending.kill_at = min(self._ending.kill_at, moment + grace)
        elif self._halted_in(mark, position):
            self._ending = _Ending(why, mark, position, moment + grace)
            self._signal(signal.SIGTERM)
            self._signal(signal.SIGCONT)

    def _halted_in(self, mark: Mark, position: int) -> bool:
        """Let the runner begin nothing more; whether it is still where `mark` was read, so that nobody else is hit."""
        self._marks.memory[HALT_AT] = 1
        if self._marks.read(Ring.RUNNER, position) == mark:
            return True
        self._marks.memory[HALT_AT] = 0
        return False

    def _press(self, ending: _Ending, moment: float) -> None:
        """TERM was sent; KILL when the grace is over."""
        if moment >= ending.kill_at:
            self._signal(signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._look_at = moment + LOOK
        else:
            self._look_at = min(ending.kill_at, moment + LOOK)

    def _signal(self, number: int) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, number)

    def close(self, grace: float) -> None:
        """End what runs, and the runner."""
        self._closing = True
        if not self._pid:
            return
        moment = _clock.monotonic()
        position = self._marks.position()
        mark = self._marks.read(Ring.RUNNER, position)
        if mark.state != State.STARTED:
            grace = 0.0
        self._end(Ending.CANCELLED, mark, position, min(grace, mark.grace), moment)

    def resume(self, pause: float) -> None:
        """The loss of the last runner is in the books, and with it what was to be cancelled there."""
        self._cancels = []
        self._resume_at = _clock.monotonic() + pause

    # -- clearing up -------------------------------------------------------------------------

    def _on_exit(self) -> None:
        assert self._exit is not None  # noqa: S101 - watched only while there is one
        self._desk.unwatch(self._exit.fileno())
        self._exit.close()
        self._exit = None
        # Not watched any more: a pipe without writers would be ready for ever.
        assert self._pipes is not None  # noqa: S101 - a runner has pipes
        self._desk.unwatch(self._pipes.stdout)
        self._desk.unwatch(self._pipes.stderr)
        self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._clear_up()

    def _clear_up(self) -> None:
        """The runner has ended. When everything below it is dead, say what became of it, or start the next one."""
        # A command that runs must not be purged with it, and purges when it ends.
        if self._desk.busy or purge(seconds=0.5):
            self._look_at = _clock.monotonic() + 0.5
            return
        assert self._pipes is not None  # noqa: S101 - a runner has pipes
        self._pump(most=HELD)
        last_words = readable(text(self._stray_words).strip())
        self._pipes.close()
        self._pipes = None
        status, ending = self._status, self._ending
        handover = self._take_handover()
        self._pid, self._status, self._ending = 0, None, None
        if status == EXIT_HANDOVER and handover is not None and ending is None and not self._closing:
            self._start(handover)
            return
        unusable = status == EXIT_UNUSABLE and handover is not None
        if ending is not None:
            self._tell_of_ending(ending)
        if unusable:
            self._refuse(f"the interpreter cannot run functions: {last_words}")
        how = _how(status or 0)
        self._gone(f"{how}: {last_words}" if last_words else how, ours=ending is not None or unusable)

    def _take_handover(self) -> Handover | None:
        """What the runner has left for the next one, or has not read itself; see `Handover`."""
        try:
            with open(self._handover, "rb") as file:
                words = file.read()
            os.unlink(self._handover)
            return msgspec.msgpack.decode(words, type=Handover)
        except (OSError, msgspec.DecodeError):
            return None

    def _tell_of_ending(self, ending: _Ending) -> None:
        mark = self._marks.read(Ring.RUNNER, ending.position)
        if mark.state != State.STARTED or mark.key != ending.mark.key:
            return  # it ended by itself in the meantime, and has said so
        now, moment = _clock.now(), _clock.monotonic()
        recording = self._recording if self._recording and self._recording.key == mark.key else None
        output = recording.end(now) if recording else None
        self._recording = None
        ended = Ended(*mark.key, ending.why, mark.wall, moment - mark.start, output=output)
        self._report(ended, ending.position)

    def _gone(self, how: str, *, ours: bool) -> None:
        if self._recording is not None:
            self._recording.end(_clock.now())
            self._recording = None
        self._cancels = []
        self._desk.tell(RunnerGone(how, ours))

    # -- output ------------------------------------------------------------------------------

    def commands_begin(self) -> None:
        """A command begins in this slot: the runner's last attempt prints no more."""
        if self._recording is not None:
            self._recording.end(_clock.now())
            self._recording = None

    def _end_recording_unless(self, mark: Mark) -> None:
        recording = self._recording
        if recording is not None and (recording.key != mark.key or mark.state != State.STARTED):
            recording.end(_clock.now())
            self._recording = None

    def _pump(self, most: int = 1) -> None:
        """Put away what the attempt of the moment has printed, and tell the runner where.

        An attempt looks whether its pipes are empty and then whether PUMPING is over before it ends.
        So the mark is read after the bytes: when they are the attempt's own it cannot have ended yet,
        and when it had ended before they were read, they are the next one's.
        """
        memory = self._marks.memory
        memory[PUMPING_AT] = 1
        assert self._pipes is not None  # noqa: S101 - watched only while there are some
        self._pipes.drain(self._take, most=most)
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
            self._end_recording_unless(mark)
            self._recording = Recording(self._desk.segments, *mark.key, self._keep_output)
        self._recording.write(stream, data, _clock.now())

    def _publish(self, recording: Recording) -> None:
        ref = recording.ref()
        if ref is not None:
            where = (self._desk.segments.number, ref.offset, ref.length, ref.printed, recording.lost)
            OUTPUT.pack_into(self._marks.memory, OUTPUT_AT, *recording.key, *where)


def _which(program: bytes, environ: dict[bytes, bytes]) -> bytes:
    """An interpreter by path or by name."""
    if b"/" in program:
        return program
    for directory in environ.get(b"PATH", os.fsencode(os.defpath)).split(b":"):
        if os.access(directory + b"/" + program, os.X_OK):
            return directory + b"/" + program
    return program


def _enter(directory: bytes) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        raise RefusedError(f"the directory {text(directory)!r} cannot be entered ({error.strerror})") from None


def _why_not(action: Action, error: Exception) -> tuple[str, ErrorClass]:
    """For people; and whether it will be so for ever, as it is with an interpreter that somebody has named wrongly."""
    if isinstance(error, RefusedError):
        return readable(error.words), error.error_class
    what = text(action.python) if action.python else "Python"
    named_wrongly = isinstance(error, ValueError) or (
        bool(action.python) and isinstance(error, (FileNotFoundError, PermissionError, NotADirectoryError))
    )
    words = f"{what!r} could not be started for functions in {text(action.cwd)!r} ({error})"
    return readable(words), ErrorClass.PERMANENT if named_wrongly else ErrorClass.RESOURCE


def _how(status: int) -> str:
    """What became of the runner, for people."""
    if status >= 0:
        return f"its worker ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = "a real-time signal"
    return f"its worker was killed by signal {-status} ({name})"
