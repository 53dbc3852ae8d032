"""`overnight checkpoint` and `overnight resume`, as people type them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Program = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def worked(overnight: Call, place: Path) -> Call:
    """A home with two tasks done and a checkpoint of that, and one that was added and done since."""
    # On a slow machine an engine is up for long enough to make one of its own.
    (place / "overnight.toml").write_text("[checkpoints]\ntasks = 0\ninterval = 0\n")
    assert overnight("run", "--quiet", "a", "b", "--", "true").status == 0
    assert overnight("checkpoint", "save").status == 0
    assert overnight("run", "--quiet", "c", "--", "true").status == 0
    return overnight


def states(overnight: Call) -> dict[str, str]:
    lines = overnight("list", "--json").lines
    return {task["input"]: task["state"] for task in map(json.loads, lines)}


def names(overnight: Call) -> list[str]:
    return [json.loads(line)["checkpoint"] for line in overnight("checkpoint", "list", "--json").lines]


def test_a_checkpoint_is_made_listed_shown_and_verified(worked: Call) -> None:
    (name,) = names(worked)
    assert name in worked("checkpoint", "list").out
    summary = worked("checkpoint", "show").json
    assert summary["queue_snapshot"]["counts"]["completed"] == 2
    assert worked("checkpoint", "show", name).json == summary
    verified = worked("checkpoint", "verify")
    assert (verified.status, verified.out) == (0, f"{name}: whole\n")


def test_the_literal_form_for_an_emergency(worked: Call) -> None:
    assert worked("checkpoint", "--save", "--force").status == 0
    reasons = [json.loads(line)["reason"] for line in worked("checkpoint", "list", "--json").lines]
    assert reasons == ["forced", "asked"]


def test_going_back_asks_says_what_it_means_and_does_it(worked: Call) -> None:
    refused = worked("checkpoint", "restore", "latest")
    assert refused.status == 2
    assert "--yes" in refused.err
    dry = worked("checkpoint", "restore", "latest", "--dry-run")
    assert dry.status == 0
    assert "1 task added since would be gone" in dry.out
    assert states(worked) == {"a": "completed", "b": "completed", "c": "completed"}
    done = worked("checkpoint", "restore", "latest", "--yes")
    assert done.status == 0
    assert "the store of before is kept" in done.err
    assert states(worked) == {"a": "completed", "b": "completed"}
    assert worked("verify").status == 0


def test_of_how_many_events_is_not_said_without_a_journal(worked: Call, place: Path) -> None:
    (place / ".overnight" / "events.jsonl").unlink()
    dry = worked("checkpoint", "restore", "latest", "--dry-run")
    assert ", up to event " in dry.out.splitlines()[0]
    assert " of 0" not in dry.out


def test_resume_goes_on_and_with_a_checkpoint_from_there(overnight: Call, place: Path) -> None:
    overnight("add", "a", "b", "--", "true")
    overnight("checkpoint", "save")
    assert overnight("resume").status == 0
    assert states(overnight) == {"a": "completed", "b": "completed"}
    dry = overnight("resume", "--from-checkpoint", "latest", "--dry-run")
    assert "2 tasks would run again" in dry.out
    latest = place / ".overnight" / "checkpoints" / "latest"
    again = overnight("resume", "--from-checkpoint", str(latest), "--validate")
    assert again.status == 0, again.err
    assert "2 done" in again.err
    assert overnight("verify").status == 0


def test_a_damaged_checkpoint_is_named_and_refused(worked: Call, place: Path) -> None:
    (name,) = names(worked)
    path = place / ".overnight" / "checkpoints" / name / "queue.db"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    verified = worked("checkpoint", "verify", name)
    assert verified.status == 1
    assert "SHA-256" in verified.out
    refused = worked("resume", "--from-checkpoint", name)
    assert refused.status == 6
    assert "nothing was changed" in refused.err
    assert states(worked)["c"] == "completed"


def test_what_is_no_checkpoint_is_not_found(worked: Call) -> None:
    for words in (("show", "nothing"), ("verify", "nothing"), ("restore", "nothing", "--yes")):
        assert worked("checkpoint", *words).status == 4
    assert worked("resume", "--from-checkpoint", "nothing").status == 4
    assert worked("checkpoint").status == 2
    assert worked("resume", "--validate").status == 2


def test_a_name_that_is_no_text_is_told_as_json_too(worked: Call, place: Path) -> None:
    (place / ".overnight" / "checkpoints" / os.fsdecode(b"caf\xe9")).mkdir()
    assert names(worked)[-1] == r"caf\udce9"
    verified = [json.loads(line) for line in worked("checkpoint", "verify", "--json").lines]
    assert [one["checkpoint"] for one in verified if not one["whole"]] == [r"caf\udce9"]
    assert verified[-1]["path"].endswith(r"/caf\udce9")
    (finding,) = worked("verify", "--json").json["findings"]
    assert r"caf\udce9" in finding["what"]


def test_clear_removes_all_of_them(worked: Call) -> None:
    assert worked("checkpoint", "clear").status == 2
    assert len(names(worked)) == 1
    assert worked("checkpoint", "clear", "--yes").out == "1 checkpoint removed\n"
    assert names(worked) == []
    assert worked("resume", "--from-checkpoint", "latest").status == 4


def test_a_checkpoint_can_be_made_while_the_engine_is_frozen(program: Program, place: Path) -> None:
    """And going back ends that engine, however little it answers."""
    engine = subprocess.Popen(
        [sys.executable, "-m", "overnight", "run", "--quiet", "a", "--", "sh", "-c", "touch begun; sleep 100"],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (place / "begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(engine.pid, signal.SIGSTOP)
        saved = program("checkpoint", "--save", "--force")
        assert saved.returncode == 0, saved.stderr
        back = program("checkpoint", "restore", "latest", "--yes")
        assert back.returncode == 0, back.stderr
        assert engine.wait(30) != 0
    finally:
        if engine.poll() is None:
            os.kill(engine.pid, signal.SIGCONT)
            engine.kill()
            engine.wait()
    listed = program("list", "--json")
    assert json.loads(listed.stdout)["state"] == "pending"
