"""The text by which a file or a function becomes part of ``overnight.toml``."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from pathlib import PurePosixPath

import msgspec

from overnight.core.dormancy import Kind, Part
from overnight.core.source_facts import Facts


class Definition(msgspec.Struct, frozen=True):
    """A workflow of one step, or a schedule.

    Attributes:
        name: What it is called.
        run: The words of a command; empty where `call` says a function.
        call: ``module:function``.
        every: Words of a duration; with one of these two it is a schedule.
        cron: Words of cron.
    """

    name: str
    run: tuple[str, ...] = ()
    call: str = ""
    every: str = ""
    cron: str = ""

    @property
    def takes_input(self) -> bool:
        """Whether it does something with its input."""
        return bool(self.call) or "{input}" in self.run

    def once(self, value: str) -> str:
        """One run of it, for people."""
        if self.call:
            return f"{self.call}({value!r}, context)"
        return shlex.join(word.replace("{input}", value) for word in self.run)

    @property
    def is_schedule(self) -> bool:
        """Whether it runs by the clock."""
        return bool(self.every or self.cron)

    def as_toml(self) -> str:
        """The text, ending with a line's end."""
        work = [f"run = [{', '.join(map(_quoted, self.run))}]"] if self.run else [f"call = {_quoted(self.call)}"]
        if self.is_schedule:
            when = f"every = {_quoted(self.every)}" if self.every else f"cron = {_quoted(self.cron)}"
            return "\n".join([f"[schedules.{_key(self.name)}]", when, *work]) + "\n"
        name = _key(self.name)
        return "\n".join([f"[workflow.{name}]", f"[[workflow.{name}.step]]", f'id = "{STEP}"', *work]) + "\n"


#: What the one step of a workflow is called.
STEP = "run"


def name_for(part: str, taken: Collection[str]) -> str:
    """A name that nobody has for a part: ``jobs/resize-all.py`` becomes ``resize-all``."""
    stem = part.rpartition(":")[2] if ":" in part else PurePosixPath(part).stem
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:48] or "part"
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


def with_table(text: str, table: str) -> str:
    """A configuration with a table after everything that is there; not a byte of that is changed.

    Args:
        text: What is there.
        table: A table of its own, with whole lines.
    """
    if not text.strip():
        return text + table
    end = "\r\n" if "\r\n" in text else "\n"
    between = "" if text.endswith("\n") else end
    return text + between + end + table.replace("\n", end)


def definition_of(part: Part, facts: Facts, name: str, *, python: str, every: str = "", cron: str = "") -> Definition:
    """The workflow or schedule that a script or a function becomes.

    Args:
        part: The script or the function.
        facts: What was read in its file.
        name: What it is to be called.
        python: The word that starts Python.
        every: Words of a duration, for a schedule.
        cron: Words of cron, for a schedule.
    """
    if part.kind is Kind.FUNCTION:
        return Definition(name, call=part.name, every=every, cron=cron)
    is_python = part.file.endswith(".py") or facts.interpreter.startswith("python")
    starter = python if is_python else facts.interpreter
    words = [starter, part.file] if starter else [f"./{part.file}"]
    given = ["{input}"] if facts.takes_arguments and not (every or cron) else []
    return Definition(name, run=(*words, *given), every=every, cron=cron)


def _quoted(words: str) -> str:
    """As TOML has a text: that of JSON is one, but for what is not printable there."""
    return json.dumps(words, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)
