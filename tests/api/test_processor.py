"""`AutonomousProcessor`, sentence by sentence of what it promises; with real engines and workers."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from work_for_workers import (
    Worker,
    big,
    fail,
    fail_once,
    no_argument,
    no_json,
    outer,
    record,
    refuse,
    shout,
    wait_for_go,
)

import overnight
from overnight import AutonomousProcessor, FileQueue, Overnight, ProcessingResult, ProcessorState
from overnight.api import night as night_module
from overnight.core.errors import AlreadyRunningError, HomeUnusableError, NotFoundError, OvernightError
from overnight.host.lock import read_owner

Ledger = Callable[[], Counter[str]]
Until = Callable[[Callable[[], object]], None]
Python = Callable[..., subprocess.Popen[str]]


class Running:
    """A processor that runs in a thread."""

    def __init__(self, processor: AutonomousProcessor) -> None:
        self.result: Any = None
        self._processor = processor
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._processor.run()
        except OvernightError as error:
            self.result = error

    def end(self) -> Any:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.result


def events(here: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (here / ".overnight/events.jsonl").read_text("utf-8").splitlines()]


def test_the_figures_are_as_promised() -> None:
    assert overnight.DEFAULT_TIMEOUT_SECONDS == 300
    assert overnight.DEFAULT_CHECKPOINT_INTERVAL == 5
    assert overnight.MAX_RETRIES == 3
    processor = AutonomousProcessor()
    assert (processor.workflow_id, processor.checkpoint_interval, processor.timeout_seconds) == (
        "wf-pipeline-full",
        5,
        300,
    )


def test_the_records_have_the_fields_that_were_promised() -> None:
    assert [field.name for field in dataclasses.fields(ProcessingResult)] == [
        "file_path",
        "success",
        "error",
        "duration_seconds",
        "attempts",
    ]
    assert [field.name for field in dataclasses.fields(ProcessorState)] == [
        "status",
        "started_at",
        "stopped_at",
        "files_processed",
        "files_failed",
        "current_file",
    ]
    assert [field.name for field in dataclasses.fields(overnight.QueueItem)] == [
        "file_path",
        "priority",
        "added_at",
        "attempts",
        "last_attempt",
        "status",
    ]


def test_constructing_one_makes_the_home(here: Path) -> None:
    processor = AutonomousProcessor()
    assert (here / ".overnight/home.json").exists()
    assert isinstance(processor.queue, FileQueue)
    assert processor.state == ProcessorState("idle", None, None, 0, 0, None)


def test_a_run_works_until_the_queue_is_empty(ledger: Ledger) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add_many(["a", "b", "c"])

    assert processor.run() == {"success": True, "processed": 3, "failed": 0, "stopped_by": "queue_empty"}

    assert ledger() == Counter(["a", "b", "c"])
    assert processor.queue.is_empty()
    state = processor.state
    assert (state.status, state.files_processed, state.files_failed, state.current_file) == ("completed", 3, 0, None)
    assert state.started_at is not None
    assert state.stopped_at is not None
    assert state.started_at < state.stopped_at


def test_an_empty_queue_is_done_at_once() -> None:
    assert AutonomousProcessor().run() == {
        "success": True,
        "processed": 0,
        "failed": 0,
        "stopped_by": "queue_empty",
    }


def test_what_fails_is_tried_again_and_what_keeps_failing_is_given_up(ledger: Ledger) -> None:
    """Four attempts; then the summary says so."""
    queue = FileQueue()
    queue.add("a")
    assert AutonomousProcessor(handler=fail_once).run()["success"] is True
    queue.clear()
    queue.add("b")
    processor = AutonomousProcessor(handler=fail)

    assert processor.run() == {"success": False, "processed": 0, "failed": 1, "stopped_by": "queue_empty"}

    assert ledger() == {"a": 2, "b": 1 + overnight.MAX_RETRIES}
    assert processor.state.files_failed == 1
    result = processor.result("b")
    assert result is not None
    assert (result.success, result.error, result.attempts) == (False, "RuntimeError: never", 4)


def test_a_result_says_how_a_file_ended() -> None:
    processor = AutonomousProcessor(handler=refuse)
    processor.queue.add("a")
    assert processor.result("a") is None
    processor.run()
    assert processor.result("a") == ProcessingResult(
        file_path="a",
        success=False,
        error="a is no good",
        duration_seconds=pytest.approx(0, abs=5),  # type: ignore[arg-type]  # stands for any duration
        attempts=1,
    )
    AutonomousProcessor(handler=record).queue.retry_failed()
    AutonomousProcessor(handler=record).run()
    result = processor.result("a")
    assert result is not None
    assert (result.success, result.error, result.attempts) == (True, None, 2)
    with pytest.raises(NotFoundError):
        processor.result("b")


@pytest.mark.parametrize("by_argument", [True, False])
def test_a_file_over_its_time_limit_is_timed_out_and_the_others_go_on(
    here: Path, ledger: Ledger, *, by_argument: bool
) -> None:
    """The limit of the call, or else that of the processor. It is long enough to begin on a busy machine."""
    seconds = 3
    (here / "overnight.toml").write_text("[defaults]\nretries = 0\n")
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add("slow")
    processor.queue.add("quick")
    if by_argument:
        summary = processor.run(timeout_seconds=seconds)
    else:
        processor.timeout_seconds = seconds
        summary = processor.run()
    assert (summary["processed"], summary["failed"]) == (1, 1)
    assert [(item.file_path, item.status) for item in processor.queue.get_failed()] == [("slow", "timeout")]
    assert ledger() == {"slow": 1, "quick": 1}


def test_files_added_without_a_word_get_the_workflow_of_the_processor_that_runs_them(
    here: Path, ledger: Ledger
) -> None:
    """Not that of whoever was there when they were added."""
    AutonomousProcessor("wf-ingest").queue.add("overnight.toml")
    processor = AutonomousProcessor(handler=record)
    processor.run()
    assert ledger() == {"overnight.toml": 1}

    processor.queue.add("overnight.toml")
    AutonomousProcessor("wf-ingest").run()
    newest = Overnight().list(limit=1)[0].id
    assert [step.step for step in Overnight().steps(newest)] == ["probe", "extract"]
    assert not (here / "published").exists()


def test_a_bare_engine_does_the_default_workflow(here: Path) -> None:
    """As ``overnight run`` does it, which knows of no processor."""
    FileQueue().add("overnight.toml")
    assert Overnight().run().processed == 1
    assert (here / "published" / "overnight.toml").read_bytes() == (here / "overnight.toml").read_bytes()


STEPS = """
[[workflow.flow.step]]
id = "a"
run = ["sh", "-c", "echo a >>$1.log; test ! -e $1.bad", "sh", "{input}"]
[[workflow.flow.step]]
id = "b"
needs = ["a"]
run = ["sh", "-c", "echo b >>$1.log; sleep 0.01", "sh", "{input}"]
[[workflow.other.step]]
id = "c"
run = ["touch", "{input}.other"]
"""


def test_a_workflow_with_steps_is_worked_through_for_each_file(here: Path) -> None:
    (here / "overnight.toml").write_text(f"[defaults]\nretries = 1\nbackoff = '1ms'\n{STEPS}")
    processor = AutonomousProcessor("flow")
    processor.queue.add_many(["x", "y"])
    (here / "y.bad").touch()

    summary = processor.run(timeout_seconds=50)

    assert summary == {"success": False, "processed": 1, "failed": 1, "stopped_by": "queue_empty"}
    assert (here / "x.log").read_text() == "a\nb\n"
    assert (here / "y.log").read_text() == "a\na\n"
    good, bad = processor.result("x"), processor.result("y")
    assert good is not None
    assert bad is not None
    assert (good.success, good.attempts, bad.success, bad.attempts) == (True, 1, False, 2)
    assert good.duration_seconds > 0
    assert [item.file_path for item in processor.queue.get_failed()] == ["y"]

    (here / "y.bad").unlink()
    assert processor.queue.retry_failed() == 1
    assert AutonomousProcessor("other").run()["processed"] == 1
    assert (here / "y.log").read_text() == "a\na\na\nb\n", "what was begun goes on as it was begun"
    assert not (here / "y.other").exists()


def test_a_file_that_was_worked_on_by_steps_can_be_popped_when_it_is_queued_again(here: Path) -> None:
    (here / "overnight.toml").write_text(f"[defaults]\nretries = 0\n{STEPS}")
    processor = AutonomousProcessor("flow")
    processor.queue.add("x")
    (here / "x.bad").touch()
    assert processor.run()["failed"] == 1
    assert processor.queue.pop() is None
    processor.queue.retry_failed()
    item = processor.queue.pop()
    assert item is not None
    processor.queue.mark_complete("x", success=True)
    assert processor.run()["processed"] == 0
    assert Overnight().list()[0].state == "completed"


def test_it_leaves_other_queues_and_tasks_with_work_of_their_own_as_they_are(here: Path, ledger: Ledger) -> None:
    other = FileQueue("other")
    other.add("not this")
    own = Overnight().add(["touch", "own"])
    assert AutonomousProcessor(handler=record).run()["processed"] == 1
    assert Overnight().get(own).state == "completed"
    assert (here / "own").exists()
    assert ledger() == Counter()
    assert other.size() == 1


def test_an_unknown_workflow_fails_when_it_is_run_and_not_before() -> None:
    processor = AutonomousProcessor("wf-of-tomorrow")
    with pytest.raises(NotFoundError, match="there is no workflow 'wf-of-tomorrow'; nothing was started") as caught:
        processor.run()
    assert "wf-ingest" in caught.value.hint
    assert processor.state.status == "idle"


def test_files_added_during_a_run_are_part_of_it(here: Path, ledger: Ledger, until: Until) -> None:
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add("slow")
    running = Running(processor)
    until(lambda: ledger()["slow"])
    FileQueue().add("later")
    until(lambda: ledger()["later"])
    (here / "go").touch()
    assert running.end()["processed"] == 2


def test_the_state_is_alive_during_a_run(here: Path, ledger: Ledger, until: Until) -> None:
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add_many(["slow", "quick"])
    running = Running(processor)
    until(lambda: processor.state.files_processed == 1 and processor.state.current_file == "slow")
    status = processor.get_status()
    assert (processor.state.status, processor.state.stopped_at) == ("running", None)
    assert (status["status"], status["files_processed"], status["current_file"]) == ("running", 1, "slow")
    assert status["queue"] == {"pending": 0, "processing": 1, "completed": 1, "failed": 0, "total": 2}
    assert status["engine"]["running"] is True
    assert status["engine"]["pid"] not in (None, os.getpid())
    (here / "go").touch()
    running.end()
    assert processor.get_status()["engine"] == {"running": False, "pid": None}
    assert ledger().total() == 2


# -- stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["the object itself", "another object", "the STOP file", "before anything has begun"])
def test_a_stop_lets_what_runs_finish_and_begins_nothing_more(
    here: Path, ledger: Ledger, until: Until, how: str
) -> None:
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add_many([f"slow{number}" for number in range(2000)])
    running = Running(processor)
    if how == "before anything has begun":
        until(lambda: processor.state.status == "running")
        processor.stop()
    else:
        until(ledger)
        stopper = {"the object itself": processor.stop, "another object": AutonomousProcessor().stop}
        stopper.get(how, (here / ".overnight/STOP").touch)()
        until(lambda: not FileQueue().size() or stopping(here))
    (here / "go").touch()
    summary = running.end()

    assert summary["stopped_by"] == "stop_signal"
    assert summary["processed"] == ledger().total() < 2000
    assert processor.state.status == "stopped"
    assert processor.queue.size() == 2000 - summary["processed"]
    assert not (here / ".overnight/STOP").exists()


def stopping(here: Path) -> bool:
    try:
        return bool(json.loads((here / ".overnight/engine.json").read_text())["state"] == "stopping")
    except (OSError, ValueError):
        return False


def test_stopping_when_nobody_works_does_nothing_and_the_next_run_is_not_stopped(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    processor.stop()
    processor.stop()
    (here / ".overnight/STOP").touch()  # from another night
    assert processor.run()["stopped_by"] == "queue_empty"


RUN = """
import overnight, work_for_workers
processor = overnight.AutonomousProcessor(handler=work_for_workers.wait_for_go)
print(processor.run()["stopped_by"], processor.state.status)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_run_and_not_the_program(
    here: Path, python: Python, ledger: Ledger, until: Until, number: signal.Signals
) -> None:
    FileQueue().add("slow")
    program = python(RUN)
    until(lambda: ledger()["slow"])
    program.send_signal(number)
    if number is signal.SIGINT:
        until(lambda: stopping(here))
        (here / "go").touch()
    said, errors = program.communicate(timeout=60)
    assert said == "signal stopped\n", errors
    assert (program.returncode, errors) == (0, "")
    assert FileQueue().size() == (0 if number is signal.SIGINT else 1)


def test_a_task_can_halt_the_run() -> None:
    Overnight().add(["sh", "-c", "exit 99"])
    assert AutonomousProcessor().run()["stopped_by"] == "halt"


def test_resume_goes_on_with_the_files_and_the_counts(here: Path, ledger: Ledger, until: Until) -> None:
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add_many(["slow1", "slow2", "slow3", "slow4", "slow5", "slow6"])
    running = Running(processor)
    until(ledger)
    processor.stop()
    until(lambda: stopping(here))
    (here / "go").touch()
    first = running.end()["processed"]
    began = processor.state.started_at

    second = processor.resume()

    assert second["success"] is True
    assert first + second["processed"] == 6 == processor.state.files_processed
    assert processor.state.started_at == began
    assert set(ledger().values()) == {1}


def test_resume_without_a_store_says_that_there_is_nothing(here: Path) -> None:
    summary = AutonomousProcessor().resume()
    assert summary["success"] is False
    assert "there are no tasks" in summary["error"]
    assert set(summary) == {"success", "error"}
    assert not (here / ".overnight/queue.db").exists()


# -- crashes ----------------------------------------------------------------------------------


def test_a_program_that_is_killed_takes_its_engine_along_and_the_next_run_goes_on(
    here: Path, python: Python, ledger: Ledger, until: Until
) -> None:
    """The interrupted file runs again, and no failure is counted."""
    FileQueue().add_many(["slow", "quick"])
    program = python(RUN)
    until(lambda: ledger().total() == 2)
    program.kill()
    until(lambda: read_owner(here / ".overnight/lock") is None)

    (here / "go").touch()
    summary = AutonomousProcessor(handler=wait_for_go).run()

    assert summary == {"success": True, "processed": 1, "failed": 0, "stopped_by": "queue_empty"} or (
        summary["processed"] == 2 and ledger()["quick"] == 2
    )
    assert ledger()["slow"] == 2
    assert [task.failures for task in Overnight().list()] == [0, 0]


def test_a_program_that_is_killed_takes_its_engine_along_though_a_child_that_it_has_forked_lives_on(
    here: Path, python: Python, ledger: Ledger, until: Until
) -> None:
    """Pools of processes are forked while it runs; they have copies of all that the program had open."""
    FileQueue().add("slow")
    program = python(
        "import os, sys, threading\n"
        "from overnight import AutonomousProcessor\n"
        "from work_for_workers import wait_for_go\n"
        "threading.Thread(target=AutonomousProcessor(handler=wait_for_go).run, daemon=True).start()\n"
        "sys.stdin.readline()\n"
        "if os.fork():\n"
        "    print('forked', flush=True)\n"
        "sys.stdin.read()\n"
        "os._exit(0)"
    )
    assert program.stdin is not None
    assert program.stdout is not None
    until(lambda: ledger()["slow"])
    program.stdin.write("\n")
    program.stdin.flush()
    assert program.stdout.readline() == "forked\n"
    program.kill()
    until(lambda: read_owner(here / ".overnight/lock") is None)


def test_an_engine_that_is_killed_is_told_and_nothing_is_lost(here: Path, ledger: Ledger, until: Until) -> None:
    processor = AutonomousProcessor(handler=wait_for_go)
    processor.queue.add("slow")
    running = Running(processor)
    until(lambda: ledger()["slow"])
    owner = read_owner(here / ".overnight/lock")
    assert owner is not None
    assert owner.pid is not None
    os.kill(owner.pid, signal.SIGKILL)

    error = running.end()

    assert "was killed by signal 9; nothing is lost" in str(error)
    assert processor.state.status == "stopped"
    (here / "go").touch()
    assert processor.run()["processed"] == 1


def test_two_cannot_run_one_home_at_once(ledger: Ledger, until: Until, here: Path) -> None:
    first, second = AutonomousProcessor(handler=wait_for_go), AutonomousProcessor(handler=record)
    first.queue.add("slow")
    running = Running(first)
    until(lambda: ledger()["slow"])
    with pytest.raises(AlreadyRunningError, match=r"works on .* already; nothing was started"):
        second.run()
    assert second.state.status in ("idle", "stopped")
    (here / "go").touch()
    assert running.end()["processed"] == 1


def test_children_of_the_program_are_left_alone(here: Path, ledger: Ledger, until: Until) -> None:
    """An engine ends whatever it finds below itself, so it must not be this process."""
    with subprocess.Popen(["sleep", "1000"]) as mine:
        processor = AutonomousProcessor(handler=wait_for_go)
        processor.queue.add("slow")
        running = Running(processor)
        until(lambda: ledger()["slow"])
        owner = read_owner(here / ".overnight/lock")
        assert owner is not None
        assert owner.pid != os.getpid()
        (here / "go").touch()
        running.end()
        assert mine.poll() is None
        mine.kill()


def test_a_stop_while_the_engine_is_being_started_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the moment at which anybody can see that it runs."""
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    real_run = night_module.run

    def stopped_before(*words: Any, **more: Any) -> Any:
        assert processor.state.status == "running"
        processor.stop()
        return real_run(*words, **more)

    monkeypatch.setattr(night_module, "run", stopped_before)
    assert processor.run()["stopped_by"] == "stop_signal"


# -- files that others have popped ------------------------------------------------------------

HOLD = """
import sys, overnight
print(overnight.FileQueue().pop().file_path, flush=True)
sys.stdin.readline()
"""


def test_the_engine_leaves_a_popped_file_alone_while_its_owner_lives(ledger: Ledger) -> None:
    """Not even the process that popped it gets it twice, and the run does not wait for it."""
    queue = FileQueue()
    queue.add_many(["mine", "yours"])
    item = queue.pop()
    assert item is not None

    summary = AutonomousProcessor(handler=record).run()

    assert (summary["processed"], summary["stopped_by"]) == (1, "queue_empty")
    assert ledger() == {"yours": 1}
    queue.mark_complete("mine", success=True)
    assert AutonomousProcessor(handler=record).run()["processed"] == 0


def test_a_running_engine_takes_it_when_the_owner_has_died(
    here: Path, python: Python, ledger: Ledger, until: Until
) -> None:
    queue = FileQueue()
    queue.add("theirs")
    owner = python(HOLD)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "theirs\n"
    queue.add("slow")
    running = Running(AutonomousProcessor(handler=wait_for_go))
    until(lambda: ledger()["slow"])
    assert ledger()["theirs"] == 0
    owner.kill()
    owner.wait()

    until(lambda: ledger()["theirs"])
    (here / "go").touch()
    assert running.end()["processed"] == 2


# -- what is handed in ------------------------------------------------------------------------


def test_the_journal_tells_what_happened(here: Path) -> None:
    queue = FileQueue()
    queue.add_many(["a", "b"])
    AutonomousProcessor(handler=refuse).run()
    names = Counter(event["event"] for event in events(here))
    assert names["file_added"] == names["file_started"] == names["file_failed"] == 2
    assert [event["seq"] for event in events(here)] == list(range(1, len(events(here)) + 1))


HANDLING = """
import overnight
def handle(path):
    return path * 2
"""
DOING = """
overnight.FileQueue().add("a")
print(overnight.AutonomousProcessor(handler=handle).run()["processed"])
"""
STARTING = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, sys.argv[1]]))"


def test_a_function_of_the_script_itself_is_a_handler(here: Path, python: Python) -> None:
    """Wherever the script lies: workers import from its directory."""
    (here / "elsewhere").mkdir()
    guarded = "".join(f"    {line}\n" for line in DOING.splitlines())
    (here / "elsewhere/job.py").write_text(f"{HANDLING}if __name__ == '__main__':\n{guarded}")
    program = python(STARTING, "elsewhere/job.py")
    said, errors = program.communicate(timeout=60)
    assert (said, errors) == ("1\n", "")
    assert Overnight().result(1) == "aa"


def test_a_script_that_adds_when_it_is_imported_is_told_and_adds_nothing_twice(here: Path, python: Python) -> None:
    """A worker imports the script; without a guard each worker would add its files again."""
    (here / "job.py").write_text(HANDLING + DOING)
    program = python(STARTING, "job.py")
    assert program.communicate(timeout=60)[0] == "0\n"
    (task,) = Overnight().list()
    assert (task.state, task.attempt) == ("failed", 1)
    assert "put those lines below: if __name__ == '__main__':" in task.error


def test_a_decorated_function_and_a_static_method_are_handlers() -> None:
    queue = FileQueue()
    for handler, expected in ((shout, "A!"), (Worker.still, "a")):
        queue.add("a")
        assert AutonomousProcessor(handler=handler).run()["processed"] == 1
        assert Overnight().result(Overnight().list(limit=1)[0].id) == expected


@pytest.mark.parametrize(
    ("handler", "error", "words"),
    [
        (lambda path: path, ValueError, "a lambda cannot be found by a worker, which is another process; nothing"),
        (outer(), ValueError, "'inner', defined inside a function, cannot be found by a worker"),
        (no_argument, TypeError, r"no_argument\(\) cannot be called with one input"),
        (Worker().moving, ValueError, "belongs to an object of this process"),
        ("work_for_workers:record", TypeError, "is no function but a str"),
    ],
)
def test_a_handler_that_no_worker_could_find_is_refused_at_once(
    handler: Any, error: type[Exception], words: str
) -> None:
    """In three parts: what it is, what that means, what to do."""
    with pytest.raises(error, match=words) as caught:
        AutonomousProcessor(handler=handler)
    assert isinstance(caught.value, OvernightError)
    assert "; nothing was changed" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda: AutonomousProcessor(7), TypeError, "workflow_id is a int"),  # type: ignore[arg-type]  # the point
        (lambda: AutonomousProcessor(checkpoint_interval=0), ValueError, "checkpoint_interval is 0"),
        (lambda: AutonomousProcessor(checkpoint_interval="5"), TypeError, "checkpoint_interval is '5'"),  # type: ignore[arg-type]  # the point
        (lambda: AutonomousProcessor(retries=3), TypeError, "unexpected keyword argument 'retries'"),  # type: ignore[call-arg]  # the point
        (lambda: AutonomousProcessor().run("soon"), ValueError, "'soon' is no duration"),  # type: ignore[arg-type]  # the point
        (lambda: AutonomousProcessor().run(-1), ValueError, "timeout_seconds: -1 is no duration"),
        (lambda: AutonomousProcessor().run([1]), TypeError, r"timeout_seconds is \[1\], and seconds are wanted"),  # type: ignore[arg-type]  # the point
    ],
)
def test_bad_arguments_are_refused(use: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        use()


def test_a_configuration_that_makes_no_sense_is_told_before_anything_is_done(here: Path) -> None:
    (here / "overnight.toml").write_text("[defaults]\nretires = 3\n")
    with pytest.raises(OvernightError, match="retires"):
        AutonomousProcessor()


def test_a_result_that_is_no_json_fails_the_file_and_says_so() -> None:
    processor = AutonomousProcessor(handler=no_json)
    processor.queue.add("a")
    assert processor.run()["failed"] == 1
    result = processor.result("a")
    assert result is not None
    assert "cannot be written as JSON" in str(result.error)


def test_a_result_of_a_few_megabytes_is_kept() -> None:
    processor = AutonomousProcessor(handler=big)
    processor.queue.add("3000000")
    processor.run()
    assert len(Overnight().result(1)) == 3_000_000


def test_a_processor_whose_home_was_removed_says_so_and_makes_no_other(here: Path) -> None:
    processor = AutonomousProcessor(handler=record)
    processor.queue.add("a")
    shutil.rmtree(here / ".overnight")
    for use in (processor.run, processor.resume, processor.get_status, lambda: processor.result("a")):
        with pytest.raises(HomeUnusableError, match="has been removed since"):
            use()
    processor.stop()
    assert not (here / ".overnight").exists()
    assert processor.state.status == "idle"
