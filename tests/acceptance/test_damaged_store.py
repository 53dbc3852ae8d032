"""The store deleted during a run, and damaged between two: told, made good, and nothing runs twice that was on record.

The truth is a ledger that the tasks themselves write, each line synced.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

#: Writes its input into the ledger, and syncs it.
NOTE = "echo {} | dd of=ledger oflag=append conv=notrunc,fsync status=none"
#: The same, and then waits until it may end; never for longer than a minute.
WAIT = f"{NOTE}; n=0; while [ ! -e go ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n+1)); done"
PARTS = ("", "-wal", "-shm")


def store_of(terminal: Terminal) -> Path:
    return terminal.cwd / ".overnight" / "queue.db"


def ledger(terminal: Terminal) -> Counter[str]:
    path = terminal.cwd / "ledger"
    return Counter(path.read_text().split()) if path.exists() else Counter()


def journal(terminal: Terminal) -> list[dict[str, object]]:
    """Every whole line."""
    content = (terminal.cwd / ".overnight" / "events.jsonl").read_bytes()
    return [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


def overwrite_a_third(path: Path) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(b"\xa5" * (size // 3))


@pytest.mark.parametrize("parts", [("",), PARTS], ids=["alone", "with-its-log"])
def test_a_store_deleted_during_a_run_is_back_within_a_beat(
    terminal: Terminal, until: Until, parts: tuple[str, ...]
) -> None:
    inputs = [f"i{number}" for number in range(20)]
    run = terminal.start("run", "-j", "2", "--quiet", *inputs, "--", "sh", "-c", WAIT)
    until(lambda: len(ledger(terminal)) == 2)
    for part in parts:
        Path(f"{store_of(terminal)}{part}").unlink()
    until(store_of(terminal).exists)
    terminal.run("add", "later", "--", "sh", "-c", NOTE)
    (terminal.cwd / "go").touch()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert b"is gone while it is in use" in err
    assert b"nothing is lost" in err
    terminal.run("run", "--quiet")
    assert ledger(terminal) == Counter([*inputs, "later"])
    assert terminal.counts()["completed"] == 21
    assert "store_rescued" in [event["event"] for event in journal(terminal)]
    terminal.verify()


def test_an_engine_in_the_background_goes_on_and_whoever_follows_it_does_too(terminal: Terminal, until: Until) -> None:
    terminal.run("add", *(f"i{number}" for number in range(6)), "--", "sh", "-c", WAIT)
    terminal.run("start", "-j", "2")
    until(lambda: len(ledger(terminal)) == 2)
    engine = terminal.owner()["pid"]
    follower = terminal.start("run", "--quiet", "own", "--", "sh", "-c", WAIT)
    assert follower.stderr is not None
    while b"this follows" not in follower.stderr.readline():
        assert follower.poll() is None
    store_of(terminal).unlink()
    until(store_of(terminal).exists)
    (terminal.cwd / "go").touch()
    assert follower.wait(60) == 0
    terminal.run("wait")
    assert terminal.owner()["pid"] == engine
    assert ledger(terminal) == Counter(["own", *(f"i{number}" for number in range(6))])
    assert "nothing is lost" in (terminal.cwd / ".overnight" / "engine.log").read_text()
    terminal.run("stop")
    terminal.verify()


def test_a_home_that_is_removed_under_its_engine_is_not_made_again(terminal: Terminal, until: Until) -> None:
    run = terminal.start("run", "--quiet", "one", "--", "sh", "-c", WAIT)
    until(lambda: len(ledger(terminal)) == 1)
    store_of(terminal).parent.rename(terminal.cwd / "away")
    _, err = run.communicate(timeout=60)
    assert run.returncode == 2, err
    assert b"was removed or moved while it was in use" in err
    assert b"Traceback" not in err
    assert not store_of(terminal).parent.exists()
    (terminal.cwd / "away").rename(store_of(terminal).parent)
    assert terminal.counts()["total"] == 1


def test_damage_met_while_the_engine_works_is_mended_by_the_next_one(terminal: Terminal, until: Until) -> None:
    """Under a supervisor nobody has to be there. What reads every page all the time is who makes the checkpoints."""
    inputs = list(map(str, range(150)))
    terminal.run("add", *inputs, "--", "sh", "-c", f"{NOTE}; sleep 0.05")
    terminal.run("start", "-j", "2")
    until(lambda: len(ledger(terminal)) >= 40)
    terminal.run("checkpoint", "save")  # the first one by itself may take its time
    overwrite_a_third(store_of(terminal))
    until(lambda: "checkpoint_restored" in [event["event"] for event in journal(terminal)])
    terminal.run("wait")
    terminal.run("stop")
    runs = ledger(terminal)
    assert set(runs) == set(inputs)
    assert max(runs.values()) <= 2
    assert terminal.counts()["completed"] == 150
    log = (terminal.cwd / ".overnight" / "engine.log").read_text()
    assert "rebuilt from checkpoint" in log
    terminal.verify()


def killed_in_the_middle(terminal: Terminal, until: Until, *options: str) -> None:
    """A night of which about half is done when everything is killed."""
    run = terminal.start("run", "-j", "2", "--quiet", *map(str, range(60)), *options, "--", "sh", "-c", NOTE)
    until(lambda: len(ledger(terminal)) >= 30)
    terminal.kill_everything(run)


def on_record(terminal: Terminal) -> set[str]:
    """Inputs whose completion the journal knows."""
    inputs = {event["id"]: str(event["input"]) for event in journal(terminal) if event["event"] == "file_added"}
    return {inputs[event["id"]] for event in journal(terminal) if event["event"] == "file_completed"}


def go_on(terminal: Terminal, code: int = 0) -> subprocess.CompletedProcess[bytes]:
    done = terminal.complete("run", "--quiet")
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("gone", [False, True], ids=["overwritten", "gone"])
def test_a_store_damaged_between_two_runs_is_rebuilt_and_nothing_on_record_runs_again(
    terminal: Terminal,
    until: Until,
    gone: bool,  # noqa: FBT001 - parametrized
) -> None:
    killed_in_the_middle(terminal, until)
    known = on_record(terminal)
    if gone:
        for part in PARTS:
            Path(f"{store_of(terminal)}{part}").unlink(missing_ok=True)
    else:
        overwrite_a_third(store_of(terminal))
    done = go_on(terminal)
    assert b"rebuilt from" in done.stderr
    assert b"try: " in done.stderr
    runs = ledger(terminal)
    assert set(runs) == set(map(str, range(60)))
    assert {name: count for name, count in runs.items() if name in known and count > 1} == {}
    assert max(runs.values()) <= 2
    assert terminal.counts()["completed"] == 60
    restored = [event for event in journal(terminal) if event["event"] == "checkpoint_restored"]
    assert [event["epoch"] for event in restored] == [1]
    if not gone:
        (aside,) = (terminal.cwd / ".overnight" / "aside").iterdir()
        assert str(aside).encode() in done.stderr
    terminal.verify()


def test_what_runs_at_most_once_does_not_run_again_after_a_repair(terminal: Terminal, until: Until) -> None:
    killed_in_the_middle(terminal, until, "--at-most-once")
    store_of(terminal).unlink()
    terminal.complete("run", "--quiet")
    runs = ledger(terminal)
    counts = terminal.counts()
    assert set(runs.values()) == {1}
    assert counts["completed"] + counts["held"] == 60
    terminal.verify()


@pytest.mark.parametrize("verb", [["add", "x", "--", "true"], ["status"], ["list"], ["cancel", "1"]])
def test_whoever_does_not_hold_the_home_is_refused_and_changes_nothing(terminal: Terminal, verb: list[str]) -> None:
    terminal.run("run", "--quiet", "a", "--", "true")
    store_of(terminal).write_bytes(b"spoilt" * 1000)
    said = terminal.complete(*verb)
    assert said.returncode == 6
    assert b"nothing was changed" in said.stderr
    assert b"'overnight resume'" in said.stderr
    assert store_of(terminal).read_bytes() == b"spoilt" * 1000
    assert terminal.run("resume") is not None
    assert terminal.counts()["completed"] == 1
