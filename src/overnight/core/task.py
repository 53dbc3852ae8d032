"""What a task is: its action, its input, and the record that the store keeps of it.

An action is what to do with an input: the command template or the function, its directory,
its environment and its limits. A hundred thousand inputs of one command share one action, so a
task row stays small. Records are values: they come out of the store, and nobody changes them.

Inputs are bytes, because file names are. `text` and `raw` are the only way from one to the other.
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache

import msgspec

from overnight.core.digests import digest
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState

#: The kernel refuses a longer single argument (MAX_ARG_STRLEN, 32 pages of 4 KiB, with its NUL).
MAX_INPUT_BYTES = 128 * 1024 - 1

#: Characters of a title and of a description.
MOST_TITLE = 4096
MOST_DESCRIPTION = 65536
#: Priorities go from minus this to this.
MOST_PRIORITY = 1_000_000

#: Further attempts, at the most.
MOST_RETRIES = 1_000_000

DEFAULT_QUEUE = "default"
#: What a queue may be called, whoever names it.
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
#: The same for people.
QUEUE_NAMES = (
    "up to 64 letters, digits, dots, dashes and underscores, with a letter or digit first"
    " (queues with '_' first are the runner's own)"
)
#: Seconds; the limit of a task that does not say otherwise.
DEFAULT_TIMEOUT = 300.0
#: Further attempts after the first one.
DEFAULT_RETRIES = 3
#: Seconds between TERM and KILL.
DEFAULT_KILL_GRACE = 5.0
#: Seconds without a sign of life; bytes of memory of a whole tree of processes.
DEFAULT_STALL = 600.0
DEFAULT_MEMORY = 2_000_000_000
#: The fields of an action that limit an attempt besides its time; settings and options have the same names.
LIMITS = ("stall", "memory", "max_output", "open_files", "processes")


def text(raw_bytes: bytes) -> str:
    """Bytes as people see them; what is not UTF-8 survives as surrogate escapes."""
    return raw_bytes.decode("utf-8", "surrogateescape")


def raw(words: str) -> bytes:
    """The bytes behind `text`, exactly."""
    return words.encode("utf-8", "surrogateescape")


class ActionKind(StrEnum):
    """What an action runs."""

    COMMAND = "command"
    CALL = "call"
    #: Claimed by being expanded into steps; `Action.call` is the name of the workflow.
    WORKFLOW = "workflow"


class Backoff(msgspec.Struct, frozen=True):
    """How long a retry waits: `first` seconds, then times `factor`, at most `longest` seconds."""

    first: float = 2.0
    factor: float = 2.0
    longest: float = 60.0


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to do with an input. Two tasks with equal actions share one row of the store."""

    kind: ActionKind
    #: Directory in which it runs.
    cwd: bytes
    #: The command template; with `shell` one word, the script, which gets the input as "$1".
    argv: tuple[bytes, ...] = ()
    shell: bool = False
    #: ``module:function``; of a workflow, its name.
    call: str = ""
    #: Environment by value, and the names that are looked up when it runs (those that look like secrets).
    env: dict[bytes, bytes] = {}
    env_names: tuple[bytes, ...] = ()
    #: Interpreter for functions; empty means the one that Overnight runs in.
    python: bytes = b""
    #: Seconds for one attempt; None means no limit.
    timeout: float | None = DEFAULT_TIMEOUT
    #: Seconds without output, CPU time or reported progress; None means no limit, here and below.
    stall: float | None = DEFAULT_STALL
    #: Bytes of memory of its whole tree of processes.
    memory: int | None = DEFAULT_MEMORY
    #: Bytes that it may print; more ends it, while more than `keep_output` is only not kept.
    max_output: int | None = None
    #: Files that one of its processes may have open, and processes and threads that it may have at a time.
    open_files: int | None = None
    processes: int | None = None
    retries: int = DEFAULT_RETRIES
    backoff: Backoff = Backoff()
    #: Seconds between TERM and KILL.
    kill_grace: float = DEFAULT_KILL_GRACE
    #: An interrupted attempt makes the task HELD instead of PENDING.
    at_most_once: bool = False
    #: What its command leaves running when it has ended well goes on; after any other end it is ended as usual.
    keep_children: bool = False
    #: Bytes kept of each attempt's output (half head, half tail).
    keep_output: int = 64 * 1024 * 1024
    #: Bytes of a function's result that the store takes itself; a larger one goes into a file of its own.
    inline_result: int = 64 * 1024
    #: What it works on: "value" or "file" (checked to be a readable regular file when it runs).
    expects: str = "value"
    #: A step: its words may name outputs of other steps, its function gets a context, its input is not appended.
    in_workflow: bool = False
    #: What the command prints on stdout is its output, for other steps.
    captures: bool = False
    #: A check between two phases: its failure has reason "gate".
    is_gate: bool = False
    #: What is tried again: reasons, and exit statuses as ``exit:75``. Empty: whatever the error's class lets.
    retry_on: tuple[str, ...] = ()
    #: Which entry of a task list it is: two entries that do the same with the same input are two tasks.
    entry: str = ""
    #: The function that stood in its place until it was claimed and became a task of a workflow; it is found by that.
    instead_of: str = ""

    def identity(self) -> bytes:
        """16 bytes that say what is done, without how: template or function, directory, and entry of a list."""
        what = (self.kind, self.argv, self.shell, self.call, self.cwd)
        if self.instead_of:
            what = (ActionKind.CALL, (), False, self.instead_of, self.cwd)
        parts = msgspec.msgpack.encode((*what, self.entry) if self.entry else what)
        return digest(parts, 16)

    def digest(self) -> bytes:
        """16 bytes over everything: equal for equal actions, and for no others."""
        # msgspec leaves out the very objects that are the defaults, and not their equals.
        plain = {name: default for name, default in _defaults() if getattr(self, name) == default}
        # It sorts only names that are text, and those of an environment are bytes.
        ordered = msgspec.structs.replace(self, **(plain | {"env": dict(sorted(self.env.items()))}))
        return digest(msgspec.msgpack.encode(ordered), 16)


@cache
def _defaults() -> list[tuple[str, object]]:
    """Fields of an action that have a default, and that."""
    fields = msgspec.structs.fields(Action)
    return [(field.name, field.default) for field in fields if field.default is not msgspec.NODEFAULT]


def task_identity(action_identity: bytes, input_bytes: bytes) -> int:
    """A signed 64-bit number by which a task is found again. Equal numbers are compared in full."""
    return int.from_bytes(digest(input_bytes, 8, key=action_identity), "big", signed=True)


class NewTask(msgspec.Struct, frozen=True):
    """A task on its way into the store. `not_before` is POSIX seconds; None means now."""

    action: Action
    input: bytes
    queue: str = DEFAULT_QUEUE
    workflow: str = ""
    priority: int = 0
    title: str = ""
    description: str = ""
    not_before: float | None = None
    #: Size and time of the file that the input names ("size:mtime_ns"), empty when it names none.
    stamp: str = ""
    needs: dict[str, float] = {}
    #: Tasks in the store that must be completed before it.
    after: tuple[int, ...] = ()
    #: The same among the tasks that are added with it, by their position.
    after_here: tuple[int, ...] = ()


class Task(msgspec.Struct, frozen=True):
    """One task as the store has it. Instants are POSIX seconds."""

    id: int
    state: TaskState
    queue: str
    workflow: str
    input: bytes
    action_id: int
    priority: int
    attempt: int
    failures: int
    deaths: int
    generation: int
    added_at: float
    not_before: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    reason: Reason | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    fingerprint: str = ""
    #: JSON text of what a function returned, or the reference to a file of it (see `core.results`); empty for none.
    result: bytes = b""
    title: str = ""
    description: str = ""
    stamp: str = ""
    parent_id: int | None = None
    step: str = ""
    #: What it takes of each named resource while it runs.
    needs: dict[str, float] = {}
    #: How many others it still waits for.
    blockers: int = 0
    #: A step that is completed without having run; `error` says why.
    skipped: bool = False


class OutputRef(msgspec.Struct, frozen=True, array_like=True):
    """Where the output of an attempt lies: a segment file and the bytes in it, and how much it printed.

    `printed` may exceed `length`: the middle of a long output is not kept.
    """

    segment: str
    offset: int
    length: int
    printed: int


class Attempt(msgspec.Struct, frozen=True):
    """One attempt that has ended. `seconds` is measured on the monotonic clock."""

    task_id: int
    number: int
    outcome: Outcome
    started_at: float | None
    finished_at: float
    seconds: float = 0.0
    reason: Reason | None = None
    error_class: ErrorClass | None = None
    error: str = ""
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    output: OutputRef | None = None
    slot: int | None = None
    #: The longer text: last lines of stderr, or the traceback.
    detail: str = ""
    #: The machine on which it ran; empty: that of the engine.
    node: str = ""
