"""JSON lines: one object a line, each a task. What a program writes that makes tasks for us.

``id`` names a line for the ``after`` of others and is no part of what a task is: a line with the same work and
the same input is the same task, whatever it is called this time.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import msgspec

from overnight.core.durations import quoted
from overnight.core.problems import Problem
from overnight.core.task import MOST_DESCRIPTION, MOST_TITLE, raw
from overnight.core.task_list.attributes import READERS
from overnight.core.task_list.entries import Entry, Said, TaskList, TaskListError, input_problem
from overnight.core.task_list.json_places import explain, field_at
from overnight.core.task_list.linking import Draft, link

_FIELDS = ("input", "id", "title", "description", "after", *READERS)
#: So many mistakes are looked for.
_ENOUGH = 1000


def parse(text: str, filename: str) -> TaskList:
    """Read a list.

    Args:
        text: All of it.
        filename: How it is called in messages.

    Raises:
        TaskListError: With every mistake in it.
    """
    reader = _Reader(text)
    reader.read()
    if reader.problems:
        raise TaskListError(text, filename, reader.problems)
    if not any(draft.needs for draft in reader.drafts):
        return TaskList(tuple(draft.entry for draft in reader.drafts))
    linked = link(reader.drafts)
    if linked.problems:
        raise TaskListError(text, filename, linked.problems)
    return TaskList(linked.entries)


class _Reader:
    """Goes over the lines and collects entries and mistakes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.problems: list[Problem] = []
        self.drafts: list[Draft] = []
        #: Equal ones are kept once: a million lines mostly say the same.
        self._said: dict[Said, Said] = {}

    def read(self) -> None:
        offset = 1 if self._text.startswith("\ufeff") else 0
        for line in self._text[offset:].split("\n"):
            if line and not line.isspace():
                self._line(line, offset)
            if len(self.problems) >= _ENOUGH:
                return
            offset += len(line) + 1

    def _line(self, line: str, offset: int) -> None:
        source = line.encode("utf-8", "replace")
        try:
            found = msgspec.json.decode(source)
        except (msgspec.DecodeError, RecursionError) as error:
            what, _, inside = explain(error, source)
            self.problems.append(Problem(offset + inside, what, "each line is one JSON object"))
            return
        if not isinstance(found, dict):
            self.problems.append(Problem(offset, f"{quoted(found)} is no object", 'write {"input": "..."}'))
            return
        self._draft(found, offset, offset + len(line))

    def _draft(self, found: dict[str, Any], offset: int, end: int) -> None:
        count = len(self.problems)

        def wrong(name: str, what: str, advice: str = "") -> None:
            self.problems.append(Problem(field_at(self._text, name, offset, end), what, advice))

        for name in found.keys() - set(_FIELDS):
            close = get_close_matches(name[:100], _FIELDS, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(_FIELDS)}"
            wrong(name, f"unknown field {quoted(name)}", advice)
        said = _said(found, wrong)
        if "input" not in found:
            self.problems.append(Problem(offset, "there is no input", 'write {"input": "..."}'))
        for name, most in (("title", MOST_TITLE), ("description", MOST_DESCRIPTION)):
            if not isinstance(found.get(name, ""), str) or len(found.get(name, "")) > most:
                wrong(name, f"{name} is no text of up to {most:,} characters")
        work = _input(found.get("input"))
        if "input" in found and (problem := input_problem(work, offset)):
            self.problems.append(problem._replace(offset=field_at(self._text, "input", offset, end)))
        after_at = field_at(self._text, "after", offset, end) if "after" in found else offset
        needs = self._needs(found.get("after"), wrong, after_at)
        if len(self.problems) == count:
            entry = Entry(
                key=_id(found.get("id")),
                title=found.get("title", ""),
                description=found.get("description", ""),
                input=work,
                said=self._said.setdefault(said, said),
                offset=offset,
                workflow_at=field_at(self._text, "workflow", offset, end) if "workflow" in found else 0,
            )
            self.drafts.append(Draft(entry, needs))

    def _needs(self, written: object, wrong: Callable[[str, str, str], None], at: int) -> list[tuple[str, int]]:
        several = [] if written is None else written if isinstance(written, list) else [written]
        if not all(isinstance(one, str | int) and not isinstance(one, bool) and _id(one) for one in several):
            wrong("after", f"{quoted(written)} names no lines by their id", 'write "after": ["a", "b"]')
            return []
        return [(_id(one), at) for one in several]


def _said(found: dict[str, Any], wrong: Callable[[str, str], None]) -> Said:
    """What a line says besides its words."""
    values: dict[str, Any] = {}
    for name, written in found.items():
        if name in READERS and written is not None:
            try:
                values[name] = READERS[name](written)
            except ValueError as error:
                wrong(name, str(error))
    return Said(**values)


def _id(written: object) -> str:
    return "" if written is None or isinstance(written, bool) else str(written)


def _input(written: object) -> bytes:
    """Text as it is; any other value as JSON."""
    return raw(written) if isinstance(written, str) else msgspec.json.encode(written)
