"""Doctor on projects in trouble: it names each, says what mends it, and mends what is safe."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
GIT = {
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "somebody"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "somebody@localhost"),
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(*words: str) -> None:
    subprocess.run(["git", *words], env={**os.environ, **GIT}, check=True, capture_output=True)


def summary(overnight: Call, name: str) -> tuple[str, str]:
    """Status and summary of the one finding of a check."""
    [check] = overnight("doctor", name, "--json").json["checks"]
    return check["status"], check["summary"]


def test_in_an_empty_directory_there_is_little_to_examine_and_it_is_well(overnight: Call) -> None:
    said = overnight("doctor", "--quick")
    assert (said.status, said.lines[-1].split(":")[0]) == (0, "HEALTHY"), said


def test_json_is_one_object_and_nothing_else(overnight: Call) -> None:
    words = overnight("doctor", "disk", "--json").json
    assert words["schema"] == "overnight.doctor/1"
    assert words["overall"] == "HEALTHY"
    [disk] = words["checks"]
    assert (disk["id"], disk["status"], disk["unit"], disk["fixes"]) == ("disk", "ok", "bytes", [])


def test_a_wrong_call_is_unknown_and_not_critical(overnight: Call) -> None:
    for words in (("doctor", "nonsense"), ("doctor", "--nonsense"), ("doctor", "--yes"), ("doctor", "--fail-on", "x")):
        said = overnight(*words)
        assert (said.status, said.out) == (3, ""), words
    assert "disk" in overnight("doctor", "nonsense").err


def test_a_full_disk_is_a_failure_with_the_number_that_matters(
    overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_GATE_DISK", "900TB")
    said = overnight("doctor", "disk")
    assert said.status == 2
    assert "below 900.0 TB nothing is started" in said.lines[0]
    assert said.lines[-1].startswith("FAIL")


def test_failed_and_held_tasks_are_warnings_that_say_how_to_look(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "--", "false", ":::", "a", "b")
    assert summary(overnight, "tasks") == ("warn", "2 tasks have failed")
    assert "overnight list --state failed" in overnight("doctor", "tasks").out


def test_work_that_is_left_without_an_engine_is_a_warning(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert summary(overnight, "engine") == ("warn", "no engine runs, and 1 tasks are left in the queue")


def test_a_damaged_store_is_a_failure_and_is_not_touched(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    store = place / ".overnight" / "queue.db"
    store.write_bytes(b"no database" * 1000)
    before = store.read_bytes()
    said = overnight("doctor", "store")
    assert said.status == 2, said
    assert store.read_bytes() == before


def test_changed_files_unpushed_commits_and_missing_ones_are_named(overnight: Call, place: Path) -> None:
    git("init", "--quiet", "--bare", "../there.git")
    git("init", "--quiet", "--initial-branch=main")
    (place / "one").write_text("1")
    git("add", "one")
    git("commit", "--quiet", "-m", "one")
    assert summary(overnight, "git") == ("ok", "everything is committed")
    git("remote", "add", "origin", "../there.git")
    git("push", "--quiet", "-u", "origin", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "two")
    (place / "two").write_text("2")
    found = overnight("doctor", "git", "--json").json["checks"]
    assert [check["summary"] for check in found] == [
        "1 file has changed and is not committed",
        "1 commit is not pushed",
    ]
    assert all(fix["argv"] is None for check in found for fix in check["fixes"])


def test_links_that_lead_nowhere_are_named(overnight: Call, place: Path) -> None:
    (place / "docs").mkdir()
    (place / "docs" / "page.md").write_text(
        "[up](../README.md#top) [away](https://example.org/x)\n```\n[no](code)\n```"
    )
    (place / "README.md").write_text("[page](docs/page.md) [gone](docs/gone.md)")
    assert summary(overnight, "documentation") == ("warn", "links to nowhere: README.md → docs/gone.md")
    (place / "docs" / "gone.md").write_text("")
    assert summary(overnight, "documentation")[0] == "ok"


def test_a_clock_that_has_gone_back_is_a_failure(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    os.utime(place / ".overnight" / "queue.db", (4e9, 4e9))
    status, words = summary(overnight, "clock")
    assert (status, "before what it said last" in words) == ("fail", True)


def test_a_fix_without_a_terminal_is_only_shown(overnight: Call, place: Path) -> None:
    open_home(overnight, place)
    said = overnight("doctor", "home", "--fix")
    assert "chmod go-rwx" in said.out
    assert "nothing was run" in said.err
    assert said.status == 1
    assert (place / ".overnight").stat().st_mode & 0o777 == 0o755


def test_a_fix_that_was_agreed_to_is_run_and_examined_again(overnight: Call, place: Path) -> None:
    open_home(overnight, place)
    said = overnight("doctor", "home", "--fix", "--yes")
    assert said.status == 0, said
    assert said.lines[-1].startswith("HEALTHY")
    assert (place / ".overnight").stat().st_mode & 0o777 == 0o700


def test_what_only_a_person_can_do_is_never_run(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "--", "false")
    said = overnight("doctor", "tasks", "--fix", "--yes")
    assert (said.status, "mended by a command alone" in said.err) == (1, True)


def test_who_minds_only_failures_gets_exit_0_after_warnings(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "--", "false")
    assert overnight("doctor", "tasks").status == 1
    assert overnight("doctor", "tasks", "--fail-on", "fail").status == 0


def open_home(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    (place / ".overnight").chmod(0o755)


def test_checks_of_ones_own_are_asked_with_the_others(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(
        '[check.beat]\nfile = "beat"\n[check.raid]\nrun = ["sh", "-c", "echo degraded; exit 1"]\n'
    )
    found = {one["id"]: (one["status"], one["summary"]) for one in overnight("doctor", "--json").json["checks"]}
    assert found["raid"] == ("warn", "degraded")
    assert found["beat"][0] == "fail"
    (place / "beat").touch()
    assert overnight("doctor", "beat").status == 0
    assert "raid" not in {one["id"] for one in overnight("doctor", "--quick", "--json").json["checks"]}
    (place / "overnight.toml").write_text('[check.disk]\nfile = "beat"\n')
    assert overnight("doctor").status == 3
