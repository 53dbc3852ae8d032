"""What an engine of the Python face works on, and what it tells its program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import msgspec
import pytest
from night import Night, task

from overnight.api.engine_process import Order, Progress, _Line, _Teller, _View
from overnight.core.lanes import OPS_QUEUE
from overnight.store.contract import Claim, Store
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play


@pytest.fixture
def pipe() -> Iterator[tuple[int, _Line]]:
    reading, writing = os.pipe()
    yield reading, _Line(writing)
    os.close(reading)
    os.close(writing)


@pytest.fixture
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    made = Night(tmp_path_factory.mktemp("home"))
    yield made
    made.store.close()


def test_an_engine_of_one_queue_does_what_the_runner_has_to_do_itself(night: Night, pipe: tuple[int, _Line]) -> None:
    """Alerts are told and health is looked after; a service would never come to its end, when others do it."""
    mine, theirs, own = night.add(task("mine", queue="q"), task("theirs"), task("message", queue=OPS_QUEUE))
    store = night.store
    night.store = cast("SqliteStore", _View(store, Order(b"", queue="q"), _Teller(pipe[1])))
    night.run(lambda _spec, _action: Play(seconds=1.0))
    night.store = store
    assert [str(night.state(number)) for number in (mine, theirs, own)] == ["completed", "pending", "completed"]


def test_what_is_under_way_is_what_people_have_added(night: Night, pipe: tuple[int, _Line]) -> None:
    teller = _Teller(pipe[1])
    night.add(task("message", queue=OPS_QUEUE), *(task(str(number)) for number in range(3)))
    store = night.store
    night.observers = [teller]
    night.store = cast("SqliteStore", _View(store, Order(b""), teller))
    night.run(lambda _spec, _action: Play(seconds=1.0))
    night.store = store
    told = [msgspec.json.decode(line, type=Progress) for line in os.read(pipe[0], 65536).splitlines()]
    assert "message" not in {one.current for one in told}
    assert teller.progress() == Progress(completed=3)


def test_what_was_taken_back_is_under_way_no_more(night: Night, pipe: tuple[int, _Line]) -> None:
    """Nobody tells of its end; it may be tried next week."""
    teller = _Teller(pipe[1])
    night.add(task("a"))
    fence = night.store.take_fence(now=night.clock.now(), by="me")
    (lane,) = night.store.orders().lanes
    claim = Claim(count=1, lanes={lane.id: {}}, pools={})
    view = _View(cast("Store", night.store), Order(b""), teller)
    view.turn(fence=fence, now=night.clock.now(), settlements=[], claim=claim, obeyed=[], notes=[])
    assert teller.progress().current == "a"
    teller.ticked(night.store.counts(), [])
    assert teller.progress().current is None
