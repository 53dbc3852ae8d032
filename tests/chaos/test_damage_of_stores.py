"""The live store, damaged everywhere: what changed is found when the home is taken, and all of it is there again.

A page that holds nothing is not guarded: it is written anew before it is used. Everything else is.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from damaging import PAGE, Ruin, end_of_long_value, flip, places, recover
from keeping import NOON, new_task

from overnight.host.home import Home
from overnight.ops import repair
from overnight.ops.evidence import Evidence
from overnight.store.sqlite import SqliteStore, examining

RANGES = 256
#: A sample for every day.
FEW = 8


@pytest.fixture(scope="module")
def ruin(tmp_path_factory: pytest.TempPathFactory) -> Ruin:
    return Ruin(tmp_path_factory.mktemp("stores"))


def sizes(ruin: Ruin) -> range:
    """Where a store is cut off."""
    return range(0, ruin.home.store.stat().st_size, PAGE)


def try_flips(ruin: Ruin, count: int) -> None:
    for place in places(ruin.home.store.stat().st_size, count):
        home = ruin.copy("flipped")
        flip(home.store, place)
        found = recover(home)
        assert found or ruin.holds_nothing(place), f"byte {place} was not noticed"
        assert ruin.lost(home) == [], f"byte {place}"


def try_cuts(ruin: Ruin, cuts: range) -> None:
    for size in cuts:
        home = ruin.copy("cut")
        with home.store.open("r+b") as file:
            file.truncate(size)
        assert recover(home), f"{size} bytes were taken for all of it"
        assert ruin.lost(home) == [], f"{size} bytes"


def test_some_changed_ranges_are_found_and_made_good(ruin: Ruin) -> None:
    try_flips(ruin, FEW)


def test_a_store_that_was_cut_off_in_some_places_is_made_good(ruin: Ruin) -> None:
    every = sizes(ruin)
    try_cuts(ruin, every[:: max(1, len(every) // FEW)])


@pytest.mark.prove
def test_each_of_256_changed_ranges_is_found_and_made_good(ruin: Ruin) -> None:
    try_flips(ruin, RANGES)


@pytest.mark.prove
def test_a_store_that_was_cut_off_anywhere_is_made_good(ruin: Ruin) -> None:
    try_cuts(ruin, sizes(ruin))


@pytest.mark.prove
def test_each_page_of_zeros_is_found_and_made_good(ruin: Ruin) -> None:
    """The checksum of zeros is zero."""
    for size in sizes(ruin):
        home = ruin.copy("zeros")
        with home.store.open("r+b") as file:
            file.seek(size)
            file.write(bytes(PAGE))
        assert recover(home) or ruin.holds_nothing(size), f"the page at {size} was not noticed"
        assert ruin.lost(home) == [], f"the page at {size}"


# -- the controls -----------------------------------------------------------------------------


def without_an_end(ruin: Ruin) -> Home:
    home = ruin.copy("long")
    with home.store.open("r+b") as file:
        file.seek(end_of_long_value(home.store))
        file.write(bytes(PAGE))
    return home


def test_without_the_search_for_zeros_the_end_of_a_long_value_may_be_gone(
    ruin: Ruin, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = without_an_end(ruin)
    assert recover(home)
    assert ruin.lost(home) == []
    monkeypatch.setattr(examining, "_zeros_in", lambda _: [])
    home = without_an_end(ruin)
    assert not recover(home)
    assert ruin.lost(home)


def test_a_page_that_is_newer_in_the_log_may_be_zeros_in_the_file(ruin: Ruin) -> None:
    """As after a crash in the middle of moving the log: the file has grown, and not everything is in it yet."""
    home = ruin.copy("log")
    store = SqliteStore.open(home.store)
    store.add([new_task("y" * 9000) for _ in range(50)], now=NOON)
    grown = home.store.stat().st_size + 100 * PAGE
    store.close()
    os.truncate(home.store, grown)
    assert not recover(home)


def damaged(ruin: Ruin) -> Home:
    home = ruin.copy("control")
    flip(home.store, home.store.stat().st_size // 2)
    return home


def test_without_the_scan_damage_is_not_noticed(ruin: Ruin, monkeypatch: pytest.MonkeyPatch) -> None:
    assert repair.damage(damaged(ruin))
    monkeypatch.setattr(examining, "scan", lambda *_, **__: None)
    assert not repair.damage(damaged(ruin))


def test_without_the_journal_what_happened_since_the_checkpoint_is_lost(
    ruin: Ruin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Evidence, "lines", lambda *_: iter(()))
    home = damaged(ruin)
    assert recover(home)
    assert ruin.lost(home)


def test_without_a_look_at_the_journal_a_store_of_yesterday_is_taken_for_todays(
    ruin: Ruin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_yesterday() -> Home:
        home = ruin.copy("yesterday")
        home.store.write_bytes((ruin.checkpoints(home)[0] / "queue.db").read_bytes())
        return home

    home = of_yesterday()
    assert recover(home)
    assert ruin.lost(home) == []
    monkeypatch.setattr(repair, "last_seq", lambda _: 0)
    home = of_yesterday()
    assert not recover(home)
    assert ruin.lost(home)


def test_what_is_aside_is_exactly_what_was_damaged(ruin: Ruin) -> None:
    home = damaged(ruin)
    before = home.store.read_bytes()
    done = recover(home)
    assert done is not None
    assert Path(done.aside or "", "queue.db").read_bytes() == before
