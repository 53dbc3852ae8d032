"""Traces: what the journal says as spans, once and whole, however often the collector fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from collecting import Collector, collecting
from telling_parts import ended, journal

from overnight.core.errors import NotFoundError
from overnight.monitor.history.keeping import History
from overnight.monitor.telling import Telling
from overnight.monitor.traces import Traces, UndeliveredError
from overnight.store.contract import Store


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as server:
        yield server


class Tasks:
    """Knows where tasks belong, and when they were added; of task 3 nothing any more."""

    def places(self, ids: set[int]) -> dict[int, tuple[str, str]]:
        return {task_id: ("night", "flow") for task_id in ids if task_id != 3}

    def get(self, task_id: int) -> Any:
        if task_id == 3:
            raise NotFoundError("gone")

        class Task:
            added_at = 1_799_999_990.0

        return Task


def traces(address: str) -> Traces:
    return Traces(address, cast(Store, Tasks()), home="f00", instance="/home/.overnight")


def test_what_may_be_secret_of_the_address_is_not_in_the_name() -> None:
    """That a collector does not listen is told to everybody who reads the log."""
    assert traces("https://me:hush@example.org/hush?k=hush").name == "what goes to https://example.org/..."


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history.db")) as opened:
        yield opened


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_workflow_task_is_one_trace_with_a_span_for_each_attempt_of_its_steps(
    tmp_path: Path, collector: Collector, history: History
) -> None:
    path = tmp_path / "events.jsonl"
    failed = {"error": "exit status 1", "error_class": "unknown", "fingerprint": "f", "exit_code": 1}
    journal(
        path,
        {"seq": 1, "event": "file_added", "at": "2027-01-15T08:00:00Z", "id": 1},
        ended(2, id=2, parent=1, step="scan", outcome="failed", state="waiting", **failed),
        ended(3, id=2, parent=1, step="scan", attempt=2, exit_code=0),
        ended(4, id=1, started_at=None, seconds=0.0),
    )
    telling = Telling(path, traces(collector.address))
    telling.go_on(history)
    telling.go_on(history, wait=20)
    first, second, task = collector.spans
    assert {span.trace_id for span in collector.spans} == {task.trace_id}
    assert [first.name, second.name, task.name] == ["scan", "scan", "flow"]
    assert first.parent_span_id == second.parent_span_id == task.span_id
    assert task.parent_span_id == b""
    assert first.span_id != second.span_id
    assert (first.status.code, first.status.message, second.status.code) == (2, "exit status 1", 1)
    assert first.end_time_unix_nano - first.start_time_unix_nano == 2_500_000_000
    assert task.start_time_unix_nano == 1_799_999_990_000_000_000
    assert task.end_time_unix_nano == 1_800_000_000_000_000_000
    told = attributes(first)
    assert told["overnight.task.id"] == 2
    assert told["overnight.queue"] == "night"
    assert told["error.type"] == "unknown"
    assert told["process.exit.code"] == 1
    assert attributes(second)["process.exit.code"] == 0
    assert "overnight.fingerprint" not in attributes(second)
    [resource] = {str(one.resource) for request in collector.requests for one in request.resource_spans}
    assert "overnight" in resource
    assert "/home/.overnight" in resource


def test_what_did_not_arrive_is_told_again_as_the_same_spans(
    tmp_path: Path, collector: Collector, history: History
) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, ended(1), ended(2, id=3))
    telling = Telling(path, traces(collector.address))
    collector.status = 400
    telling.go_on(history)
    with pytest.raises(UndeliveredError):
        telling.go_on(history, wait=20)
    assert history.position("traces_seq") == 0
    collector.status = 200
    for _ in range(2):  # and once more by another process, for which nothing was noted
        history.note_position("traces_seq", 0)
        another = Telling(path, traces(collector.address))
        another.go_on(history)
        another.go_on(history, wait=20)
    assert history.position("traces_seq") == 2
    ids = [span.span_id for span in collector.spans]
    assert len(ids) == 8
    assert ids[:4] == ids[4:]


def test_what_says_nothing_of_an_end_is_passed_over(history: History, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal(path, {"seq": 1, "event": "file_added", "at": "x", "input": '"outcome":'}, {"seq": 2, "event": "odd"})
    telling = Telling(path, traces("http://127.0.0.1:1/"))
    telling.go_on(history)
    telling.go_on(history, wait=20)
    assert history.position("traces_seq") == 2


def test_without_the_libraries_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(UndeliveredError, match=r"pip install 'overnight\[otel\]'"):
        traces("http://127.0.0.1:1/").deliver([])
