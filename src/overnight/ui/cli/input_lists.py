"""The inputs of a call: what the lists of its words hold, read, checked, and put together to inputs of tasks."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

from overnight.core import inputs
from overnight.core.errors import UsageError
from overnight.core.placeholders import COLUMN_SEPARATOR, columns, names_input
from overnight.core.task import MAX_INPUT_BYTES, Action, ActionKind, text
from overnight.ui.cli import printing

_STDIN = b"-"
#: Bytes of a list read at a time.
_PIECE = 1024 * 1024


def gather(
    parsed: inputs.Parsed, action: Action, *, nul: bool, most: int | None, stdin: BinaryIO | None
) -> list[bytes]:
    """All inputs of a call, each safe to be an argument; the empty one for a command without inputs.

    Args:
        parsed: The words of the call.
        action: What is done with them.
        nul: Inputs in files and on stdin end in NUL.
        most: So many inputs make one; None for one of each list.
        stdin: Instead of stdin, if that is a pipe or a file.

    Raises:
        UsageError: A list cannot be read, or could never be worked on.
    """
    found = _lists(parsed, action.cwd, nul=nul, stdin=stdin)
    if not found:
        return _none_for_command(action) if action.kind is ActionKind.COMMAND else _none_for(action)
    if most is None:
        return list(inputs.combine(found, [one.paired for one in parsed.lists]))
    if len(found) > 1:
        raise UsageError(
            "-n puts several inputs of one list into a task, and there are several lists; nothing was added",
            hint="leave out -n, or name one list",
        )
    return inputs.rows(found[0], most, () if action.shell else action.argv)


def _lists(parsed: inputs.Parsed, cwd: bytes, *, nul: bool, stdin: BinaryIO | None) -> list[list[bytes]]:
    """What each list holds; without any, what is piped in."""
    if not parsed.lists:
        source = stdin or _piped()
        return [] if source is None else [_read(source, cwd, nul=nul)]
    lists = []
    for one in parsed.lists:
        members = _safe(list(one.words), cwd)
        for name in one.files:
            with _opened(name, stdin) as file:
                members += _read(file, cwd, nul=nul)
        lists.append(members)
    return lists


def _read(file: BinaryIO, cwd: bytes, *, nul: bool) -> list[bytes]:
    """The inputs of a list, which itself is never in memory as a whole."""
    found: list[bytes] = []
    for some in inputs.split_each(iter(partial(file.read, _PIECE), b""), nul=nul):
        found += _safe(some, cwd)
    return found


def _none_for_command(action: Action) -> list[bytes]:
    """One task without an input. Its braces stay: ``rm -r {}/tmp`` must not become ``rm -r /tmp``."""
    if not action.shell and names_input(action.argv):
        printing.note("overnight: warning: there is no input, so '{}' in the command is left as it is")
    return [b""]


def _none_for(action: Action) -> list[bytes]:
    is_flow = action.kind is ActionKind.WORKFLOW
    what, how = ("the workflow", "-w NAME") if is_flow else ("the function of --call", "--call MODULE:FUNCTION")
    raise UsageError(
        f"{what} has no input to work on; nothing was added",
        hint=f"name inputs, as in 'overnight add {how} a b', or pipe them in",
    )


def _safe(members: list[bytes], cwd: bytes) -> list[bytes]:
    """Refuse what cannot be an input; put ``./`` before a file's name that would look like an option."""
    together = b"\n".join(members)  # looked at as a whole: the usual list has nothing to be looked at one by one
    if b"" in members or COLUMN_SEPARATOR in together or max(map(len, members), default=0) > MAX_INPUT_BYTES:
        for member in members:
            inputs.check(member)
    if not together.startswith(b"-") and b"\n-" not in together:
        return members
    return [b"./" + one if one.startswith(b"-") and _names_file(one, cwd) else one for one in members]


def _names_file(name: bytes, cwd: bytes) -> bool:
    return os.path.lexists(os.path.join(cwd, name))  # noqa: PTH118 - bytes


def _piped() -> BinaryIO | None:
    """Stdin, if somebody pipes into it or it is a file. A terminal and /dev/null are neither.

    Some programs pipe through a socket, as ksh93 and Node do.
    """
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    return sys.stdin.buffer if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode) else None


@contextmanager
def _opened(name: bytes, stdin: BinaryIO | None) -> Iterator[BinaryIO]:
    """A list file. What is wrong with reading it is told, too."""
    if name == _STDIN:
        yield stdin or sys.stdin.buffer
        return
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - bytes
            yield file
    except OSError as error:
        raise UsageError(
            f"the list {text(name)!r} cannot be read ({(error.strerror or str(error)).lower()}); nothing was added",
            hint="-a and '::::' take a file of inputs; an input itself stands before '--' or after ':::'",
        ) from None


def stamper(cwd: bytes) -> Callable[[bytes], str]:
    """A function from an input to the size and time of the file that it names, from the directory of the task."""
    prefix = b"" if cwd == os.getcwdb() else cwd.rstrip(b"/") + b"/"  # noqa: PTH109 - bytes

    def stamp(name: bytes) -> str:
        try:
            found = os.stat(name if not prefix or name[:1] == b"/" else prefix + name)  # noqa: PTH116 - bytes
        except OSError:
            return ""
        return f"{found.st_size}:{found.st_mtime_ns}" if stat.S_ISREG(found.st_mode) else ""

    def stamps(one: bytes) -> str:
        if COLUMN_SEPARATOR not in one:
            return stamp(one)
        found = [stamp(column) for column in columns(one)]
        return ",".join(found) if any(found) else ""

    return stamps
