"""Results too large for the store: in a file before anybody hears of them, or held while there is no room."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from executor_bench import CLOCK, Bench
from small_disk import fill, small_disk

from overnight.core.endings import Ending
from overnight.core.results import spilled
from overnight.host import results

SOURCE = """
def long(value): return "x" * int(value)
def long_and_not_held(value):
    from overnight.executors.local import runner
    runner.MOST_HELD = 10
    return "x" * int(value)
"""
#: What JSON puts around a text.
QUOTES = 2


def call(bench: Bench, name: str = "long", *, inline: int = 1000) -> int:
    return bench.call(f"long_results:{name}", SOURCE, inline_result=inline)


def files(bench: Bench) -> list[str]:
    directory = bench.root / "results"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


@pytest.mark.parametrize(("length", "large"), [(1000 - QUOTES, False), (1001 - QUOTES, True)])
def test_a_result_over_the_limit_goes_into_a_file(bench: Bench, length: int, *, large: bool) -> None:
    ended = bench.run(call(bench), str(length))

    assert ended.ending is Ending.RETURNED
    assert files(bench) == (["1-1.json"] if large else [])
    assert (spilled(ended.result) is not None) is large
    assert json.loads(results.read(bench.root / "results", ended.result)) == "x" * length


def test_the_file_is_its_owners_alone_whatever_the_function_does(bench: Bench) -> None:
    bench.run(call(bench), "5000")
    assert (bench.root / "results").stat().st_mode & 0o777 == 0o700
    assert (bench.root / "results" / "1-1.json").stat().st_mode & 0o777 == 0o600


def test_seventy_megabytes_come_through(bench: Bench) -> None:
    """More than the engine would hold, and nothing of it goes over the wire or into the spool."""
    ended = bench.run(call(bench), "70000000")
    assert len(ended.result) < 100
    assert len(results.read(bench.root / "results", ended.result)) == 70_000_000 + QUOTES
    assert sum(path.stat().st_size for path in (bench.root / "spool").iterdir()) < 100_000


def test_the_file_is_on_the_disk_before_the_outcome_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Synced: what refers to it is committed after that, and a power cut must not leave a reference to nothing."""
    synced: list[str] = []
    monkeypatch.setattr("overnight.host.files.os.fsync", lambda _descriptor: synced.append("file"))
    monkeypatch.setattr("overnight.host.files.sync_directory", lambda path: synced.append(path.name))
    results.write(bench.root / "results", 1, 1, b"[]")
    assert synced == ["file", "results"]


@pytest.mark.parametrize("room", [0, 30_000])
def test_on_a_full_disk_the_result_is_told_itself(tmp_path: Path, room: int) -> None:
    """And nothing of the file is left: half of it would only take the room that is missing."""
    with small_disk(tmp_path / "results", size_bytes=1_000_000) as disk, closing(Bench(tmp_path)) as bench:
        bench.open()
        fill(disk, leave_bytes=room)
        ended = bench.run(call(bench), "50000")
        assert (ended.ending, len(ended.result)) == (Ending.RETURNED, 50_000 + QUOTES)
        assert files(bench) == ["filler"]


def test_a_result_that_nobody_can_hold_makes_its_function_be_called_again_later(tmp_path: Path) -> None:
    """No failure: it is the disk that is full. And once there is room it is kept."""
    with small_disk(tmp_path / "results", size_bytes=1_000_000) as disk, closing(Bench(tmp_path)) as bench:
        bench.open()
        filler = fill(disk)
        action = call(bench, "long_and_not_held")
        ended = bench.run(action, "50000")
        assert ended.ending is Ending.POSTPONED
        assert ended.error == "its result of 50,002 bytes cannot be written (No space left on device)"
        assert ended.retry_at is not None
        assert 0 < ended.retry_at - CLOCK.now() <= 60
        filler.unlink()
        assert len(results.read(disk, bench.run(action, "50000").result)) == 50_000 + QUOTES


def test_a_file_in_the_place_of_the_directory_costs_no_result(bench: Bench) -> None:
    (bench.root / "results").write_text("in the way")
    ended = bench.run(call(bench), "50000")
    assert (ended.ending, len(ended.result)) == (Ending.RETURNED, 50_000 + QUOTES)


def test_a_result_that_is_damaged_or_gone_is_not_taken_for_the_result(bench: Bench) -> None:
    from overnight.core.errors import NotFoundError, StoreDamagedError

    ended = bench.run(call(bench), "5000")
    path = bench.root / "results" / "1-1.json"
    whole = path.read_bytes()

    damage: list[Callable[[], object]] = [
        lambda: path.write_bytes(whole[:-1]),
        lambda: path.write_bytes(whole.replace(b"xx", b"yx", 1)),
        lambda: path.write_bytes(b""),
    ]
    for do in damage:
        do()
        with pytest.raises(StoreDamagedError, match="is not what was written there any more"):
            results.read(path.parent, ended.result)
    path.unlink()
    with pytest.raises(NotFoundError, match="is gone; the task stays completed"):
        results.read(path.parent, ended.result)


def test_only_files_of_tasks_that_are_no_more_are_swept(tmp_path: Path) -> None:
    """Those that a killed worker has not finished, too; what is not ours stays."""
    for name in ("1-1.json", "1-2.json", "2-1.json", ".2-1.json.a1.tmp", ".1-3.json.b2.tmp", "notes", "x-1.json"):
        (tmp_path / name).touch()
    results.sweep(tmp_path, lambda ids: {1} & set(ids))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".1-3.json.b2.tmp",
        "1-1.json",
        "1-2.json",
        "notes",
        "x-1.json",
    ]
    results.sweep(tmp_path / "never made", lambda _: set[int]())
