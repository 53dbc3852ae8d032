"""What stands between two ``---`` at the top of a Markdown list: the format's version, and what holds for all tasks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any

from overnight.core.durations import quoted
from overnight.core.task_list.attributes import READERS
from overnight.core.task_list.entries import Said

#: The version of the format.
VERSION = "1"
_FORMAT = "overnight"
_KEY = re.compile(r"([A-Za-z_]+)[ \t]*:[ \t]*(.*)")

#: Told of a mistake: offset into the text, what is wrong, advice.
Complain = Callable[[int, str, str], None]


def read(lines: Sequence[str], offset: int, complain: Complain) -> tuple[int, Said]:
    """Read the front matter. Returns how many lines it takes, 0 where there is none, and what it says.

    Args:
        lines: The lines of the text.
        offset: Where the first of them begins in the text.
        complain: Told of each mistake.
    """
    if lines[0].rstrip() != "---":
        return 0, Said()
    values: dict[str, Any] = {}
    at = offset + len(lines[0]) + 1
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() in ("---", "..."):
            if _FORMAT not in values:
                complain(offset, "the front matter does not say 'overnight: 1'", "write it between the two ---")
            values.pop(_FORMAT, None)
            return number + 1, Said(**values)
        _line(line.split(" #")[0].rstrip(), at, values, complain)
        at += len(line) + 1
    complain(offset, "the front matter is never closed", "close it with a second ---")
    return len(lines), Said()


def _line(line: str, at: int, values: dict[str, Any], complain: Complain) -> None:
    """One ``key: value``."""
    if not line or line.startswith("#"):
        return
    found = _KEY.fullmatch(line)
    if found is None:
        complain(at, f"{quoted(line)} says nothing here", "write 'workflow: NAME', one a line")
        return
    name, value, value_at = found[1], found[2].strip("\"'"), at + found.start(2)
    if name in values:
        complain(at, f"{name} stands there twice", "")
    elif name == _FORMAT:
        values[name] = value
        if value != VERSION:
            complain(value_at, f"version {quoted(value)} of the format is not known", f"write {VERSION}")
    elif name not in READERS:
        complain(at, f"unknown key {quoted(name)}", _meant(name))
    else:
        try:
            values[name] = READERS[name](value)
        except ValueError as error:
            complain(value_at, str(error), "")


def _meant(name: str) -> str:
    known = [_FORMAT, *READERS]
    close = get_close_matches(name[:100], known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}"
