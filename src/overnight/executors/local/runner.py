"""The runner of one slot: a process that stays, and calls the user's functions one after the other.

Frames come from the engine directly, and outcomes go there directly: no hop on the hot path. The
keeper, which is our parent, watches by way of the marks. When the next frame wants another directory,
environment or interpreter, when a source file has changed since it was imported, or when this process
has grown, it leaves the frame to its successor and goes; the keeper starts that one.

Every word of the loop is paid a hundred thousand times a second. That is why `_run` is long.
"""

# ruff: noqa: PTH108, PTH123 - paths of users are bytes, which pathlib does not take
# ruff: noqa: FBT003 - the flags of sockets and descriptors go by position

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.asks import Retry
from overnight.core.endings import Ended, Ending
from overnight.core.states import ErrorClass
from overnight.core.task import Action, OutputRef, text
from overnight.executors.contract import Spec
from overnight.executors.local.answers import Closed
from overnight.executors.local.call import Sources, find, raised, result_of
from overnight.executors.local.command import RefusedError, check_file
from overnight.executors.local.context import digest
from overnight.executors.local.marks import (
    CURRENT,
    CURRENT_AT,
    END,
    END_AT,
    HALT_AT,
    OUTPUT,
    OUTPUT_AT,
    PAGE,
    PLACE_BYTES,
    PLACES,
    PUMPING_AT,
    PUMPS,
    PUMPS_AT,
    RING_BYTES,
    START,
    STATE_AT,
    Ring,
    SlotMarks,
    State,
)
from overnight.executors.local.place import EXIT_HALTED, EXIT_HANDOVER, Handover, RunnerPlace
from overnight.executors.local.running_command import readable
from overnight.executors.local.segments import NAME
from overnight.executors.local.spool import Spool
from overnight.executors.local.wire import Line, Report, Run, adopt, encode
from overnight.host import results
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.host.kept import honour
from overnight.host.processes import children
from overnight.host.purge import purge

#: Seconds that outcomes may wait for company.
LINGER = 0.02
#: Actions remembered; then all are forgotten at once.
ACTIONS = 64
#: Between two looks at the source files and at the size of this process lies so many times what a look takes.
LOOK_SHARE = 20
#: Seconds that a function must have taken to be tidied up after; what takes less is tidied up after with its frame.
#: No function changes directory and opens a file there in so short a time, and tidying costs 2 us.
TIDY_AFTER = 0.00005
#: Attempts after which a runner makes room for a fresh one.
MOST_ATTEMPTS = 1_000_000
#: Bytes of a result that the engine is asked to hold while there is no room for its file.
MOST_HELD = 64 * 1024 * 1024
#: Seconds after which a function is called again whose result found no room and is larger than that.
NO_ROOM = 60.0
#: Bytes that a runner may grow beyond twice its size after its first frame.
MOST_GROWTH = 512 * 1024 * 1024

#: Where the ring of runners begins in a slot's marks.
RUNNER_AT = PAGE + Ring.RUNNER * RING_BYTES
LAST_PLACE = PLACES - 1

_clock = SystemClock()
_now, _monotonic = _clock.now, _clock.monotonic


class Runner:
    """One slot's runner.

    Args:
        mine: Where it stands.
    """

    def __init__(self, mine: RunnerPlace) -> None:
        place = mine.place
        self._mine = mine
        self._line = Line(adopt(place.calls), os.fsdecode(place.spool), wait=True)
        self._marks = SlotMarks(place.marks, place.slot)
        os.close(place.marks)
        handover = msgspec.msgpack.decode(_whole(mine.handover), type=Handover)
        os.unlink(mine.handover)
        self._first = msgspec.msgpack.decode(handover.frame, type=Run)
        self._spool = Spool(mine.prefix, handover.spool)
        self._slot = place.slot
        self._work = place.work
        self._home = os.fsdecode(place.home)
        self._results = Home(Path(self._home)).results
        self._actions: dict[int, Action] = {}
        self._foreign: set[int] = set()
        #: Called with the input; those of steps with the whole attempt.
        self._functions: dict[int, Callable[[Any], object]] = {}
        self._sources = Sources(mine.cwd)
        self._look_at = 0.0
        self._base_size = 0
        self._attempts = 0
        self._environ: dict[bytes, bytes] = {}
        # Held: a function may put something else in place of os.environ.
        self._data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001 - os.environ[...] costs thrice as much
        self._pipes = select.poll()
        for descriptor in (mine.stdout, mine.stderr):
            os.set_inheritable(descriptor, False)
            self._pipes.register(descriptor, select.POLLIN)
        self._writers = (os.dup(1), os.dup(2))
        # Libraries look at these once, so another choice of them is another process.
        self._granted = self._first.specs[0].granted
        for name, value in self._granted:
            self._data[name] = value
            os.putenv(name, value)
        # Where every function begins, whatever the one before has done.
        self._directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._pid = os.getpid()
        self._keeper = os.getppid()
        #: Something that modules may count on has been killed.
        #: A queue that a server has closed: what was handed out ahead is not called.
        self._closed: Closed | None = None
        self._spoilt = False

    def serve(self) -> None:
        """Run frames until the engine is gone."""
        frame = self._first
        while True:
            self._run(frame)
            message = self._line.receive()
            assert isinstance(message, Run)  # noqa: S101 - nothing else goes over this line
            frame = message
            if not self._fits(frame):
                self._hand_over(frame)

    # -- one process after the other ---------------------------------------------------------

    def _fits(self, run: Run) -> bool:
        if run.action_id not in self._actions:
            self._learn(run)
        foreign = run.action_id in self._foreign or run.specs[0].granted != self._granted
        if foreign or self._spoilt or self._marks.memory[HALT_AT]:
            return False
        moment = _monotonic()
        if moment < self._look_at:
            return True
        changed = self._sources.changed() or self._attempts > MOST_ATTEMPTS or self._has_grown()
        now = _monotonic()
        self._look_at = now + LOOK_SHARE * (now - moment)
        return not changed

    def _has_grown(self) -> bool:
        size = _resident_bytes()
        self._base_size = self._base_size or size
        return size > 2 * self._base_size + MOST_GROWTH

    def _learn(self, run: Run) -> Action:
        action = msgspec.msgpack.decode(run.action, type=Action)
        if len(self._actions) >= ACTIONS:
            self._actions.clear()
            self._functions.clear()
            self._foreign.clear()
        self._actions[run.action_id] = action
        if digest(action) != self._mine.context:
            self._foreign.add(run.action_id)
        return action

    def _hand_over(self, run: Run) -> None:
        with open(self._mine.handover, "wb") as file:
            file.write(msgspec.msgpack.encode(Handover(encode(run), self._spool.state())))
        _leave(EXIT_HANDOVER)

    # -- the loop ----------------------------------------------------------------------------

    def _run(self, run: Run) -> None:  # noqa: C901, PLR0912, PLR0915 - the hot loop: a call costs as much as a mark
        action = self._actions.get(run.action_id) or self._learn(run)
        function = self._functions.get(run.action_id)
        self._spool.committed(run.committed)
        memory, pid, pipes, putenv = self._marks.memory, self._pid, self._pipes.poll, self._put
        limit = -1.0 if action.timeout is None else action.timeout
        grace = action.kill_grace
        wants_file, is_step = action.expects == "file", action.in_workflow
        work = self._work
        ended: list[Ended] = []
        closed = self._closed = None if self._closed is None or self._closed.is_over(_now()) else self._closed
        position = run.first
        flushed = started = _monotonic()
        wall_offset = _now() - started
        for spec in run.specs:
            if memory[HALT_AT]:
                self._tell(position, ended)
                _leave(EXIT_HALTED)
            task_id, attempt = spec.task_id, spec.attempt
            at = RUNNER_AT + (position & LAST_PLACE) * PLACE_BYTES
            started = _monotonic()
            pumps = PUMPS.unpack_from(memory, PUMPS_AT)[0]
            START.pack_into(
                memory, at, task_id, attempt, pid, started + wall_offset, started, limit, grace, 0.0, State.STARTED
            )
            CURRENT.pack_into(memory, CURRENT_AT, position)
            putenv(spec, limit, started + wall_offset, work)
            outcome: Ended | None = None
            value: object = None
            try:
                if closed is not None:
                    closed.refuse(spec.queue)
                if wants_file:
                    check_file(spec.input)
                if function is None:
                    function = self._functions[run.action_id] = self._find(action)
                value = function(spec if is_step else spec.input.decode("utf-8", "surrogateescape"))
                result = result_of(value) if value is not None else b""
                if len(result) > action.inline_result:
                    result = self._put_away(spec, result)
            except RefusedError as error:
                outcome = _refused(error, value, spec, started + wall_offset, _monotonic() - started)
            except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is an outcome
                if os.getpid() != pid:
                    _leave_as_child(error)
                outcome = raised(
                    error,
                    task_id,
                    attempt,
                    now=_now(),
                    wall=started + wall_offset,
                    seconds=_monotonic() - started,
                )
            if os.getpid() != pid:
                _leave_as_child(None)
            if outcome is not None:
                self._leave_nothing()
                if outcome.error_class is ErrorClass.RATE_LIMITED:
                    closed = self._closed = Closed(spec.queue, outcome.retry_at)
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            except Exception:  # noqa: BLE001 - closed, None, or something of the user's that fails as it likes
                self._mend_streams()
            if pipes(0) or memory[PUMPING_AT]:
                self._wait_until_drained()
            moment = _monotonic()
            if moment - started > TIDY_AFTER or outcome is not None:
                self._tidy()
            printed = PUMPS.unpack_from(memory, PUMPS_AT)[0] != pumps
            if outcome is None and value is None and not printed:
                END.pack_into(memory, at + END_AT, moment)
                memory[at + STATE_AT] = State.TRIVIAL
            else:
                if outcome is None:
                    outcome = Ended(
                        task_id, attempt, Ending.RETURNED, started + wall_offset, moment - started, result=result
                    )
                if printed:
                    outcome = self._with_output(outcome)
                if self._spool.append(encode(outcome)):
                    END.pack_into(memory, at + END_AT, moment)
                    memory[at + STATE_AT] = State.SPOOLED
                ended.append(outcome)
            position += 1
            if moment - flushed > LINGER:
                self._tell(position, ended)
                ended = []
                flushed = moment
            if self._spoilt and position < run.first + len(run.specs):
                self._tell(position, ended)
                self._hand_over(_rest_of(run, position))
        self._tidy()
        self._attempts += len(run.specs)
        # Before anybody can know that it has ended, and change what it was made of.
        self._sources.learn()
        self._tell(position, ended)

    def _find(self, action: Action) -> Callable[[Any], object]:
        function = find(action.call, action.cwd)
        if not action.in_workflow:
            return function
        from overnight.executors.local.steps import adapted  # others have no need of it

        return adapted(function, action, self._work, self._home)

    def _leave_nothing(self) -> None:
        """An attempt has failed, and the next one must not begin beside what it left behind.

        After a success what a module keeps running for later calls (a pool) may stay; it ends with
        this process.
        """
        if children(self._pid) or children(self._keeper) != [self._pid]:
            purge((), seconds=1.0)
            purge((self._pid,), seconds=1.0, below=self._keeper)
            self._spoilt = True

    def _tidy(self) -> None:
        """Take away what would reach the next function: an alarm, another directory, another mask."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.umask(self._umask)
        with contextlib.suppress(OSError):  # the function closed what it had not opened
            os.fchdir(self._directory)

    def _mend_streams(self) -> None:
        """Flush what can be flushed; where a function has closed stdout or stderr, put a new one."""
        for number, name in ((1, "stdout"), (2, "stderr")):
            try:
                getattr(sys, name).flush()
            except Exception:  # noqa: BLE001 - see where this is called
                if getattr(getattr(sys, name), "closed", False):
                    with contextlib.suppress(OSError):
                        os.dup2(self._writers[number - 1], number)
                        setattr(sys, name, open(number, "w", buffering=1, closefd=False))  # noqa: SIM115 - it stays open

    def _put_away(self, spec: Spec, result: bytes) -> bytes:
        """Put a large result into a file. On a full disk it goes the way of small ones, and waits in the engine.

        Raises:
            Retry: It is too large for that.
        """
        try:
            return results.write(self._results, spec.task_id, spec.attempt, result)
        except OSError as error:
            if len(result) <= MOST_HELD:
                return result
            raise Retry(
                f"its result of {len(result):,} bytes cannot be written ({error.strerror})", after=NO_ROOM
            ) from None

    def _tell(self, upto: int, ended: list[Ended]) -> None:
        try:
            self._line.send(encode(Report(upto, ended)))
        except ConnectionError:
            _leave(0)  # the engine is gone; what ended is in marks and spool

    def _put(self, spec: Spec, limit: float, wall: float, work: bytes) -> None:
        """Set what differs from task to task, in Python's picture of the environment and in the real one."""
        number = b"%d" % spec.task_id
        fresh = {
            b"OVERNIGHT_TASK_ID": number,
            b"OVERNIGHT_ATTEMPT": b"%d" % (spec.begun + 1),
            b"OVERNIGHT_ATTEMPT_ID": b"%d" % spec.attempt,
            b"OVERNIGHT_QUEUE": spec.queue.encode(),
            b"OVERNIGHT_WORKFLOW": spec.workflow.encode(),
            b"OVERNIGHT_STEP": spec.step.encode(),
            b"OVERNIGHT_WORK_DIR": work + b"/" + number,
        }
        if limit >= 0:
            fresh[b"OVERNIGHT_DEADLINE"] = b"%d" % (wall + limit)
        known, data = self._environ, self._data
        if limit < 0 and b"OVERNIGHT_DEADLINE" in known:
            del known[b"OVERNIGHT_DEADLINE"]
            data.pop(b"OVERNIGHT_DEADLINE", b"")
            os.unsetenv(b"OVERNIGHT_DEADLINE")
        for name, value in fresh.items():
            if known.get(name) != value:
                data[name] = known[name] = value
                os.putenv(name, value)

    def _wait_until_drained(self) -> None:
        """The keeper takes what was printed before the mark may move on.

        A thread or a child may print on and on; but after two pumps, of which one has begun after now, what
        was in the pipes by now has been taken: a pump takes as much as a pipe holds.
        """
        memory = self._marks.memory
        until = PUMPS.unpack_from(memory, PUMPS_AT)[0] + 2
        while (self._pipes.poll(0) or memory[PUMPING_AT]) and PUMPS.unpack_from(memory, PUMPS_AT)[0] < until:
            self._rest()

    def _rest(self) -> None:
        """Let the keeper work; without one there is nobody to wait for."""
        time.sleep(0.00005)
        if os.getppid() != self._keeper:
            _leave(0)

    def _with_output(self, ended: Ended) -> Ended:
        task_id, attempt, number, offset, length, printed, lost = OUTPUT.unpack_from(self._marks.memory, OUTPUT_AT)
        if (task_id, attempt) != (ended.task_id, ended.attempt):
            return ended  # it was nobody's: printed between two attempts
        ref = OutputRef(NAME.format(slot=self._slot, number=number), offset, length, printed)
        detail = ended.detail
        if lost:
            detail = f"{detail}\n({lost} bytes of output were not kept: the disk is full)".lstrip()
        return msgspec.structs.replace(ended, output=ref, detail=detail)


def _refused(error: RefusedError, value: object, spec: Spec, wall: float, seconds: float) -> Ended:
    """It could not be called; or it was, and what it returned is nothing that can be kept."""
    ending = Ending.REFUSED if value is None else Ending.RAISED
    return Ended(
        spec.task_id,
        spec.attempt,
        ending,
        wall,
        seconds,
        error=readable(error.words),
        error_class=ErrorClass.PERMANENT if value is not None else error.error_class,
        error_type="" if value is None else "builtins.TypeError",
    )


def _rest_of(run: Run, position: int) -> Run:
    """What a frame has left from a place on."""
    return msgspec.structs.replace(run, first=position, specs=run.specs[position - run.first :])


def _leave_as_child(error: BaseException | None) -> None:
    """The function forked, and this is the child: it has no business here, but somebody may wait for its status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    code = error.code if isinstance(error, SystemExit) else 1
    _leave(code & 0xFF if isinstance(code, int) else code is not None)


def _leave(status: int) -> None:
    """End this process at once: the user's exit handlers had their tasks' time, and no more."""
    os._exit(status)


def _whole(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _resident_bytes() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def main() -> None:
    """Be the runner whose place the last argument describes."""
    mine = msgspec.json.decode(sys.argv[1], type=RunnerPlace)
    honour(mine.place.cookie)
    sys.argv = [text(mine.cwd)]
    sys.path.insert(0, text(mine.cwd))
    try:
        Runner(mine).serve()
    except (EOFError, ConnectionError):
        _leave(0)
