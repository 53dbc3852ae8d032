"""How the engine stops: the table of asks, in virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from night import Night, task

from overnight.core.endings import Ending
from overnight.core.states import Outcome, TaskState
from overnight.core.stopping import Ask, StoppedBy
from overnight.testing import FakeExecutor, Play


def test_a_stop_lets_what_runs_finish_and_claims_no_more(night: Night) -> None:
    ids = night.add(*(task(str(number)) for number in range(4)))
    result = night.run(
        lambda _spec, _action: Play(seconds=10.0), script=[(1.0, lambda: night.stops.signals.append(Ask.SIGINT))]
    )
    assert [night.state(task_id) for task_id in ids] == [TaskState.COMPLETED] * 2 + [TaskState.PENDING] * 2
    assert (result.stopped_by, result.exit_code) == (StoppedBy.SIGNAL, None)


def test_sigterm_ends_what_runs_and_counts_no_failure(night: Night) -> None:
    ids = night.add(task("a"), task("b"), task("c"))
    result = night.run(
        lambda _spec, _action: Play(seconds=1000.0), script=[(1.0, lambda: night.stops.signals.append(Ask.SIGTERM))]
    )
    assert {night.state(task_id) for task_id in ids} == {TaskState.PENDING}
    assert night.store.get(ids[0]).failures == 0
    assert [attempt.outcome for attempt in night.store.attempts(ids[0])] == [Outcome.INTERRUPTED]
    assert result.exit_code == 143


def test_the_stop_file_is_seen_within_a_second_and_removed(night: Night) -> None:
    night.stops.file = True
    night.add(*(task(str(number)) for number in range(50)))
    result = night.run(lambda _spec, _action: Play(seconds=1.0), slots=1)
    assert result.stopped_by is StoppedBy.STOP_SIGNAL
    assert result.counts.completed <= 2
    assert not night.stops.file


def test_prefetched_tasks_go_back_untouched_when_a_stop_comes(night: Night) -> None:
    ids = night.add(*(task(str(number)) for number in range(200)))
    night.run(
        lambda _spec, _action: Play(seconds=0.01),
        slots=1,
        script=[(0.1, lambda: night.stops.signals.append(Ask.SIGINT))],
    )
    begun = set(night.begun())
    assert 0 < len(begun) < 200
    assert all(night.state(task_id) is TaskState.PENDING for task_id in ids if task_id not in begun)
    assert all(night.state(task_id) is TaskState.COMPLETED for task_id in begun)


def test_exit_99_completes_the_task_and_stops_the_queue(night: Night) -> None:
    night.add(task("a"), task("b"))
    result = night.run(lambda _spec, _action: Play(seconds=1, ending=Ending.EXITED, exit_code=99), slots=1)
    assert (result.stopped_by, result.counts.completed, result.counts.pending) == (StoppedBy.HALT, 1, 1)


def test_an_engine_that_drains_sleeps_though_a_retry_is_due(night: Night) -> None:
    night.add(task("later", not_before=night.clock.now() + 5), task("long"))
    night.run(lambda _spec, _action: Play(seconds=60.0), script=[(1.0, lambda: night.stops.signals.append(Ask.SIGINT))])
    assert night.waiter.waits < 150


@pytest.mark.parametrize("ask", ["file", "signal", "control"])
def test_a_stop_during_recovery_starts_nothing(night: Night, monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    night.add(task("a"))
    real = FakeExecutor.open

    def slow_open(self: FakeExecutor, **words: Any) -> Any:
        if ask == "file":
            night.stops.file = True
        elif ask == "signal":
            night.stops.signals.append(Ask.SIGINT)
        else:
            night.store.ask(Ask.STOP_NOW, now=night.clock.now(), by="person")
        return real(self, **words)

    monkeypatch.setattr(FakeExecutor, "open", slow_open)
    result = night.run()
    assert night.begun() == []
    assert result.counts.pending == 1
    assert night.store.orders().controls == []


def test_a_stop_that_was_asked_of_an_earlier_engine_does_not_stop_this_one(night: Night) -> None:
    night.add(task("a"))
    night.store.ask(Ask.STOP_NOW, now=night.clock.now(), by="person")
    assert night.run().counts.completed == 1
    assert night.store.orders().controls == []


def test_the_last_event_says_that_the_engine_has_let_go_and_why(night: Night) -> None:
    night.add(task("a"))
    night.run()
    last = json.loads((night.directory / "events.jsonl").read_text().splitlines()[-1])
    assert (last["event"], last["why"]) == ("processor_stopped", "queue_empty")
