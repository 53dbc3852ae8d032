"""Mistakes in a text that people wrote, told as compilers tell them: place, line, caret, advice.

All of them at once, for a person who mends one mistake a call gives up at the third. Whoever reads a text
(``overnight.toml``, a task list) collects `Problem`s by offset; lines and columns are counted here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: Mistakes told in one go; the rest is counted.
MOST_TOLD = 50
#: Characters of a line shown around a mistake.
WINDOW = 100


class Problem(NamedTuple):
    """One mistake, at an offset into the text."""

    offset: int
    what: str
    advice: str = ""
    #: Further places that belong to it, and what is there.
    trail: tuple[tuple[int, str], ...] = ()


def told(text: str, filename: str, problems: Iterable[Problem], meaning: str) -> str:
    """All problems in the order of the text.

    Args:
        text: What was read.
        filename: How it is called in messages.
        problems: What is wrong with it.
        meaning: What that means for the tasks, for the first line.
    """
    ordered = sorted(problems)
    lines = [line for problem in ordered[:MOST_TOLD] for line in _told(text, filename, problem)]
    if len(ordered) > MOST_TOLD:
        lines.append(f"and {len(ordered) - MOST_TOLD} more")
    count = "a mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
    return "\n".join([f"{filename} has {count}; {meaning}", *lines])


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1, the column in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _told(text: str, filename: str, problem: Problem) -> list[str]:
    number, column = position(text, problem.offset)
    line = text[problem.offset - column + 1 :].split("\n", 1)[0]
    start = max(0, column - 1 - WINDOW // 2)
    shown = "".join(sign if sign.isprintable() else " " for sign in line[start : start + WINDOW])
    lines = [
        f"{filename}:{number}:{column}: error: {problem.what}",
        f"    {shown.rstrip()}",
        f"    {' ' * (column - 1 - start)}^",
    ]
    lines += [f"    {problem.advice}"] if problem.advice else []
    return lines + [f"    {filename}:{_line_and_column(text, offset)}: {what}" for offset, what in problem.trail]


def _line_and_column(text: str, offset: int) -> str:
    return ":".join(map(str, position(text, offset)))
