"""A running task stands still while a person wishes it, and no longer than its engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from night import Night, task

from overnight.core.states import Outcome, TaskState
from overnight.core.stopping import Ask
from overnight.engine.info import InfoFile
from overnight.store.contract import Selector, Verb
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play

Wish = Callable[..., Callable[[], None]]


@pytest.fixture
def wish(night: Night) -> Wish:
    """What a person does at the command line, for a script."""

    def made(verb: str, task_id: int) -> Callable[[], None]:
        def ask() -> None:
            other = SqliteStore.open(night.directory / "queue.db")
            if verb in ("cancel", "hold"):
                other.act(Verb(verb), Selector(ids=(task_id,)), now=night.clock.now(), by="person")
            else:
                other.ask(verb, now=night.clock.now(), by="person", task_id=task_id)
            other.close()
            night.bell.ring()

        return ask

    return made


def froze(night: Night) -> list[tuple[str, int, str]]:
    """What the journal tells of it."""
    told = map(msgspec.json.decode, (night.directory / "events.jsonl").read_bytes().splitlines())
    return [(one["event"], one["id"], one["by"]) for one in told if one["event"] in ("file_frozen", "file_thawed")]


def ten_seconds(*_: Any) -> Play:
    return Play(seconds=10.0)


def test_it_stands_still_and_goes_on_where_it_was(night: Night, wish: Wish) -> None:
    (one,) = night.add(task("one"))
    begin = night.clock.monotonic()
    night.run(ten_seconds, script=[(4.0, wish("freeze", one)), (100.0, wish("thaw", one))])
    assert night.clock.monotonic() - begin == pytest.approx(106.0, abs=1.0)
    assert night.state(one) is TaskState.COMPLETED
    assert froze(night) == [("file_frozen", one, "person"), ("file_thawed", one, "person")]
    assert (night.store.orders().controls, len(night.begun())) == ([], 1)


def test_who_looks_is_told_at_once(night: Night, wish: Wish) -> None:
    """And not with the next tick: a person stands there and looks."""
    (one,) = night.add(task("one"))
    path = night.directory / "engine.json"
    night.observers.append(InfoFile(path, night.clock, {"pid": 7}))
    said: list[Any] = []

    def look() -> None:
        said.append([view["id"] for view in msgspec.json.decode(path.read_bytes())["frozen"]])

    script = [(4.5, wish("freeze", one)), (4.6, look), (5.5, wish("thaw", one)), (5.6, look)]
    night.run(ten_seconds, script=script)
    assert said == [[one], []]


def test_a_stop_lets_it_finish(night: Night, wish: Wish) -> None:
    (one,) = night.add(task("one"))
    night.run(ten_seconds, script=[(4.0, wish("freeze", one)), (50.0, lambda: night.stops.signals.append(Ask.STOP))])
    assert night.state(one) is TaskState.COMPLETED
    assert froze(night)[1:] == [("file_thawed", one, "stop")]


def test_nothing_is_frozen_while_the_engine_waits_for_it(night: Night, wish: Wish) -> None:
    (one,) = night.add(task("one"))
    night.run(ten_seconds, script=[(4.0, lambda: night.stops.signals.append(Ask.STOP)), (5.0, wish("freeze", one))])
    assert (night.state(one), froze(night)) == (TaskState.COMPLETED, [])


def test_a_stop_at_once_ends_it_and_counts_nothing(night: Night, wish: Wish) -> None:
    (one,) = night.add(task("one"))
    night.run(
        ten_seconds, script=[(4.0, wish("freeze", one)), (50.0, lambda: night.stops.signals.append(Ask.STOP_NOW))]
    )
    assert night.state(one) is TaskState.PENDING
    assert [attempt.outcome for attempt in night.store.attempts(one)] == [Outcome.INTERRUPTED]


@pytest.mark.parametrize(("verb", "state"), [("cancel", TaskState.CANCELLED), ("hold", TaskState.HELD)])
def test_what_is_frozen_can_be_ended(night: Night, wish: Wish, verb: str, state: TaskState) -> None:
    (one,) = night.add(task("one"))
    night.run(ten_seconds, script=[(4.0, wish("freeze", one)), (50.0, wish(verb, one))])
    assert night.state(one) is state


def test_who_changes_his_mind_before_it_is_heard_has_asked_for_nothing(night: Night) -> None:
    (one,) = night.add(task("one"))

    def both() -> None:
        other = SqliteStore.open(night.directory / "queue.db")
        for verb in ("freeze", "thaw"):
            other.ask(verb, now=night.clock.now(), by="person", task_id=one)
        other.close()
        night.bell.ring()

    begin = night.clock.monotonic()
    night.run(ten_seconds, script=[(4.0, both)])
    assert (night.state(one), froze(night)) == (TaskState.COMPLETED, [])
    assert night.clock.monotonic() - begin < 20


def test_what_waits_behind_it_is_run_elsewhere(night: Night, wish: Wish) -> None:
    """Tiny tasks are handed out ahead; one that stands still must not keep those behind it."""
    long, *others = night.add(task("long"), *(task(str(number)) for number in range(200)))

    def play(spec: Any, _action: Any) -> Play:
        return Play(seconds=2.0 if spec.task_id == long else 0.01)

    def thaw_last() -> None:
        other = SqliteStore.open(night.directory / "queue.db")
        assert other.counts().completed == len(others)
        other.close()
        wish("thaw", long)()

    night.run(play, script=[(0.5, wish("freeze", long)), (60.0, thaw_last)])
    assert night.store.counts().completed == len(others) + 1
    assert len(night.begun()) == len(others) + 1


def test_a_wish_about_what_has_ended_is_forgotten(night: Night, wish: Wish) -> None:
    one, two = night.add(task("one"), task("two"))
    night.run(
        lambda spec, _action: Play(seconds=1.0 if spec.task_id == one else 20.0), script=[(5.0, wish("freeze", one))]
    )
    assert (night.state(one), night.state(two)) == (TaskState.COMPLETED, TaskState.COMPLETED)
    assert (night.store.orders().controls, froze(night)) == ([], [])
