"""The options that say what a task is, shared by every command that makes tasks.

`task_options` puts them on a command, which then receives one `Request`; `collect` makes `Work` of
it: reads the lists, looks at the files, and takes along what a task needs from here (directory,
environment). Nothing is written, so a mistake found here costs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, BinaryIO

import click
import msgspec

from overnight.core import environment, inputs
from overnight.core.errors import UsageError
from overnight.core.node_settings import HERE
from overnight.core.placeholders import columns, expand, has_placeholder
from overnight.core.task import (
    DEFAULT_KILL_GRACE,
    DEFAULT_QUEUE,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT,
    MOST_DESCRIPTION,
    MOST_PRIORITY,
    MOST_RETRIES,
    MOST_TITLE,
    QUEUE_NAME,
    QUEUE_NAMES,
    Action,
    ActionKind,
    Backoff,
    NewTask,
    text,
)
from overnight.core.workflow.matching import want_matching
from overnight.core.workflow.model import Workflow
from overnight.ui.cli import printing
from overnight.ui.cli.group import marked_words
from overnight.ui.cli.input_lists import gather, stamper
from overnight.ui.cli.limit_options import LIMIT_OPTIONS, decorated, limits
from overnight.ui.cli.values import Duration, Instant, Need, Offered, TaskId

_NEEDS = "Takes some of a resource: gpu=1; or needs a label of a node: zone:west."

_FUNCTION = r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*"
#: What mends it when a label is needed, and attempts run here.
_ON_NODES = "overnight run --on ray, with a node that has this label"
_PLAIN = Action(ActionKind.COMMAND, b"/")
_MAX_ARGS = click.IntRange(1, 100_000)
_RETRIES = click.IntRange(0, MOST_RETRIES)
_FILE, _QUEUE = Offered("files"), Offered("queues")
_PRIORITY = click.IntRange(-MOST_PRIORITY, MOST_PRIORITY)


class Request(msgspec.Struct, frozen=True):
    """What was typed. None: not said, so the configuration or the built-in default decides."""

    inputs: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    arg_file: tuple[str, ...] = ()
    null: bool = False
    #: Inputs in one task; None for one of each list.
    max_args: int | None = None
    call: str | None = None
    workflow: str | None = None
    shell: bool = False
    cwd: str | None = None
    env: tuple[str, ...] = ()
    python: str | None = None
    #: Seconds; infinity for no limit.
    timeout: float | None = None
    #: Infinity for no limit, here and in the next four. Seconds, bytes and numbers.
    stall: float | None = None
    memory: float | None = None
    max_output: float | None = None
    open_files: float | None = None
    processes: float | None = None
    retries: int | None = None
    at_most_once: bool = False
    keep_children: bool = False
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    title: str = ""
    description: str = ""
    #: POSIX seconds.
    at: float | None = None
    #: Seconds from now.
    wait_for: float | None = None
    needs: tuple[tuple[str, float], ...] = ()
    #: Ids of tasks that must be completed before.
    after: tuple[int, ...] = ()
    dry_run: bool = False


class Defaults(msgspec.Struct, frozen=True):
    """What holds when nothing is said. Durations in seconds; `timeout` None for no limit."""

    timeout: float | None = DEFAULT_TIMEOUT
    #: None for no limit, here and in the next four.
    stall: float | None = _PLAIN.stall
    memory: int | None = _PLAIN.memory
    max_output: int | None = _PLAIN.max_output
    open_files: int | None = _PLAIN.open_files
    processes: int | None = _PLAIN.processes
    retries: int = DEFAULT_RETRIES
    backoff: Backoff = Backoff()
    kill_grace: float = DEFAULT_KILL_GRACE
    #: Bytes of output kept of an attempt.
    keep_output: int = _PLAIN.keep_output
    #: Bytes of a function's result that the store takes itself.
    inline_result: int = _PLAIN.inline_result
    #: Further variables of the environment, taken along if they are set.
    env: tuple[str, ...] = ()
    #: Of inputs about which nothing else is said; empty for none.
    workflow: str = ""
    #: Those of overnight.toml.
    workflows: Mapping[str, Workflow] = {}


#: Without a configuration.
BUILT_IN = Defaults()


class Work(msgspec.Struct, frozen=True):
    """What a call asks for: one action and its inputs."""

    action: Action
    #: One for each task; the empty input for a command that has none.
    inputs: list[bytes]
    #: How many inputs were named more than once and left out.
    duplicates: int
    request: Request
    #: POSIX seconds before which no task may start.
    not_before: float | None
    #: Those of overnight.toml.
    workflows: Mapping[str, Workflow] = {}

    def tasks(self, start: int = 0, stop: int | None = None) -> list[NewTask]:
        """The tasks of some of the inputs. Looks at the size and time of the files that they name."""
        request, action, not_before, needs = self.request, self.action, self.not_before, dict(self.request.needs)
        stamp_of = stamper(action.cwd)
        return [
            NewTask(
                action=action,
                input=one,
                queue=request.queue,
                priority=request.priority,
                title=request.title,
                description=request.description,
                not_before=not_before,
                stamp=stamp_of(one) if one else "",
                needs=needs,
                after=request.after,
            )
            for one in self.inputs[start:stop]
        ]

    def previews(self) -> list[str]:
        """What would be run, one line for each task, quoted so that a shell would understand it."""
        return [preview(self.action, one, seq=seq) for seq, one in enumerate(self.inputs, 1)]


_OPTIONS: Sequence[Callable[[Callable[..., object]], Callable[..., object]]] = (
    click.argument("inputs", nargs=-1, type=Offered("words"), metavar="[INPUT]... [-- COMMAND]... [::: INPUT]..."),
    click.option("-a", "--arg-file", multiple=True, type=_FILE, metavar="FILE",
                 help="Inputs from FILE, one a line; - is stdin."),
    click.option("-0", "--null", is_flag=True, help="Inputs in files and on stdin end in NUL instead of newline."),
    click.option("-n", "-N", "--max-args", type=_MAX_ARGS, metavar="N", help="Up to N inputs in one task: {1} to {N}."),
    click.option("--call", metavar="MODULE:FUNCTION", help="Run this Python function with each input."),
    click.option("-w", "--workflow", type=Offered("workflows"), metavar="NAME",
                 help="Run the steps of this workflow with each input."),
    click.option("--shell", is_flag=True, help='COMMAND is one word of shell; it gets the input as "$1".'),
    click.option("--cwd", type=Offered("directories"), metavar="DIR",
                 help="Directory in which tasks run. [default: the current one]"),
    click.option("--env", multiple=True, metavar="NAME", help="Take this variable of the environment along."),
    click.option("--python", type=_FILE, metavar="FILE",
                 help="Interpreter for --call. [default: the one that runs Overnight]"),
    click.option("--timeout", type=Duration(endless=True), help="Time limit of an attempt; 0 for none. [default: 5m]"),
    *LIMIT_OPTIONS,
    click.option("--retries", type=_RETRIES, metavar="N", help="Further attempts after a failure. [default: 3]"),
    click.option("--at-most-once", is_flag=True, help="Hold an interrupted task instead of running it again."),
    click.option("--keep-children", is_flag=True, help="What COMMAND leaves running goes on when it has ended well."),
    click.option("-q", "--queue", type=_QUEUE, default=DEFAULT_QUEUE, show_default=True, help="Queue of the tasks."),
    click.option("-p", "--priority", type=_PRIORITY, default=0, metavar="N", help="Higher goes first. [default: 0]"),
    click.option("--title", default="", help="What people call it."),
    click.option("--description", default="", help="More about it."),
    click.option("--at", type=Instant(), help="Not before this time: 06:00, '2026-03-01 06:00'."),
    click.option("--in", "wait_for", type=Duration(), help="Not before this much time has passed."),
    click.option("--after", multiple=True, type=TaskId(), metavar="ID", help="Not before this task is completed."),
    click.option("--needs", multiple=True, type=Need(), metavar="NAME=N", help=_NEEDS),
    click.option("--dry-run", is_flag=True, help="Print what would be run, and change nothing."),
)  # fmt: skip


def task_options(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command of class `TaskVerb` the task options; it receives `request`."""

    @wraps(function)
    def with_request(*args: object, **options: object) -> object:
        fields: dict[str, Any] = {name: options.pop(name) for name in Request.__struct_fields__ if name in options}
        return function(*args, request=Request(marked=tuple(marked_words()), **fields), **options)

    made: Callable[..., object] = decorated(with_request, _OPTIONS)
    return made


def collect(
    request: Request,
    *,
    now: float,
    defaults: Defaults = BUILT_IN,
    distinct: bool = False,
    otherwise: str = "",
    environ: Mapping[bytes, bytes] | None = None,
    stdin: BinaryIO | None = None,
) -> Work | None:
    """Make work of what was typed; None when neither a command nor an input was given.

    Args:
        request: What was typed.
        now: POSIX seconds.
        defaults: What holds where the request says nothing.
        distinct: Equal inputs become one task.
        otherwise: The function for inputs about which nothing else is said; empty: that is an error.
        environ: Instead of the environment of this process.
        stdin: Instead of stdin, if that is a pipe or a file.

    Raises:
        UsageError: Something is missing, unreadable, or could never work.
    """
    parsed = inputs.parse(
        [os.fsencode(word) for word in request.inputs],
        [os.fsencode(word) for word in request.marked],
        list_files=[os.fsencode(name) for name in request.arg_file],
    )
    request = _with_default(request, parsed, defaults)
    if parsed.command is None and request.call is None and request.workflow is None:
        if not parsed.lists:
            return None
        if not otherwise:
            raise UsageError(
                "nothing is said about what to do with the inputs; nothing was added",
                hint="put a command after '--', as in 'overnight run *.jpg -- convert {} {.}.png', or use --call or -w",
            )
        request = msgspec.structs.replace(request, call=otherwise)
    action = action_of(request, parsed.command, defaults, os.environb if environ is None else environ)
    found = gather(parsed, action, nul=request.null, most=request.max_args, stdin=stdin)
    once, duplicates = inputs.distinct(found) if distinct else (found, 0)
    if request.workflow is not None:
        want_matching(defaults.workflows.get(request.workflow), once)
    return Work(action, once, duplicates, request, instant_of(request, now), defaults.workflows)


def _with_default(request: Request, parsed: inputs.Parsed, defaults: Defaults) -> Request:
    """Let inputs about which nothing is said have the workflow of the settings."""
    if (
        parsed.command is None
        and request.call is None
        and request.workflow is None
        and defaults.workflow
        and parsed.lists
    ):
        return msgspec.structs.replace(request, workflow=defaults.workflow)
    return request


def preview(action: Action, input_bytes: bytes, *, seq: int) -> str:
    """What a task would run, on one line."""
    if action.kind is ActionKind.WORKFLOW:
        words = ["workflow", action.call, *(text(column) for column in columns(input_bytes))]
    elif action.kind is ActionKind.CALL:
        words = [action.call, *(text(column) for column in columns(input_bytes))]
    elif action.shell:
        words = ["sh", "-c", text(action.argv[0]), "sh", *(text(column) for column in columns(input_bytes))]
    else:
        words = [text(word) for word in expand(action.argv, input_bytes, seq=seq, slot=1)]
    return " ".join(map(printing.shell_word, words))


def warn(actions: Iterable[Action]) -> None:
    """Say once what is likely to go wrong in the night, though it is no error now."""
    missing = []
    for action in actions:
        if action.shell and has_placeholder(action.argv):
            printing.note('overnight: warning: placeholders are not filled in with --shell; the input is "$1"')
        elif action.kind is ActionKind.COMMAND and not action.shell and _program_missing(action):
            missing.append(printing.clean(text(action.argv[0])))
    for name in dict.fromkeys(missing):
        printing.note(
            f"overnight: warning: no program {name!r} is found here now; tasks fail unless it is there when they run"
        )


def too_much(needs: Iterable[tuple[str, float]], resources: Mapping[str, float], on: str) -> tuple[str, str] | None:
    """What a task takes more of than there is: in a sentence, and what would mend it; or None.

    Args:
        needs: What tasks take of each.
        resources: How much there is of each.
        on: Where attempts run. What nodes have is not known here.
    """
    if on != HERE:
        from overnight.core.placing import of_all  # most homes have no nodes

        needs = of_all(dict(needs), resources).items()
    for name, amount in needs:
        there = resources.get(name, 0)
        if amount > there:
            what = f"a task needs {amount:g} of {name!r} and there is {there:g}"
            return what, _ON_NODES if ":" in name else f"[resources] {name} = {amount:g}, in overnight.toml"
    return None


# -- the action ------------------------------------------------------------------------------


def action_of(
    request: Request, command: tuple[bytes, ...] | None, defaults: Defaults, environ: Mapping[bytes, bytes]
) -> Action:
    """What is done with each input.

    Args:
        request: What was typed.
        command: The words behind ``--``.
        defaults: What holds where the request says nothing.
        environ: The environment that tasks take along.

    Raises:
        UsageError: It could never work.
    """
    _check_words(request, command)
    wished = [name for name in map(os.fsencode, defaults.env) if name in environ or environment.looks_secret(name)]
    env, env_names = environment.split(environ, [*map(os.fsencode, request.env), *wished])
    timeout = defaults.timeout if request.timeout is None else request.timeout
    return Action(
        kind=_kind(request),
        cwd=_directory(request.cwd),
        argv=command or (),
        shell=request.shell,
        call=request.call or request.workflow or "",
        env=env,
        env_names=env_names,
        python=b"" if request.python is None else os.path.abspath(os.fsencode(request.python)),  # noqa: PTH100 - bytes
        timeout=None if timeout == float("inf") else timeout,
        **limits(request, defaults),
        retries=defaults.retries if request.retries is None else request.retries,
        backoff=defaults.backoff,
        kill_grace=defaults.kill_grace,
        at_most_once=request.at_most_once,
        keep_children=request.keep_children,
        keep_output=defaults.keep_output,
        inline_result=defaults.inline_result,
    )


def _kind(request: Request) -> ActionKind:
    if request.workflow is not None:
        return ActionKind.WORKFLOW
    return ActionKind.COMMAND if request.call is None else ActionKind.CALL


def _check_words(request: Request, command: tuple[bytes, ...] | None) -> None:
    """Refuse what could never work."""
    if request.workflow is not None and (command is not None or request.call is not None or request.needs):
        what = "a command" if command is not None else "--call" if request.call is not None else "--needs"
        raise UsageError(
            f"{what} and a workflow were given, and what is done is a matter of its steps; nothing was added",
            hint="leave out one of them",
        )
    if request.call is not None:
        if command is not None:
            raise UsageError(
                "a command and --call were given, and a task does one thing; nothing was added",
                hint="leave out one of them",
            )
        if not re.fullmatch(_FUNCTION, request.call):
            raise UsageError(
                f"--call takes MODULE:FUNCTION, and {request.call!r} is none; nothing was added",
                hint="write it as in '--call pipeline.audio:transcribe'",
            )
    if request.keep_children and (request.workflow is not None or request.call is not None):
        raise UsageError(
            "--keep-children is about what a command leaves running, and there is none; nothing was added",
            hint="leave it out; in a workflow, a step that runs a command takes keep_children = true",
        )
    if request.shell and len(command or ()) != 1:
        raise UsageError(
            "--shell takes the whole script as one word; nothing was added",
            hint="""quote it, as in: --shell -- 'gzip -c "$1" > "$1.gz"'""",
        )
    if request.queue != DEFAULT_QUEUE and not QUEUE_NAME.fullmatch(request.queue):
        raise UsageError(
            f"{request.queue!r} cannot be the name of a queue; nothing was added",
            hint=f"use {QUEUE_NAMES}",
        )
    if len(request.title) > MOST_TITLE or len(request.description) > MOST_DESCRIPTION:
        raise UsageError(
            f"the title or the description is longer than {MOST_TITLE:,} or {MOST_DESCRIPTION:,} characters;"
            " nothing was added",
            hint="put the text into a file and name that",
        )


def _directory(name: str | None) -> bytes:
    """The absolute directory in which tasks run. Symbolic links stay as they are written."""
    try:
        here = os.getcwdb()  # noqa: PTH109 - bytes
    except FileNotFoundError:
        raise UsageError(
            "the current directory has been deleted; nothing was added", hint="cd to another one"
        ) from None
    if name is None:
        return here
    path = os.path.abspath(os.fsencode(name))  # noqa: PTH100 - bytes
    if not os.path.isdir(path):  # noqa: PTH112 - bytes
        if os.path.lexists(path):
            raise UsageError(f"{name!r} of --cwd is no directory; nothing was added", hint="--cwd DIR, one that is")
        raise UsageError(
            f"the directory {name!r} of --cwd does not exist; nothing was added",
            hint=f"mkdir -p {printing.shell_word(text(path))}",
        )
    return path


def instant_of(request: Request, now: float) -> float | None:
    """POSIX seconds before which no task may start; None for now.

    Raises:
        UsageError: It was said twice.
    """
    if request.at is not None and request.wait_for is not None:
        raise UsageError("--at and --in were given; nothing was added", hint="leave out one of them")
    if request.at is not None:
        return request.at
    return None if request.wait_for is None else now + request.wait_for


def _program_missing(action: Action) -> bool:
    """Whether the program of a command is not there now. False when nobody can know yet."""
    program = action.argv[0]
    if has_placeholder([program]):
        return False
    if b"/" in program:
        return not os.access(os.path.join(action.cwd, program), os.X_OK)  # noqa: PTH118 - bytes
    places = action.env.get(b"PATH", os.fsencode(os.defpath)).split(b":")
    return not any(os.access(os.path.join(action.cwd, place, program), os.X_OK) for place in places)  # noqa: PTH118 - bytes
