"""Answers that are made once for all who ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest
from dashboards import Served
from starlette.responses import Response

from overnight.testing.clock import FakeClock
from overnight.ui.web.recent import Recent


class Kitchen:
    """Counts what it makes; an answer is there when it is let go."""

    def __init__(self) -> None:
        self.made = 0
        self.begun, self.ready = asyncio.Event(), asyncio.Event()

    async def make(self) -> Response:
        self.made += 1
        self.begun.set()
        await self.ready.wait()
        return Response(str(self.made))


def play(scene: Callable[[], Coroutine[None, None, None]]) -> None:
    """In a thread of its own: a browser of other tests has a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(scene())).result()


def test_who_asks_meanwhile_waits_for_the_same_answer() -> None:
    async def scene() -> None:
        recent, kitchen = Recent(FakeClock()), Kitchen()
        asked = [asyncio.create_task(recent.of("it", 1.0, kitchen.make)) for _ in range(5)]
        kitchen.ready.set()
        assert {bytes((await one).body) for one in asked} == {b"1"}

    play(scene)


@pytest.mark.parametrize("change", ["time", "deed", "question"])
def test_another_answer_is_made_when_it_may_be_different(change: str) -> None:
    async def scene() -> None:
        clock, kitchen = FakeClock(), Kitchen()
        recent = Recent(clock)
        kitchen.ready.set()
        await recent.of("it", 1.0, kitchen.make)
        changes: dict[str, Callable[[], None]] = {"time": lambda: clock.advance(1.0), "deed": recent.forget}
        changes.get(change, lambda: None)()
        again = await recent.of("that" if change == "question" else "it", 1.0, kitchen.make)
        assert again.body == b"2"

    play(scene)


def test_who_goes_away_does_not_take_the_answer_along() -> None:
    async def scene() -> None:
        recent, kitchen = Recent(FakeClock()), Kitchen()
        first, second = (asyncio.create_task(recent.of("it", 1.0, kitchen.make)) for _ in range(2))
        await kitchen.begun.wait()
        first.cancel()
        kitchen.ready.set()
        assert (await second).body == b"1"

    play(scene)


def test_a_failure_is_not_kept() -> None:
    async def scene() -> None:
        recent, kitchen = Recent(FakeClock()), Kitchen()
        kitchen.ready.set()

        async def fail() -> Response:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            await recent.of("it", 1.0, fail)
        assert (await recent.of("it", 1.0, kitchen.make)).body == b"1"

    play(scene)


def test_what_somebody_did_is_seen_at_once(own: Served) -> None:
    assert len(own.get("overview").json["causes"]) == 2
    own.post("tasks/retry", {"cause": "disk"})
    assert len(own.get("overview").json["causes"]) == 1
