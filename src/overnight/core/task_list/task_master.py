"""Task Master's ``tasks.json``, as it is found in projects: with tags or without, with subtasks. Read, never written.

A task's input is a JSON object of what Task Master says about it, since one word of it would not do for whoever is
to do the work; a subtask is a part of its task. What is not for now (deferred, blocked, in review) is left out,
with everything that waits for it.

Source: https://github.com/eyaltoledano/claude-task-master, docs/task-structure.md.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import msgspec

from overnight.core.durations import quoted
from overnight.core.problems import Problem
from overnight.core.task import MOST_DESCRIPTION, MOST_TITLE
from overnight.core.task_list.attributes import LEVELS
from overnight.core.task_list.entries import Box, Entry, Said, TaskList, TaskListError, input_problem
from overnight.core.task_list.json_places import explain, field_at
from overnight.core.task_list.linking import Draft, link

#: The tag that is meant when nothing is said.
DEFAULT_TAG = "master"
_BOXES = {
    "pending": Box.OPEN,
    "in-progress": Box.OPEN,
    "done": Box.DONE,
    "completed": Box.DONE,
    "review": Box.LATER,
    "deferred": Box.LATER,
    "blocked": Box.LATER,
    "cancelled": Box.CANCELLED,
}
#: Subtasks may have subtasks, up to here.
_DEEPEST = 16


class _Task(msgspec.Struct):
    """One task or subtask, as far as we look. Foreign programs add fields of their own; those are theirs."""

    id: int | str
    title: str = ""
    description: str | None = None
    details: str | None = None
    test_strategy: str | None = msgspec.field(default=None, name="testStrategy")
    status: str = "pending"
    priority: str | None = None
    dependencies: list[int | str] | None = None
    subtasks: list[msgspec.Raw] | None = None


class _Tag(msgspec.Struct):
    tasks: list[msgspec.Raw]


_decode_task = msgspec.json.Decoder(_Task).decode


def parse(text: str, filename: str, *, tag: str = "") -> TaskList:
    """Read a list.

    Args:
        text: All of it.
        filename: How it is called in messages.
        tag: Which of its lists; empty for the only one, or for ``master``.

    Raises:
        TaskListError: With every mistake in it.
    """
    reader = _Reader(text, tag)
    reader.read()
    if reader.problems:
        raise TaskListError(text, filename, reader.problems)
    linked = link(reader.drafts, strict=False)
    if linked.problems:
        raise TaskListError(text, filename, linked.problems)
    notes = list(reader.notes)
    if put_off := sum(one.box is Box.LATER for one in linked.entries):
        notes.append(f"{put_off} of its tasks are not for now, or wait for such, and are left out")
    return TaskList(linked.entries, tuple(notes))


class _Reader:
    """Collects entries and mistakes."""

    def __init__(self, text: str, tag: str) -> None:
        self._text = text
        self._source = text.encode("utf-8", "replace")
        self._wanted = tag
        self._tag = ""
        #: How far the text has been gone through: objects come in the order in which they stand there.
        self._at = 0
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.drafts: list[Draft] = []

    def read(self) -> None:
        try:
            for one in self._tasks():
                self._task(one, "", None)
        except (msgspec.DecodeError, RecursionError) as error:
            what, field, inside = explain(error, self._source)
            at = field_at(self._text, field, 0) if field else inside
            self.problems.append(Problem(at, what, 'Task Master writes {"master": {"tasks": [...]}}'))
        keys = {draft.entry.key for draft in self.drafts}
        for draft in self.drafts:
            draft.needs = [(_known(name, keys), at) for name, at in draft.needs]

    def _tasks(self) -> list[msgspec.Raw]:
        """The tasks of the tag that is meant."""
        parts = msgspec.json.decode(self._source, type=dict[str, msgspec.Raw])
        if "tasks" in parts and not self._wanted:
            return msgspec.json.decode(parts["tasks"], type=list[msgspec.Raw])
        name = self._wanted or (next(iter(parts)) if len(parts) == 1 else DEFAULT_TAG)
        if name not in parts:
            close = get_close_matches(name, parts, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(map(quoted, list(parts)[:10]))}"
            what = f"there is no tag {quoted(name)}; name one behind a #, as in tasks.json#{(close or ['TAG'])[0]}"
            self.problems.append(Problem(0, what, advice))
            return []
        if len(parts) > 1 and not self._wanted:
            self.notes.append(f"took the tag {name!r} of {len(parts)}; another one is named as in tasks.json#TAG")
        self._tag = name
        self._at = field_at(self._text, name, 0)
        return msgspec.json.decode(parts[name], type=_Tag).tasks

    def _task(self, source: msgspec.Raw, above: str, whole: int | None) -> None:
        """One task and then its subtasks."""
        words = bytes(source).decode("utf-8", "replace")
        at = self._text.find(words, self._at)
        start = self._at = max(at, self._at)
        end = start + len(words)
        try:
            task = _decode_task(source)
        except msgspec.DecodeError as error:
            what, field, inside = explain(error, bytes(source))
            self.problems.append(Problem(field_at(self._text, field, start, end) if field else start + inside, what))
            return
        key = f"{above}.{task.id}" if above and not str(task.id).startswith(f"{above}.") else str(task.id)
        self._draft(task, key, (start, end), above, whole)
        if key.count(".") >= _DEEPEST:
            self.problems.append(Problem(start, f"subtasks deeper than {_DEEPEST}"))
            return
        number = len(self.drafts) - 1
        for one in task.subtasks or ():
            self._task(one, key, number)
        self._at = end

    def _draft(self, task: _Task, key: str, span: tuple[int, int], above: str, whole: int | None) -> None:
        box = _BOXES.get(task.status.lower())
        if box is None:
            known = ", ".join(_BOXES)
            close = get_close_matches(task.status.lower()[:100], _BOXES, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"known here: {known}"
            self.problems.append(Problem(field_at(self._text, "status", *span), f"no status: {task.status!r}", advice))
        if not task.title.strip() or len(task.title) > MOST_TITLE:
            what = f"a title has 1 to {MOST_TITLE:,} characters"
            self.problems.append(Problem(field_at(self._text, "title", *span), what))
        work = msgspec.json.encode(self._about(task, key))
        if problem := input_problem(work, span[0]):
            self.problems.append(problem)
        parts = [part for part in (task.description, task.details) if part]
        entry = Entry(
            key=key,
            title=f"{key}: {task.title}"[:MOST_TITLE],
            description="\n\n".join(parts)[:MOST_DESCRIPTION],
            input=work,
            box=box or Box.OPEN,
            said=Said(priority=self._priority(task, span, whole)),
            offset=span[0],
        )
        at = field_at(self._text, "dependencies", *span)
        self.drafts.append(Draft(entry, [(self._other(one, above), at) for one in task.dependencies or ()], whole))

    def _about(self, task: _Task, key: str) -> dict[str, Any]:
        """What whoever does the work is told."""
        parts = {
            "id": key,
            "tag": "" if self._tag in ("", DEFAULT_TAG) else self._tag,
            "title": task.title,
            "description": task.description,
            "details": task.details,
            "testStrategy": task.test_strategy,
        }
        return {name: value for name, value in parts.items() if value}

    def _priority(self, task: _Task, span: tuple[int, int], whole: int | None) -> int | None:
        if task.priority is None:
            return None if whole is None else self.drafts[whole].entry.said.priority
        if task.priority.lower() not in LEVELS:
            what = f"{quoted(task.priority)} is no priority; write {', '.join(LEVELS)}"
            self.problems.append(Problem(field_at(self._text, "priority", *span), what))
        return LEVELS.get(task.priority.lower())

    def _other(self, written: int | str, above: str) -> str:
        """The id that a dependency names. A bare number in a subtask is a sibling's."""
        return f"{above}.{written}" if above and isinstance(written, int) else str(written)


def _known(name: str, keys: set[str]) -> str:
    """A bare number in a subtask is a task's where there is no such sibling."""
    bare = name.rpartition(".")[2]
    return bare if name not in keys and bare in keys else name
