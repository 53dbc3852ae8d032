"""Trying a part without letting it do anything: imported in a process that is contained, limited and then ended.

Between us and that process stands another one, to which everything comes that loses its parents. It waits no longer
than it was told to, and ends all that is below it before it says what it has seen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from overnight.host.interpreter import python_for
from overnight.host.processes import set_subreaper
from overnight.host.purge import purge
from overnight.ops.dormant.importing import Order, Verdict

#: Shells that can read a script without running it.
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
#: Seconds for which the process between is waited longer than it waits itself.
_SLACK = 15.0
#: Bytes of a verdict.
_MOST = 64 * 1024


def import_trial(
    path: Path, roots: Sequence[str], *, cwd: Path, module: str = "", function: str = "", seconds: float = 20.0
) -> Verdict:
    """Import a file where it can do no harm.

    Args:
        path: The file.
        roots: Where modules are looked for, besides where we look.
        cwd: Where it is imported.
        module: Under which name it is imported; empty: it is run as a script, but not as ``__main__``.
        function: What must be in it then.
        seconds: How long that may take.
    """
    scratch = tempfile.mkdtemp(prefix="overnight-trial-")
    order = Order(os.fspath(path), list(roots), scratch, seconds, module, function)
    words = [*python_for("overnight.ops.dormant.trial"), msgspec.json.encode(order).decode()]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds + _SLACK,
            check=False,
        )
        return msgspec.json.decode(done.stdout, type=Verdict)
    except subprocess.TimeoutExpired:
        return Verdict("late", f"it was still there after {seconds + _SLACK:g} s")
    except msgspec.DecodeError:
        return Verdict("silent", "the process that watches it came to an end")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def syntax_trial(path: Path, interpreter: str, *, seconds: float = 20.0) -> Verdict:
    """Have a shell read a script; it runs nothing of it."""
    try:
        done = subprocess.run(
            [interpreter, "-n", os.fspath(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        return Verdict("raised", f"there is no {interpreter} on PATH")
    except subprocess.TimeoutExpired:
        return Verdict("late", f"{interpreter} -n took longer than {seconds:g} s")
    if done.returncode == 0:
        return Verdict("imported")
    return Verdict(
        "raised", done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{interpreter} refuses it"
    )


def main() -> None:
    """The process between: start the importing one, wait, end everything, print a `Verdict`."""
    order = msgspec.json.decode(sys.argv[1], type=Order)
    set_subreaper()
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    reading, writing = os.pipe()
    try:
        child = subprocess.Popen(
            [*python_for("overnight.ops.dormant.importing"), sys.argv[1], str(writing), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(writing,),
        )
        os.close(writing)
        verdict = _waited(child, order.seconds)
    finally:
        purge()
    if verdict is None:
        os.set_blocking(reading, False)  # whoever else had the other end is dead
        verdict = _read(reading, child.returncode)
    sys.stdout.write(msgspec.json.encode(verdict).decode())


def _waited(child: subprocess.Popen[bytes], seconds: float) -> Verdict | None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        return Verdict("late", f"it was not done after {seconds:g} s")
    return None


def _read(descriptor: int, status: int) -> Verdict:
    try:
        return msgspec.json.decode(os.read(descriptor, _MOST), type=Verdict)
    except (BlockingIOError, msgspec.DecodeError):
        how = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return Verdict("silent", f"it ended the process {how}")
