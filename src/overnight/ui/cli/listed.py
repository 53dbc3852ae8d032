"""The tasks of a list, as a call asks for them: the file is read, and what it leaves open is said by the call."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

import msgspec

from overnight.core import inputs
from overnight.core.errors import NotFoundError, UsageError
from overnight.core.problems import Problem
from overnight.core.task import DEFAULT_QUEUE, Action, ActionKind, NewTask, text
from overnight.core.task_list.entries import MAX_BYTES, Box, Entry, Said, TaskList, TaskListError
from overnight.core.workflow.matching import takes
from overnight.core.workflow.model import Workflow
from overnight.store.contract import Store
from overnight.ui.cli.input_lists import stamper
from overnight.ui.cli.source_options import Sources
from overnight.ui.cli.task_options import Defaults, Request, action_of, instant_of, preview
from overnight.wiring.workflows import lay_down

_TAGGED = re.compile(r"(?s)(.+\.json)#(.+)")
_MARKDOWN = (".md", ".markdown")
_LINES = (".jsonl", ".ndjson")


class ListFile(msgspec.Struct, frozen=True):
    """A list as it was read."""

    name: str
    content: bytes
    listed: TaskList

    @property
    def text(self) -> str:
        """All of it; what is not UTF-8 as surrogate escapes."""
        return text(self.content)


class ListWork(msgspec.Struct, frozen=True):
    """What a list asks for: its open tasks, each behind those that it waits for, and each once."""

    file: ListFile
    tasks: list[NewTask]
    #: The entry of each.
    entries: list[Entry]
    #: How many entries ask for what another one asks for.
    duplicates: int
    #: What was typed, with everything that any of the tasks needs.
    request: Request
    workflows: Mapping[str, Workflow] = {}

    @property
    def actions(self) -> list[Action]:
        """What is done, each once."""
        return list({id(task.action): task.action for task in self.tasks}.values())

    def previews(self) -> list[str]:
        """What would be run, one line for each task."""
        return [preview(task.action, task.input, seq=seq) for seq, task in enumerate(self.tasks, 1)]

    def lay_down(self, store: Store) -> None:
        """Make sure that every workflow is defined where the tasks go.

        Raises:
            TaskListError: Some are not, and where they are named.
        """
        problems: dict[str, Problem] = {}
        done: set[str] = set()
        for task, entry in zip(self.tasks, self.entries, strict=True):
            if task.action.kind is ActionKind.WORKFLOW and task.action.call not in done:
                done.add(task.action.call)
                try:
                    lay_down(store, task.action, self.workflows)
                except NotFoundError as error:
                    if entry.said.workflow is None:  # typed, and not written
                        raise
                    what = error.message.removesuffix("; nothing was added")
                    problems[task.action.call] = Problem(entry.workflow_at or entry.offset, what, error.hint)
        if problems:
            raise TaskListError(self.file.text, self.file.name, list(problems.values()))


def read_list(sources: Sources) -> ListFile:
    """Read the list that a call names.

    Raises:
        UsageError: It cannot be read, is too long, or is no list.
        TaskListError: It is one with mistakes.
    """
    named = sources.from_file or ""
    tagged = None if os.path.lexists(named) else _TAGGED.fullmatch(named)
    name, tag = (tagged[1], tagged[2]) if tagged else (named, "")
    lower = name.lower()
    if not lower.endswith((*_MARKDOWN, *_LINES, ".json")):
        raise UsageError(
            f"{name!r} is no list that could be read; nothing was added",
            hint="--from takes task-queue.md, Task Master's tasks.json or a .jsonl; plain inputs come with -a",
        )
    if sources.write_back and not lower.endswith(_MARKDOWN):
        raise UsageError(
            f"--write-back ticks boxes, and {name!r} has none; nothing was added", hint="leave out --write-back"
        )
    content = _content(name)
    return ListFile(name, content, _parsed(content, name, tag, allow_run=sources.allow_run))


def _parsed(content: bytes, name: str, tag: str, *, allow_run: bool) -> TaskList:
    from overnight.core.task_list import (
        json_lines,
        markdown,
        task_master,
    )  # few calls name a list, and this takes a while

    if name.lower().endswith(_MARKDOWN):
        return markdown.parse(text(content), name, allow_run=allow_run)
    words = _utf8(content, name)
    return json_lines.parse(words, name) if name.lower().endswith(_LINES) else task_master.parse(words, name, tag=tag)


def _content(name: str) -> bytes:
    try:
        with open(name, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(f"{name!r} is no file; nothing was added", hint="--from takes a file")
            content = b"" if found.st_size > MAX_BYTES else file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"the list {name!r} cannot be read ({(error.strerror or str(error)).lower()}); nothing was added",
            hint="look whether the name is right",
        ) from None
    if max(found.st_size, len(content)) > MAX_BYTES:
        raise UsageError(
            f"the list {name!r} is larger than {MAX_BYTES // 1000**2} MB; nothing was added",
            hint="split it; a list of plain inputs, one a line, comes with -a",
        )
    return content


def _without_waiting(path: str, flags: int) -> int:
    """Open it; a pipe without a writer would otherwise wait for one."""
    return os.open(path, flags | os.O_NONBLOCK)


def _utf8(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name!r} is no JSON: byte {error.start + 1} is not UTF-8; nothing was added", hint="save it as UTF-8"
        ) from None


def collect_list(
    request: Request, sources: Sources, *, now: float, defaults: Defaults, environ: Mapping[bytes, bytes] | None = None
) -> ListWork:
    """Make work of a list and of what was typed with it.

    Raises:
        UsageError: Something is missing, unreadable, or could never work.
    """
    file = read_list(sources)
    parsed = inputs.parse((), [os.fsencode(word) for word in request.marked])
    if parsed.lists:
        raise UsageError("--from and ':::' were given; nothing was added", hint="leave out one of them")
    if request.workflow is None and request.call is None and parsed.command is None and defaults.workflow:
        request = msgspec.structs.replace(request, workflow=defaults.workflow)
    maker = _Maker(file, request, parsed.command, defaults, os.environb if environ is None else environ, now)
    return maker.work()


class _Maker:
    """Makes the tasks of a list."""

    def __init__(
        self,
        file: ListFile,
        request: Request,
        command: tuple[bytes, ...] | None,
        defaults: Defaults,
        environ: Mapping[bytes, bytes],
        now: float,
    ) -> None:
        self._file = file
        self._request = request
        self._command = command
        self._defaults = defaults
        self._environ = environ
        self._not_before = instant_of(request, now)
        self._actions: dict[tuple[Said, tuple[bytes, ...]], tuple[Request, Action]] = {}
        self._problems: list[Problem] = []
        self._typed_used = False

    def work(self) -> ListWork:
        entries = self._file.listed.entries
        open_ones = [position for position, entry in enumerate(entries) if entry.box is Box.OPEN]
        made = {position: self._action(entries[position]) for position in open_ones}
        if self._problems:
            raise TaskListError(self._file.text, self._file.name, self._problems)
        self._want_used(len(open_ones))
        first: dict[tuple[bytes, bytes], int] = {}
        identities: dict[int, bytes] = {}
        place: dict[int, int] = {}
        tasks: list[NewTask] = []
        kept: list[Entry] = []
        for position in open_ones:
            entry, (request, action) = entries[position], made[position]
            if id(action) not in identities:
                identities[id(action)] = action.identity()
            number = first.setdefault((identities[id(action)], entry.input), len(tasks))
            place[position] = number
            if number == len(tasks):
                tasks.append(self._task(entry, request, action, place))
                kept.append(entry)
        needs = tuple({pair for request, _ in made.values() for pair in request.needs})
        typed = msgspec.structs.replace(self._request, needs=needs)
        return ListWork(self._file, tasks, kept, len(open_ones) - len(tasks), typed, self._defaults.workflows)

    def _action(self, entry: Entry) -> tuple[Request, Action]:
        """What is done with an entry: as it says itself, else as was typed."""
        key = entry.said, entry.run
        if key not in self._actions:
            self._actions[key] = self._made(entry)
        request, action = self._actions[key]
        self._want_taken(entry, action)
        return request, msgspec.structs.replace(action, entry=entry.entry) if entry.entry else action

    def _made(self, entry: Entry) -> tuple[Request, Action]:
        own = {name: value for name in Said.__struct_fields__ if (value := getattr(entry.said, name)) is not None}
        request, command = msgspec.structs.replace(self._request, **own), self._command
        if entry.run or entry.said.workflow is not None:
            request = msgspec.structs.replace(request, call=None, shell=False, workflow=entry.said.workflow)
            command = entry.run or None
            if entry.run:
                request = msgspec.structs.replace(request, workflow=None)
        elif command is None and request.call is None and request.workflow is None:
            raise UsageError(
                f"nothing is said about what to do with {entry.name!r}; nothing was added",
                hint=f"put a command behind the list, as in 'overnight run --from {self._file.name} -- agent {{}}', "
                "or name a workflow: {workflow=NAME} in the list, or -w NAME",
            )
        else:
            self._typed_used = True
        return request, action_of(request, command, self._defaults, self._environ)

    def _want_taken(self, entry: Entry, action: Action) -> None:
        workflow = self._defaults.workflows.get(action.call) if action.kind is ActionKind.WORKFLOW else None
        if workflow is not None and not takes(workflow, inputs.shown(entry.input)):
            what = f"workflow {workflow.name!r} takes {', '.join(workflow.match)}, and not {inputs.shown(entry.input)}"
            self._problems.append(Problem(entry.offset, what, "name an input in a code span: `audio/anna.wav`"))

    def _want_used(self, count: int) -> None:
        """Refuse a command that would be used for nothing."""
        typed = self._command is not None or self._request.call is not None
        if count and typed and not self._typed_used:
            raise UsageError(
                "a command was given, and every task of the list says itself what is done; nothing was added",
                hint="leave out the command, or the workflows in the list",
            )

    def _task(self, entry: Entry, request: Request, action: Action, place: Mapping[int, int]) -> NewTask:
        stamp = stamper(action.cwd)
        return NewTask(
            action=action,
            input=entry.input,
            queue=request.queue or DEFAULT_QUEUE,
            priority=request.priority,
            title=entry.title,
            description=entry.description,
            not_before=self._not_before,
            stamp=stamp(entry.input) if entry.input else "",
            needs=dict(request.needs),
            after=request.after,
            after_here=tuple(dict.fromkeys(place[one] for one in entry.after)),
        )
