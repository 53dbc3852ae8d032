"""``tests.db``: every run of tests that is kept, each taken in whole or not at all, and once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

import apsw
import msgspec

from overnight.core.careers import Seen
from overnight.core.events import printable
from overnight.core.suites import Result, RunVerdict, Tally, TestOutcome, named, tally, verdict, why_incomplete
from overnight.monitor.history.database import Database, lay, typed
from overnight.ops.suites.records import Run

#: Of the file; another one is set aside and begun anew.
APPLICATION, VERSION = 0x4F4E5453, 1
#: Suites that are kept: those that ran last.
_MOST_SUITES = 100
_COLUMNS = "id, suite, command, began_at, seconds, code, verdict, why, exit_code, task_id"
_OUTCOMES = {str(outcome): outcome for outcome in TestOutcome}
_TALLY = "passed, failed, skipped, unfinished, again"


class KeptRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is kept. `began_at`: POSIX seconds. `seconds`: None where nobody saw its end."""

    id: int
    suite: str
    command: str
    began_at: float
    seconds: float | None
    code: str
    verdict: RunVerdict
    why: str
    exit_code: int | None
    task_id: int | None
    tally: Tally


class Failure(msgspec.Struct, frozen=True):
    """A failed attempt of a test in a run."""

    test: int
    name: str
    attempt: int
    outcome: TestOutcome
    message: str


class SuiteStore:
    """One connection to ``tests.db``; begun anew when it is damaged.

    Raises:
        apsw.Error: It cannot be opened; or there is none, and it is only looked at.
    """

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self._database = Database(path, readonly=readonly, prepare=_prepare)

    def save(self, runs: Sequence[Run], *, keep: int) -> list[int | None]:
        """Take in runs, all or none, on the disk when this returns; of each suite the last `keep` stay.

        Returns:
            Their numbers; None for one that is there already.

        Raises:
            apsw.Error: Nothing was written.
        """
        with self._database.write(durable=True) as connection:
            return [_save(connection, run, keep) for run in runs]

    def suites(self) -> list[str]:
        """Their names, the one that ran last first."""
        rows = typed(self._database.read("SELECT suite FROM runs GROUP BY suite ORDER BY MAX(id) DESC"))
        return [row[0] for row in rows]

    def runs(self, suite: str | None = None, *, limit: int = -1) -> list[KeptRun]:
        """Runs, the newest first, at most so many; of one suite, or of all."""
        rows = typed(
            self._database.read(
                f"SELECT {_COLUMNS}, {_TALLY} FROM runs WHERE ?1 IS NULL OR suite = ?1"  # noqa: S608 - ours
                " ORDER BY id DESC LIMIT ?2",
                (suite, limit),
            )
        )
        return [_kept(row) for row in rows]

    def newest(self) -> int:
        """The number of the run that was taken in last; 0 where there is none."""
        return max((run.id for run in self.runs(limit=1)), default=0)

    def of_task(self, task_id: int, *, after: int) -> KeptRun | None:
        """The last run of a task; None where there is none.

        Args:
            task_id: Of the task. Numbers of tasks come again when a home goes back to a checkpoint.
            after: Only runs that were taken in after this one count.
        """
        return next((run for run in self.runs() if run.task_id == task_id and run.id > after), None)

    def names(self, suite: str) -> dict[int, str]:
        """The tests of a suite by their numbers."""
        return dict(typed(self._database.read("SELECT id, name FROM tests WHERE suite = ?", (suite,))))

    def tests_like(self, name: str) -> list[tuple[int, str, str]]:
        """Tests of this name, or with it in theirs: number, suite, name. Those of exactly this name alone if any."""
        sql = "SELECT id, suite, name FROM tests WHERE {} ORDER BY suite, name"
        exact = typed(self._database.read(sql.format("name = ?"), (name,)))
        return list(exact or typed(self._database.read(sql.format("instr(name, ?) > 0"), (name,))))

    def failures(self, run: int) -> list[Failure]:
        """The failed attempts of a run, by name."""
        rows = typed(
            self._database.read(
                "SELECT test, name, attempt, outcome, message FROM results JOIN tests ON tests.id = test"
                " WHERE run = ? AND outcome IN ('failed', 'error') ORDER BY name, attempt",
                (run,),
            )
        )
        return [Failure(test, name, attempt, TestOutcome(how), message) for test, name, attempt, how, message in rows]

    def unfinished(self, run: int) -> list[str]:
        """The tests that had begun in a run and did not end, by name."""
        rows = typed(
            self._database.read(
                "SELECT name FROM results JOIN tests ON tests.id = test WHERE run = ? AND outcome = 'unfinished'"
                " ORDER BY name",
                (run,),
            )
        )
        return [row[0] for row in rows]

    def times(self, run: int) -> dict[int, float]:
        """How long each test that passed in a run took, in seconds; the last attempt counts."""
        rows = self._database.read(
            "SELECT test, seconds FROM results WHERE run = ? AND outcome = 'passed' ORDER BY attempt", (run,)
        )
        return dict(typed(rows))

    def failed(self, runs: Iterable[KeptRun]) -> set[int]:
        """The tests that failed in any of these runs."""
        rows = typed(
            self._database.read(
                "SELECT DISTINCT test FROM results WHERE outcome IN ('failed', 'error')"
                " AND run IN (SELECT value FROM json_each(?))",
                (_numbers(runs),),
            )
        )
        return {row[0] for row in rows}

    def careers(self, tests: Iterable[int], runs: Iterable[KeptRun]) -> dict[int, list[Seen]]:
        """Every attempt of these tests in these runs, the newest of which comes first; the oldest attempt first."""
        found: dict[int, list[Seen]] = {test: [] for test in tests}
        sql = (
            "SELECT test, outcome, seconds FROM results WHERE run = ?"
            " AND test IN (SELECT value FROM json_each(?)) ORDER BY test, attempt"
        )
        wanted = json.dumps(list(found))
        for run in reversed(list(runs)):
            for test, outcome, seconds in typed(self._database.read(sql, (run.id, wanted))):
                found[test].append(Seen(run.id, run.code, _OUTCOMES[outcome], seconds))
        return found

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


def _numbers(runs: Iterable[KeptRun]) -> str:
    return json.dumps([run.id for run in runs])


def _kept(row: tuple[object, ...]) -> KeptRun:
    names = [name.strip() for name in _COLUMNS.split(",")]
    plain = dict(zip(names, row, strict=False))
    return msgspec.convert(
        plain | {"tally": dict(zip(Tally.__struct_fields__, row[len(names) :], strict=True))}, KeptRun
    )


def _save(connection: apsw.Connection, run: Run, keep: int) -> int | None:
    number = _insert(connection, run, tally(run.results))
    if number is not None:
        _insert_results(connection, number, run)
        _let_go(connection, run, keep)
    return number


def _insert(connection: apsw.Connection, run: Run, counted: Tally) -> int | None:
    ended = run.ended
    code = run.code or f"run:{run.record}"
    words = (run.record, named(printable(run.suite)), printable(run.command), float(run.began_at), run.seconds, code)
    how = (verdict(ended, counted), why_incomplete(ended, counted), ended.exit_code)
    rows = connection.execute(
        "INSERT INTO runs (record, suite, command, began_at, seconds, code, verdict, why, exit_code,"  # noqa: S608 - ours
        f" task_id, {_TALLY}) VALUES ({', '.join('?' * 15)}) ON CONFLICT (record) DO NOTHING RETURNING id",
        (*words, *how, run.task_id, *msgspec.structs.astuple(counted)),
    )
    return next((row[0] for row in rows), None)


def _insert_results(connection: apsw.Connection, number: int, run: Run) -> None:
    suite = named(printable(run.suite))
    names = [(suite, name) for name in {one.name: None for one in run.results}]
    connection.executemany("INSERT INTO tests (suite, name) VALUES (?, ?) ON CONFLICT DO NOTHING", names)
    tests = dict(connection.execute("SELECT name, id FROM tests WHERE suite = ?", (suite,)))
    connection.executemany(
        "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?)", [_row(number, tests[one.name], one) for one in run.results]
    )


def _row(number: int, test: int, one: Result) -> tuple[int, int, int, str, float, str]:
    return number, test, one.attempt, one.outcome, float(one.seconds), one.message


def _let_go(connection: apsw.Connection, run: Run, keep: int) -> None:
    """Of this suite what is more than is kept, and suites that were not run for long. Clocks have no say in it."""
    old = (
        "SELECT id FROM runs WHERE id IN (SELECT id FROM runs WHERE suite = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)"
        " OR suite IN (SELECT suite FROM runs GROUP BY suite ORDER BY MAX(id) DESC LIMIT -1 OFFSET ?3)"
    )
    gone = [row[0] for row in connection.execute(old, (named(printable(run.suite)), keep, _MOST_SUITES))]
    if not gone:
        return
    connection.executemany("DELETE FROM results WHERE run = ?", [(one,) for one in gone])
    connection.executemany("DELETE FROM runs WHERE id = ?", [(one,) for one in gone])
    connection.execute("DELETE FROM tests WHERE id NOT IN (SELECT test FROM results)")


def _prepare(connection: apsw.Connection) -> None:
    schema = (files(__package__) / "schema.sql").read_text("utf-8")
    lay(connection, schema, application=APPLICATION, version=VERSION)
