"""Waking a dormant part: tested, laid down, run once in sight of whoever asked, and noted."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from overnight import wiring
from overnight.core.configuration import MistakesError, parse
from overnight.core.dormancy import LYING, Dormancy, Found, Kind, Part, activation
from overnight.core.dormant_tables import Definition, definition_of, name_for
from overnight.core.errors import UsageError
from overnight.ops.dormant.inserting import Inserted, insert, take_back
from overnight.ops.dormant.keeping import Record, note
from overnight.ops.dormant.survey import Ground
from overnight.ops.dormant.trying import Said, facts_at, tried
from overnight.ui.cli import printing
from overnight.ui.cli.settings import home_in_use
from overnight.ui.cli.unit import program

#: The input of a first run that makes no use of it.
_ANY_INPUT = "first"


class Wish(NamedTuple):
    """What somebody wants of a part. `seconds`: how long its test may take; None: none."""

    write: bool = False
    value: str | None = None
    called: str = ""
    every: str = ""
    cron: str = ""
    seconds: float | None = None


def wake(ground: Ground, found: Found, wish: Wish) -> int:
    """Wake a part. Returns the exit status.

    Raises:
        UsageError: It is not dormant, something else wakes it, or it cannot be run without an input.
        ConfigurationError: The text cannot be put into ``overnight.toml``.
    """
    part = found.part
    if found.dormancy is None:
        why = f"may be dormant: {part.permanent}" if part.permanent else "is not dormant"
        raise UsageError(f"{part.name} {why}; nothing was changed", hint="overnight dormant list --all")
    if part.kind in LYING:
        return _lay_down(ground, part, wish)
    if part.kind is Kind.WORKFLOW and found.dormancy in (Dormancy.NEVER, Dormancy.QUIET):
        return _run_laid_down(ground, part, wish)
    argv, words = activation(found)
    hint = shlex.join(argv) if argv else words
    raise UsageError(f"{part.kind} {part.name} is woken in another way; nothing was changed", hint=hint)


def definition(ground: Ground, part: Part, wish: Wish) -> Definition:
    """The workflow or schedule that a script or a function becomes."""
    taken = ground.configured.workflows.keys() | ground.configured.schedules.keys()
    name = wish.called or name_for(part.name, taken)
    python = _python(ground.project)
    return definition_of(part, facts_at(ground.project, part), name, python=python, every=wish.every, cron=wish.cron)


def _python(project: Path) -> str:
    """The word that starts Python: that of the project's own environment, or the one on PATH."""
    own = [f"{name}/bin/python" for name in (".venv", "venv") if (project / name / "bin" / "python").exists()]
    return next(iter([*own, *filter(shutil.which, ("python3", "python"))]), sys.executable)


def ours(ground: Ground, *words: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """A command of this program beside the home, in sight of whoever waits unless it is quiet."""
    home = ["--home", os.fspath(ground.home.path)] if ground.home else []
    printing.flush()
    pipe = subprocess.PIPE if quiet else None
    argv = [*program(), *home, *words]
    return subprocess.run(
        argv, cwd=ground.project, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, check=False
    )


def _lay_down(ground: Ground, part: Part, wish: Wish) -> int:
    """Make a script or a function a workflow or a schedule, and run it once."""
    made = definition(ground, part, wish)
    _want_sense(made)
    _want_input(part, wish, needed=wish.write and made.takes_input)
    if not _tested(ground, part, wish):
        return 1
    if not wish.write:
        printing.say(made.as_toml().rstrip("\n"))
        printing.note("overnight: nothing was changed; put this into overnight.toml, or have that done by --write")
        return 0
    with _breaking_off():
        inserted, status = _try_out(ground, part, wish, made)
    if status == 0:
        if made.is_schedule:
            ours(ground, "schedule", "list", quiet=True)  # from now on its time counts
        printing.note(f"overnight: {part.name} is awake; {_how(made)}")
        return 0
    was_taken = take_back(inserted)
    rest = "is as it was" if was_taken else "was changed by somebody meanwhile, and keeps it"
    printing.note(f"overnight: its first run ended with exit status {status}; overnight.toml {rest}")
    printing.note("  try: 'overnight list --state failed' and 'overnight log ID' say why; then the same again,")
    printing.note("       or 'overnight clean ID' forgets the failed task, of which doctor warns until then")
    return 1


def _try_out(ground: Ground, part: Part, wish: Wish, made: Definition) -> tuple[Inserted, int]:
    """Lay it down and run it once; the exit status of that. What is broken off is taken back."""
    inserted: Inserted | None = None
    try:
        inserted = insert(ground.project / "overnight.toml", made.as_toml())
        printing.note(f"overnight: {made.name} stands in overnight.toml now, and is run once")
        return inserted, _run(ground, part, wish, _words(made))
    except BaseException:  # Ctrl-C, as a rule
        if inserted is not None:
            take_back(inserted)
        raise


@contextmanager
def _breaking_off() -> Iterator[None]:
    """Have a signal that asks us to stop leave by an exception, as Ctrl-C does; one that is ignored stays so."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    heeded = [one for one in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {one: signal.signal(one, leave) for one in heeded}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _run_laid_down(ground: Ground, part: Part, wish: Wish) -> int:
    """Run a workflow that is laid down already."""
    _want_input(part, wish, needed=part.takes_input)
    return _run(ground, part, wish, ["-w", part.name]) if _tested(ground, part, wish) else 1


def _want_sense(made: Definition) -> None:
    """Tell of a name or a time that makes none before anything is done."""
    try:
        parse(made.as_toml())
    except MistakesError as error:
        raise UsageError(
            f"{error.problems[0].what}; nothing was changed", hint="say --as, --every or --cron anew"
        ) from None


def _want_input(part: Part, wish: Wish, *, needed: bool) -> None:
    if needed and wish.value is None:
        again = shlex.join(["overnight", "dormant", "activate", part.name, *(["--write"] if wish.write else [])])
        raise UsageError("its first run needs an input; nothing was changed", hint=f"'{again} --input INPUT'")


def _tested(ground: Ground, part: Part, wish: Wish) -> bool:
    """Whether it works as far as that can be seen, or nobody wants to know."""
    said = [] if wish.seconds is None else tried(ground.project, part, seconds=wish.seconds)
    tell(said)
    if all(one.works for one in said) or not (wish.write or has_failed(said) or part.kind not in LYING):
        return True
    first = "mend it first" if has_failed(said) else "whether it works is not known; read it"
    printing.note("overnight: that is no passed test: it is not woken, and nothing was changed")
    printing.note(f"  try: {first}; '{shlex.join(all_the_same(part, wish))}' runs it all the same, harm included")
    return False


def has_failed(said: Sequence[Said]) -> bool:
    """Whether a trial has shown that something does not work; what could not be seen is not that."""
    return any(one.works is False for one in said)


def all_the_same(part: Part, wish: Wish) -> list[str]:
    """The command that wakes a part which has passed no test, with all that somebody wanted of it."""
    argv = ["overnight", "dormant", "activate", part.name, *(["--write"] if part.kind in LYING else [])]
    wanted = (("--input", wish.value), ("--as", wish.called), ("--every", wish.every), ("--cron", wish.cron))
    return [*argv, *(word for name, value in wanted if value for word in (name, value)), "--untested"]


def tell(said: list[Said]) -> None:
    """Say what a trial has shown."""
    for one in said:
        printing.note(f"overnight: {printing.clean(one.words)}")


def _words(made: Definition) -> list[str]:
    """How it is run: a workflow by its name, what a schedule runs as a task of its own."""
    if not made.is_schedule:
        return ["-w", made.name]
    return ["--call", made.call] if made.call else ["--", *made.run]


def _how(made: Definition) -> str:
    if made.is_schedule:
        return "'overnight start' runs it by the clock, and 'overnight schedule list' says when"
    if not made.takes_input:
        return f"'overnight run --again {_ANY_INPUT} -w {made.name}' runs it, and makes no use of {_ANY_INPUT!r}"
    return f"'overnight run INPUT -w {made.name}' runs it"


def _run(ground: Ground, part: Part, wish: Wish, words: list[str]) -> int:
    """Run it once, watch it, and keep a record of that. Returns the exit status."""
    argv = ["run", "--again", _ANY_INPUT if wish.value is None else wish.value, *words]
    status = ours(ground, *argv).returncode
    outcome = "completed" if status == 0 else f"exit status {status}"
    note(home_in_use(), Record(wiring.clock.now(), part.key, "activate", outcome, shlex.join(argv), wiring.who()))
    return status
