"""The demo behind ``make demo``: makes files, has them processed, and compares the books with what was expected.

Each run starts afresh: it removes what an earlier one has left in this folder.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from files import BROKEN, FLAKY, make

HERE = Path(__file__).parent
HOME, FILES, OUT = HERE / ".overnight", HERE / "files", HERE / "out"
#: The files of a demo are small, so it may run where less than the usual 1 GB of disk is free.
ENVIRONMENT = os.environ | {"OVERNIGHT_HOME": str(HOME), "OVERNIGHT_GATE_DISK": "50MB"}
#: Something of the call failed; that is what a demo with broken files must end with.
SOME_FAILED = 1
#: The only file that the function in `catalogue` refuses for good.
CATALOGUE_FAILS = {b"broken-empty.csv"}


def main() -> int:
    """Run everything once. Returns 0 when every file ended as it should."""
    began = time.monotonic()
    _clear()
    names = make(FILES)
    print(f"{len(names)} files in {os.path.relpath(FILES)}; {len(BROKEN)} of them are broken on purpose")

    _say("A command for each file. Some will fail; the others do not wait for them.")
    command = _overnight("run", *(b"files/" + name for name in names), "--", sys.executable, "job.py", "{}")

    _say("A Python function for each file; the names come by a pipe, so that every byte survives.")
    function = _overnight("run", "-0", "--call", "catalogue:entry", stdin=b"\0".join(names) + b"\0")

    _say("What is in the books now, and what failed for what reason:")
    _overnight("status")
    _overnight("list", "--state", "failed")
    books = _overnight("verify")

    ends = {"run FILES": (command, SOME_FAILED), "run --call": (function, SOME_FAILED), "verify": (books, 0)}
    wrong = _differences({f"exit status of {verb}": codes for verb, codes in ends.items()}) + _compare(names)
    for trouble in wrong:
        print(f"NOT AS EXPECTED: {trouble}")
    if not wrong:
        print(f"\nAs expected, in {time.monotonic() - began:.0f} s. Results are in {os.path.relpath(OUT)}.")
        program = Path(sys.executable).parent / "overnight"
        print(f"Look next, with an id from the list: cd {os.path.relpath(HERE)} && {program} show ID")
    return 1 if wrong else 0


def _say(words: str) -> None:
    """A line between two commands."""
    print(f"\n# {words}", flush=True)


def _clear() -> None:
    """Remove what an earlier demo left, its engine included should it still run."""
    if HOME.exists():
        _overnight("stop", "--now", quiet=True)
    for folder in (HOME, FILES, OUT):
        shutil.rmtree(folder, ignore_errors=True)


def _overnight(*words: str | bytes, stdin: bytes | None = None, quiet: bool = False) -> int:
    """Run one command of Overnight in this folder, showing what a person would type. Returns its exit status."""
    if not quiet:
        print(f"$ overnight {_as_typed(words)}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "overnight", *words],
        check=False,
        cwd=HERE,
        env=ENVIRONMENT,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=quiet,
    )
    return done.returncode


def _as_typed(words: tuple[str | bytes, ...]) -> str:
    """The many file names as a pattern, and the interpreter by its name."""
    shown = ["files/*"] if any(isinstance(word, bytes) for word in words) else []
    plain = ["python" if word == sys.executable else word for word in words if isinstance(word, str)]
    return " ".join([plain[0], *shown, *(shlex.quote(word) if " " in word else word for word in plain[1:])])


def _compare(names: list[bytes]) -> list[str]:
    """Where the books differ from what the files should have come to."""
    tasks = _books()
    failing = len(BROKEN) + len(CATALOGUE_FAILS)
    found = {
        "tasks": (len(tasks), 2 * len(names)),
        "failed": (sum(task["state"] == "failed" for task in tasks), failing),
        "completed": (sum(task["state"] == "completed" for task in tasks), 2 * len(names) - failing),
        "results in out/": (len(list(OUT.glob("*.json"))), len(names) - len(BROKEN)),
    }
    attempts = {task["input"]: task["attempt"] for task in tasks}
    for name, wanted in (BROKEN | {FLAKY: 2}).items():
        found[f"attempts of {name.decode()}"] = (attempts.get(f"files/{name.decode()}"), wanted)
    return _differences(found)


def _books() -> list[dict[str, Any]]:
    """Every task of the home, as `list --json` shows it."""
    words = [sys.executable, "-m", "overnight", "list", "--json"]
    listed = subprocess.run(words, check=True, cwd=HERE, env=ENVIRONMENT, capture_output=True)
    return [json.loads(line) for line in listed.stdout.splitlines()]


def _differences(found: dict[str, tuple[int | None, int]]) -> list[str]:
    return [f"{what}: {value}, not {wanted}" for what, (value, wanted) in found.items() if value != wanted]


if __name__ == "__main__":
    sys.exit(main())
