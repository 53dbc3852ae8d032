"""The process in which a file of somebody is imported: it can look at everything, and change nothing.

Two walls. Where the system allows it, the process has no network and a file system that cannot be written. And
whatever Python is asked to do on its behalf that would change something is refused with words (PEP 578), so that what
it wanted to do can be told. The second alone stops accidents and no malice; the verdict says whether there were both.
"""

from __future__ import annotations

import importlib
import os
import resource
import runpy
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from overnight.host import namespaces
from overnight.host.processes import die_with

#: Bytes of memory, and of a file that it writes.
_MEMORY, _FILE = 4 * 1024**3, 64 * 1024**2
#: Seconds after which it ends by itself, when nobody is there any more who should have ended it.
_SLACK = 5.0
#: Characters of what is told.
_SHOWN = 300
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: What is refused, and how that is told. Source: the table of audit events of Python.
_CHANGES = ("remove", "rename", "rmdir", "mkdir", "link", "symlink", "truncate", "chmod", "chown", "utime")
_OF_FILES = frozenset({"open", "sqlite3.connect", *(f"os.{name}" for name in _CHANGES)})
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")
_REFUSED = {
    **{f"os.{name}": "change files" for name in _CHANGES},
    **dict.fromkeys(_STARTS, "start a program"),
    **dict.fromkeys(("os.fork", "os.forkpty", "pty.spawn"), "start a process"),
    **dict.fromkeys(("os.kill", "os.killpg", "signal.pthread_kill"), "end a process"),
    **dict.fromkeys(("socket.connect", "socket.bind", "socket.sendto"), "use the network"),
    "sqlite3.connect": "open a database",
}


class Order(msgspec.Struct, frozen=True):
    """What is to be imported. `function`: empty for a file that is run under another name than ``__main__``."""

    path: str
    roots: list[str]
    scratch: str
    seconds: float
    module: str = ""
    function: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """How that went.

    Attributes:
        outcome: ``imported``, ``refused``, ``raised``, ``exited``; of who waits: ``silent`` (it ended without a word),
            ``late``.
        words: What was wrong.
        line: Of the file, where that is known; else 0.
        is_open: The system itself did not keep it from changing anything.
    """

    outcome: str
    words: str = ""
    line: int = 0
    is_open: bool = False


class RefusedError(PermissionError):
    """It wanted to change something."""


def main() -> NoReturn:
    """Import what the first argument says (`Order` as JSON), and write a `Verdict` to the descriptor of the second.

    Who waits ends this process. Should that be killed itself, the kernel does it at once, and a clock where it cannot.
    """
    order, told, parent = msgspec.json.decode(sys.argv[1], type=Order), int(sys.argv[2]), int(sys.argv[3])
    _limit(order.seconds)
    is_sealed = _seal(order.scratch)
    die_with(parent)
    os.environ.update(dict.fromkeys(("TMPDIR", "TMP", "TEMP"), order.scratch))
    sys.dont_write_bytecode = True
    sys.path[:0] = order.roots
    sys.argv = [order.path]
    sys.addaudithook(_hook(order.scratch))
    outcome, words, line = _imported(order)
    os.write(told, msgspec.json.encode(Verdict(outcome, words[:_SHOWN], line, is_open=not is_sealed)))
    os._exit(0)  # nothing that it has left to be done at the end is done


def _limit(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds + _SLACK)
    for what, most in (
        (resource.RLIMIT_CPU, int(seconds) + 2),
        (resource.RLIMIT_DATA, _MEMORY),
        (resource.RLIMIT_FSIZE, _FILE),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def _seal(scratch: str) -> bool:
    try:
        namespaces.seal(scratch)
    except (OSError, AttributeError):  # off Linux there is no such call
        return False
    return True


def _hook(scratch: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Refuses what would change anything outside of `scratch`."""
    allowed = (scratch + os.sep, os.devnull)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        words = _REFUSED.get(event, "")
        if event == "open" and arguments[2] & _WRITES and not isinstance(arguments[0], int):
            words = "write"
        if words:
            paths = _paths(event, arguments)
            if not paths or not all(path.startswith(allowed) for path in paths):
                raise RefusedError(" ".join([words, *paths]))

    return refuse


def _paths(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """What would be changed; nothing for what is about no file."""
    if event == "sqlite3.connect" and arguments[0] == ":memory:":
        return [os.devnull]
    if event not in _OF_FILES:
        return []
    above = ""
    if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:  # named below a directory that is open
        above = os.fspath(Path(f"/proc/self/fd/{arguments[1]}").readlink())
    named = arguments[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1]
    names = [str(one) if isinstance(one, int) else os.fsdecode(one) for one in named]
    return [os.path.abspath(os.path.join(above, name)) for name in names]  # noqa: PTH100, PTH118 - text


def _imported(order: Order) -> tuple[str, str, int]:
    """What came of it: outcome, words, line."""
    try:
        if not order.function:
            runpy.run_path(order.path, run_name="overnight_trial")
            return "imported", "", 0
        found: Any = importlib.import_module(order.module)
        for name in order.function.split("."):
            found = getattr(found, name)
        return ("imported", "", 0) if callable(found) else ("raised", f"{order.function} is no function", 0)
    except RefusedError as error:
        return "refused", f"it wants to {error}", _line(error, order.path)
    except SystemExit as error:
        return "exited", f"it ends the process (sys.exit({error.code!r}))", _line(error, order.path)
    except BaseException as error:  # noqa: BLE001 - whatever it raises is the answer
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return "raised", words, _line(error, order.path)


def _line(error: BaseException, path: str) -> int:
    """Where in the file that was: its innermost line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno or 0 for frame in frames if os.path.abspath(frame.filename) == os.path.abspath(path)]  # noqa: PTH100
    return own[-1] if own else 0
