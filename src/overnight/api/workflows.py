"""`workflow`: recipes of steps, written in Python. The same model, and the same mistakes, as in ``overnight.toml``.

A function says once what the steps are; it is called when it is decorated, and never by a worker. What
workers call are the functions of the steps, by their names, so those stand at the top of a module.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self, TypedDict, Unpack

from msgspec import UNSET

from overnight.api.addable import Addable
from overnight.api.arguments import ArgumentTypeError, ArgumentValueError
from overnight.api.naming import Named, name_of
from overnight.api.options import Options, TaskOptions, read
from overnight.core.durations import quoted
from overnight.core.workflow.faults import Fault
from overnight.core.workflow.model import Workflow as Definition
from overnight.core.workflow.reading import read as read_definition

#: What a step calls or runs.
Work = Callable[..., object] | Sequence[str]
#: A step, by its name or by the function that it calls.
StepName = str | Callable[..., object]
#: No limit, as a definition says it.
_NO_LIMIT = "none"
#: What holds for all steps of a task or for none.
_OF_ALL = ("at_most_once", "stall", "max_output", "open_files", "processes")
#: What decorates a function is called like that in a definition.
_TOML = {"when": "if"}


class WorkflowOptions(TypedDict, total=False):
    """What `overnight.workflow` takes of the workflow itself, as ``[workflow.NAME]`` has it.

    Attributes:
        title: What people call it.
        input: ``"value"``, ``"file"`` (looked at when the first steps run) or ``"json"``.
        match: Patterns of the inputs that it takes.
        phases: Barriers, in order.
        deadline: How long a whole task may take: seconds, or text such as "2h".
    """

    title: str
    input: str
    match: str | Sequence[str]
    phases: Sequence[str]
    deadline: float | str


class StepOptions(TypedDict, total=False):
    """What a step takes, as ``[[workflow.NAME.step]]`` has it.

    Attributes:
        phase: The phase that it belongs to.
        needs: The steps that it waits for, by name or by function.
        when: A condition on outputs of other steps; false: it is skipped. (``if`` in a file.)
        on_failure: ``"stop"`` or ``"continue"``.
        timeout: Of one attempt: seconds, text such as "30m", or ``"none"``.
        retries: A number, or ``{"max": 5, "on": ["timeout", "exit:75"]}``.
        backoff: How long retries wait: "2s, x2, max 60s".
        resources: Amounts by name, and a limit of ``memory``.
        env: Variables of the environment besides those of the task.
        writes: The files that it writes, as templates.
        keep_children: What its command leaves running goes on when that has ended well.
        title: What people call it.
    """

    phase: str
    needs: Sequence[StepName]
    when: str
    on_failure: str
    timeout: float | str
    retries: int | Mapping[str, Any]
    backoff: str
    resources: Mapping[str, Any]
    env: Mapping[str, str]
    writes: str | Sequence[str]
    keep_children: bool
    title: str


class Flow:
    """What a decorated function is given to say its steps with."""

    def __init__(self) -> None:
        self._steps: list[dict[str, Any]] = []
        self._gates: list[dict[str, Any]] = []
        self._roots: list[str] = []
        #: What decorators say of the functions of steps and gates.
        self._said: list[tuple[str, Options]] = []

    def step(self, work: Work, name: str | None = None, **options: Unpack[StepOptions]) -> str:
        """Add a step. Returns its name, for ``needs`` of others.

        Args:
            work: A function ``(input)`` or ``(input, context)`` at the top of a module, or the words of a command.
            name: What it is called; the name of the function if nothing is said.
            options: See `StepOptions`.

        Raises:
            ArgumentTypeError: It is neither; or a command without a name.
            ArgumentValueError: No worker could find the function.
        """
        table = self._table(work, options)
        table["id"] = name or _own_name(work)
        self._steps.append(table)
        return str(table["id"])

    def gate(self, work: Work, *, after: str, name: str | None = None, **options: Unpack[StepOptions]) -> None:
        """Let a phase end with a check: when it fails, what comes after does not run.

        Args:
            work: As for `step`.
            after: The phase.
            name: What it is called; ``PHASE-gate`` if nothing is said.
            options: See `StepOptions`.
        """
        table = self._table(work, options)
        table |= {"after": after} | ({"id": name} if name else {})
        self._gates.append(table)

    def _table(self, work: Work, options: StepOptions) -> dict[str, Any]:
        """The step as a file has it."""
        table = {_TOML.get(key, key): _plain(value) for key, value in options.items()}
        if "needs" in options:
            table["needs"] = [one if isinstance(one, str) else _own_name(one) for one in options["needs"]]
        if isinstance(work, Sequence) and not isinstance(work, str | bytes):
            return table | {"run": list(work)}
        named: Named = name_of(work, context=True)
        if named.root:
            self._roots.append(named.root)
        said = getattr(work, "options", None)
        if not isinstance(said, Options):
            return table | {"call": named.call}
        self._said.append((named.call, said))
        return _of_step(said, table) | {"call": named.call}

    def _finish(self, table: dict[str, Any]) -> dict[str, Any]:
        return table | {"step": self._steps} | ({"gate": self._gates} if self._gates else {})


def _plain(value: object) -> object:
    """Lists and tables as TOML has them."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return list(value) if isinstance(value, tuple | set | frozenset) else value


def _own_name(work: object) -> str:
    name = getattr(work, "__name__", None)
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"a step that runs a command has no name of its own ({quoted(work)}); nothing was defined",
            hint='flow.step(["ffprobe", "{input}"], "probe")',
        )
    return name


def _of_step(said: Options, table: dict[str, Any]) -> dict[str, Any]:
    """A step with what ``@overnight.task`` says of its function, where the step itself says nothing."""
    found: dict[str, Any] = {}
    if said.timeout is not UNSET:
        found["timeout"] = _NO_LIMIT if said.timeout is None else said.timeout
    if said.retries is not UNSET:
        found["retries"] = said.retries
    found |= table
    taken = table.get("resources", {})
    if isinstance(said.memory, int) and isinstance(taken, dict):
        found["resources"] = {"memory": said.memory, **taken}
    return found


def _want_said(functions: Iterable[tuple[str, Options]], whole: Options) -> None:
    """Refuse what decorators say and steps cannot have, unless the workflow says something about it for all of them.

    Where a task goes and when is no matter of its steps: `queue` and `priority` are those of the task.
    """
    for call, said in functions:
        lost = [name for name in _OF_ALL if getattr(said, name) and getattr(whole, name) in (UNSET, False)]
        lost += ["env"] if set(said.env) - set(whole.env) else []
        if lost:
            values = ", ".join(f"{name}={_shown(getattr(said, name))}" for name in lost)
            raise ArgumentValueError(
                f"{call} is decorated with {values}, which no single step can have; nothing was defined",
                hint=f"@overnight.workflow({values}), for all of its steps",
            )


def _shown(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)


class Workflow(Addable):
    """A workflow of which tasks can be added. Made by `workflow`; or by `named`, for one that stands elsewhere.

    Attributes:
        name: What it is called.
        definition: What it consists of; None for one that was named only.
        options: What holds for its tasks, as far as its steps say nothing.
        roots: Directories from which workers import the functions of its steps.
    """

    def __init__(
        self, name: str, definition: Definition | None, *, options: Options, source: str = "", roots: Iterable[str] = ()
    ) -> None:
        self.name = name
        self.definition = definition
        self.options = options
        #: Who defines it, for ``overnight workflow list``.
        self.source = source
        self.roots = tuple(dict.fromkeys(roots))

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    @classmethod
    def named(cls, name: str) -> Self:
        """A workflow of ``overnight.toml``, or one that is built in, by its name."""
        return cls(name, None, options=Options())


Builder = Callable[[Flow], object]


class _Keywords(TaskOptions, WorkflowOptions, total=False):
    """All that `workflow` takes by keywords. `timeout` and `retries` hold for steps that say nothing."""


def workflow(name: str | None = None, **options: Unpack[_Keywords]) -> Callable[[Builder], Workflow]:
    """Make a workflow of a function that says what its steps are.

    As ``@overnight.workflow(input="file", phases=["check", "work"])`` above ``def ingest(flow): ...``. The
    function is called at once, with a `Flow`; all that is wrong is told together.

    Args:
        name: What it is called; the name of the function if nothing is said.
        options: See `WorkflowOptions` and `TaskOptions`.

    Raises:
        ArgumentValueError: The steps make no workflow.
    """
    if callable(name):
        raise ArgumentTypeError(
            "overnight.workflow is used with brackets; nothing was defined", hint="@overnight.workflow()"
        )
    own = {key: _plain(value) for key, value in options.items() if key in WorkflowOptions.__annotations__}
    rest = {key: value for key, value in options.items() if key not in own}
    checked = read(rest, TaskOptions)

    def decorate(builder: Builder) -> Workflow:
        flow = Flow()
        builder(flow)
        chosen = name or str(getattr(builder, "__name__", ""))
        _want_said(flow._said, checked)  # noqa: SLF001 - the other half of it
        found = read_definition(chosen, flow._finish(own))  # noqa: SLF001 - the other half of it
        if found.workflow is None or found.faults:
            raise _wrong(chosen, found.faults)
        source = f"python:{builder.__module__}:{builder.__qualname__}"
        made = Workflow(chosen, found.workflow, options=checked, source=source, roots=flow._roots)  # noqa: SLF001 - the same
        functools.update_wrapper(made, builder, updated=())  # type: ignore[arg-type]  # only its names and its text
        return made

    return decorate


def _wrong(name: str, faults: Sequence[Fault]) -> ArgumentValueError:
    """All mistakes at once."""
    lines = [f"workflow {name!r} makes no sense; nothing was defined"]
    for fault in faults:
        place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in fault.where).lstrip(".")
        lines.append(f"  {place + ': ' if place else ''}{fault.what}" + (f" ({fault.advice})" if fault.advice else ""))
    return ArgumentValueError("\n".join(lines), hint="mend its steps, and run the program again")
