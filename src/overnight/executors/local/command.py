"""From an action and an input to a process: words, directory, environment, and reasons to refuse.

What is the same for all tasks of an action is worked out once. The keeper is single-threaded, so it
goes to the task's directory itself before it spawns; nobody else is there to be confused.
"""

# ruff: noqa: PTH112, PTH123 - paths of users are bytes, which pathlib does not take

from __future__ import annotations

import contextlib
import errno
import math
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial

from overnight.core.limits import Limits
from overnight.core.placeholders import columns, expand
from overnight.core.states import ErrorClass
from overnight.core.task import Action, text
from overnight.executors.contract import Spec
from overnight.executors.local import control_file
from overnight.executors.local.main_process import MainProcess, OwnChild
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.place import Place
from overnight.host.files import make_directory

#: What Python or the keeper ignores, and a program expects to find at its default.
SIGNALS_TO_RESET = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
#: The kernel refuses a longer string in argv or environment: MAX_ARG_STRLEN, with its NUL.
LONGEST_WORD = 128 * 1024 - 1

_SHORT_OF = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC}


#: Starts a program with these words and this environment.
Start = Callable[[bytes, list[bytes], dict[bytes, bytes]], MainProcess]


class RefusedError(Exception):
    """The attempt cannot be started; `words` are for people."""

    def __init__(self, words: str, error_class: ErrorClass = ErrorClass.PERMANENT) -> None:
        super().__init__(words)
        self.words = words
        self.error_class = error_class


class Template:
    """One action, prepared.

    Args:
        action: What to do.
        place: Where.
    """

    def __init__(self, action: Action, place: Place) -> None:
        self.action = action
        self.limit = -1.0 if action.timeout is None else action.timeout
        self.limits = Limits.of(action)
        self.max_output = math.inf if action.max_output is None else action.max_output
        dues = [due for due in (action.timeout, self.limits.first_look()) if due is not None]
        #: Seconds after its beginning at which something must be done to an attempt; None: never.
        self.first_due = min(dues, default=None)
        self._place = place
        self._base = environment(action, place)
        self._path = self._base.get(b"PATH", os.fsencode(os.defpath))
        self._programs: dict[bytes, bytes] = {}
        # A directory for each of a million tasks would cost more than most of them, so it is made
        # for those that name it; others may make it themselves.
        self._makes_directory = any(b"OVERNIGHT_WORK_DIR" in word for word in action.argv)

    def spawn(self, spec: Spec, null: int, pipes: Pipes, now: float) -> MainProcess:
        """Start the command in a session of its own.

        Args:
            spec: The attempt.
            null: A descriptor of nothing, to be its stdin.
            pipes: Into which it prints; its own alone if it may leave something running.
            now: POSIX seconds.

        Raises:
            RefusedError: It cannot be started.
        """
        self._enter(spec)
        words = self.words(spec)
        if not words:
            raise RefusedError("the command is empty; there is nothing to run")
        environ = self._environment(spec, now)
        start = partial(self._behind_warden if self.action.keep_children else self._as_child, spec, null, pipes)
        try:
            return start(self._program(words[0]), words, environ)
        except FileNotFoundError:
            self._programs.pop(words[0], None)
            return self._spawn_again(words, environ, start)
        except OSError as error:
            return self._without_format(error, words, environ, start)
        except ValueError as error:
            raise RefusedError(f"the command cannot be run: {error}") from None

    def words(self, spec: Spec) -> list[bytes]:
        """What to run."""
        if self.action.shell:
            return [b"sh", b"-c", *self.action.argv[:1], b"sh", *columns(spec.input)]
        slot = self._place.slot + 1
        if not self.action.in_workflow:
            return expand(self.action.argv, spec.input, seq=spec.task_id, slot=slot)
        # No need of these to start a keeper.
        from overnight.core.workflow.outputs import MissingError, words_of
        from overnight.executors.local.steps import outputs_for

        given = outputs_for(spec, os.fsdecode(self._place.home))
        try:
            return words_of(self.action.argv, given, spec.input, seq=spec.task_id, slot=slot)
        except (MissingError, ValueError) as error:
            raise RefusedError(str(error)) from None

    def _enter(self, spec: Spec) -> None:
        try:
            os.chdir(self.action.cwd)
        except OSError as error:
            raise RefusedError(
                f"the directory {text(self.action.cwd)!r} cannot be entered ({error.strerror})"
            ) from None
        if self.action.expects == "file":
            check_file(spec.input)
        if self._makes_directory:
            self._make_directory(self._place.work + b"/%d" % spec.task_id)

    @staticmethod
    def _make_directory(path: bytes) -> None:
        try:
            make_directory(os.path.dirname(path))  # noqa: PTH120 - bytes
            make_directory(path)
        except OSError as error:
            raise RefusedError(
                f"the task's own directory {text(path)!r} cannot be made ({error.strerror})", ErrorClass.RESOURCE
            ) from None

    def _program(self, name: bytes) -> bytes:
        if b"/" in name:
            return name
        found = self._programs.get(name)
        if found is None:
            found = self._programs[name] = self._search(name)
        return found

    def _search(self, name: bytes) -> bytes:
        for directory in self._path.split(b":"):
            candidate = (directory or b".") + b"/" + name
            if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
                return candidate
        number = self._path.count(b":") + 1
        among = f"{number} directories" if number > 1 else text(self._path)
        raise RefusedError(f"there is no program {text(name)!r} on the task's PATH ({among})")

    def _spawn_again(self, words: list[bytes], environ: dict[bytes, bytes], start: Start) -> MainProcess:
        """The program has moved since it was found, or it is a script whose interpreter is missing."""
        program = self._program(words[0])
        try:
            return start(program, words, environ)
        except FileNotFoundError:
            there = os.path.lexists(program)
            why = "is there, but what it needs to run (its interpreter) is not" if there else "does not exist"
            raise RefusedError(f"the program {text(program)!r} {why}") from None
        except OSError as error:
            raise _refused(error, program) from None

    def _without_format(
        self, error: OSError, words: list[bytes], environ: dict[bytes, bytes], start: Start
    ) -> MainProcess:
        """A script without a first line that says who runs it goes to the shell, as everywhere else."""
        program = self._program(words[0])
        if error.errno != errno.ENOEXEC or not _is_script(program):
            raise _refused(error, program) from None
        try:
            return start(b"/bin/sh", [b"sh", program, *words[1:]], environ)
        except OSError as again:
            raise _refused(again, program) from None

    def _as_child(
        self, _spec: Spec, null: int, pipes: Pipes, program: bytes, words: list[bytes], environ: dict[bytes, bytes]
    ) -> MainProcess:
        stdio = become_stdio((null, pipes.stdout_writer, pipes.stderr_writer))
        return OwnChild(spawn(program, words, environ, stdio, open_files=self.action.open_files))

    def _behind_warden(
        self, spec: Spec, null: int, pipes: Pipes, program: bytes, words: list[bytes], environ: dict[bytes, bytes]
    ) -> MainProcess:
        from overnight.executors.local.behind_warden import BehindWarden  # hardly any command has need of it

        files = self.action.open_files
        return BehindWarden(
            program, words, environ, null=null, pipes=pipes, place=self._place, spec=spec, open_files=files
        )

    def _environment(self, spec: Spec, now: float) -> dict[bytes, bytes]:
        environ = self._base.copy()
        environ[b"OVERNIGHT_TASK_ID"] = number = b"%d" % spec.task_id
        environ[b"OVERNIGHT_ATTEMPT"] = b"%d" % (spec.begun + 1)
        environ[b"OVERNIGHT_ATTEMPT_ID"] = b"%d" % spec.attempt
        environ[b"OVERNIGHT_QUEUE"] = spec.queue.encode()
        environ[b"OVERNIGHT_WORKFLOW"] = spec.workflow.encode()
        environ[b"OVERNIGHT_STEP"] = spec.step.encode()
        environ[b"OVERNIGHT_WORK_DIR"] = self._place.work + b"/" + number
        environ[b"OVERNIGHT_CONTROL"] = control_file.of_attempt(self._place, spec)
        # Columns as in a word of the command. A longer one fits nowhere but into argv.
        value = spec.input.replace(b"\0", b" ")
        if len(value) < LONGEST_WORD - len(b"OVERNIGHT_INPUT="):
            environ[b"OVERNIGHT_INPUT"] = value
        if self.limit >= 0:
            environ[b"OVERNIGHT_DEADLINE"] = b"%d" % (now + self.limit)
        environ.update(spec.granted)  # whatever else was said of these: they are nobody else's
        return environ


def environment(action: Action, place: Place) -> dict[bytes, bytes]:
    """What is the same for all attempts of an action."""
    environ = dict(action.env)
    for name in action.env_names:
        if name in os.environb:
            environ[name] = os.environb[name]
    environ[b"OVERNIGHT_MAX_ATTEMPTS"] = b"%d" % (action.retries + 1)
    environ[b"OVERNIGHT_SLOT"] = b"%d" % (place.slot + 1)
    environ[b"OVERNIGHT_HOME"] = place.home
    environ[b"OVERNIGHT_CONTROL"] = control_file.of_functions(place)
    environ[b"OVERNIGHT_COOKIE"] = place.cookie.encode()
    if place.notify:
        environ.setdefault(b"NOTIFY_SOCKET", place.notify)
    return environ


def check_file(path: bytes) -> None:
    """Look whether an input is a regular file that can be read.

    Raises:
        RefusedError: It is not, and this is why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise RefusedError(f"the file {text(path)!r} does not exist") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RefusedError(f"the file {text(path)!r} cannot be read ({why})") from None
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise RefusedError(f"{text(path)!r} is a directory, and a file is wanted")
    if not stat.S_ISREG(mode):
        raise RefusedError(f"{text(path)!r} is no regular file")


def spawn(
    program: bytes,
    words: list[bytes],
    environ: dict[bytes, bytes],
    actions: list[tuple[int, ...]],
    *,
    open_files: int | None = None,
) -> int:
    """posix_spawn into a session of its own, with the signals as a program expects them.

    Args:
        program: Path of what to run.
        words: Its arguments, its name first.
        environ: Its environment.
        actions: What to do with descriptors, as `os.posix_spawn` takes it.
        open_files: How many files it may have open; None: as many as we.
    """
    if open_files is not None:
        with fewer_files(open_files) as hard:
            pid = spawn(program, words, environ, actions)
        hard(pid)
        return pid
    try:
        return os.posix_spawn(
            program,
            words,
            environ,
            file_actions=actions,
            setsid=True,
            setsigdef=SIGNALS_TO_RESET,
            setsigmask=(),
        )
    except NotImplementedError:  # macOS: a group of its own instead of a session
        return os.posix_spawn(
            program,
            words,
            environ,
            file_actions=actions,
            setpgroup=0,
            setsigdef=SIGNALS_TO_RESET,
            setsigmask=(),
        )


def spawn_with(
    passed: Collection[int],
    program: bytes,
    words: list[bytes],
    environ: dict[bytes, bytes],
    stdio: tuple[int, int, int],
    *,
    open_files: int | None = None,
) -> int:
    """`spawn` with these descriptors passed under their own numbers. One thread: nobody else spawns in between."""
    for descriptor in passed:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - by position
    try:
        return spawn(program, words, environ, become_stdio(stdio), open_files=open_files)
    finally:
        for descriptor in passed:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - by position


def become_stdio(stdio: tuple[int, int, int]) -> list[tuple[int, ...]]:
    """What makes these descriptors stdin, stdout and stderr of what is spawned."""
    return [(os.POSIX_SPAWN_DUP2, source, target) for target, source in enumerate(stdio)]


@contextmanager
def fewer_files(number: int) -> Iterator[Callable[[int], None]]:
    """What is spawned inside may have so many files open; what is yielded keeps a child from asking for more.

    A child inherits its limits, and posix_spawn cannot set them, so ours are lowered for that moment.

    Raises:
        RefusedError: So many are not allowed here.
    """
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and number > most:
        raise RefusedError(f"a limit of {number} open files is more than the {most} that this system allows")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, most))
    try:
        yield lambda pid: _harden(pid, number)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))


def _harden(pid: int, number: int) -> None:
    if sys.platform == "linux":  # elsewhere it may raise its limit again, to ours
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended, or is another user's by now
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (number, number))


def _refused(error: OSError, program: bytes) -> RefusedError:
    name = text(program)
    if error.errno in _SHORT_OF:
        return RefusedError(f"{name!r} could not be started now ({error.strerror})", ErrorClass.RESOURCE)
    if error.errno == errno.ETXTBSY:
        return RefusedError(f"{name!r} is being written to at this moment", ErrorClass.TRANSIENT)
    if error.errno == errno.E2BIG:
        return RefusedError(f"the words and the environment for {name!r} are longer than the kernel takes")
    return RefusedError(f"{name!r} cannot be run ({error.strerror})")


def _is_script(program: bytes) -> bool:
    """Whether it looks like text. An empty file is a script that does nothing."""
    try:
        with open(program, "rb") as file:
            return b"\0" not in file.read(128)
    except OSError:
        return False
