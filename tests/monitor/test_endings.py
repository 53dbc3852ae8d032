"""What became of attempts, read from the journal."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from telling_parts import AT, ended, journal

from overnight.monitor import endings
from overnight.monitor.endings import Endings
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Store


class Places:
    """Knows where tasks belong."""

    def places(self, ids: set[int]) -> dict[int, tuple[str, str]]:
        return {task_id: ("night", "scan") for task_id in ids if task_id < 100}


def follower(path: Path, after: int = 0) -> Endings:
    return Endings(JournalTail(path, after=after), cast(Store, Places()))


def test_only_what_ended_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal(
        path,
        {"seq": 1, "event": "file_added", "at": AT, "id": 1, "input": '"outcome":'},
        {"seq": 2, "event": "file_started", "at": AT, "id": 1},
        ended(3, step="probe"),
        ended(4, outcome="recalled", state="pending", started_at=None),
        {"seq": 5, "event": "late_result_refused", "at": AT, "id": 1, "attempt": 1, "outcome": "completed"},
        ended(6, id=100, outcome="failed", state="failed", error_class="unknown", fingerprint="f"),
    )
    follow = follower(path)
    first, second = follow.news().endings
    assert first.key == ("night", "scan", "probe", "completed", "", "")
    assert first.seconds == 2.5
    assert second.key == ("", "", "", "failed", "unknown", "f")
    assert follow.seq == 6
    assert follow.news().endings == []


def test_what_ended_without_an_attempt_is_none(tmp_path: Path) -> None:
    """A step that was skipped, a workflow task, and what failed because of others."""
    path = tmp_path / "events.jsonl"
    journal(path, ended(1, started_at=None, seconds=0.0), ended(2))
    assert len(follower(path).news().endings) == 1


def test_a_line_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, ended(1, step="x"))
    path.write_bytes(path.read_bytes().replace(b'"x"', b'"\xff"'))
    journal(path, ended(2))
    follow = follower(path)
    assert len(follow.news().endings) == 1
    assert follow.seq == 2


def test_a_long_journal_comes_in_portions(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, *(ended(seq) for seq in range(1, 8)))
    follow = follower(path, after=2)
    kept = endings.PORTION
    endings.PORTION = 3
    try:
        found = [follow.news() for _ in range(3)]
    finally:
        endings.PORTION = kept
    assert [len(one.endings) for one in found] == [3, 2, 0]
    assert [one.more for one in found] == [True, False, False]
