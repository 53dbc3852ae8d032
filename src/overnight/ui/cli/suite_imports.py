"""``test import``: reports of test runners that ran elsewhere become runs of the history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from overnight.core.suites import Ended
from overnight.ops.suites import junit
from overnight.ops.suites.keeping import KeptRun, SuiteStore
from overnight.ops.suites.records import Run
from overnight.ui.cli.settings import in_use


class TakenIn(NamedTuple):
    """The runs that are new, and how many were there already."""

    runs: list[KeptRun]
    known: int


def take_in(store: SuiteStore, files: Sequence[Path], *, suite: str | None, code: str | None, one_run: bool) -> TakenIn:
    """Take in reports, each as a run or all as one. All of them are read before anything is written.

    Raises:
        JUnitError: One cannot be read; nothing was written.
    """
    groups = [list(files)] if one_run else [[path] for path in files]
    runs = sorted((_run(group, suite, code) for group in groups), key=lambda run: run.began_at)
    settings, _ = in_use()
    ids = store.save(runs, keep=settings.tests_keep)
    wanted = {number for number in ids if number is not None}
    return TakenIn([run for run in store.runs() if run.id in wanted], ids.count(None))


def _run(files: Sequence[Path], suite: str | None, code: str | None) -> Run:
    report = junit.together([junit.read(path) for path in files])
    failed = any(result.outcome.is_failure for result in report.results)
    return Run(
        record=_digest(files),
        suite=suite or report.suite or "imported",
        command="import " + " ".join(path.name for path in files),
        began_at=min(path.stat().st_mtime for path in files) if report.at is None else report.at,
        code=f"named:{code}" if code else "",
        seconds=report.seconds,
        ended=Ended(exit_code=int(failed)),
        results=report.results,
    )


def _digest(files: Sequence[Path]) -> str:
    """Of what is in them."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()
