"""The words behind a box: id, code spans, ``{attributes}``, ``(depends on T1)``, and what is left as the title.

What stands in a code span is never looked into: positions are found in a copy of the line in which it is blanked out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NamedTuple

from overnight.core.durations import quoted
from overnight.core.task_list.attributes import READERS
from overnight.core.task_list.entries import Said

#: Stands for what is inside of a code span.
BLANKED = "\x01"
_TICKS = re.compile(r"`+|<!--")
_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):(?=[ \t]|$)")
_BOLD_ID = re.compile(r"(\*\*|__)([A-Za-z]*[0-9][A-Za-z0-9._-]*)(:\1|\1:)")
_GROUP = re.compile(r"\{([^{}]*)\}")
_WORD = re.compile(r"[^\s=\"]+(?:=(?:\"[^\"]*\"|[^\s\"]*))?")
_DEPENDS = re.compile(r"\(\s*depends\s+on\s+([^()]*)\)", re.IGNORECASE)
_LIKE_DEPENDS = re.compile(r"[(\[]\s*(?:depend(?:s|ing|ency|encies)?|blocked\s+by)\b[^()\[\]]*[)\]]", re.IGNORECASE)
_ID_WORD = re.compile(r"[^\s,;&]+")
_LINKING = frozenset({"and", "or", "&"})
#: The attribute that makes the code span a command.
RUN = "run"


class Masked(NamedTuple):
    """A line with what is commented out replaced by blanks, and the same with code spans blanked out."""

    plain: str
    masked: str
    #: Whether a comment is open at the end.
    in_comment: bool
    #: Where a code span begins that does not end in this line.
    unclosed: int | None


def mask(line: str, *, in_comment: bool) -> Masked:
    """Look at a line: what of it is comment, and what is code."""
    plain, masked, at = [], [], 0
    unclosed: int | None = None

    def take(end: int, hidden: str = "") -> None:
        nonlocal at
        piece = line[at:end]
        plain.append(" " * len(piece) if hidden == " " else piece)
        masked.append(hidden * len(piece) if hidden else piece)
        at = end

    while at < len(line):
        if in_comment:
            end = line.find("-->", at)
            in_comment = end < 0
            take(len(line) if end < 0 else end + 3, " ")
            continue
        found = _TICKS.search(line, at)
        if found is None:
            break
        take(found.start())
        if found[0] == "<!--":
            in_comment = True
            continue
        ticks = len(found[0])
        close = re.compile(rf"(?<!`)`{{{ticks}}}(?!`)").search(line, found.end())
        if close is None:
            unclosed = found.start() if unclosed is None else unclosed
            take(found.end())
        else:
            take(found.end())
            take(close.start(), BLANKED)
            take(close.end())
    take(len(line))
    return Masked("".join(plain), "".join(masked), in_comment, unclosed)


class Words(NamedTuple):
    """What the words of an item say. Offsets count from where the words begin."""

    key: str
    title: str
    #: What the first code span holds; None without one.
    code: str | None
    code_at: int
    said: Said
    workflow_at: int
    #: Whether the code span is a command, and where that is said.
    run_at: int | None
    needs: list[tuple[str, int]]


def read(plain: str, masked: str, complain: Callable[[int, str, str], None]) -> Words:
    """Read the words behind a box, or of a heading.

    Args:
        plain: The words.
        masked: The same with code spans blanked out.
        complain: Told of each mistake: offset into the words, what is wrong, advice.
    """
    if bold := _BOLD_ID.match(masked):
        complain(0, f"an id stands without stars: {bold[2]}:", f"write '{bold[2]}: ...'")
    named = _ID.match(masked)
    attributes = _attributes(masked, plain, complain)
    needs, spans = _dependencies(masked, complain)
    spans += attributes.spans
    if named:
        spans.append((0, named.end()))
    code, code_at = _code(plain, masked)
    title = _without(plain, masked, spans)
    return Words(named[1] if named else "", title, code, code_at, *attributes[:3], needs)


class _Attributes(NamedTuple):
    said: Said
    workflow_at: int
    run_at: int | None
    spans: list[tuple[int, int]]


def _attributes(masked: str, plain: str, complain: Callable[[int, str, str], None]) -> _Attributes:
    values: dict[str, Any] = {}
    spans: list[tuple[int, int]] = []
    workflow_at, run_at = 0, None
    for group in _GROUP.finditer(masked):
        spans.append(group.span())
        for word in _WORD.finditer(masked, group.start(1), group.end(1)):
            name, has_value, _ = word[0].partition("=")
            value = plain[word.start() + len(name) + 1 : word.end()].strip('"')
            if name == RUN and not has_value:
                run_at = word.start()
            elif name not in READERS:
                complain(word.start(), f"unknown attribute {quoted(name)}", _meant(name))
            elif not value:
                complain(word.start(), f"{name} says nothing", f"write {name}=...")
            elif name in values:
                complain(word.start(), f"{name} stands there twice", "")
            else:
                workflow_at = word.start() if name == "workflow" else workflow_at
                values.update(_value(name, value, word.start() + len(name) + 1, complain))
    for brace in re.finditer(r"[{}]", _GROUP.sub(lambda found: " " * len(found[0]), masked)):
        complain(brace.start(), "a brace without its other half", "attributes are {priority=5 timeout=30m}")
    return _Attributes(Said(**values), workflow_at, run_at, spans)


def _value(name: str, written: str, at: int, complain: Callable[[int, str, str], None]) -> dict[str, Any]:
    try:
        return {name: READERS[name](written)}
    except ValueError as error:
        complain(at, str(error), "")
        return {}


def _meant(name: str) -> str:
    close = get_close_matches(name[:100], [RUN, *READERS], n=1)
    return (
        f"did you mean {close[0]!r}?" if close else f"known here: {RUN}, {', '.join(READERS)}; text in braces is code"
    )


def _dependencies(
    masked: str, complain: Callable[[int, str, str], None]
) -> tuple[list[tuple[str, int]], list[tuple[int, int]]]:
    needs: list[tuple[str, int]] = []
    spans = []
    for found in _DEPENDS.finditer(masked):
        spans.append(found.span())
        ids = [(one[0], one.start()) for one in _ID_WORD.finditer(masked, *found.span(1)) if one[0] not in _LINKING]
        if not ids:
            complain(found.start(), "nothing is named that it depends on", "write (depends on T1, T2)")
        needs += ids
    rest = masked
    for start, end in spans:
        rest = rest[:start] + " " * (end - start) + rest[end:]
    for like in _LIKE_DEPENDS.finditer(rest):
        complain(like.start(), f"{quoted(like[0])} is no dependency as it is written here", "write (depends on T1, T2)")
    return needs, spans


def _code(plain: str, masked: str) -> tuple[str | None, int]:
    """What the first code span holds, and where."""
    found = re.search(f"{BLANKED}+", masked)
    if found is None:
        return None, 0
    code = plain[found.start() : found.end()]
    if len(code) > 2 and code[0] == code[-1] == " " and code.strip():  # noqa: PLR2004 - as CommonMark has it
        return code[1:-1], found.start() + 1
    return code, found.start()


def _without(plain: str, masked: str, spans: list[tuple[int, int]]) -> str:
    """The words without some of them, without the marks of code, in one line."""
    hidden = {at for start, end in spans for at in range(start, end)}
    kept = (" " if at in hidden else sign for at, sign in enumerate(plain) if at in hidden or masked[at] != "`")
    return " ".join("".join(kept).split())
