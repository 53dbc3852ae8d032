"""``task-queue.md``: a Markdown list whose boxes are tasks.

The list is read line by line, as far as a list of tasks goes: headings, boxes and what is indented below them;
code and comments count for nothing. What looks like a task and is none (a table, an unknown mark, a box without
its bullet) is a mistake with advice, for a list that silently loses a line loses a task.

Source: https://spec.commonmark.org/0.31.2/ for fences, indentation, headings and code spans.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

import msgspec

from overnight.core.durations import quoted
from overnight.core.problems import Problem
from overnight.core.task import MOST_DESCRIPTION, MOST_TITLE, raw
from overnight.core.task_list import front_matter, near_misses, words
from overnight.core.task_list.entries import Box, Entry, Said, TaskList, TaskListError, input_problem
from overnight.core.task_list.linking import Draft, link

_TAB = 4
#: Characters of a line; an input is half as long at most.
MOST_LINE = 256 * 1024
#: So many mistakes are looked for.
_ENOUGH = 1000
#: Indented so far outside of a list, a line is code.
_CODE_INDENT = 4
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?(`{3,}(?=[^`]*$)|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_BULLET = re.compile(r"([ \t]*)([-*+]|[0-9]{1,9}[.)])([ \t]+)(.*)")
_BOX = re.compile(r"\[([ xX-])\]([ \t]+)(?=\S)")
_SHELL = frozenset({"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1"})
_BOXES = {" ": Box.OPEN, "x": Box.DONE, "X": Box.DONE, "-": Box.CANCELLED}


def parse(text: str, filename: str, *, allow_run: bool) -> TaskList:
    """Read a list.

    Args:
        text: All of it; what was not UTF-8 as surrogate escapes.
        filename: How it is called in messages.
        allow_run: Whether commands that stand in it may be run.

    Raises:
        TaskListError: With every mistake in it.
    """
    scanner = _Scanner(text, allow_run=allow_run)
    scanner.scan()
    if scanner.problems:
        raise TaskListError(text, filename, scanner.problems)
    linked = link(scanner.drafts)
    if linked.problems:
        raise TaskListError(text, filename, linked.problems)
    return TaskList(linked.entries)


class _Level(NamedTuple):
    """A bullet that what follows may be indented below. `draft` is None for one without a box."""

    indent: int
    #: Where its words begin, in columns.
    content: int
    draft: int | None


class _Scanner:
    """Goes over the lines once and collects entries and mistakes."""

    def __init__(self, text: str, *, allow_run: bool) -> None:
        self._text = text
        self._allow_run = allow_run
        self.problems: list[Problem] = []
        self.drafts: list[Draft] = []
        self._general = Said()
        #: What the headings above say, by level.
        self._headings: dict[int, Said] = {}
        self._levels: list[_Level] = []
        self._fence: tuple[str, int] | None = None
        self._in_comment = False
        self._comment_at = 0
        #: The line before, when it is prose that an underline would make a heading.
        self._prose: tuple[int, str] | None = None
        self._after_blank = True
        self._seen: dict[tuple[bytes, tuple[bytes, ...], str | None], int] = {}

    def scan(self) -> None:
        offset = 1 if self._text.startswith("\ufeff") else 0
        lines = self._text[offset:].split("\n")
        first, self._general = front_matter.read(lines, offset, self._wrong)
        offset += sum(len(line) + 1 for line in lines[:first])
        for line in lines[first:]:
            if len(line) > MOST_LINE:
                self._wrong(offset, f"longer than the {MOST_LINE:,} characters of a line", "is it the right file?")
            elif len(self.problems) < _ENOUGH:
                self._line(line.removesuffix("\r"), offset)
            offset += len(line) + 1
        if self._fence is not None:
            self._wrong(self._fence[1], "this code block is never closed", "close it with the same fence")
        if self._in_comment:
            self._wrong(self._comment_at, "this comment is never closed", "close it with -->")

    def _wrong(self, offset: int, what: str, advice: str = "") -> None:
        if len(self.problems) < _ENOUGH:
            self.problems.append(Problem(offset, what, advice))

    # -- lines -------------------------------------------------------------------------------

    def _line(self, line: str, offset: int) -> None:
        """One line: what it is decides who reads it."""
        if self._in_code(line, offset):
            return
        was_in_comment = self._in_comment
        look = words.mask(line, in_comment=was_in_comment)
        self._in_comment = look.in_comment
        if look.in_comment and not was_in_comment:
            self._comment_at = offset + line.rfind("<!--")
        prose, self._prose = self._prose, None
        if not look.plain.strip():
            self._after_blank = self._after_blank or not line.strip()
            return
        after_blank, self._after_blank = self._after_blank, False
        if "\0" in line:
            self._wrong(offset + line.index("\0"), "a NUL byte", "this is no text; is it the right file?")
        elif heading := _HEADING.match(look.masked):
            self._heading(heading, look, offset)
        elif miss := near_misses.of_block(look.masked, prose):
            self._wrong(offset if prose is None else prose[0], *miss)
        elif bullet := _BULLET.fullmatch(look.masked):
            self._bullet(bullet, look, offset)
        elif miss := near_misses.of_line(look.masked):
            self._wrong(offset + len(line) - len(line.lstrip()), *miss)
        else:
            self._words_below(look, offset, after_blank=after_blank)

    def _in_code(self, line: str, offset: int) -> bool:
        """Whether a line belongs to a code block; its fences do."""
        if self._in_comment:
            return False
        if self._fence is not None:
            mark = self._fence[0]
            bare = line.strip()
            if len(bare) >= len(mark) and not bare.strip(mark[0]):
                self._fence = None
            return True
        found = _FENCE.match(line)
        if found is None or (not self._levels and _indent(line) >= _CODE_INDENT):
            return False
        self._fence = found[1], offset
        self._prose, self._after_blank = None, False
        return True

    def _heading(self, found: re.Match[str], look: words.Masked, offset: int) -> None:
        level, start = len(found[1]), found.end()
        end = start + len(_without_closing(look.masked[start:]))
        at = offset + start
        read = words.read(look.plain[start:end], look.masked[start:end], lambda n, *said: self._wrong(at + n, *said))
        if read.run_at is not None:
            self._wrong(at + read.run_at, "a heading cannot be a command", "write {run} behind the box")
        if read.needs:
            self._wrong(at + read.needs[0][1], "a heading cannot depend on tasks", "write it behind each box")
        self._headings = {one: said for one, said in self._headings.items() if one < level}
        above = self._headings[max(self._headings)] if self._headings else self._general
        self._headings[level] = read.said.over(above)
        self._levels.clear()

    def _bullet(self, found: re.Match[str], look: words.Masked, offset: int) -> None:
        indent = _columns(found[1])
        content = _columns(look.plain[: found.start(4)])
        box = _BOX.match(found[4])
        miss = None if box else near_misses.of_item(found[4])
        if miss:
            self._wrong(offset + found.start(4), *miss)
        if box and not self._levels and indent >= _CODE_INDENT:
            self._wrong(offset + found.start(2), "indented so far, this is code and no task", "indent it less")
            return
        self._leave(indent)
        if box and self._levels and indent < self._levels[-1].content:
            advice = f"indent it by {self._levels[-1].content} for a part of it, or by {self._levels[-1].indent}"
            self._wrong(offset + found.start(2), "neither below the one above it nor beside it", advice)
        whole = next((one.draft for one in reversed(self._levels) if one.draft is not None), None)
        number = len(self.drafts) if box else None
        if box:
            self._task(found, box, look, offset, whole)
        elif whole is not None:
            self._describe(whole, look, offset, found.start(2))
        self._levels.append(_Level(indent, content, number))

    def _leave(self, indent: int) -> None:
        """Leave the bullets that a line with this indentation is not below."""
        while self._levels and self._levels[-1].indent >= indent:
            self._levels.pop()

    def _words_below(self, look: words.Masked, offset: int, *, after_blank: bool) -> None:
        """Prose; indented below a task it describes it."""
        indent = _indent(look.plain)
        if after_blank or indent:
            self._leave(indent)
        whole = next((one.draft for one in reversed(self._levels) if one.draft is not None), None)
        if whole is not None and indent:
            self._describe(whole, look, offset, 0)
        elif not self._levels:
            self._prose = offset, look.masked

    def _describe(self, whole: int, look: words.Masked, offset: int, start: int) -> None:
        """More words about a task. What would have a meaning behind its box must not be lost here."""
        if late := near_misses.LATE.search(look.masked):
            self._wrong(offset + late.start(), "this counts only on the line of its box", "move it there")
        draft = self.drafts[whole]
        if len(draft.entry.description) >= MOST_DESCRIPTION:
            return
        more = "\n".join(filter(None, (draft.entry.description, look.plain[start:].strip())))
        draft.entry = msgspec.structs.replace(draft.entry, description=more[:MOST_DESCRIPTION])

    # -- tasks -------------------------------------------------------------------------------

    def _task(
        self, found: re.Match[str], box: re.Match[str], look: words.Masked, offset: int, whole: int | None
    ) -> None:
        start = found.start(4) + box.end()
        at = offset + start
        if look.unclosed is not None:
            self._wrong(offset + look.unclosed, "this code span is not closed in its line", "close it with a `")
        read = words.read(look.plain[start:], look.masked[start:], lambda n, *said: self._wrong(at + n, *said))
        command = self._command(read, at, is_open=box[1] == " ")
        work = b"" if command else raw(read.title if read.code is None else read.code)
        said = read.said.over(self._headings[max(self._headings)] if self._headings else self._general)
        entry = Entry(
            key=read.key,
            title=self._title(read, at),
            input=work,
            box=_BOXES[box[1]],
            run=command,
            said=said,
            entry=read.key or self._occurrence(work, command, said.workflow),
            offset=at,
            workflow_at=at + read.workflow_at,
            box_at=offset + found.start(4) + 1,
        )
        if not command and entry.title and (problem := input_problem(work, at + read.code_at)):
            self.problems.append(problem)
        self.drafts.append(Draft(entry, [(key, at + inside) for key, inside in read.needs], whole))

    def _title(self, read: words.Words, at: int) -> str:
        if not read.title:
            self._wrong(at, "there are no words that say what is to be done", "write a title or a `file`")
        title = f"{read.key}: {read.title}" if read.key else read.title
        if len(title) > MOST_TITLE:
            self._wrong(at, f"longer than the {MOST_TITLE:,} characters of a title", "put the text below the box")
        return title

    def _command(self, read: words.Words, at: int, *, is_open: bool) -> tuple[bytes, ...]:
        """The words of the command; empty when it is none."""
        if read.run_at is None:
            return ()
        where = at + read.code_at
        if read.code is None:
            self._wrong(at + read.run_at, "there is no command", "write it as code: `make all` {run}")
            return ()
        if is_open and not self._allow_run:
            self._wrong(
                at + read.run_at,
                "a command out of a list is run only if that is allowed",
                "read it, then add --allow-run to the line",
            )
        try:
            argv = shlex.split(read.code)
        except ValueError as error:
            self._wrong(where, f"{quoted(read.code)} is no command: {str(error).lower()}", "close the quotes")
            return ()
        if read.said.workflow is not None:
            self._wrong(at + read.run_at, "a task is a command or a workflow, and not both", "leave out one of them")
        if not argv:
            self._wrong(where, "there is no program to run", "write it as code: `make all` {run}")
        elif strange := next((word for word in argv if word in _SHELL), None):
            advice = f"write `sh -c {shlex.quote(read.code)}`"
            self._wrong(where, f"no shell reads this command, so {strange!r} would be a plain word", advice)
        return tuple(map(raw, argv))

    def _occurrence(self, work: bytes, command: tuple[bytes, ...], workflow: str | None) -> str:
        """Tells apart those without an id that say the same: nothing for the first, then ``#2`` and so on."""
        key = (work, command, workflow)
        self._seen[key] = self._seen.get(key, 0) + 1
        return f"#{self._seen[key]}" if self._seen[key] > 1 else ""


def _without_closing(heading: str) -> str:
    """The words of a heading without the number signs that may close it."""
    words = heading.rstrip()
    bare = words.rstrip("#")
    return bare.rstrip() if bare != bare.rstrip() or not bare else words


def _indent(line: str) -> int:
    """How many columns a line is indented by."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(_TAB))


def _columns(begin: str) -> int:
    """How many columns the beginning of a line takes."""
    indent = begin[: len(begin) - len(begin.lstrip(" \t"))]
    return len(indent.expandtabs(_TAB)) + len(begin) - len(indent)
