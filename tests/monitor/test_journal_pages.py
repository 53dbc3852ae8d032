"""The journal, read backwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overnight.monitor import pages


def lines(first: int, last: int, event: str = "file_added", filler: str = "") -> bytes:
    return b"".join(
        b'{"seq":%d,"event":"%b","x":"%b"}\n' % (n, event.encode(), filler.encode()) for n in range(first, last + 1)
    )


def everything(_: bytes) -> bool:
    return True


def numbers(journal: Path, *, before: int | None = None, limit: int = 5) -> tuple[list[int], int | None]:
    found, following = pages.page(journal, before=before, limit=limit, wanted=everything)
    return [one["seq"] for one in found], following


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Two full segments, and the file that is written."""
    (tmp_path / "events-000000000010.jsonl").write_bytes(lines(1, 10))
    (tmp_path / "events-000000000020.jsonl").write_bytes(lines(11, 20))
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(21, 27))
    return path


def test_the_newest_come_first(journal: Path) -> None:
    assert numbers(journal) == ([27, 26, 25, 24, 23], 23)


def test_pages_follow_each_other_across_segments(journal: Path) -> None:
    seen: list[int] = []
    before: int | None = None
    while True:
        found, before = numbers(journal, before=before, limit=4)
        seen += found
        if before is None:
            break
    assert seen == list(range(27, 0, -1))


def test_a_torn_line_and_a_strange_one_are_passed_over(journal: Path) -> None:
    with journal.open("ab") as file:
        file.write(b'nonsense\n{"seq":28,"event":"x"}\n{"seq":29,"eve')
    assert numbers(journal, limit=2) == ([28, 27], 27)


def test_a_journal_that_is_not_there_has_no_pages(tmp_path: Path) -> None:
    assert numbers(tmp_path / "events.jsonl") == ([], None)


def test_what_is_rare_is_looked_for_so_far_and_then_asked_about_again(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_READ", 200)
    found, following = pages.page(journal, before=None, limit=5, wanted=lambda line: b'"seq":3,' in line)
    assert found == []
    assert following is not None
    while following is not None and not found:
        found, following = pages.page(journal, before=following, limit=5, wanted=lambda line: b'"seq":3,' in line)
    assert [one["seq"] for one in found] == [3]


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(0, 300), st.integers(1, 420))
def test_a_place_is_found_wherever_it_lies(
    tmp_path_factory: pytest.TempPathFactory, last: int, filler: int, before: int
) -> None:
    journal = tmp_path_factory.mktemp("j") / "events.jsonl"
    journal.write_bytes(lines(1, last, filler="y" * filler))
    first = min(last, before - 1)
    assert numbers(journal, before=before, limit=3)[0] == list(range(first, max(0, first - 3), -1))
