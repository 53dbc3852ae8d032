"""``test``: run tests as tasks, and say which failures are new, which tests are flaky, and which have become slow."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from overnight import wiring
from overnight.core.errors import NotFoundError, UsageError
from overnight.ops.suites.asking import Standing, standing, suites
from overnight.ops.suites.keeping import KeptRun, SuiteStore
from overnight.ops.suites.recording import Wanted
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.commands.run import manner_of
from overnight.ui.cli.ending import sentence
from overnight.ui.cli.group import SETTINGS, TaskVerb, Verb, global_options, home_option, marked_words
from overnight.ui.cli.limit_options import limit_options
from overnight.ui.cli.suite_imports import take_in
from overnight.ui.cli.suite_run import (
    ANSWERED,
    DEFAULT_TIMEOUT,
    attempt_of,
    command_of,
    history,
    run_as_task,
    run_here,
    suite_of,
)
from overnight.ui.cli.suites import (
    as_json as report_shape,
)
from overnight.ui.cli.suites import (
    as_markdown,
    as_text,
    counted,
    flaky_shape,
    how_flaky,
    how_slow,
    run_shape,
    seen_shape,
    slow_shape,
    titled,
)
from overnight.ui.cli.task_options import Request
from overnight.ui.cli.values import Duration, Offered

_suite = click.option("--suite", metavar="NAME", help="This suite alone. [default: all that ran more than once]")
_limit = click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def test() -> None:
    """Run tests, and know which failures are new, which tests are flaky, and which have become slow.

    A suite is one command. Of pytest every attempt of every test is kept, of other runners what they write as
    JUnit XML.
    """


@test.command("run", cls=TaskVerb)
@click.option("--suite", metavar="NAME", help="What the history calls it. [default: the command]")
@click.option(
    "--junit", "reports", multiple=True, type=Offered("files"), metavar="PATTERN",
    help="The command writes these files in JUnit's format.",
)  # fmt: skip
@click.option("--timeout", type=Duration(endless=True), help="Time limit; 0 for none. [default: 1h]")
@limit_options
@click.option("--env", multiple=True, metavar="NAME", help="Take this variable of the environment along.")
@click.option("--quiet", is_flag=True, help="Do not print what the command prints.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.option(ANSWERED, is_flag=True, hidden=True)
def run_(
    *, suite: str | None, reports: tuple[str, ...], timeout: float | None, env: tuple[str, ...], quiet: bool,
    as_json: bool, answered: bool, **limits: Any,  # noqa: ANN401 - fields of a request by name
) -> None:  # fmt: skip
    """Run any command that tests something, as a task, and keep what its tests came to.

    Ends with the exit status of the command. A run that is killed keeps what was seen, and is never green.

    \b
    overnight test run -- pytest -q
    overnight test run --junit 'target/surefire-reports/*.xml' -- mvn test
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    command = command_of(tuple(marked_words()))
    home = wiring.make_home(home_option())
    suite = suite or suite_of(home, command)
    wanted = Wanted(suite, command, reports, attempt_of(home))
    if wanted.attempt is not None:
        _want_nothing_more(timeout=timeout, env=env or None, quiet=quiet or None, json=as_json or None, **limits)
        sys.exit(run_here(home, wanted, answered=answered))
    began = wiring.clock.monotonic()
    request = Request(timeout=DEFAULT_TIMEOUT if timeout is None else timeout, env=env, **limits)
    status, ending, kept = run_as_task(home, request, wanted, manner_of(None)._replace(quiet=quiet or as_json))
    if as_json:
        printing.say(shapes.line({"status": status, "run": kept and run_shape(kept)}))
    elif kept is None or ending.left:
        printing.note(sentence(ending, 0, wiring.clock.monotonic() - began))
    else:
        _say(kept)
    sys.exit(status)


def _want_nothing_more(**said: object) -> None:
    name = next((name for name, value in said.items() if value is not None), None)
    if name is not None:
        raise UsageError(
            f"--{name.replace('_', '-')} was given inside of a task, which is this run already; nothing was run",
            hint="leave it out, and say it of the task: for a schedule, as a key in overnight.toml",
        )


def _say(run: KeptRun) -> None:
    printing.note(f"overnight: {titled(run)}")
    if not run.tally.passed + run.tally.failed + run.tally.skipped and run.exit_code is not None:
        printing.note("  try: --junit FILE, when the command can write what its tests came to; pytest need not")
    else:
        printing.note("  try: 'overnight test report'")


@test.command(cls=Verb)
@_suite
@click.option("--md", "markdown", is_flag=True, help="Print Markdown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(*, suite: str | None, markdown: bool, as_json: bool) -> None:
    """Say how suites stand: last run, last green one, new failures since then, flaky and slower tests."""
    if markdown and as_json:
        raise UsageError("--md and --json were given; nothing was printed", hint="leave out one of them")
    found = _standings(suite)
    if as_json:
        printing.say(shapes.line(report_shape(found)))
        return
    lines = ["# Tests"] if markdown else []
    for one in found:
        lines += ["", *as_markdown(one)] if markdown else as_text(one, printing.width())
    for line in lines:
        printing.say(line)
    if any(one.failing or one.flaky for one in found) and not markdown:
        printing.note("  try: 'overnight test history NAME' for one test, 'overnight log ID' for what a run printed")


def _standings(suite: str | None) -> list[Standing]:
    """Of all suites, or of one, the one that ran last first.

    Raises:
        NotFoundError: It never ran.
    """
    with history(wiring.find_home(home_option())) as store:
        names = suites(store) if suite is None else [suite]
        found = [one for one in (standing(store, name) for name in names) if one is not None]
        known = store.suites()
    if suite is not None and not found:
        raise NotFoundError(
            f"there is no suite {suite!r}; nothing was read", hint=f"there are: {', '.join(known)}" if known else _FIRST
        )
    if not found:
        printing.note(f"overnight: no tests were run yet\n  try: {_FIRST}")
    return found


_FIRST = "'overnight test run -- pytest'"


@test.command(cls=Verb)
@_suite
@_limit
@_as_json
def flaky(*, suite: str | None, limit: int, as_json: bool) -> None:
    """List flaky tests: those that the same code made pass and fail, the flakiest first."""
    found = [(one.suite, test) for one in _standings(suite) for test in one.flaky]
    found = sorted(found, key=lambda one: -one[1].flaky.score)[:limit]
    if as_json:
        for where, one in found:
            printing.say(shapes.line(flaky_shape(where, one)))
        return
    _print([(where, (*how_flaky(one), printing.clean(one.name))) for where, one in found], "flaky test")


@test.command(cls=Verb)
@_suite
@_limit
@_as_json
def slow(*, suite: str | None, limit: int, as_json: bool) -> None:
    """List slow tests: those that take notably longer than their own median first, then the longest."""
    found = [(one.suite, test) for one in _standings(suite) for test in one.slow]
    found = sorted(found, key=lambda one: (one[1].slower is None, -one[1].seconds))[:limit]
    if as_json:
        for where, one in found:
            printing.say(shapes.line(slow_shape(where, one)))
        return
    _print([(where, (*how_slow(one), printing.clean(one.name))) for where, one in found], "test that passed")


def _print(rows: Sequence[tuple[str, tuple[str, ...]]], what: str) -> None:
    """Rows, each with its suite, which is said first where there are several."""
    several = len({suite for suite, _ in rows}) > 1
    cells = [((printing.clean(suite), *row) if several else row) for suite, row in rows]
    for line in printing.table(cells, last=printing.width() if printing.on_terminal() else None):
        printing.say(line)
    if not rows:
        printing.note(f"overnight: there is no {what}")


@test.command("history", cls=Verb)
@click.argument("name", required=False, metavar="[TEST]")
@_suite
@_limit
@_as_json
def history_(*, name: str | None, suite: str | None, limit: int, as_json: bool) -> None:
    """List runs, the newest first; of TEST (its name or a part of it) what it came to in each."""
    with history(wiring.find_home(home_option())) as store:
        if name is not None:
            _tell_test(store, name, suite, limit, as_json=as_json)
            return
        runs = store.runs(suite, limit=limit)
    if as_json:
        for run in runs:
            printing.say(shapes.line(run_shape(run)))
        return
    _print([(run.suite, _row(run)) for run in runs], "run of tests")


def _row(run: KeptRun) -> tuple[str, ...]:
    task = "" if run.task_id is None else f"task {run.task_id}"
    return *_when(run), run.verdict, task, counted(run)


def _when(run: KeptRun) -> tuple[str, str]:
    return f"run {run.id}", printing.clock(run.began_at)


def _tell_test(store: SuiteStore, name: str, suite: str | None, limit: int, *, as_json: bool) -> None:
    found = [one for one in store.tests_like(name) if suite in (None, one[1])]
    if not found:
        raise NotFoundError(
            f"no test has {name!r} in its name; nothing was read", hint="'overnight test report' names some"
        )
    if len(found) > 1:
        for _, where, one in found[:limit]:
            printing.note(f"  {printing.clean(where)}  {printing.clean(one)}")
        raise UsageError(
            f"{len(found):,} tests have {name!r} in their names; nothing was printed",
            hint="overnight test history NAME, with a whole name of these (and --suite)",
        )
    number, where, whole = found[0]
    runs = {run.id: run for run in store.runs(where)}
    rows = [(runs[one.run], one) for one in reversed(store.careers([number], runs.values())[number])][:limit]
    if as_json:
        for run, seen in rows:
            printing.say(shapes.line(seen_shape(whole, run, seen)))
        return
    printing.say(f"{printing.clean(whole)}  ({printing.clean(where)})")
    cells = [(*_when(run), seen.outcome, printing.spent(seen.seconds), seen.code[:16]) for run, seen in rows]
    _print([(where, row) for row in cells], "run")


@test.command("import", cls=Verb)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--suite", metavar="NAME", help="What the history calls it. [default: as the file says]")
@click.option("--code", metavar="WORD", help="The code that was tested, as a commit; the same word is the same code.")
@click.option("--one-run", is_flag=True, help="The files are parts of one run. [default: each is a run]")
@_as_json
def import_(*, files: tuple[Path, ...], suite: str | None, code: str | None, one_run: bool, as_json: bool) -> None:
    """Take in what test runners have written as JUnit XML: all of these files, or none.

    A file that was taken in before is left out.
    """
    home = wiring.make_home(home_option())
    with history(home) as store:
        found = take_in(store, files, suite=suite, code=code, one_run=one_run)
    for run in found.runs:
        printing.say(shapes.line(run_shape(run)) if as_json else f"{titled(run)}  {printing.clean(run.suite)}")
    if found.known:
        printing.note(f"overnight: {printing.count(found.known, 'run')} left out, being there already")
