"""What the engine remembers of attempts, and that it forgets it again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from night import Night, task

from overnight.engine import loop
from overnight.engine.attempts import Attempts
from overnight.engine.orders import OrderBook
from overnight.store.contract import Claim


def test_a_night_of_many_lanes_leaves_nothing_behind_in_memory(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes come and go with queues, workflows and batches; a night may see any number of them."""
    made: list[Attempts] = []

    def remembering(*parts: Any, **more: Any) -> Attempts:
        made.append(Attempts(*parts, **more))
        return made[-1]

    monkeypatch.setattr(loop, "Attempts", remembering)
    night.add(*(task("one", queue=f"queue-{number}") for number in range(100)))
    night.run()

    assert len(night.begun()) == 100
    assert not made[0].by_lane.keys()


@pytest.mark.parametrize("jump", [86400.0, -86400.0, 3600.0, -2.0])
def test_an_attempt_has_not_run_for_longer_than_it_has_been_handed_out(night: Night, jump: float) -> None:
    """Its start is by the wall clock. A head that seems to have run for a day would spoil the pace of its lane."""
    orders = OrderBook(night.store, {})
    attempts = Attempts(night.executor, night.store, orders)
    night.add(task("head"), task("behind"))
    orders.read(night.clock.monotonic())
    claim = Claim(count=2, lanes={1: {}}, pools={})
    fence = night.store.take_fence(now=night.clock.now(), by="test")
    claimed = night.store.turn(fence=fence, now=night.clock.now(), claim=claim).claimed
    attempts.start(claimed, {0: 1.0}, moment=night.clock.monotonic())

    night.clock.advance(0.4)
    night.clock.step_wall(jump)
    assert attempts.unstick(now=night.clock.now(), moment=night.clock.monotonic()) == []
    night.clock.advance(0.2)
    [behind] = attempts.unstick(now=night.clock.now(), moment=night.clock.monotonic())
    assert behind.task_id == claimed[1].id


def test_how_many_have_begun_goes_with_the_attempt(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted: list[int] = []
    monkeypatch.setattr(
        night.executor, "submit", lambda _slot, batch, _actions: submitted.extend(one.begun for one in batch)
    )
    orders = OrderBook(night.store, {})
    attempts = Attempts(night.executor, night.store, orders)
    night.add(task("one"))
    orders.read(night.clock.monotonic())
    fence = night.store.take_fence(now=night.clock.now(), by="test")
    (one,) = night.store.turn(fence=fence, now=night.clock.now(), claim=Claim(count=1, lanes={1: {}}, pools={})).claimed
    attempts.start([msgspec.structs.replace(one, begun=4)], {0: 1.0}, moment=night.clock.monotonic())
    assert submitted == [4]
