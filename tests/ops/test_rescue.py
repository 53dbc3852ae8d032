"""A store whose file is taken away while an engine has it open is put back whole, and the engine goes on with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from keeping import NOON, Place
from redoing import differences

from overnight.core.errors import StoreDamagedError
from overnight.core.states import TaskState
from overnight.host.home import past
from overnight.monitor.books import audit
from overnight.ops.rescue import rescue
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.copying import copy_file

S = TaskState


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    made.add("a", "b", "c")
    made.work()
    yield made
    made.journal()
    assert audit(made.store, made.home.journal) == []
    made.store.close()


def save(place: Place) -> Path | None:
    with pytest.raises(StoreDamagedError) as caught:
        place.store.check_file()
    done = rescue(place.home, place.store, caught.value.message, now=NOON)
    place.store.check_file()
    assert past(place.home).epoch == done.epoch == 1
    return done.aside


PARTS = [("",), ("-wal",), ("-wal", "-shm"), ("", "-wal"), ("", "-wal", "-shm")]


@pytest.mark.parametrize("parts", PARTS, ids=["alone", "the log", "the log and its index", "both", "all"])
def test_what_was_committed_before_and_since_is_there(place: Place, parts: tuple[str, ...]) -> None:
    for part in parts:
        Path(f"{place.home.store}{part}").unlink()
    place.work()  # an engine that has not noticed yet
    save(place)
    place.work()
    place.reopen()
    assert place.states() == dict.fromkeys("abc", S.COMPLETED)
    assert [event for event in place.events() if event["event"] == "store_rescued"]


def test_what_was_put_in_its_place_is_set_aside(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other")
    other.close()
    other.home.store.replace(place.home.store)
    aside = save(place)
    assert aside is not None
    assert (aside / "queue.db").exists()
    place.reopen()
    assert place.states() == {"a": S.COMPLETED, "b": S.PENDING, "c": S.PENDING}


def test_the_rescued_store_is_equal_in_everything(place: Place, tmp_path: Path) -> None:
    place.claim(1)
    copy_file(place.home.store, tmp_path / "truth.db")
    place.home.store.unlink()
    save(place)
    assert differences(tmp_path / "truth.db", place.home.store) == []


def test_a_producer_with_the_old_file_acknowledges_nothing(place: Place) -> None:
    producer = SqliteStore.open(place.home.store)
    place.home.store.unlink()
    save(place)
    from keeping import new_task

    with pytest.raises(StoreDamagedError, match="replaced while it is in use"):
        producer.add([new_task("lost")], now=NOON)
    producer.reopen()
    producer.add([new_task("kept")], now=NOON)
    producer.close()
    assert "kept" in place.states()


def test_what_cannot_be_put_back_leaves_everything_as_it_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreDamagedError("its pages are damaged; nothing was changed")

    monkeypatch.setattr(SqliteStore, "copy_to", refuse)
    content = place.home.store.read_bytes()
    place.home.store.rename(place.home.path / "moved")
    with pytest.raises(StoreDamagedError, match="pages"):
        rescue(place.home, place.store, "gone", now=NOON)
    assert not place.home.store.exists()
    (place.home.path / "moved").rename(place.home.store)
    assert place.home.store.read_bytes() == content
