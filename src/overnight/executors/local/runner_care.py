"""The keeper's care for its runner: starting it, handing on what it has left, and clearing up after it.

What the runner runs is watched by `runner_watch`, what its functions print is taken by `runner_output`.
"""

# ruff: noqa: PTH108, PTH123 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Callable
from typing import Protocol

import msgspec

from overnight.core.endings import Ended, Ending
from overnight.core.limits import Limits, Usage
from overnight.core.states import ErrorClass
from overnight.core.task import Action, text
from overnight.executors.local.command import RefusedError, environment, spawn_with
from overnight.executors.local.context import digest
from overnight.executors.local.marks import CURRENT, CURRENT_AT, Mark, Ring, SlotMarks, State
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.place import EXIT_HANDOVER, EXIT_UNUSABLE, Handover, Place, RunnerPlace, runner_argv
from overnight.executors.local.runner_output import RunnerOutput
from overnight.executors.local.runner_watch import BeingEnded, RunnerWatch
from overnight.executors.local.running_command import readable
from overnight.executors.local.segments import Segments
from overnight.executors.local.spool import Spool
from overnight.executors.local.walls import Walls
from overnight.executors.local.wire import Cancel, Freeze, Line, Message, Run, RunnerGone, RunnerReport, encode, unpack
from overnight.host.clock import SystemClock
from overnight.host.files import make_directory
from overnight.host.freezing import Stillness
from overnight.host.processes import Exit, watched_exit
from overnight.host.purge import purge, strays

_clock = SystemClock()


class Desk(Protocol):
    """What the keeper does for its runner's care."""

    place: Place
    marks: SlotMarks
    segments: Segments
    spool: Spool
    walls: Walls

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

    def measure(self, exact_above: int | None) -> Usage:
        """What the tree of the attempt uses; from so many bytes on shared memory is counted once."""

    def signs(self) -> object:
        """Another one whenever the task has reported something."""


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
        self._pid = 0
        self._exit: Exit | None = None
        self._output: RunnerOutput | None = None
        self._watch = RunnerWatch(desk, desk.marks, self._signal, self._printed_so_far)
        self._max_output = math.inf
        self._frame = b""
        self._status: int | None = None
        self._look_at = 0.0
        #: While what runs is frozen, and since when, monotonic.
        self._still: Stillness | None = None
        self._frozen_at = 0.0
        self._closing = False
        #: When the next runner may start; None: now, or when the engine has said so.
        self._resume_at: float | None = None
        self._desk.watch(calls.fileno(), self._on_calls)

    @property
    def idle(self) -> bool:
        """Whether there is no runner."""
        return not self._pid

    @property
    def stuck_since(self) -> float | None:
        """Since when something of the runner should be dead and is not, monotonic."""
        return self._watch.stuck_since if self._pid else None

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
        self._frame = handover.frame
        action = msgspec.msgpack.decode(run.action, type=Action)
        try:
            self._spawn(action, run, handover)
        except (OSError, ValueError, RefusedError) as error:
            if self._output is not None:
                self._output.pipes.close()
                self._output = None
            if not self._desk.busy:
                purge()  # one that could not be watched may have begun something
            self._refuse(*_why_not(action, error))
            self._gone("could not be started", ours=True)

    def _spawn(self, action: Action, run: Run, handover: Handover) -> None:
        make_directory(self._place.spool)  # somebody may have taken it away
        with open(self._handover, "wb") as file:
            file.write(msgspec.msgpack.encode(handover))
        pipes = Pipes()
        self._output = RunnerOutput(pipes, self._marks, self._desk.segments, action.keep_output, self._printed)
        self._watch.begin(Limits.of(action))
        self._desk.walls.set(Limits.of(action))
        self._max_output = math.inf if action.max_output is None else action.max_output
        self._marks.wipe_page()
        # Else its place of the moment would be one where another runner may have died.
        CURRENT.pack_into(self._marks.memory, CURRENT_AT, run.first)
        environ = environment(action, self._place)
        runner = RunnerPlace(
            self._place, self._prefix, self._handover, digest(action), action.cwd, pipes.stdout, pipes.stderr
        )
        argv = runner_argv(action.python, runner)
        _enter(action.cwd)
        self._exit = watched_exit(self._spawn_runner(argv, environ, pipes, action.open_files))
        self._pid = self._exit.pid
        self._desk.watch(self._exit.fileno(), self._on_exit)
        self._desk.watch(pipes.stdout, self._output.pump)
        self._desk.watch(pipes.stderr, self._output.pump)
        self._look_at = _clock.monotonic()

    def _spawn_runner(self, argv: list[bytes], environ: dict[bytes, bytes], pipes: Pipes, files: int | None) -> int:
        passed = (self._calls.fileno(), pipes.stdout, pipes.stderr, self._place.marks)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        stdio = (null, pipes.stdout_writer, pipes.stderr_writer)
        try:
            return spawn_with(passed, _which(argv[0], environ), argv, environ, stdio, open_files=files)
        finally:
            os.close(null)

    def _refuse(self, words: str, error_class: ErrorClass = ErrorClass.PERMANENT) -> None:
        """Nothing of the frame that the runner was to begin with can be started."""
        run = unpack(self._frame)
        assert isinstance(run, Run)  # noqa: S101 - nothing else goes over this line
        now, moment = _clock.now(), _clock.monotonic()
        for step, spec in enumerate(run.specs):
            if self._marks.read(Ring.RUNNER, run.first + step).state != State.EMPTY:
                continue  # by a runner that could not be watched: the engine learns of its loss
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
        """When to look again, monotonic; None when there is no runner, or it is frozen."""
        if self._still is not None:
            return None
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

    def _look_at_marks(self, moment: float) -> None:
        assert self._output is not None  # noqa: S101 - a runner has one
        position = self._marks.position()
        mark = self._marks.read(Ring.RUNNER, position)
        self._output.end_unless(mark)
        self._look_at = self._watch.look(moment, mark, position)

    def _printed_so_far(self) -> int:
        return self._output.printed if self._output is not None else 0

    def _printed(self, mark: Mark, printed: int) -> None:
        if printed > self._max_output and self._watch.ending is None:
            moment = _clock.monotonic()
            self._watch.end(Ending.OUTPUT, mark, self._marks.position(), mark.grace, moment)
            self._thaw()
            self._look_at = 0.0

    # -- ending ------------------------------------------------------------------------------

    def cancel(self, cancel: Cancel) -> None:
        """End an attempt of the runner, if need be when it begins."""
        self._watch.cancel(cancel)
        self._thaw()  # what cannot run cannot end itself well
        self._look_at = 0.0

    def freeze(self, freeze: Freeze) -> bool:
        """Let the attempt stand still with the runner, or go on. False when it is not the one that runs."""
        if not freeze.frozen:
            if self._runs(freeze):
                self._thaw()
            return True
        if not self._pid or self._status is not None or self._watch.ending is not None or not self._runs(freeze):
            return False
        if self._still is None:
            self._still = Stillness(os.getpid(), self._desk.pids())
            self._frozen_at = _clock.monotonic()
        if self._runs(freeze):  # now it cannot end any more: it was still the one when it stopped
            self._look_at_marks(self._frozen_at)  # its time counts until here
            if self._watch.ending is None:
                return True
        self._thaw()
        return False

    def _runs(self, freeze: Freeze) -> bool:
        """Whether this attempt is the one that runs. Others of its frame wait for it, and it is not to feel that."""
        mark = self._marks.read(Ring.RUNNER, freeze.position)
        return mark.key == (freeze.task_id, freeze.attempt) and mark.state == State.STARTED

    def _thaw(self) -> None:
        if self._still is not None:
            self._still.end()
            self._still = None
            self._watch.rested(_clock.monotonic() - self._frozen_at)
            self._look_at = 0.0

    def _signal(self, number: int) -> None:
        if self._status is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, number)
        if number == signal.SIGKILL:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)  # it may have left its group

    def close(self, grace: float) -> None:
        """End what runs, and the runner."""
        self._closing = True
        if not self._pid:
            return
        self._thaw()
        moment = _clock.monotonic()
        position = self._marks.position()
        mark = self._marks.read(Ring.RUNNER, position)
        if mark.state != State.STARTED:
            grace = 0.0
        self._watch.end(Ending.CANCELLED, mark, position, min(grace, mark.grace), moment)
        self._look_at = 0.0

    def resume(self, pause: float) -> None:
        """The loss of the last runner is in the books, and with it what was to be cancelled there."""
        self._watch.forget_cancels()
        self._resume_at = _clock.monotonic() + pause

    # -- clearing up -------------------------------------------------------------------------

    def _on_exit(self) -> None:
        assert self._exit is not None  # noqa: S101 - watched only while there is one
        self._thaw()  # it was killed while it was frozen
        self._desk.unwatch(self._exit.fileno())
        self._exit.close()
        self._exit = None
        # Not watched any more: a pipe without writers would be ready for ever.
        assert self._output is not None  # noqa: S101 - a runner has one
        self._desk.unwatch(self._output.pipes.stdout)
        self._desk.unwatch(self._output.pipes.stderr)
        self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._clear_up()

    def _clear_up(self) -> None:
        """The runner has ended. When everything below it is dead, say what became of it, or start the next one."""
        # A command that runs must not be purged with it, and purges when it ends.
        if self._desk.busy or purge(seconds=0.5):
            self._look_at = moment = _clock.monotonic() + 0.5
            if not self._desk.busy:
                self._watch.stuck_since = self._watch.stuck_since or moment
            return
        assert self._output is not None  # noqa: S101 - a runner has one
        last_words = self._output.close()
        if self._status and self._desk.walls.met():
            self._watch.end_by_wall()
        status, ending = self._status, self._watch.ending
        handover = self._take_handover()
        self._pid, self._status, self._watch.ending = 0, None, None
        if status == EXIT_HANDOVER and handover is not None and ending is None and not self._closing:
            self._output.end()
            self._output = None
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

    def _tell_of_ending(self, ending: BeingEnded) -> None:
        mark = self._marks.read(Ring.RUNNER, ending.position)
        if mark.state != State.STARTED or mark.key != ending.mark.key:
            return  # it ended by itself in the meantime, and has said so
        assert self._output is not None  # noqa: S101 - a runner has one
        seconds = _clock.monotonic() - mark.start
        output, peak = self._output.end_of(mark), self._watch.peak
        ended = Ended(*mark.key, ending.why, mark.wall, seconds, output=output, peak_memory_bytes=peak)
        self._report(ended, ending.position)

    def _gone(self, how: str, *, ours: bool) -> None:
        self.commands_begin()
        self._output = None
        self._watch.forget_cancels()
        self._desk.tell(RunnerGone(how, ours))

    def commands_begin(self) -> None:
        """A command begins in this slot: the runner's last attempt prints no more."""
        if self._output is not None:
            self._output.end()


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
