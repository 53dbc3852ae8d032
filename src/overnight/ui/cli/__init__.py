"""The command line: one verb, one file in ``commands``; what they share stands beside this file.

Every failure ends here as one message of three parts (what happened, what it means, what to type)
and the exit status that the documentation promises. A traceback is for us and not for people, so
it takes OVERNIGHT_DEBUG=1 to see one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from overnight.core.errors import OvernightError, UsageError
from overnight.ui.cli import printing

__all__ = ["main", "run"]

#: 128 plus the number of the signal, as shells count.
INTERRUPTED = 130
BROKEN_PIPE = 141


def main() -> NoReturn:
    """The program: run the command line of this process and exit with its status."""
    _complete_streams()
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:  # while we were loading, or while we were saying how it went
        status = INTERRUPTED
    # Taking the interpreter apart piece by piece would cost `add` a tenth of its time, for nothing.
    os._exit(status)


def _complete_streams() -> None:
    """Let standard streams that the caller has closed lead nowhere.

    Otherwise the next file that is opened takes the number of one, and is written to as such.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - stdin, stdout, stderr
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - its only argument
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115 - a descriptor, and never closed
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - the same
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - the same


def run(args: Sequence[str]) -> int:
    """Run one command line; return its exit status, with everything written that there is to say."""
    try:
        status = _run(args)
        sys.stdout.flush()
    except printing.UnwrittenError as error:
        return _unwritten(nobody_reads=error.nobody_reads, reason=str(error))
    except OSError as error:
        return _unwritten(nobody_reads=isinstance(error, BrokenPipeError), reason=_reason(error))
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return status


def _run(args: Sequence[str]) -> int:
    from overnight.ui.cli.group import overnight

    out = sys.stdout
    try:
        result = overnight.main(list(args), prog_name="overnight", standalone_mode=False)
    except printing.UnwrittenError:
        raise
    except SystemExit as ended:
        if sys.stdout is not out:  # click puts something else there when nobody reads its page of help
            return BROKEN_PIPE
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the one place where everything unexpected ends
        return _failed(error)
    return result if isinstance(result, int) else 0


def _failed(error: Exception) -> int:
    """Say what went wrong; return the exit status that the documentation promises for it."""
    if isinstance(error, OvernightError):
        _say(error.message, error.hint)
        return error.exit_code
    if isinstance(error, click.UsageError):
        from overnight.ui.cli.misused import three_parts

        _say(*three_parts(error))
        return error.exit_code
    if isinstance(error, click.ClickException):
        _say(error.format_message())
        return error.exit_code
    return _unexpected(error)


def _say(what: str, hint: str = "") -> None:
    """One error, as people read it. A file name in it may hold anything."""
    lines = what.split("\n")
    printing.note("overnight: " + "\n".join(printing.clean(line) for line in lines))
    if hint:
        printing.note("  try: " + printing.clean(hint))


def _nowhere() -> bool:
    """Whether the current directory has been deleted under us."""
    try:
        os.getcwd()  # noqa: PTH109 - pathlib is not loaded, and something is wrong already
    except FileNotFoundError:
        return True
    return False


def _unexpected(error: Exception) -> int:
    """A machine that refuses, or a bug of ours."""
    if isinstance(error, FileNotFoundError) and _nowhere():
        _say("the current directory has been deleted; nothing was done", "cd to one that exists")
        return UsageError.exit_code
    if os.environ.get("OVERNIGHT_DEBUG") == "1":
        from traceback import print_exception

        print_exception(error)
    again = "the same command again, with OVERNIGHT_DEBUG=1 in front of it, says where"
    if isinstance(error, OSError):
        from overnight.ui.cli.refusals import hint

        what = f"the machine refused: {_reason(error)}; what was on record before is untouched"
        _say(what, hint(error, other=again))
    else:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _say(f"unexpected {what}; this is a bug, and what was on record before is untouched", again)
    return 1


def _reason(error: OSError) -> str:
    where = error.filename
    name = f": {os.fsdecode(where)}" if isinstance(where, str | bytes) else ""
    return f"{error.strerror or error}{name}"


def _unwritten(*, nobody_reads: bool, reason: str) -> int:
    """Results could not be written; say so, unless whoever read them has simply left."""
    printing.silence(sys.stdout)
    if nobody_reads:
        return BROKEN_PIPE
    _say(
        f"the result could not be written: {reason}; what was done stays done",
        "the same command with its output to another place",
    )
    return 1
