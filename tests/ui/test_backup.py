"""`overnight backup`, as people type it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Program = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def worked(overnight: Call, place: Path) -> Call:
    """A home with two tasks done, a project around it, and a backup of both."""
    (place / "overnight.toml").write_text('[backup]\ninclude = ["data"]\n')
    (place / "data").mkdir()
    (place / "data" / "words").write_text("yes")
    assert overnight("run", "--quiet", "a", "b", "--", "true").status == 0
    assert overnight("backup", "create").status == 0
    return overnight


def states(overnight: Call, *home: str) -> dict[str, str]:
    return {task["input"]: task["state"] for task in map(json.loads, overnight("list", "--json", *home).lines)}


def listed(overnight: Call) -> list[dict[str, Any]]:
    return [json.loads(line) for line in overnight("backup", "list", "--json").lines]


def test_it_is_made_listed_and_proven(worked: Call) -> None:
    (one,) = listed(worked)
    assert (one["whole"], one["verified_at"], one["counts"]["completed"]) == (None, None, 2)
    assert "not verified" in worked("backup", "list").out
    assert worked("backup", "verify", "--quick").out == f"{one['backup']}: whole\n"
    assert worked("backup", "verify").out == f"{one['backup']}: whole, and its books balance\n"
    assert listed(worked)[0]["whole"]
    made = worked("backup", "create", "--json").json
    assert made["files"] == one["files"]
    assert made["stored_bytes"] < made["size_bytes"]
    assert len(worked("backup", "verify", "--all", "--json").lines) == 2


def test_a_restore_says_what_it_means_and_only_then_does_it(worked: Call, place: Path) -> None:
    assert worked("run", "--quiet", "c", "--", "true").status == 0
    (place / "data" / "words").write_text("no")
    dry = worked("backup", "restore", "latest")
    assert dry.status == 0
    assert "1 task added since would be gone" in dry.out
    assert "replaced: data/words" in dry.out
    assert "nothing was changed" in dry.err
    assert (states(worked)["c"], (place / "data" / "words").read_text()) == ("completed", "no")
    plan = worked("backup", "restore", "latest", "--json").json
    assert (plan["gone"], plan["restored"]) == (1, False)
    done = worked("backup", "restore", "latest", "--yes")
    assert done.status == 0
    assert done.err.count("is kept in") == 2
    assert states(worked) == {"a": "completed", "b": "completed"}
    assert (place / "data" / "words").read_text() == "yes"
    assert worked("verify").status == 0


def test_a_lost_home_comes_back_from_the_second_place(overnight: Call, place: Path, tmp_path: Path) -> None:
    """By its path alone: there is no home that could know where its backups are."""
    (place / "overnight.toml").write_text(f'[backup]\nsecond = "{tmp_path}/second"\n')
    assert overnight("run", "--quiet", "a", "--", "true").status == 0
    assert overnight("backup", "create").status == 0
    shutil.rmtree(place / ".overnight")
    (place / "overnight.toml").unlink()
    (folder,) = (one.parent for one in tmp_path.glob("second/*/*/manifest.json"))
    home = place / ".overnight"
    assert "1 task" in overnight("backup", "restore", str(folder), "--to", str(home)).out
    assert not home.exists()
    assert overnight("backup", "restore", str(folder), "--to", str(home), "--yes").status == 0
    assert states(overnight) == {"a": "completed"}
    assert "second" in (place / "overnight.toml").read_text()
    assert overnight("verify").status == 0
    assert overnight("run", "--quiet", "b", "--", "true").status == 0
    assert overnight("verify").status == 0


def test_damage_is_named_and_refused(worked: Call, place: Path) -> None:
    piece = max((place / ".overnight" / "backups" / "objects").glob("??/*"), key=lambda path: path.stat().st_size)
    content = bytearray(piece.read_bytes())
    content[5000] ^= 1
    piece.write_bytes(content)
    refused = worked("backup", "restore", "latest", "--yes")
    assert refused.status == 6
    assert "nothing was changed" in refused.err
    verified = worked("backup", "verify")
    assert verified.status == 1
    assert "home/queue.db" in verified.out
    assert worked("backup", "create").status == 0
    assert worked("backup", "verify").status == 0


def test_what_is_half_made_is_told(worked: Call, place: Path) -> None:
    (place / ".overnight" / "backups" / "20200101-000000-1").mkdir()
    assert "never finished" in worked("backup", "list").out
    assert worked("backup", "verify", "20200101-000000-1").status == 1
    assert worked("backup", "restore", "20200101-000000-1", "--yes").status == 6
    assert worked("backup", "verify", "latest").status == 0


def test_what_is_no_backup_is_not_found(worked: Call, place: Path) -> None:
    for words in (("verify", "nothing"), ("restore", "nothing"), ("restore", "/nothing/at/all"), ("verify", "..")):
        refused = worked("backup", *words)
        assert (refused.status, "try:" in refused.err) == (4, True)
    shutil.rmtree(place / ".overnight" / "backups")
    assert worked("backup", "verify").status == 4
    assert worked("backup", "verify", "--all").status == 4
    assert worked("backup", "restore", "latest", "--to", "x").status == 4


def test_something_that_cannot_be_read_ends_with_1(worked: Call, place: Path) -> None:
    (place / "data" / "link").symlink_to("/etc/passwd")
    made = worked("backup", "create")
    assert made.status == 1
    assert "project/data/link is left out" in made.err


def test_old_ones_are_let_go_of_when_somebody_says_so(worked: Call, place: Path) -> None:
    (place / "overnight.toml").write_text("[checkpoints]\nkeep_all = 0\nkeep_hourly = 0\nkeep_daily = 0\n")
    for _ in range(4):
        assert worked("backup", "create").status == 0
    dry = worked("backup", "prune", "--json").json
    assert (len(dry["names"]), dry["pruned"]) == (2, False)
    assert len(listed(worked)) == 5
    assert "try:" in worked("backup", "prune").err
    assert "2 backups removed" in worked("backup", "prune", "--yes").out
    assert "try:" not in worked("backup", "prune").err
    assert len(listed(worked)) == 3
    assert worked("backup", "verify", "--all").status == 0


@pytest.mark.parametrize("wrong", ["/etc", "../x", "data/../../x"])
def test_what_lies_outside_of_the_project_is_refused(overnight: Call, place: Path, wrong: str) -> None:
    (place / "overnight.toml").write_text(f'[backup]\ninclude = ["{wrong}"]\n')
    refused = overnight("add", "a", "--", "true")
    assert refused.status == 2
    assert "leads out of the project" in refused.err


def test_without_room_for_a_trial_a_backup_is_not_examined(worked: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no reason to call it damaged, and no refusal of the machine without advice."""
    monkeypatch.setattr("overnight.ui.cli.commands.backup.free_bytes", lambda _: 1000)
    said = worked("backup", "verify")
    assert (said.status, "was not examined" in said.err, "--quick" in said.err) == (75, True, True)
    assert worked("backup", "verify", "--quick").status == 0


def test_doctor_names_a_second_place_that_lacks_the_newest(worked: Call, place: Path, tmp_path: Path) -> None:
    """As checkpoints have it: its disk was away when the backup was made."""
    (place / "overnight.toml").write_text(f'[backup]\nsecond = "{tmp_path / "disk"}"\n')
    assert "not in the second place" in worked("doctor", "backups").out
    worked("backup", "create")
    assert "not in the second place" not in worked("doctor", "backups").out


def test_a_list_of_nothing_says_so(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert "'overnight backup create' makes one" in overnight("backup", "list").err
    assert "nothing was told yet" in overnight("alerts", "list", "--messages").err
    for words in (("backup", "list", "--json"), ("alerts", "list", "--messages", "--json")):
        assert (overnight(*words).out, overnight(*words).err) == ("", "")


def test_doctor_names_a_backup_that_is_missing_old_unproven_or_damaged(worked: Call, place: Path) -> None:
    def told() -> dict[str, Any]:
        (found,) = worked("doctor", "backups", "--json").json["checks"]
        return dict(found)

    assert (told()["status"], told()["fixes"][0]["argv"]) == ("warn", ["overnight", "backup", "verify"])
    (place / "overnight.toml").write_text('[backup]\ninclude = ["data"]\nmax_age = "1ms"\n')
    assert [fix["id"] for fix in told()["fixes"]] == ["backup-create", "backup-verify"]
    assert "none was ever verified" in told()["summary"]
    (place / "overnight.toml").write_text('[backup]\ninclude = ["data"]\n')
    worked("backup", "verify")
    assert told()["status"] == "ok"
    (place / "overnight.toml").write_text('[backup]\ninclude = ["data"]\nmax_age = "1ms"\n')
    assert (told()["status"], told()["fixes"][0]["id"]) == ("warn", "backup-create")
    (piece, *_) = (place / ".overnight" / "backups" / "objects").glob("??/*")
    piece.unlink()
    worked("backup", "verify")
    assert (told()["status"], "not whole" in told()["summary"]) == ("fail", True)
    shutil.rmtree(place / ".overnight" / "backups")
    for _ in range(2):  # also where nothing says any more that there should be some
        assert (told()["status"], "there is none any more; the last one was 2" in told()["summary"]) == ("fail", True)
        assert told()["fixes"][0]["id"] == "backup-create"
        (place / "overnight.toml").unlink(missing_ok=True)
    (place / ".overnight" / "last-backup").unlink()
    nothing = worked("doctor", "backups")
    assert (nothing.status, "UNKNOWN: 0 checks" in nothing.out, "nothing here" in nothing.err) == (3, True, True)


#: Some 75 s of it in all: long enough that the engine works until somebody ends it.
WORK = ("sh", "-c", 'echo "$1"; sleep 0.05', "sh", "{}")


@pytest.fixture
def engine(place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real engine that works on many small tasks."""
    names = [f"in-{number}" for number in range(3000)]
    (place / "list").write_text("".join(f"{name}\n" for name in names))
    child = subprocess.Popen(
        [sys.executable, "-m", "overnight", "run", "--quiet", "-j", "2", "-a", "list", "--", *WORK],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={key: value for key, value in os.environ.items() if key != "OVERNIGHT_HOME"},
    )
    yield child
    if child.poll() is None:
        child.terminate()
        child.wait(60)


def test_a_backup_under_load_restores_in_an_empty_home(
    program: Program, place: Path, tmp_path: Path, engine: subprocess.Popen[bytes]
) -> None:
    """It is of one moment at which much was half done, and work goes on from there."""
    deadline = time.monotonic() + 60
    while b'"file_completed"' not in _journal(place):
        assert time.monotonic() < deadline
        assert engine.poll() is None
    assert program("backup", "create").returncode == 0
    assert program("backup", "verify").returncode == 0
    home = str(tmp_path / "new" / ".overnight")
    restored = program("backup", "restore", "latest", "--to", home, "--yes")
    assert restored.returncode == 0, restored.stderr
    verified = program("--home", home, "verify", "--json")
    assert json.loads(verified.stdout)["balanced"], verified.stdout
    back = program("backup", "restore", "latest", "--yes")
    assert back.returncode == 0, back.stderr
    assert engine.wait(60) != 0
    assert program("verify").returncode == 0


def _journal(place: Path) -> bytes:
    try:
        return (place / ".overnight" / "events.jsonl").read_bytes()
    except FileNotFoundError:
        return b""
