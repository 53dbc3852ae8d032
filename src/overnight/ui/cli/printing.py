"""What people read: plain text, and nothing in it that could steer their terminal.

Names of tasks and inputs come from strangers. An escape code in one could hide lines, rewrite what
stands above or fill the clipboard, so every text passes through `clean` on its way out, whether
it goes to a terminal or into a file that somebody will look at. Exact bytes are in ``--json``.

Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

#: C0 and C1 controls, surrogates (bytes that are not UTF-8), and the characters that turn the
#: direction of writing, which can make one name look like another.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
#: How Python writes bytes that are not UTF-8 (PEP 383).
_ESCAPED_BYTES = range(0xDC80, 0xDD00)
_ONE_BYTE = range(0x100)
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
#: In the output of a task on a terminal: everything but colours, line ends and tabs.
_UNSAFE_OUTPUT = (
    rb"\x1b(?!\[[0-9;:]*m)(?:[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~]?)"
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\xc2(?:[\x80-\x9f]|\Z)"
)


def clean(words: str) -> str:
    """Text on one line, with every character that could steer a terminal written out."""
    return words if words.isprintable() else re.sub(_UNSAFE, _written_out, words)


def clean_output(content: bytes) -> bytes:
    """The output of a task for a terminal: colours stay, everything else that steers it goes."""
    return re.sub(_UNSAFE_OUTPUT, b"", content)


def _written_out(match: re.Match[str]) -> str:
    character = match.group()
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code in _ESCAPED_BYTES:
        code -= _ESCAPED_BYTES.start - 0x80
    return f"\\x{code:02x}" if code in _ONE_BYTE else f"\\u{code:04x}"


def shell_word(word: str) -> str:
    """A word as a shell reads it; what is not printable is written out as bash, zsh and ksh take it."""
    from shlex import quote

    return quote(word) if word.isprintable() else f"$'{''.join(map(_spelt, word))}'"


def _spelt(character: str) -> str:
    """One character between ``$'`` and ``'``; what a terminal must not see as the bytes that it stands for."""
    if character in "\\'":
        return f"\\{character}"
    if character in _NAMED or character.isprintable():
        return _NAMED.get(character, character)
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


class UnwrittenError(Exception):
    """A result could not be written. No `OSError`, since that is also what a home or a store may raise."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror or str(cause))
        #: Whether whoever read our results has left, as ``head`` does.
        self.nobody_reads = isinstance(cause, BrokenPipeError)


def say(line: str = "") -> None:
    """One line of a result. What is in it must have been through `clean`.

    Raises:
        UnwrittenError: It could not be written.
    """
    try:
        sys.stdout.write(_encodable(line + "\n", sys.stdout.encoding))
    except OSError as error:
        raise UnwrittenError(error) from error


def flush() -> None:
    """Have the results that were said so far where they go: what follows may take for ever.

    Raises:
        UnwrittenError: They could not be written.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        raise UnwrittenError(error) from error


def pour(content: bytes, *, stream: int = 1) -> None:
    """Bytes as they are, at once: to stdout (1) or stderr (2). A terminal gets them through `clean_output`.

    Raises:
        UnwrittenError: They could not be written.
    """
    target = sys.stdout if stream == 1 else sys.stderr
    try:
        target.flush()
        target.buffer.write(clean_output(content) if target.isatty() else content)
        target.buffer.flush()
    except OSError as error:
        raise UnwrittenError(error) from error


def silence(stream: TextIO) -> None:
    """Let everything written to stdout or stderr from now on lead nowhere; it has failed to take something."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def note(line: str) -> None:
    """One line beside the result: a notice, a warning. Lost when nobody can take it."""
    with contextlib.suppress(OSError):
        sys.stderr.write(_encodable(line + "\n", sys.stderr.encoding))


def _encodable(line: str, encoding: str | None) -> str:
    """The line with everything written out that the encoding of its stream cannot hold."""
    name = encoding or "utf-8"
    return line.encode(name, "backslashreplace").decode(name)


def on_terminal() -> bool:
    """Whether results go to a terminal."""
    return sys.stdout.isatty()


def width() -> int:
    """Columns of a line: those of the terminal, otherwise 80."""
    try:
        return max(40, os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 80


def room() -> int | None:
    """Columns into which a line is cut on a terminal; None where somebody else reads, who wants all of it."""
    return width() if on_terminal() else None


def fit(words: str, columns: int | None) -> str:
    """Shorten text from its middle, so that the beginning and the end of a path stay visible. None: do not."""
    if columns is None or len(words) <= columns:
        return words
    head = max(1, (columns - 1) // 3)
    tail = max(0, columns - 1 - head)
    return words[:head] + "…" + (words[-tail:] if tail else "")


def wrapped(line: str, columns: int) -> list[str]:
    """A line that is too long as several, the later ones below where its first word begins."""
    if len(line) <= columns:
        return [line]
    from textwrap import wrap

    indent = " " * (len(line) - len(line.lstrip()))
    return wrap(line, columns, subsequent_indent=indent, break_on_hyphens=False)


def table(rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), last: int | None = None) -> list[str]:
    """Rows with their columns aligned, two spaces between them.

    Args:
        rows: Cells that have been through `clean`.
        right: Positions of the columns that are aligned to the right.
        last: Columns on a line; the last cell is shortened to fit. None does not shorten.
    """
    cells = [tuple(row) for row in rows]
    if not cells:
        return []
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = []
    for row in cells:
        front = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        used = sum(widths[:-1]) + 2 * (len(widths) - 1)
        end = row[-1] if last is None else fit(row[-1], max(8, last - used))
        lines.append("  ".join([*front[:-1], end if len(row) - 1 not in right else front[-1]]).rstrip())
    return lines


def speed(per_second: float) -> str:
    """``4.0/s``, or by the minute what is slower; empty when nothing moves."""
    if not per_second:
        return ""
    return f"{per_second:,.1f}/s" if per_second >= 1 else f"{per_second * 60:,.1f}/min"


def duration(seconds: float) -> str:
    """A length of time for people: ``0.4 s``, ``42 s``, ``10 h 2 min``."""
    from overnight.core.durations import format_duration

    return format_duration(seconds)


def spent(seconds: float) -> str:
    """A length of time that may be very short: ``3 ms``, ``0.4 s``, ``10 h 2 min``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else duration(seconds)  # noqa: PLR2004 - what a tenth can show


def clock(at: float) -> str:
    """An instant in local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def zoned(at: float) -> str:
    """An instant in local time with how far that is ahead of UTC: in autumn an hour comes twice."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(at))


def iso(at: float | None) -> str | None:
    """An instant for programs: ISO 8601 in UTC with ``Z``."""
    from overnight.core.durations import iso

    return None if at is None else iso(at)


def size(size_bytes: float) -> str:
    """An amount of memory or output: ``812 B``, ``3.4 MB``."""
    from overnight.core.durations import format_size

    return format_size(size_bytes)


def count(number: int, one: str, many: str = "") -> str:
    """``1 task``, ``2,000 tasks``."""
    from overnight.core.durations import format_count

    return format_count(number, one, many)


def place(path: str) -> str:
    """A path as people know it: below the home directory with ``~``."""
    user = os.path.expanduser("~")  # noqa: PTH111 - pathlib is not needed on this road, and costs start-up time
    if user != "/" and (path == user or path.startswith(user + "/")):
        path = "~" + path[len(user) :]
    return clean(path)
