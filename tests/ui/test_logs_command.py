"""`overnight logs`, as people type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def worked(overnight: Call, place: Path) -> Call:
    """A home with a task that fails, and a log beside it."""
    (place / "overnight.toml").write_text('[logs]\nfiles = ["logs/*.log"]\n')
    (place / "logs").mkdir()
    (place / "logs" / "app.log").write_text("ERROR lost 10.0.0.1\nINFO fine\nERROR lost 10.0.0.2\n")
    words = ("run", "--quiet", "--retries", "0", "a", "--", "sh", "-c", "echo 'error: boom' >&2; exit 3")
    assert overnight(*words).status == 1
    return overnight


def test_errors_are_listed_those_of_tasks_first(worked: Call) -> None:
    found = [json.loads(line) for line in worked("logs", "errors", "--json").lines]
    assert (found[0]["kind"], found[0]["n"], found[0]["is_new"]) == ("task", 1, True)
    assert ("line", 2, "lost <*>") in [(one["kind"], one["n"], one["template"]) for one in found]
    again = worked("logs", "errors")
    assert "lost <*>" in again.out
    assert again.out.startswith("new")
    assert len(worked("logs", "errors", "--limit", "1").lines) == 1
    assert worked("logs", "errors", "--since", "0.001s").status == 0


def test_a_trend_is_drawn_and_told(worked: Call) -> None:
    drawn = worked("logs", "trend").out
    assert "failed attempts of tasks" in drawn
    first, second, *kinds = [json.loads(line) for line in worked("logs", "trend", "--json", "--limit", "2").lines]
    assert (first["kind"], sum(bar["n"] for bar in first["bars"])) == ("task", 1)
    assert (second["kind"], sum(bar["n"] for bar in second["bars"])) == ("line", 3)
    assert [one["template"] is not None for one in kinds] == [True, True]


def test_words_are_found(worked: Call) -> None:
    found = worked("logs", "search", "LOST", "-i", "-C", "1")
    assert found.status == 0
    assert [line.partition("app.log")[2] for line in found.lines] == [
        ":1: ERROR lost 10.0.0.1",
        ":2- INFO fine",
        "",
        ":2- INFO fine",
        ":3: ERROR lost 10.0.0.2",
    ]
    assert found.lines[2] == "--"
    (one,) = [json.loads(line) for line in worked("logs", "search", "boom", "--task", "1", "--json").lines]
    assert (one["task_id"], one["content"]) == (1, "error: boom")
    assert worked("logs", "search", "nothing like it").status == 1
    assert "more than 1" in worked("logs", "search", "lost", "--limit", "1").err
    assert worked("logs", "search", "boom", "--task", "99").status == 4
    wrong = worked("logs", "search", "[")
    assert (wrong.status, "try:" in wrong.err) == (2, True)


def test_the_last_lines_are_printed(worked: Call) -> None:
    tail = worked("logs", "tail", "-n", "1").out
    assert "ERROR lost 10.0.0.2" in tail
    assert "events.jsonl" in tail


def test_what_is_no_text_is_named_and_not_printed(worked: Call, place: Path) -> None:
    (place / "logs" / "binary.log").write_bytes(b"\0\x01" * 100 + b"\nlast line\n")
    said = worked("logs", "tail")
    assert "last line" not in said.out
    assert "binary.log: it is no text (it has zero bytes)" in said.err


def test_what_is_written_meanwhile_is_printed(worked: Call, place: Path) -> None:  # noqa: ARG001 - for its home
    child = subprocess.Popen(
        [sys.executable, "-u", "-m", "overnight", "logs", "tail", "-n", "1", "-f"], cwd=place, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        seen = b""
        while b"lost 10.0.0.2" not in seen:
            seen = child.stdout.readline()
            assert seen
        with (place / "logs" / "app.log").open("a") as log:
            log.write("ERROR as it comes\n")
        while b"as it comes" not in seen:
            seen = child.stdout.readline()
            assert seen
    finally:
        child.kill()
        child.wait(30)
        child.stdout.close()  # type: ignore[union-attr]


def test_old_files_go_when_somebody_says_so(worked: Call, place: Path) -> None:
    old, link = place / "logs" / "old.log", place / "logs" / "link.log"
    old.write_text("ERROR old\n")
    os.utime(old, (1e9, 1e9))
    link.symlink_to(old)
    worked("logs", "errors")
    dry = worked("logs", "clean", "--json").json
    assert (Path(dry["path"]).name, dry["removed"]) == ("old.log", False)
    assert old.exists()
    done = worked("logs", "clean", "--yes")
    assert "1 file" in done.err
    assert [path.name for path in (place / "logs").iterdir() if path.is_file()] == ["app.log"]
    assert link.is_symlink()
    assert worked("verify").status == 0


def test_what_is_to_be_typed_removes_the_files_that_were_listed(worked: Call, place: Path) -> None:
    log = place / "logs" / "app.log"
    os.utime(log, (log.stat().st_mtime - 2 * 86400,) * 2)
    assert "try:" not in worked("logs", "clean").err
    dry = worked("logs", "clean", "--older", "36h")
    _, _, typed = dry.err.partition("try: 'overnight ")
    done = worked(*typed.strip().strip("'").split())
    assert done.out == dry.out
    assert not log.exists()


def test_doctor_names_new_errors_and_is_content_when_they_were_looked_at(worked: Call, place: Path) -> None:
    def told() -> list[tuple[str, str]]:
        return [(one["status"], one["summary"]) for one in worked("doctor", "logs", "--json").json["checks"]]

    assert told()[0][0] == "warn"
    worked("logs", "errors")
    assert told() == [("ok", "no new kinds of errors since the last look")]
    (place / "logs" / "binary.log").write_bytes(b"\0" * 100)
    assert "no text" in told()[0][1]
    (place / "logs" / "binary.log").unlink()
    with (place / "logs" / "app.log").open("a") as log:
        log.write("panic: another thing\n")
    assert told()[0] == ("warn", "a new kind of error: panic: another thing")


def test_where_nothing_can_be_kept_it_is_said(worked: Call, place: Path) -> None:
    (place / ".overnight" / "logs.db").mkdir()
    refused = worked("logs", "errors")
    assert (refused.status, "try:" in refused.err) == (1, True)


def test_where_nothing_can_be_written_the_logs_are_read_all_the_same(
    worked: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / ".overnight" / "logs.db").mkdir()
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    for _ in range(2):
        found = worked("logs", "errors", "--json")
        assert sorted(json.loads(line)["n"] for line in found.lines) == [1, 1, 2]
        assert "read anew" in found.err
