"""A database beside the store that another program holds: told as what it is, with what to type, and never as a bug."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from overnight.core.errors import StoreBusyError
from overnight.ops.logs.keeping import LogStore
from overnight.ops.migrations.rehearsing import Rehearsal

Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "name", "told"),
    [
        (("prune", "--yes"), "logs.db", "what is old of logs could not all be let go"),
        (("logs", "clean", "--yes"), "logs.db", "what was found in logs cannot be kept"),
    ],
)
def test_it_is_named_with_what_to_type(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], name: str, told: str
) -> None:
    monkeypatch.setattr("overnight.monitor.history.database._PATIENCE", 0.0)
    overnight("add", "--", "true")
    path = place / ".overnight" / name
    LogStore(path).close()
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        said = overnight(*words)
    assert told in said.err
    assert "database is locked" in said.err
    assert "try: " in said.err
    assert "bug" not in said.err


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_rehearsal_ends_with_the_status_of_what_failed_however_it_is_told(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (place / "overnight.toml").write_text('[migrations]\ndatabase = "sqlite:app.db"\n')
    folder = place / "db" / "migrations"
    folder.mkdir(parents=True)
    (folder / "001_a.sql").write_text("-- migrate:up\nCREATE TABLE a (x INTEGER);\n")
    held = Rehearsal(error=StoreBusyError("it is locked; nothing was changed", hint="once more"))
    monkeypatch.setattr("overnight.ui.cli.commands.migrate.rehearse", lambda *_words, **_how: held)
    assert overnight("migrate", "plan", *words).status == 69
