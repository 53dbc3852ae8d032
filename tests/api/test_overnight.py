"""`Overnight` and `task`: functions and commands of one home, from Python."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from replaced_store import replace_store
from work_for_workers import big, fail, outer, plain, record, refuse, shout, wait_for_go

import overnight
from overnight import FileQueue, Overnight, OvernightError, TaskFailedError
from overnight.api import overnight as face
from overnight.core.errors import HomeUnusableError, NotFoundError, NotRunningError
from overnight.store.contract import Selector, Verb

Ledger = Callable[[], Counter[str]]
Until = Callable[[Callable[[], object]], None]
Python = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def night() -> Iterator[Overnight]:
    with Overnight() as opened:
        yield opened


def test_a_function_is_added_run_and_gives_its_result(night: Overnight, ledger: Ledger) -> None:
    number = night.add(record, "a", title="First", description="of all", priority=2)

    task = night.get(number)
    assert (task.id, task.state, task.input, task.call) == (number, "pending", "a", "work_for_workers:record")
    assert (task.title, task.description, task.priority, task.queue, task.command) == (
        "First",
        "of all",
        2,
        "default",
        (),
    )
    assert task.added_at.tzinfo is UTC
    done = night.run()

    assert (done.processed, done.failed, done.held, done.left, done.stopped_by) == (1, 0, 0, 0, "queue_empty")
    assert done.success
    assert night.result(number) == "A"
    task = night.get(number)
    assert (task.state, task.attempt, task.error) == ("completed", 1, "")
    assert task.started_at is not None
    assert task.finished_at is not None
    assert task.added_at < task.started_at <= task.finished_at
    assert ledger() == {"a": 1}


def test_a_command_is_a_list_of_words_with_placeholders(night: Overnight, here: Path) -> None:
    with_input = night.add(["cp", "{}", "{.}.bak"], "overnight.toml")
    without = night.add(["touch", here / "touched"])
    assert night.run().processed == 2
    assert (here / "overnight.bak").read_bytes() == (here / "overnight.toml").read_bytes()
    assert (here / "touched").exists()
    assert night.get(with_input).command == ("cp", "{}", "{.}.bak")
    assert night.result(without) is None


def test_many_are_added_at_once_and_in_order(night: Overnight, ledger: Ledger) -> None:
    numbers = night.add_many(record, (f"{number}" for number in range(300)))
    assert [night.get(number).input for number in numbers[:3]] == ["0", "1", "2"]
    assert night.run(slots=2).processed == 300
    assert ledger() == Counter(f"{number}" for number in range(300))


def test_unique_leaves_out_what_is_there(night: Overnight) -> None:
    night.add(record, "a")
    assert len(night.add_many(record, ["a", "b"], unique=True)) == 1


def test_options_reach_the_task(night: Overnight) -> None:
    later = night.add(record, "a", at=datetime.now(UTC) + timedelta(hours=1))
    assert night.get(later).state == "waiting"
    gone = night.get(later).not_before
    assert gone is not None
    needy = night.add(record, "b", needs={"gpu": 1}, queue="night")
    assert night.get(needy).queue == "night"
    once = night.add(fail, "c", retries=0)
    assert night.add(["sleep", "1000"], timeout=0.2, retries=0) == once + 1
    thread = threading.Thread(target=night.run)
    thread.start()
    other = Overnight()
    assert [task.reason for task in other.wait(once, once + 1, timeout=60)] == ["error", "timeout"]
    overnight.AutonomousProcessor().stop()
    thread.join(60)
    assert other.get(once).attempt == 1
    assert other.get(needy).state == "pending"


def test_a_listing_is_newest_first_and_bounded(night: Overnight) -> None:
    assert night.list() == []
    numbers = [*night.add_many(record, ["a", "b", "c"]), night.add(record, "d", queue="other")]
    assert [task.id for task in night.list()] == numbers[::-1]
    assert [task.id for task in night.list(limit=2)] == numbers[:1:-1]
    assert [task.id for task in night.list(queue="other")] == numbers[3:]
    assert night.list("completed") == []
    assert len(night.list("pending")) == 4


# -- results ----------------------------------------------------------------------------------


def test_a_run_in_another_thread_is_stopped_by_the_same_object(here: Path, until: Until) -> None:
    """Signals stay the program's there, so that nothing else could do it."""
    night = Overnight()
    night.add_many(wait_for_go, [f"slow{number}" for number in range(50)])
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(night.run, slots=1)
        try:
            until((here / "ledger").exists)
            night.stop()
            until(lambda: '"stopping"' in (here / ".overnight/engine.json").read_text())
        finally:
            (here / "go").touch()
    result = running.result()
    assert (result.stopped_by, result.left) == ("stop_signal", 50 - result.processed)
    assert result.left > 0
    night.stop()
    assert not (here / ".overnight/STOP").exists()


def test_what_python_passes_over_in_its_path_is_passed_over(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs put a Path there, and never notice."""
    monkeypatch.setattr(sys, "path", [here, b"bytes", *sys.path])
    night = Overnight()
    night.add(["true"])
    assert night.run().processed == 1


def test_a_current_directory_that_was_deleted_is_told_where_it_is_needed(here: Path) -> None:
    home = here / "home"
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    night, queue = Overnight(home), FileQueue(home=home)
    queue.add("a")
    gone.rmdir()
    for needs_it in (Overnight, lambda: night.add(["true"]), lambda: queue.add("b")):
        with pytest.raises(OvernightError, match="the current directory has been deleted"):
            needs_it()
    assert Overnight(home).get(1).input == "a"
    assert queue.pop() is not None


def test_there_is_no_result_before_the_end_nor_after_a_failure(night: Overnight) -> None:
    number = night.add(refuse, "a")
    with pytest.raises(NotRunningError, match=f"task {number} is pending and has no result yet"):
        night.result(number)
    assert not night.run().success
    with pytest.raises(TaskFailedError, match=f"task {number} is failed and has no result: a is no good") as caught:
        night.result(number)
    assert "overnight retry" in caught.value.hint


def test_a_task_that_does_not_exist_is_not_found(night: Overnight) -> None:
    for ask in (night.get, night.result, night.wait):
        with pytest.raises(NotFoundError, match="there is no task 7"):
            ask(7)
    night.add(record, "a")
    with pytest.raises(NotFoundError, match="there is no task 7"):
        night.get(7)


# -- waiting ----------------------------------------------------------------------------------

ENGINE = "import overnight; overnight.Overnight().run()"


def test_waiting_is_over_when_another_process_has_done_them(
    night: Overnight, python: Python, ledger: Ledger, until: Until, here: Path
) -> None:
    first, second = night.add_many(wait_for_go, ["quick", "slow"])
    python(ENGINE)
    until(lambda: ledger()["slow"])
    assert [task.state for task in night.wait(first)] == ["completed"]
    with pytest.raises(TimeoutError, match=r"1 of 2 tasks are not finished after 0\.1 seconds"):
        night.wait(first, second, timeout=0.1)
    (here / "go").touch()
    assert [task.state for task in night.wait(first, second, timeout=60)] == ["completed", "completed"]


def test_waiting_without_an_engine_gives_up(night: Overnight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face, "PATIENCE", 0.0)
    number = night.add(record, "a")
    with pytest.raises(NotRunningError, match="no engine runs; 1 of these tasks will not be finished"):
        night.wait(number)


def test_waiting_goes_on_with_the_store_that_has_taken_the_place_of_the_old_one(
    night: Overnight, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was rescued, or gone back to; the old one would be read without a word for ever."""
    number = night.add(record, "a")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        assert not naps
        naps.append(seconds)
        cancelled = Selector(ids=(number,))
        replace_store(here / ".overnight", lambda store: store.act(Verb.CANCEL, cancelled, now=1, by="me"))

    monkeypatch.setattr(face, "time", SimpleNamespace(sleep=nap))
    assert [task.state for task in night.wait(number)] == ["cancelled"]


def test_waiting_for_what_is_done_or_for_nothing_is_no_waiting(night: Overnight) -> None:
    number = night.add(record, "a")
    night.run()
    assert [task.id for task in night.wait(number)] == [number]
    assert night.wait() == []


# -- events -----------------------------------------------------------------------------------


def test_listeners_hear_what_happens_during_a_run(night: Overnight) -> None:
    number = night.add(record, "a")
    done: list[dict[str, Any]] = []
    everything: list[str] = []
    night.on("file_completed", done.append)

    @night.on("*")
    def hear(event: dict[str, Any]) -> None:
        everything.append(event["event"])

    night.run()

    assert [event["id"] for event in done] == [number]
    assert [name for name in everything if name.startswith("file")][-2:] == ["file_started", "file_completed"]
    assert callable(hear)


def test_listeners_hear_what_happens_while_they_wait(night: Overnight, python: Python) -> None:
    heard: list[int] = []
    night.on("file_completed", lambda event: heard.append(event["id"]))
    number = night.add(record, "a")
    python(ENGINE)
    night.wait(number, timeout=60)
    while not heard:  # the journal is written within a second
        night.wait(number)
    assert heard == [number]


def test_an_error_of_a_listener_ends_the_run_and_leaves_everything_exact(night: Overnight, here: Path) -> None:
    """The engine stops at once; what it was working on is back in the queue."""
    number = night.add(wait_for_go, "slow")

    @night.on("file_started")
    def stumble(_: dict[str, Any]) -> None:
        raise LookupError("no luck")

    with pytest.raises(LookupError, match="no luck"):
        night.run()
    task = night.get(number)
    assert (task.state, task.failures) == ("pending", 0)
    (here / "go").touch()
    assert Overnight().run().processed == 1


# -- tasks ------------------------------------------------------------------------------------


def test_calling_a_task_is_a_plain_call() -> None:
    assert shout("hey") == "HEY!"
    assert shout("hey", mark="?") == "HEY?"
    assert plain("hey") == "hey"
    assert (getattr(shout, "__name__", ""), shout.__doc__) == ("shout", "Say it aloud.")
    assert repr(shout) == "<task shout>"


def test_a_task_is_added_with_the_options_of_its_decorator(night: Overnight) -> None:
    number = shout.add("hey")
    task = night.get(number)
    assert (task.call, task.priority, task.queue, task.input) == ("work_for_workers:shout", 7, "letters", "hey")
    other = night.get(night.add(shout, "b", priority=0, queue="default"))
    assert (other.priority, other.queue) == (0, "default")
    assert len(plain.add_many(["a", "b"])) == 2
    night.run()
    assert night.result(number) == "HEY!"


def test_a_task_goes_to_the_home_that_is_named(here: Path) -> None:
    plain.add("a", home=here / "there/.overnight")
    assert len(Overnight(here / "there/.overnight").list()) == 1
    assert Overnight().list() == []


def test_a_task_added_from_another_directory_finds_its_module_by_any_engine(
    here: Path, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine of ``overnight run`` knows nothing of where the adding program imports from."""
    (here / "lib").mkdir()
    (here / "lib/letters.py").write_text("def double(words):\n    return words * 2\n")
    monkeypatch.syspath_prepend(str(here / "lib"))
    import letters  # type: ignore[import-not-found]  # made above

    number = Overnight().add(letters.double, "ab")
    program = python("import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'overnight', 'run']))")
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 0, errors
    assert Overnight().result(number) == "abab"


def test_a_local_task_can_be_called_but_not_added() -> None:
    @overnight.task
    def local(words: str) -> str:
        return words

    assert local("a") == "a"
    with pytest.raises(ValueError, match="'local', defined inside a function, cannot be found by a worker"):
        local.add("b")


def test_limits_end_a_task_for_their_own_reasons(night: Overnight) -> None:
    loud = night.add(["yes"], max_output="1MB", retries=0)
    still = night.add(["sleep", "1000"], stall=0.3, memory=None, retries=0)
    night.run()

    assert [task.reason for task in (night.get(loud), night.get(still))] == ["output", "stalled"]


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda n: n.add(lambda one: one, "a"), ValueError, "a lambda cannot be found by a worker"),
        (lambda n: n.add(outer(), "a"), ValueError, "defined inside a function"),
        (lambda n: n.add(len(""), "a"), TypeError, "0 is no function but a int"),
        (lambda n: n.add("work_for_workers:record", "a"), TypeError, "is text, and a function or a list of words"),
        (lambda n: n.add([], "a"), ValueError, "is no command that could be started"),
        (lambda n: n.add(["cp", 7], "a"), TypeError, "a word of the command is a int"),
        (lambda n: n.add(record), TypeError, "the function has no input to work on"),
        (lambda n: n.add(record, {"a": 1}), TypeError, "input is a dict, and a str, bytes or path is wanted"),
        (lambda n: n.add(record, "a", retires=3), TypeError, "unexpected keyword argument 'retires'"),
        (lambda n: n.add(record, "a", retries=-1), ValueError, "retries is -1"),
        (lambda n: n.add(record, "a", timeout="long"), ValueError, "timeout: 'long' is no duration"),
        (lambda n: n.add(record, "a", memory="much"), ValueError, "memory: 'much' is no size"),
        (lambda n: n.add(record, "a", stall=True), TypeError, "stall is True"),
        (lambda n: n.add(record, "a", open_files=3), ValueError, "open_files: 3 is too little; at least 16"),
        (lambda n: n.add(record, "a", priority="high"), TypeError, "priority is 'high'"),
        (lambda n: n.add(record, "a", at="tomorrow"), TypeError, "at is a str, and a datetime"),
        (lambda n: n.add(record, "a", needs=["gpu"]), TypeError, "amounts by name are wanted"),
        (lambda n: n.add(record, "a", queue="a b"), ValueError, "cannot be the name of a queue"),
        (lambda n: n.add(record, "a", at_most_once="no"), TypeError, "at_most_once is 'no'"),
        (lambda n: n.add(["true"], "a", keep_children=1), TypeError, "keep_children is 1"),
        (lambda n: n.add(record, "a", keep_children=True), ValueError, "keep_children is about what a command leaves"),
        (lambda n: n.add(record, "a", title=7), TypeError, "title is a int"),
        (lambda n: n.add_many(record, "abc"), TypeError, "one input, and several are wanted"),
        (lambda n: n.run(slots=0), ValueError, "slots is 0"),
        (lambda n: n.get("7"), TypeError, "task_id is '7'"),
        (lambda n: n.list("done"), ValueError, "there is no state 'done'; nothing was looked up"),
        (lambda n: n.list("complete"), ValueError, "there is no state 'complete'"),
        (
            lambda n: n.on("file_complete", print),
            ValueError,
            "there is no event 'file_complete'; nothing is listened to",
        ),
        (lambda n: n.on("file_completed", "print"), TypeError, "'print' cannot be called"),
        (lambda _: overnight.task(timeout=[1]), TypeError, "timeout is"),  # type: ignore[call-overload]  # the point
        (lambda _: overnight.task(retries="3"), TypeError, "retries is '3'"),  # type: ignore[call-overload]  # the point
        (lambda _: overnight.task(retires=3), TypeError, "unexpected keyword argument 'retires'"),  # type: ignore[call-overload]  # the point
        (lambda _: overnight.task("a"), TypeError, "'a' is no function"),  # type: ignore[call-overload]  # the point
    ],
)
def test_bad_arguments_are_refused_and_change_nothing(
    use: Callable[[Any], object], error: type[Exception], words: str
) -> None:
    night = Overnight()
    with pytest.raises(error, match=words) as caught:
        use(night)
    assert not isinstance(caught.value, OvernightError) or caught.value.hint
    assert night.list() == []


def test_near_misses_are_told() -> None:
    with pytest.raises(OvernightError) as caught:
        Overnight().on("file_complete")
    assert caught.value.hint == "did you mean 'file_completed'?"


def test_a_home_that_was_removed_is_noticed(here: Path, night: Overnight) -> None:
    night.add(record, "a")
    (here / ".overnight").rename(here / "gone")
    for use in (night.list, night.run, lambda: night.add(record, "b"), lambda: night.get(1)):
        with pytest.raises(HomeUnusableError, match="has been removed since"):
            use()


def test_a_result_of_a_few_megabytes_is_kept(night: Overnight) -> None:
    number = night.add(big, "2000000")
    night.run()
    assert len(night.result(number)) == 2_000_000
