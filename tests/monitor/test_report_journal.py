"""The few events of a night out of a journal of many: found wherever it begins, and whatever lies in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight.core.durations import iso
from overnight.core.event_names import EventName
from overnight.monitor.report import journal as reading
from overnight.monitor.report.journal import engine_at, first_failures, last_crash, notes_since

NOON = 1_800_000_000.0


def line(seq: int, event: str, at: float, more: str = "") -> str:
    return f'{{"seq":{seq},"event":"{event}","at":"{iso(at)}"{more}}}\n'


def write(path: Path, first: int, count: int, every: int = 1000) -> None:
    """One event a second, most of them of tasks; each thousandth tells that the clock has jumped."""
    lines = []
    for seq in range(first, first + count):
        if seq % every == 0:
            lines.append(line(seq, "clock_jumped", NOON + seq, f',"seconds":{seq}.0,"moved":0'))
        else:
            lines.append(line(seq, "file_completed", NOON + seq, ',"id":1,"pad":"' + "x" * 100 + '"'))
    path.write_text("".join(lines))


@pytest.mark.parametrize("since", [0, 1, 999, 1000, 1001, 12_345, 29_999])
def test_every_event_since_an_instant_is_found_across_segments(tmp_path: Path, since: int) -> None:
    write(tmp_path / "events-000000010000.jsonl", 1, 10_000)
    write(tmp_path / "events-000000020000.jsonl", 10_001, 10_000)
    write(tmp_path / "events.jsonl", 20_001, 10_000)
    found = notes_since(tmp_path / "events.jsonl", NOON + since)
    assert [note.seconds for note in found.notes] == [n for n in range(1000, 30_001, 1000) if n >= since]
    assert found.last_at == NOON + 30_000


def test_a_window_at_the_end_reads_only_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "events-000000010000.jsonl", 1, 10_000)
    write(tmp_path / "events.jsonl", 10_001, 10_000)
    seen = 0
    plain = reading._blocks

    def counted(*words: object) -> object:
        nonlocal seen
        for one in plain(*words):  # type: ignore[arg-type]
            seen += one.count(b"\n")
            yield one

    monkeypatch.setattr(reading, "_blocks", counted)
    notes_since(tmp_path / "events.jsonl", NOON + 19_900)
    assert 100 <= seen < 1000


@pytest.mark.parametrize("size", [1, 30, 97, 400, 5000])
def test_where_a_block_ends_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    write(tmp_path / "events-000000000200.jsonl", 1, 200, every=2)
    write(tmp_path / "events.jsonl", 201, 51, every=3)
    with (tmp_path / "events.jsonl").open("a") as file:
        file.write('{"seq":252,"event":"clock_jumped","at"')
    monkeypatch.setattr(reading, "_BLOCK", size)
    found = notes_since(tmp_path / "events.jsonl", NOON)
    assert [note.seconds for note in found.notes] == [*range(2, 201, 2), *range(201, 252, 3)]
    assert [note.before for note in found.notes] == [NOON + note.seconds - 1 for note in found.notes]
    assert found.last_at == NOON + 251


def test_what_came_before_is_known_of_each_and_a_torn_end_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        line(1, "processor_started", NOON, ',"fence":1,"by":"me"')
        + line(2, "file_completed", NOON + 5, ',"id":1')
        + line(3, "processor_started", NOON + 9, ',"fence":2,"by":"me"')
        + '{"seq":4,"event":"processor_st'
    )
    found = notes_since(tmp_path / "events.jsonl", NOON - 1)
    assert [(one.event, one.before) for one in found.notes] == [
        (EventName.PROCESSOR_STARTED, None),
        (EventName.PROCESSOR_STARTED, NOON + 5),
    ]
    assert found.last_at == NOON + 9


def test_what_a_later_version_or_damage_has_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(
        line(1, "from_the_future", NOON) + "rubbish\n" + line(3, "clock_jumped", NOON + 1, ',"seconds":5.0')
    )
    assert [one.seconds for one in notes_since(tmp_path / "events.jsonl", NOON - 1).notes] == [5.0]


def test_no_journal_has_no_events(tmp_path: Path) -> None:
    assert notes_since(tmp_path / "events.jsonl", NOON) == ([], None)


def test_the_engine_of_an_instant_is_the_last_one_that_began_and_did_not_end(tmp_path: Path) -> None:
    (tmp_path / "events-000000000003.jsonl").write_text(
        line(1, "processor_started", NOON)
        + line(2, "file_failed", NOON + 5, r',"error":"\"event\":\"processor_stopped\""')
        + line(3, "file_completed", NOON + 9)
    )
    (tmp_path / "events.jsonl").write_text(
        line(4, "file_completed", NOON + 10)
        + line(5, "processor_stopped", NOON + 20)
        + line(6, "file_added", NOON + 30)
    )
    found = [engine_at(tmp_path / "events.jsonl", NOON + seconds) for seconds in (0, 1, 15, 20, 21, 40)]
    assert found == [None, NOON, NOON, NOON, None, None]
    assert engine_at(tmp_path / "none" / "events.jsonl", NOON) is None


def test_the_first_failure_of_a_cause_is_found_across_segments_and_not_in_the_words_of_another(tmp_path: Path) -> None:
    def failed(seq: int, cause: str, error: str = "") -> str:
        more = f',"id":1,"outcome":"failed","error":"{error}","fingerprint":"{cause}"'
        return line(seq, "file_retried", NOON + seq, more)

    (tmp_path / "events-000000000003.jsonl").write_text(
        line(1, "processor_started", NOON) + failed(2, "aaaa", r"\"fingerprint\":\"bbbb\"") + failed(3, "cccc")
    )
    (tmp_path / "events.jsonl").write_text(
        failed(4, "eeee") + failed(5, "bbbb") + failed(5, "eeee") + failed(6, "dddd")
    )
    journal = tmp_path / "events.jsonl"
    found = {"aaaa": NOON + 2, "bbbb": NOON + 5, "eeee": NOON + 4}
    assert first_failures(journal, ["aaaa", "bbbb", "dddd", "eeee", ""], NOON + 6) == found
    assert first_failures(journal, [], NOON + 6) == {}
    assert first_failures(tmp_path / "none" / "events.jsonl", ["aaaa"], NOON) == {}


@pytest.mark.parametrize(
    ("said", "runs", "expected"),
    [
        ("+", True, None),
        ("+-", False, None),
        ("+-+", True, None),
        ("++", True, NOON + 2),
        ("++-", False, NOON + 2),
        ("++-+", True, NOON + 2),
        ("+", False, NOON + 1),
        ("", False, None),
    ],
)
def test_an_engine_that_has_not_said_that_it_let_go_has_crashed(
    tmp_path: Path, said: str, *, runs: bool, expected: float | None
) -> None:
    words = {"+": "processor_started", "-": "processor_stopped"}
    lines = [line(seq, words[sign], NOON + seq, ',"fence":1,"by":"me"') for seq, sign in enumerate(said, 1)]
    (tmp_path / "events-000000000001.jsonl").write_text("".join(lines[:1]))
    (tmp_path / "events.jsonl").write_text("".join(lines[1:]) + line(9, "file_added", NOON + 9))
    assert last_crash(tmp_path / "events.jsonl", NOON, runs=runs) == expected
    assert last_crash(tmp_path / "events.jsonl", NOON + 100, runs=runs) is None, "that is old"
