"""What is remembered of a journal, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from overnight.monitor import incidents as remembering
from overnight.monitor.incidents import Incidents
from overnight.monitor.tail import JournalTail

NOON = "2026-03-01T12:00:00.000Z"


class Journal:
    """A journal that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seq = 0

    def tell(self, event: str, at: str = NOON, **fields: object) -> None:
        self._seq += 1
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode({"seq": self._seq, "event": event, "at": at, **fields}) + b"\n")

    def ended(self, task: int, outcome: str = "completed", at: str = NOON, **fields: Any) -> None:
        more: dict[str, Any] = {
            "attempt": 1,
            "outcome": outcome,
            "state": "completed",
            "started_at": NOON,
            "seconds": 2.0,
        }
        self.tell("file_completed", at=at, id=task, **(more | fields))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "events.jsonl")


def reader(journal: Journal, slots: dict[tuple[int, int], int] | None = None) -> Incidents:
    def slots_of(ids: Iterable[int]) -> dict[tuple[int, int], int]:
        wanted = set(ids)
        return {key: slot for key, slot in (slots or {}).items() if key[0] in wanted}

    return Incidents(JournalTail(journal.path), slots_of)


def test_what_is_about_one_task_is_no_incident(journal: Journal) -> None:
    journal.tell("file_added", id=1)
    journal.tell("gate_closed", gate="disk", available_bytes=1, needed_bytes=2)
    journal.ended(1)
    found = reader(journal)
    found.news()
    assert [one.name for one in found.told()] == ["gate_closed"]
    assert found.told()[0].facts == {"gate": "disk", "available_bytes": 1, "needed_bytes": 2}


def test_when_the_event_before_happened_is_known(journal: Journal) -> None:
    """As much as is known of when an engine ended that did not say so."""
    journal.tell("processor_started", fence=1)
    journal.tell("file_added", at="2026-03-01T12:30:00.000Z", id=1)
    journal.tell("processor_started", at="2026-03-01T13:00:00.000Z", fence=2)
    found = reader(journal)
    found.news()
    first, second = (one.note for one in found.told())
    assert first is not None
    assert second is not None
    assert (second.before or 0.0) - first.at == 1800.0
    assert found.last_at == second.at


def test_attempts_are_remembered_with_their_slot(journal: Journal) -> None:
    journal.ended(1)
    journal.ended(2, "failed")
    found = reader(journal, {(1, 1): 3})
    found.news()
    spells = list(found.spells(0.0, 1e12))
    assert [(one.task_id, one.outcome, one.slot, one.ended - one.began) for one in spells] == [
        (1, "completed", 3, 2.0),
        (2, "failed", -1, 2.0),
    ]
    assert list(found.spells(0.0, 1.0)) == []


def test_attempts_that_never_began_are_none(journal: Journal) -> None:
    journal.ended(1, "recalled", started_at=None)
    found = reader(journal)
    found.news()
    assert list(found.spells(0.0, 1e12)) == []


def test_a_long_journal_comes_in_portions(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "PORTION", 10)
    for task in range(25):
        journal.ended(task)
    found = reader(journal)
    assert [found.news(), found.news(), found.news()] == [True, True, False]
    journal.ended(99)
    assert not found.news()
    assert len(list(found.spells(0.0, 1e12))) == 26


def test_no_more_is_remembered_than_there_is_room_for(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "MOST_SPELLS", 20)
    for task in range(100):
        journal.ended(task)
    found = reader(journal)
    found.news()
    kept = [one.task_id for one in found.spells(0.0, 1e12)]
    assert kept == list(range(80, 100))


def test_a_damaged_line_is_passed_over(journal: Journal) -> None:
    with journal.path.open("ab") as file:
        file.write(b'{"seq":1,"event":"gate_closed","at":"never"}\n{"seq":2,"event":"gate_closed"\n')
        file.write(b'{"seq":3,"event":"file_completed","outcome":7}\n')
    found = reader(journal)
    assert not found.news()
    assert found.told() == []


def test_what_was_lost_with_its_engine_ran_until_that_was_seen(journal: Journal) -> None:
    """Nobody knows for how long, and a worker that was busy all night must not look idle."""
    journal.ended(1, "lost", at="2026-03-01T12:10:00.000Z", seconds=0.0)
    found = reader(journal)
    found.news()
    (spell,) = found.spells(0, 1e12)
    assert spell.ended - spell.began == 600.0
