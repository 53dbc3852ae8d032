"""The history of tests in three forms: lines for people, Markdown, and values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from overnight.core.careers import Seen
from overnight.core.trends import Direction
from overnight.ops.suites.asking import FailingTest, FlakyTest, SlowTest, Standing
from overnight.ops.suites.keeping import KeptRun
from overnight.ui.cli import printing

SCHEMA = "overnight.tests/1"
#: Tests of one kind that are named in a report.
MOST = 10
_NO_CODE = "run:"


# -- words -----------------------------------------------------------------------------------


def counted(run: KeptRun) -> str:
    """What came of its tests, and in which time."""
    tally = run.tally
    numbers = {
        "passed": tally.passed,
        "failed": tally.failed,
        "skipped": tally.skipped,
        "without an end": tally.unfinished,
    }
    words = ", ".join(f"{number:,} {name}" for name, number in numbers.items() if number) or _no_results(run)
    return words if run.seconds is None else f"{words} in {printing.spent(run.seconds)}"


def _no_results(run: KeptRun) -> str:
    return "no results of tests" if run.exit_code is None else f"exit {run.exit_code}, no results of tests"


def titled(run: KeptRun) -> str:
    """A run in one line, without its suite."""
    why = f" ({printing.clean(run.why)})" if run.why else ""
    return f"run {run.id}, {printing.clock(run.began_at)}: {run.verdict}{why}, {counted(run)}"


def over_time(found: Standing) -> str:
    """How its runs went, in one line."""
    words = [f"{printing.count(len(found.runs), 'run')}, {found.green:,} of {found.complete:,} complete ones green"]
    if found.pass_rate is not None:
        words.append(f"{found.pass_rate:.1%} of tests passed")
    if found.failures is not Direction.STEADY:
        words.append(
            "failures have stopped" if found.failures is Direction.STOPPED else f"failures are {found.failures}"
        )
    return "; ".join(words)


def last_green(found: Standing) -> str:
    """When all was well for the last time."""
    one = found.last_green
    return "never green yet" if one is None else f"last green: run {one.id}, {printing.clock(one.began_at)}"


def since(one: FailingTest) -> str:
    """Since when it fails."""
    first = "" if one.has_passed else ", no pass is known"
    flaky = "; flaky" if one.flaky else ""
    return f"since run {one.since.id}{first}{flaky}"


def how_flaky(one: FlakyTest) -> tuple[str, str, str]:
    """How often both came of the same code, in how many runs, and when last."""
    flaky = one.flaky
    return f"{flaky.score:.0%}", f"{flaky.runs:,} of {printing.count(flaky.of, 'run')}", f"last in run {one.last.id}"


def how_slow(one: SlowTest) -> tuple[str, str]:
    """What it took, and what it takes as a rule where that is less."""
    usual = f"usually {printing.spent(one.slower.usual)}" if one.slower else ""
    return printing.spent(one.seconds), usual


# -- lines -----------------------------------------------------------------------------------


def as_text(found: Standing, columns: int) -> list[str]:
    """How a suite stands, for people."""
    lines = [f"suite {printing.clean(found.suite)!r}: {titled(found.runs[0])}"]
    lines += [f"  {over_time(found)}; {last_green(found)}"]
    for heading, rows in _parts(found):
        lines.append(f"{heading}:")
        table = printing.table([(*row.about, printing.clean(row.name)) for row in rows[:MOST]])
        for row, line in zip(rows, table, strict=False):
            lines.append(f"  {line}")
            lines += [f"      {printing.fit(printing.clean(row.message), columns - 6)}"] if row.message else []
        lines += [f"  and {len(rows) - MOST:,} more"] if len(rows) > MOST else []
    return lines


def as_markdown(found: Standing) -> list[str]:
    """The same as Markdown."""
    from overnight.ui.report.as_markdown import plain

    lines = [f"## {plain(found.suite)}", "", f"- {plain(titled(found.runs[0]))}"]
    lines += [f"- {plain(over_time(found))}; {last_green(found)}"]
    for heading, rows in _parts(found):
        lines += ["", f"### {plain(heading)}", ""]
        for row in rows[:MOST]:
            message = f": {plain(row.message)}" if row.message else ""
            lines.append(f"- {plain(', '.join(filter(None, (row.name, *row.about))))}{message}")
        lines += [f"- and {len(rows) - MOST:,} more"] if len(rows) > MOST else []
    return lines


class _Row(NamedTuple):
    """What is told of a test."""

    about: tuple[str, ...]
    name: str
    message: str = ""


def _parts(found: Standing) -> Iterator[tuple[str, list[_Row]]]:
    """What is to be told of tests: a heading, and a row for each."""
    new = [one for one in found.failing if one.is_new]
    old = [one for one in found.failing if not one.is_new]
    green = f" since run {found.last_green.id}, the last green one" if found.last_green else ""
    parts = (
        (f"New failures{green}", [_Row((since(one),), one.name, one.message) for one in new]),
        ("Failing", [_Row((since(one),), one.name, one.message) for one in old]),
        ("Without an end in the last run", [_Row((), name) for name in found.unfinished]),
        ("Flaky, with the same code", [_Row(how_flaky(one), one.name) for one in found.flaky]),
        ("Slower than they were", [_Row(how_slow(one), one.name) for one in found.slow if one.slower]),
    )
    yield from ((heading, rows) for heading, rows in parts if rows)


# -- values ----------------------------------------------------------------------------------


def run_shape(run: KeptRun) -> dict[str, Any]:
    """A run for programs."""
    said: dict[str, Any] = msgspec.to_builtins(run)
    tests = said.pop("tally")
    known = {"began_at": printing.iso(run.began_at), "code": _code(run.code)}
    return {**said, **known, "why": run.why or None, **tests}


def _code(word: str) -> str | None:
    return None if word.startswith(_NO_CODE) else word


def failing_shape(one: FailingTest) -> dict[str, Any]:
    """A failing test for programs."""
    return {**msgspec.to_builtins(one), "since": one.since.id}


def seen_shape(name: str, run: KeptRun, one: Seen) -> dict[str, Any]:
    """An attempt of a test for programs."""
    where = {"name": name, "suite": run.suite, "run": run.id, "began_at": printing.iso(run.began_at)}
    return {**where, "outcome": one.outcome, "seconds": one.seconds, "code": _code(one.code)}


def flaky_shape(suite: str, one: FlakyTest) -> dict[str, Any]:
    """A flaky test for programs."""
    return {"suite": suite, "name": one.name, **msgspec.to_builtins(one.flaky)}


def slow_shape(suite: str, one: SlowTest) -> dict[str, Any]:
    """A slow test for programs. Durations are seconds."""
    return {"suite": suite, "name": one.name, "seconds": one.seconds, "usual": one.slower and one.slower.usual}


def as_json(found: Sequence[Standing]) -> dict[str, Any]:
    """How suites stand, for programs."""
    return {"schema": SCHEMA, "suites": [_shape(one) for one in found]}


def _shape(found: Standing) -> dict[str, Any]:
    return {
        "suite": found.suite,
        "last": run_shape(found.runs[0]),
        "last_green": found.last_green and run_shape(found.last_green),
        "runs": len(found.runs),
        "complete": found.complete,
        "green": found.green,
        "pass_rate": found.pass_rate,
        "failures": str(found.failures),
        "failing": [failing_shape(one) for one in found.failing],
        "unfinished": found.unfinished,
        "flaky": [flaky_shape(found.suite, one) for one in found.flaky],
        "slow": [slow_shape(found.suite, one) for one in found.slow[:MOST]],
        "trend": [{"run": run.id, "verdict": run.verdict, "pass_rate": run.tally.rate} for run in reversed(found.runs)],
    }
