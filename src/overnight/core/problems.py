"""Mistakes in a text that people write: where each stands, and how it is told.

As compilers do it: ``file:line:column``, the line, a caret, and what was probably meant. All of them at
once, in the order of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from overnight.core.places import Path, Place
from overnight.core.workflow.faults import Fault

#: Mistakes told in one go; the rest is counted.
MOST_TOLD = 50
#: Characters of a line shown around a mistake.
WINDOW = 100
#: What may be a password in a line that is shown, each behind what may be shown before it: the database that is
#: named, all but its scheme; an address with a login; a word that says so itself.
_SECRETS = (
    re.compile(
        r"""(\bdatabase["']?\s*=\s*["']*(?!["'\s]|sqlite3?:)(?:[a-z][a-z0-9+.-]{0,19}:/+|postgres(?:ql)?:)?)([^\n]*)"""
    ),
    re.compile(r"((?:[a-z][a-z0-9+.-]{0,19}:/|postgres(?:ql)?:)/*)([^\n]*)(?=@)", re.IGNORECASE),
    re.compile(r"""(pass\w{0,19}["']?\s*=\s*)('[^'\n]*'?|(?:\\.|[^\s"'&])+)""", re.IGNORECASE),
)


class Problem(NamedTuple):
    """One mistake, at an offset into the text."""

    offset: int
    what: str
    advice: str = ""
    #: Further places that belong to it, and what is there.
    trail: tuple[tuple[int, str], ...] = ()


def nearest(known: Mapping[Path, Place], path: Path) -> Place:
    """Where a key stands; should it not be known, where the table around it does."""
    for length in range(len(path), 0, -1):
        if path[:length] in known:
            return known[path[:length]]
    return Place(0, 0)


def of_fault(known: Mapping[Path, Place], above: Path, fault: Fault) -> Problem:
    """What is wrong with a definition, at its place in the text.

    Args:
        known: Where everything stands.
        above: Where the definition begins.
        fault: What is wrong with it.
    """
    place = nearest(known, (*above, *fault.where))
    # A place inside of a text counts from behind its quote.
    offset = place.key if fault.at_key else place.value + (fault.inside + 1 if fault.inside else 0)
    trail = tuple((nearest(known, (*above, *mark.where)).value, mark.what) for mark in fault.trail)
    return Problem(offset, fault.what, fault.advice, trail)


def told(text: str, filename: str, problems: Iterable[Problem], meaning: str) -> str:
    """All problems for people, under a line that counts them.

    Args:
        text: What was read.
        filename: How it is called in messages.
        problems: What is wrong with it.
        meaning: What that means for the tasks, for the first line.
    """
    problems = list(problems)
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return "\n".join([f"{filename} has {count}; {meaning}", *listed(text, filename, problems)])


def told_shortly(text: str, problem: Problem) -> str:
    """One problem on one line: where it stands and what it is."""
    return f"line {position(text, problem.offset)[0]}: {problem.what}"


def listed(text: str, filename: str, problems: Iterable[Problem]) -> list[str]:
    """Lines for people, the problems in the order of the text."""
    ordered = sorted(problems)
    lines = [line for problem in ordered[:MOST_TOLD] for line in _told(text, filename, problem)]
    return lines + ([f"and {len(ordered) - MOST_TOLD} more"] if len(ordered) > MOST_TOLD else [])


def _told(text: str, filename: str, problem: Problem) -> list[str]:
    """A problem as compilers tell it: place, line, caret, advice."""
    number, column = position(text, problem.offset)
    line = text[problem.offset - column + 1 :].split("\n", 1)[0]
    line = _masked(line)
    start = max(0, column - 1 - WINDOW // 2)
    shown = "".join(sign if sign.isprintable() else " " for sign in line[start : start + WINDOW])
    lines = [
        f"{filename}:{number}:{column}: error: {problem.what}",
        f"    {shown.rstrip()}",
        f"    {' ' * (column - 1 - start)}^",
    ]
    lines += [f"    {problem.advice}"] if problem.advice else []
    return lines + [f"    {filename}:{_line_and_column(text, offset)}: {what}" for offset, what in problem.trail]


def _masked(line: str) -> str:
    """A line as long as before, without what may be a password in it."""
    for secret in _SECRETS:
        line = secret.sub(lambda found: found[1] + "*" * len(found[2]), line)
    return line


def _line_and_column(text: str, offset: int) -> str:
    return ":".join(map(str, position(text, offset)))


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both counted from 1, the column in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
