"""The Python face as a type checker sees it; never run. ``make lint`` checks it.

What must be refused carries a `type: ignore`; one that is not needed is an error itself, so that a
signature that takes too much turns this page red.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import overnight
from overnight import (
    DEFAULT_CHECKPOINT_INTERVAL,
    DEFAULT_TIMEOUT_SECONDS,
    MAX_RETRIES,
    AutonomousProcessor,
    Checkpoint,
    ExecutionState,
    FileQueue,
    Overnight,
    ProcessingResult,
    ProcessorState,
    ProgressReport,
    QueueItem,
    RunResult,
    RunSummary,
    TaskFunction,
    TaskOrchestrator,
    TaskRecord,
)


def figures() -> None:
    assert_type(DEFAULT_TIMEOUT_SECONDS, float)
    assert_type(DEFAULT_CHECKPOINT_INTERVAL, int)
    assert_type(MAX_RETRIES, int)
    assert_type(overnight.__version__, str)


def queues() -> None:
    queue = FileQueue("videos", home=Path(".overnight"))
    assert_type(queue.add("a", priority=3), QueueItem)
    assert_type(queue.add(Path("a")), QueueItem)
    assert_type(queue.add_many([b"a"]), int)
    assert_type(queue.pop(), QueueItem | None)
    assert_type(queue.peek(), QueueItem | None)
    assert_type(queue.get_pending(), list[QueueItem])
    assert_type(queue.get_failed(), list[QueueItem])
    assert_type(queue.is_empty(), bool)
    assert_type(queue.size(), int)
    queue.mark_complete("a", success=True)
    queue.mark_timeout("a")
    queue.clear()
    queue.add(7)  # type: ignore[arg-type]  # no path
    queue.add("a", "high")  # type: ignore[arg-type]  # no number
    queue.add("a", urgent=True)  # type: ignore[call-arg]  # no such option
    queue.mark_complete("a")  # type: ignore[call-arg]  # how did it end?
    FileQueue(7)  # type: ignore[arg-type]  # no name


def items(item: QueueItem) -> None:
    assert_type(item.file_path, str)
    assert_type(item.added_at, str)
    assert_type(item.last_attempt, str | None)
    item.status = "completed"  # type: ignore[misc]  # a picture, not the thing


def handle(file_path: str) -> dict[str, int]:
    return {file_path: 1}


def two(first: str, second: str) -> None:
    """Needs more than a file."""


def processors() -> None:
    processor = AutonomousProcessor("wf-ingest", 5, handler=handle)
    assert_type(processor.queue, FileQueue)
    assert_type(processor.state, ProcessorState)
    assert_type(processor.timeout_seconds, float | None)
    summary = processor.run(timeout_seconds=60)
    assert_type(summary, RunSummary)
    assert_type(summary["success"], bool)
    assert_type(processor.resume(), RunSummary)
    assert_type(processor.result("a"), ProcessingResult | None)
    assert_type(processor.get_status(), dict[str, Any])
    assert_type(processor.save_checkpoint(), Checkpoint)
    assert_type(processor.restore_from_checkpoint("latest"), Checkpoint)
    processor.stop()
    processor.state.files_processed = 3
    summary["done"]  # type: ignore[typeddict-item]  # no such key
    AutonomousProcessor(handler=two)  # type: ignore[arg-type]  # called with one input
    AutonomousProcessor(retries=3)  # type: ignore[call-arg]  # no such option
    processor.run("soon")  # type: ignore[arg-type]  # no seconds


@overnight.task(retries=5, timeout="30m")
def transcribe(path: str, language: str = "en") -> list[str]:
    return [path, language]


@overnight.task
def plain(path: str) -> int:
    return len(path)


def tasks() -> None:
    assert_type(transcribe("a", language="de"), list[str])
    assert_type(plain("a"), int)
    assert_type(transcribe.add("a"), int)
    assert_type(plain.add_many(["a"]), list[int])
    transcribe(7)  # type: ignore[arg-type]  # a plain call is checked like one
    overnight.task(timeout=[1])  # type: ignore[call-overload]  # no time
    overnight.task(retires=3)  # type: ignore[call-overload]  # no such option


def keeps_the_signature(function: TaskFunction[[str], int]) -> Callable[[str], int]:
    return function


def nights() -> None:
    with Overnight(".overnight") as night:
        number = night.add(handle, "a", queue="q", priority=1, timeout=60, retries=0, needs={"gpu": 1})
        assert_type(number, int)
        assert_type(night.add(["convert", "{}", Path("b")], Path("a")), int)
        assert_type(night.add_many(transcribe, ["a", b"b"], unique=True), list[int])
        assert_type(night.run(slots=2), RunResult)
        assert_type(night.get(number), TaskRecord)
        assert_type(night.list("failed"), list[TaskRecord])
        assert_type(night.wait(number, timeout=5), list[TaskRecord])
        assert_type(night.result(number), Any)
        night.on("file_completed", print)
        night.add(handle, {"a": 1})  # type: ignore[arg-type]  # no input
        night.add(7, "a")  # type: ignore[arg-type]  # neither function nor command
        night.add(handle, "a", retires=3)  # type: ignore[call-arg]  # no such option
        night.add(handle, "a", timeout=[1])  # type: ignore[arg-type]  # no time


def workflows(night: Overnight) -> None:
    def look(path: str, context: overnight.Context) -> int:
        overnight.progress(0.5, message=f"at {path}")
        return len(context.outputs)

    @overnight.workflow("films", input="file", phases=["look"], timeout="1h")
    def films(flow: overnight.Flow) -> None:
        assert_type(flow.step(look, phase="look", needs=["a", look], retries={"max": 2}, when="{a.n} > 3"), str)
        flow.gate(["cmp", "{input}"], after="look")
        flow.step(["true"], phases="look")  # type: ignore[call-arg]  # no such option
        flow.gate(look)  # type: ignore[call-arg]  # after what?

    assert_type(films, overnight.Workflow)
    assert_type(films.add("a.mp4", priority=3), int)
    assert_type(night.add_many(films, ["a.mp4"], unique=True), list[int])
    assert_type(night.add(overnight.Workflow.named("wf-ingest"), Path("a")), int)
    assert_type(night.steps(1), list[TaskRecord])
    assert_type(night.steps(1)[0].parent_id, int | None)
    films.add("a", urgent=True)  # type: ignore[call-arg]  # no such option
    overnight.workflow(phase=["look"])  # type: ignore[call-arg]  # no such option


def orchestrators(processor: AutonomousProcessor) -> None:
    assert_type(processor.orchestrator, TaskOrchestrator)
    orchestrator = TaskOrchestrator("ingest", home=Path(".overnight"))
    assert_type(orchestrator.execute("a.wav"), dict[str, Any])
    assert_type(orchestrator.execute({"path": Path("a.wav")}), dict[str, Any])
    assert_type(orchestrator.get_progress(), ProgressReport)
    assert_type(orchestrator.get_progress().percentage, float)
    assert_type(orchestrator.get_progress().seconds_left, float | None)
    assert_type(orchestrator.state, ExecutionState)
    assert_type(orchestrator.save_state(), Path)
    assert_type(orchestrator.load_state("state.json"), ExecutionState)
    assert_type(orchestrator.state.phase_outputs, dict[str, dict[str, Any]])
    assert_type(orchestrator.state.task_timings, dict[str, float])
    orchestrator.log_execution("begun", by="me", number=3)
    TaskOrchestrator(7)  # type: ignore[arg-type]  # no name
    TaskOrchestrator("ingest", home=5)  # type: ignore[arg-type]  # no home
    orchestrator.log_execution(7)  # type: ignore[arg-type]  # no words
