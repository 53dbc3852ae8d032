"""`overnight backup` with restic and borg as the engine, as people type it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from keeping_backups import ALL_WITH_TIME, depot, opening

Call = Callable[..., Any]


@pytest.mark.parametrize("program", ALL_WITH_TIME)
def test_a_lost_home_comes_back_from_a_repository(
    program: str, overnight: Call, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left but the repository, its password, and what is typed."""
    made = depot(program, tmp_path)
    for name, value in opening(program, tmp_path).items():
        monkeypatch.setenv(name, value)
    (place / "overnight.toml").write_text(f'[backup]\nengine = "{program}"\nrepository = "{made.path}"\n')
    assert overnight("run", "--quiet", "a", "--", "true").status == 0
    assert "none is on record here" in overnight("doctor", "backups").out
    created = overnight("backup", "create", "--json").json
    assert (created["path"], created["left_out"]) == (f"{made.path}::{created['name']}", [])
    shutil.rmtree(place / ".overnight")
    (place / "overnight.toml").unlink()
    monkeypatch.setenv("OVERNIGHT_BACKUP_ENGINE", program)
    monkeypatch.setenv("OVERNIGHT_BACKUP_REPOSITORY", str(made.path))
    dry = overnight("backup", "restore", "latest", "--to", ".overnight")
    assert ("nothing was changed" in dry.err, (place / ".overnight").exists()) == (True, False)
    assert overnight("backup", "restore", "latest", "--to", ".overnight", "--yes").status == 0
    assert program in (place / "overnight.toml").read_text()
    assert overnight("verify").status == 0


def test_what_is_missing_is_told(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The repository that nobody names, the program that is not installed, the directory that is not there."""
    monkeypatch.delenv("RESTIC_REPOSITORY", raising=False)
    (place / "overnight.toml").write_text('[backup]\nengine = "restic"\n')
    overnight("add", "a", "--", "true")
    said = overnight("backup", "create")
    assert (said.status, "RESTIC_REPOSITORY" in said.err) == (2, True)
    monkeypatch.setenv("RESTIC_REPOSITORY", str(place / "nowhere"))
    monkeypatch.setenv("PATH", str(place))
    said = overnight("backup", "create")
    assert (said.status, "cannot be started" in said.err, "try:" in said.err) == (2, True, True)
    told = overnight("doctor", "backups").out
    assert ("is not installed" in told, "nowhere is not there" in told) == (True, True)
    listed = overnight("prune", "--json")
    assert (listed.status, "cannot be started" in listed.out) == (0, True)
    (place / "overnight.toml").write_text('[backup]\nengine = "tar"\n')
    assert overnight("backup", "list").status == 2
