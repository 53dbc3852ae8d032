"""``overnight verify``: what it prints and what it ends with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from overnight.store.sqlite import checksums

Call = Callable[..., Any]


def store(place: Path) -> apsw.Connection:
    return apsw.Connection(str(place / ".overnight" / "queue.db"), vfs=checksums.VFS)


def test_books_in_balance(overnight: Call) -> None:
    overnight("add", "a", "b", "--", "true")
    said = overnight("verify")
    assert said.status == 0
    assert said.lines[0] == "The books balance: 2 tasks, each accounted for."
    assert overnight("verify", "--json").json == {
        "balanced": True,
        "tasks": 2,
        "steps": 0,
        "removed": 0,
        "events": 0,
        "events_not_seen": 0,
        "checkpoints": 0,
        "findings": [],
    }


def test_removed_tasks_stay_counted(overnight: Call) -> None:
    overnight("add", "a", "b", "--", "true")
    overnight("cancel", "--all")
    overnight("clean", "--all", "--yes")
    said = overnight("verify")
    assert said.status == 0
    assert "2 tasks were removed" in said.out


def test_a_trouble_is_a_sentence_with_what_to_type_and_status_1(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    with closing(store(place)) as connection:
        connection.execute("DELETE FROM tasks")
    said = overnight("verify")
    assert said.status == 1
    assert "task 1 should be pending, as the journal says, and is no such task" in said.lines
    assert "  try: " in said.err
    found = overnight("verify", "--json")
    assert found.status == 1
    assert not found.json["balanced"]
    assert {"kind", "sentence", "what", "expected", "found", "hint"} == found.json["findings"][0].keys()


def test_a_damaged_store_has_a_status_of_its_own(overnight: Call, place: Path) -> None:
    overnight("add", "a" * 9000, "--", "true")
    with closing(store(place)) as connection:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    path = place / ".overnight" / "queue.db"
    content = bytearray(path.read_bytes())
    content[-6000] ^= 1
    path.write_bytes(bytes(content))
    said = overnight("verify")
    assert said.status == 6
    assert "damaged" in said.err
    found = overnight("verify", "--json")
    assert found.status == 6
    assert not found.json["balanced"]


def test_a_home_of_another_store_is_refused(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("verify", "--with", str(place / ".overnight"))
    assert said.status == 2
    assert "is no home of another host with the same store; nothing was counted" in said.err
