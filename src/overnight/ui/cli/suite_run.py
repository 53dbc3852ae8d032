"""``test run``: outside of a task the task is made and watched, inside of one it is the run itself.

A schedule therefore says the same words as a person, and both leave the same history.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import msgspec

from overnight import wiring
from overnight.core.errors import OvernightError, StoreUnavailableError, UsageError
from overnight.core.inputs import COMMAND_MARK
from overnight.core.task import MOST_TITLE, text
from overnight.host.home import Home, has_tasks
from overnight.ops.suites.gathering import gather
from overnight.ops.suites.keeping import KeptRun, SuiteStore
from overnight.ops.suites.recording import Wanted, record
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.ending import Ending, exit_code
from overnight.ui.cli.foreground import Manner, enter, run_work
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.submit import Resumed
from overnight.ui.cli.task_options import Request, Work, action_of
from overnight.ui.cli.unit import program

#: The option that says that somebody waits for the answer.
ANSWERED = "--answered"
#: Seconds that a run may take when nothing is said: tests take longer than most tasks.
DEFAULT_TIMEOUT = 3600.0


def command_of(marked: tuple[str, ...]) -> tuple[bytes, ...]:
    """The words behind ``--``.

    Raises:
        UsageError: There are none.
    """
    words = tuple(map(os.fsencode, marked))
    if len(words) < 2 or words[0] != COMMAND_MARK:  # noqa: PLR2004 - the mark, and a word
        raise UsageError(
            "there is no command; nothing was run", hint="put it after '--', as in 'overnight test run -- pytest -q'"
        )
    return words[1:]


def suite_of(home: Home, command: tuple[bytes, ...]) -> str:
    """What a suite is called when nothing is said: its command, and where it runs when that is not the project."""
    words = " ".join(printing.shell_word(text(word)) for word in command)
    here = os.path.relpath(Path.cwd(), home.path.parent)
    return words if here == "." else f"{here}: {words}"


def attempt_of(home: Home) -> tuple[int, int] | None:
    """The task of this home that this process is, and its attempt; None when it is none."""
    task_id, attempt = os.environ.get("OVERNIGHT_TASK_ID", ""), os.environ.get("OVERNIGHT_ATTEMPT_ID", "")
    where = os.environ.get("OVERNIGHT_HOME", "")
    is_here = where and os.path.realpath(where) == os.path.realpath(home.path)
    if not (is_here and task_id.isdecimal() and attempt.isdecimal()):
        return None
    return int(task_id), int(attempt)


def run_here(home: Home, wanted: Wanted, *, answered: bool) -> int:
    """Be the run: as the program of a task.

    Returns:
        The exit status of the command; with `answered` 0 where it has ended by itself, since whoever waits for this
        task is told what the tests came to, and a red suite is no failure of the runner: nothing that tries again,
        stops the queue or looks for storms is to be set off by it.
    """
    try:
        recorded = record(home.path, home.tests_under_way, wanted, wiring.clock)
    except OSError as error:
        raise StoreUnavailableError(
            f"the run of tests cannot be written down in {home.tests_under_way} ({error.strerror}); it proves nothing",
            hint="look at its disk and its owner, and run it once more",
        ) from error
    for what, hint in recorded.notes:
        printing.note(f"overnight: {printing.clean(what)}\n  try: {printing.clean(hint)}")
    try:
        with history(home):
            pass
    except OvernightError as error:  # it stays where it is, and is taken in by the next one
        printing.note(f"overnight: {printing.clean(error.message)}")
    return 0 if answered and not recorded.was_killed else recorded.status


def run_as_task(home: Home, request: Request, wanted: Wanted, manner: Manner) -> tuple[int, Ending, KeptRun | None]:
    """Make a task of it that is tried once (a second attempt would be another run), and wait until that is at rest.

    Returns:
        The exit status, how it ended, and the run as it is kept; None when it did not come to one.
    """
    names = [word for pattern in wanted.reports for word in ("--junit", pattern)]
    words = map(os.fsencode, [*program(), "test", "run", ANSWERED, "--suite", wanted.suite, *names])
    request = msgspec.structs.replace(request, retries=0, title=f"tests: {wanted.suite}"[:MOST_TITLE])
    action = action_of(request, (*words, COMMAND_MARK, *wanted.argv), task_defaults(), os.environb)
    work = Work(action, [b""], 0, request, None)
    entered: list[int] = []

    def entering(store: Store) -> Resumed:
        resumed = enter(store, work, changed=False, again=True)
        entered.extend(resumed.ids)
        return resumed

    with history(home) as kept:
        before = kept.newest()
    ending, _ = run_work(home, entering, manner)
    with history(home) as kept:
        run = kept.of_task(entered[0], after=before)
    return _status(home, entered[0], ending, run), ending, run


def _status(home: Home, task_id: int, ending: Ending, run: KeptRun | None) -> int:
    """That of the command; where it was ended, that of the task."""
    if run is not None and run.exit_code is not None:
        return run.exit_code
    if not ending.left:
        with closing(wiring.open_store(home, readonly=True)) as store:
            attempts = store.attempts(task_id)
        if attempts and attempts[-1].exit_code is not None:
            return attempts[-1].exit_code
    return exit_code(ending)


@contextmanager
def history(home: Home) -> Iterator[SuiteStore]:
    """The history of tests, with all that has ended in it.

    Raises:
        StoreUnavailableError: It cannot be kept.
    """
    settings, _ = in_use()
    try:
        with closing(SuiteStore(home.tests)) as store:
            gather(
                home,
                store,
                keep=settings.tests_keep,
                why_ended=lambda *which: why_ended(home, *which),
                clock=wiring.clock,
            )
            yield store
    except (apsw.Error, OSError) as error:
        raise StoreUnavailableError(
            f"the history of tests cannot be kept in {home.tests} ({error}); no task is concerned",
            hint=f"look at its disk and its owner: ls -l {home.tests}",
        ) from error


def why_ended(home: Home, task_id: int, attempt: int) -> str:
    """Why an attempt was ended from outside, without its last words; empty where nothing is known."""
    if not has_tasks(home):
        return ""
    with closing(wiring.open_store(home, readonly=True)) as store:
        found = [one for one in store.attempts(task_id) if one.number == attempt]
    return found[0].error.partition(": ")[0] or str(found[0].outcome) if found else ""
