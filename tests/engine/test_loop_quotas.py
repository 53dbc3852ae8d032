"""A server that says "too many requests": its queue is held until the time that it named, and no longer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from night import Night, task

from overnight.core.endings import Ending
from overnight.core.states import ErrorClass
from overnight.core.task import Action
from overnight.engine.quotas import Quotas
from overnight.executors.contract import Spec
from overnight.store.contract import Queue
from overnight.testing import Play

HOUR = 3600.0


def shop(night: Night, opens: float, calls: list[float]) -> Callable[[Spec, Action], Play]:
    """A server that is closed until `opens`, POSIX seconds."""

    def play(_spec: Spec, _action: Action) -> Play:
        now = night.clock.now()
        calls.append(now)
        if now >= opens:
            return Play()
        return Play(ending=Ending.RAISED, error="429", error_class=ErrorClass.RATE_LIMITED, retry_at=opens)

    return play


def test_nobody_calls_before_the_time_that_was_named_and_everybody_is_served_then(night: Night) -> None:
    ids = night.add(*(task(str(number), queue="shop") for number in range(300)))
    calls: list[float] = []
    opens = night.clock.now() + HOUR

    night.run(shop(night, opens, calls))

    assert night.store.counts().completed == 300
    assert {night.store.get(task_id).failures for task_id in ids} == {0}
    early = [moment for moment in calls if moment < opens]
    assert len(early) == 2  # what the two slots had begun before anybody knew; the turn that is told claims none
    assert min(moment for moment in calls if moment >= opens) < opens + 1
    [held] = [event for event in night.told("queue_changed") if event["paused"]]
    assert (held["queue"], held["by"]) == ("shop", "rate limit")


def test_without_the_hold_every_task_asks_once(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(Quotas, "heed", lambda *_: False)
    night.add(*(task(str(number), queue="shop") for number in range(300)))
    calls: list[float] = []
    opens = night.clock.now() + HOUR
    night.run(shop(night, opens, calls))
    assert len([moment for moment in calls if moment < opens]) == 300


def test_other_queues_go_on(night: Night) -> None:
    night.add(task("a", queue="shop"), *(task(str(number)) for number in range(5)))
    ended: list[float] = []
    start = night.clock.now()

    def play(spec: Spec, _action: Action) -> Play:
        if spec.queue == "shop" and night.clock.now() < start + HOUR:
            return Play(ending=Ending.RAISED, error_class=ErrorClass.RATE_LIMITED, retry_at=start + HOUR)
        ended.append(night.clock.now() - start)
        return Play()

    night.run(play)
    assert night.store.counts().completed == 6
    assert len([moment for moment in ended if moment < 60]) == 5


@pytest.mark.parametrize("until", [None, 2 * HOUR])
def test_a_longer_pause_of_a_person_stays(night: Night, until: float | None) -> None:
    night.add(task("a", queue="shop"))
    calls: list[float] = []
    start = night.clock.now()
    mine = Queue("shop", paused=True, paused_until=None if until is None else start + until)

    def play(spec: Spec, action: Action) -> Play:
        night.store.set_queue(mine, now=night.clock.now(), by="me")
        return shop(night, start + HOUR, calls)(spec, action)

    night.run(play, script=[(30.0, lambda: None), (60.0, night.give_up)])
    assert night.store.queues() == [mine]
