"""Running a command as a run of a suite: its tests are written down as they end, and its exit status is passed on.

This is the program of the task, so whatever ends the task ends this process and the command below it alike; what
they had said until then is in the record.
"""

from __future__ import annotations

import glob
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from overnight.core.events import printable
from overnight.core.task import text
from overnight.host.clock import Clock
from overnight.ops.suites import junit
from overnight.ops.suites.code import Code, look
from overnight.ops.suites.plugin import overnight_suite_record as plugin
from overnight.ops.suites.records import Began, End, Told, Trouble, Writer

#: Exit statuses of a shell for a program that is not there, or cannot be run.
_MISSING, _NOT_RUN = 127, 126
_BY_SIGNAL = 128
#: Files named to a person.
_NAMED = 3


class Wanted(NamedTuple):
    """What is to be run. `reports`: patterns of the files in JUnit's format that the command writes."""

    suite: str
    argv: tuple[bytes, ...]
    reports: tuple[str, ...]
    #: Whose run it is: task and attempt; None outside of a task.
    attempt: tuple[int, int] | None


class Recorded(NamedTuple):
    """What the command ended with, and what a person should know: what happened, what it means, what to type."""

    status: int
    notes: list[tuple[str, str]]
    #: It has not ended by itself.
    was_killed: bool = False


def record(home: Path, directory: Path, wanted: Wanted, clock: Clock) -> Recorded:
    """Run it in the current directory and write down what it says.

    Args:
        home: Is no code.
        directory: Of the records.
        wanted: What.
        clock: Of the machine.

    Raises:
        OSError: The record could not be written.
    """
    project, notes = Path.cwd(), list[tuple[str, str]]()
    none_of_it = frozenset({home.resolve(), *(path.resolve() for path in _matching(wanted.reports))})
    before = look(project, without=none_of_it)
    stamps = {path: _stamp(path) for path in _matching(wanted.reports)}
    writer = Writer(directory, _began(wanted, clock.now(), before))
    try:
        moment = clock.monotonic()
        status = _call(wanted.argv, _environ(None if wanted.reports else writer.path), notes)
        seconds = clock.monotonic() - moment
        if wanted.reports:
            _take_reports(writer, wanted.reports, stamps, notes)
        none_of_it |= {path.resolve() for path in _matching(wanted.reports)}
        code = _code_after(before, look(project, without=none_of_it), writer.path.stem, notes)
        exit_code, signal = (None, -status) if status < 0 else (status, None)
        writer.say(End(exit_code=exit_code, signal=signal, seconds=seconds, code=code))
    finally:
        writer.close()
    return Recorded(_BY_SIGNAL - status if status < 0 else status, notes, was_killed=status < 0)


def _began(wanted: Wanted, now: float, code: Code) -> Began:
    task_id, attempt = wanted.attempt or (None, None)
    return Began(
        suite=printable(wanted.suite),
        command=printable(" ".join(text(word) for word in wanted.argv)),
        at=now,
        code=code.word,
        task_id=task_id,
        attempt=attempt,
    )


def _call(argv: Sequence[bytes], environ: dict[str, str], notes: list[tuple[str, str]]) -> int:
    """How the command ended; minus the number of a signal."""
    try:
        with subprocess.Popen(argv, env=environ) as child:
            return child.wait()
    except OSError as error:
        name = argv[0].decode("utf-8", "backslashreplace")
        notes.append(
            (f"{name!r} could not be started ({error.strerror}); no test was run", "look at its name and PATH")
        )
        return _MISSING if isinstance(error, FileNotFoundError) else _NOT_RUN


def _environ(record: Path | None) -> dict[str, str]:
    """With the plug-in of pytest in it, when results are to come from there."""
    if record is None:
        return dict(os.environ)
    place = Path(plugin.__file__).resolve()
    words = {"PYTEST_ADDOPTS": (f"-p {place.stem}", " "), "PYTHONPATH": (str(place.parent), os.pathsep)}
    environ = {**os.environ, plugin.VARIABLE: str(record), plugin.PLACE: str(Path.cwd())}
    for name, (first, separator) in words.items():
        environ[name] = separator.join(filter(None, (first, os.environ.get(name, ""))))
    return environ


# -- reports of other test runners -----------------------------------------------------------


def _matching(patterns: Sequence[str]) -> list[Path]:
    return [Path(name).absolute() for pattern in patterns for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - absolute patterns, too


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _take_reports(
    writer: Writer,
    patterns: Sequence[str],
    before: dict[Path, tuple[int, int, int] | None],
    notes: list[tuple[str, str]],
) -> None:
    """The results in the reports that are new. Those of one that cannot be read are missing, which is said."""
    new = [path for path in _matching(patterns) if _stamp(path) != before.get(path)]
    try:
        found = [junit.read(path) for path in new]
    except junit.JUnitError as error:
        notes.append((error.message, error.hint))
        writer.say(Trouble(why="its report cannot be read"))
        return
    if not found:
        names = " ".join(patterns)
        notes.append(
            (
                f"the command wrote no report {names!r}; what its tests came to is not known",
                "have it write one, as in 'pytest --junitxml FILE', and name that file by --junit",
            )
        )
        writer.say(Trouble(why="it wrote no report"))
    for result in (result for report in found for result in report.results):
        writer.say(Told(name=result.name, outcome=result.outcome, seconds=result.seconds, message=result.message))


# -- the code --------------------------------------------------------------------------------


def _code_after(before: Code, after: Code, record: str, notes: list[tuple[str, str]]) -> str:
    """The code of a run: none that another run has when it was changed meanwhile; empty: as it was."""
    if not before.word:
        notes.append(
            (
                "there are too many files here to tell the code by; flaky tests of this run are found within it alone",
                "name data and products of builds in .gitignore",
            )
        )
        return ""
    changed = after.changed(before)
    if not changed and after.word == before.word:
        return ""
    names = ", ".join(name.decode("utf-8", "backslashreplace") for name in changed[:_NAMED])
    more = f" and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else ""
    notes.append(
        (
            f"files changed while the tests ran ({names}{more}); this run's code is taken for that of no other",
            "name in .gitignore what the tests write",
        )
    )
    return f"run:{record}"
