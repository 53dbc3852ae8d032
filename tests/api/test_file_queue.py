"""`FileQueue`, sentence by sentence of what it promises."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest
import work_for_workers

from overnight import AutonomousProcessor, FileQueue, Overnight, OvernightError, QueueItem, wiring
from overnight.core.errors import HomeUnusableError, NotFoundError, StoreDamagedError
from overnight.host.home import Home
from overnight.store.sqlite.connection import create_file
from overnight.wiring.queues import EVERY_QUEUE, pause, unpause

Python = Callable[..., subprocess.Popen[str]]


def paths(items: list[QueueItem]) -> list[str]:
    return [item.file_path for item in items]


def popped(queue: FileQueue) -> str | None:
    item = queue.pop()
    return item.file_path if item else None


def test_only_files_are_handed_out_and_not_what_an_engine_is_to_do() -> None:
    with Overnight() as night:
        night.add(["echo", "{}"], "command", priority=9)
        night.add(work_for_workers.record, "function", priority=9)
    queue = FileQueue()
    assert (queue.peek(), queue.pop()) == (None, None)
    queue.add("file")
    assert (peeked := queue.peek()) is not None
    assert (peeked.file_path, popped(queue), popped(queue)) == ("file", "file", None)
    queue.mark_complete("file", success=True)
    assert paths(queue.get_pending()) == ["command", "function"]


def test_higher_priority_first_then_first_in_first_out() -> None:
    queue = FileQueue()
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        queue.add(name, priority)

    assert paths(queue.get_pending()) == ["b", "d", "a", "c", "e"]
    assert [popped(queue) for _ in range(6)] == ["b", "d", "a", "c", "e", None]


def test_priority_goes_by_position_and_by_name() -> None:
    queue = FileQueue()
    assert queue.add("a", 3).priority == 3
    assert queue.add("b", priority=4).priority == 4


def test_it_is_persistent() -> None:
    FileQueue().add("a")
    assert paths(FileQueue().get_pending()) == ["a"]


def test_queues_of_different_names_know_nothing_of_each_other() -> None:
    FileQueue("one").add("a")
    FileQueue("two").add("b")
    assert (popped(FileQueue("one")), popped(FileQueue("one"))) == ("a", None)
    assert FileQueue("two").size() == 1


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ("queue.add('b')", ["pending", "pending"]),
        ("queue.add_many(['b', 'c'])", ["pending", "pending", "pending"]),
        ("queue.pop()", ["pending"]),
        ("queue.pop(); queue.mark_complete('a', True)", ["completed"]),
        ("queue.mark_complete('a', False)", ["failed"]),
        ("queue.mark_timeout('a')", ["timeout"]),
        ("queue.clear()", []),
    ],
)
def test_every_change_is_there_after_a_kill_at_the_moment_the_call_returns(
    python: Python, deed: str, expected: list[str]
) -> None:
    """A popped file is back in the queue, because its owner is dead."""
    FileQueue().add("a")

    dead = python(
        f"import os, overnight; queue = overnight.FileQueue(); {deed}; os.kill(os.getpid(), {signal.SIGKILL:d})"
    )
    assert dead.wait(60) == -signal.SIGKILL

    queue = FileQueue()
    queue.peek()
    assert statuses() == expected


def statuses() -> list[str]:
    """The status of everything in the home, oldest first."""
    from overnight.api.queue import item_of
    from overnight.store.contract import Query

    store = wiring.open_store(wiring.find_home())
    found = [item_of(task).status for task in reversed(store.tasks(Query()))]
    store.close()
    return found


def test_the_state_carries_versions(here: Path) -> None:
    FileQueue().add("a")
    assert json.loads((here / ".overnight/home.json").read_text())["format"] == 1
    connection = apsw.Connection(str(here / ".overnight/queue.db"), vfs="cksmvfs")
    assert connection.pragma("user_version") >= 2
    connection.close()


def test_constructing_one_makes_the_home(here: Path) -> None:
    FileQueue()
    assert (here / ".overnight/home.json").exists()


def test_an_empty_home_answers_without_being_written_to(here: Path) -> None:
    queue = FileQueue()
    assert (queue.size(), queue.is_empty(), queue.pop(), queue.peek()) == (0, True, None, None)
    assert (queue.get_pending(), queue.get_failed(), queue.retry_failed()) == ([], [], 0)
    queue.clear()
    assert not (here / ".overnight/queue.db").exists()


def test_a_path_that_does_not_exist_yet_can_be_added(here: Path) -> None:
    FileQueue().add("later.txt")
    assert not (here / "later.txt").exists()
    assert popped(FileQueue()) == "later.txt"


@pytest.mark.parametrize("name", ["with space", "line\nbreak", "-n", "Ä", b"not \xff utf-8", Path("of/pathlib")])
def test_names_come_back_as_they_were(name: str | bytes | Path) -> None:
    queue = FileQueue()
    queue.add(name)
    item = queue.pop()
    assert item is not None
    assert os.fsencode(item.file_path) == os.fsencode(name)
    queue.mark_complete(item.file_path, success=True)
    assert statuses() == ["completed"]


def test_size_counts_what_waits() -> None:
    queue = FileQueue()
    queue.add_many(["a", "b", "c"])
    assert (queue.size(), queue.is_empty()) == (3, False)
    queue.pop()
    assert queue.size() == 2
    queue.mark_timeout("b")
    queue.pop()
    assert (queue.size(), queue.is_empty()) == (0, True)


def test_peek_shows_what_pop_takes_and_leaves_it() -> None:
    queue = FileQueue()
    queue.add("low")
    queue.add("high", 1)
    assert queue.peek() == queue.peek()
    seen, got = queue.peek(), queue.pop()
    assert seen is not None
    assert got is not None
    assert (seen.file_path, seen.status, got.file_path, got.status) == ("high", "pending", "high", "processing")


@pytest.mark.parametrize("paused", ["default", EVERY_QUEUE])
def test_nothing_is_handed_out_of_a_paused_queue(paused: str) -> None:
    queue = FileQueue()
    queue.add("a")
    with closing(wiring.open_store(wiring.find_home())) as store:
        pause(store, paused, until=None, now=wiring.clock.now(), by="a person")
        assert (queue.peek(), queue.pop(), queue.size()) == (None, None, 1)
        unpause(store, paused, now=wiring.clock.now(), by="a person")
    assert queue.pop() is not None


def test_an_item_says_when_and_how_often() -> None:
    before = datetime.now(UTC)
    queue = FileQueue()
    fresh = queue.add("a", 2)
    assert (fresh.file_path, fresh.priority, fresh.attempts, fresh.last_attempt, fresh.status) == (
        "a",
        2,
        0,
        None,
        "pending",
    )
    taken = queue.pop()
    assert taken is not None
    assert taken.attempts == 1
    assert taken.last_attempt is not None
    moments = [datetime.fromisoformat(words) for words in (taken.added_at, taken.last_attempt)]
    assert before.timestamp() - 0.01 <= moments[0].timestamp() <= moments[1].timestamp()
    assert all(moment.tzinfo is not None for moment in moments)


def test_adding_a_path_twice_makes_two_of_it() -> None:
    queue = FileQueue()
    queue.add("a")
    queue.add("a")
    assert queue.size() == 2


def test_many_are_added_all_or_none() -> None:
    """More than one transaction holds; one bad path, and none is there."""
    queue = FileQueue()
    assert queue.add_many(f"{number}" for number in range(6000)) == 6000
    with pytest.raises(OvernightError):
        queue.add_many(["good", ""])
    assert queue.size() == 6000
    assert popped(queue) == "0"


# -- ending -----------------------------------------------------------------------------------


def test_failed_and_timed_out_are_final_at_once(ledger: Callable[[], Counter[str]]) -> None:
    """No retry of their own: a processor finds nothing to do."""
    from work_for_workers import record

    queue = FileQueue()
    queue.add_many(["a", "b"])
    queue.pop()
    queue.mark_complete("a", success=False)
    queue.mark_timeout("b")

    assert {item.file_path: item.status for item in queue.get_failed()} == {"a": "failed", "b": "timeout"}
    assert queue.is_empty()
    assert AutonomousProcessor(handler=record).run()["processed"] == 0
    assert ledger() == Counter()


def test_the_command_retry_failed_puts_them_back() -> None:
    queue = FileQueue()
    queue.add_many(["a", "b", "c"])
    queue.mark_complete("a", success=False)
    queue.mark_timeout("b")
    queue.mark_complete("c", success=True)

    subprocess.run([sys.executable, "-m", "overnight", "retry-failed"], check=True, capture_output=True)

    assert paths(queue.get_pending()) == ["a", "b"]
    queue.mark_complete("a", success=False)
    assert queue.retry_failed() == 1
    assert queue.get_failed() == []


def test_saying_the_same_twice_changes_nothing_and_the_opposite_is_refused() -> None:
    queue = FileQueue()
    queue.add("a")
    queue.mark_complete("a", success=True)
    queue.mark_complete("a", success=True)
    with pytest.raises(ValueError, match=r"'a' has ended already \(completed\); nothing was changed"):
        queue.mark_complete("a", success=False)
    assert statuses() == ["completed"]


def test_of_two_with_one_path_the_popped_one_is_meant() -> None:
    queue = FileQueue()
    queue.add("a")
    queue.add("a")
    queue.pop()
    queue.mark_complete("a", success=True)
    assert statuses() == ["completed", "pending"]


def test_a_path_that_was_never_added_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="there is no 'a' in queue 'default'"):
        FileQueue().mark_timeout("a")


def test_clear_forgets_all_but_what_is_being_processed() -> None:
    queue = FileQueue()
    queue.add_many(["a", "b", "c"])
    queue.pop()
    queue.mark_complete("b", success=False)
    queue.clear()
    assert (queue.size(), queue.get_failed(), statuses()) == (0, [], ["processing"])
    queue.mark_complete("a", success=True)
    assert statuses() == ["completed"]


def test_clearing_one_queue_leaves_the_others() -> None:
    FileQueue("other").add("a")
    FileQueue().add("b")
    FileQueue().clear()
    assert FileQueue("other").size() == 1


def test_it_is_not_empty_while_a_file_waits_for_its_retry(here: Path, until: Callable[..., None]) -> None:
    from work_for_workers import fail

    (here / "overnight.toml").write_text('[defaults]\nbackoff = "1h, max 1h"\n')
    queue = FileQueue()
    queue.add("a")
    processor = AutonomousProcessor(handler=fail)
    runner = threading.Thread(target=processor.run)
    runner.start()
    until(lambda: [item.attempts for item in queue.get_pending()] == [1])
    processor.stop()
    runner.join(60)

    assert (queue.is_empty(), queue.size(), queue.pop()) == (False, 1, None)
    (item,) = queue.get_pending()
    assert (item.status, item.attempts) == ("pending", 1)


# -- owners -----------------------------------------------------------------------------------

HOLD = """
import sys, overnight
print(overnight.FileQueue().pop().file_path, flush=True)
sys.stdin.readline()
"""


def test_the_owner_of_a_popped_file_is_on_record() -> None:
    """Number, start and boot: a number alone would soon mean another process."""
    queue = FileQueue()
    queue.add("a")
    queue.pop()
    store = wiring.open_store(wiring.find_home())
    (one,) = store.popped()
    store.close()
    pid, start, boot = one.owner.split(":", 2)
    assert (int(pid), one.owner) == (os.getpid(), wiring.owner())
    assert int(start) > 0
    assert len(boot) > 8


def test_what_another_living_process_has_popped_cannot_be_ended_by_us(python: Python) -> None:
    queue = FileQueue()
    queue.add("a")
    other = python(HOLD)
    assert other.stdout is not None
    assert other.stdout.readline() == "a\n"

    assert queue.pop() is None
    with pytest.raises(ValueError, match=f"'a' is being worked on by process {other.pid}; nothing was changed"):
        queue.mark_complete("a", success=True)
    assert statuses() == ["processing"]


def test_what_a_dead_process_had_popped_is_back_in_the_queue(python: Python) -> None:
    queue = FileQueue()
    queue.add("a")
    other = python(HOLD)
    assert other.stdout is not None
    other.stdout.readline()
    other.kill()
    other.wait()

    item = queue.pop()
    assert item is not None
    assert (item.file_path, item.attempts) == ("a", 2)


def test_a_file_at_which_three_processes_died_is_held(python: Python) -> None:
    queue = FileQueue()
    queue.add("a")
    for _ in range(3):
        other = python(HOLD)
        assert other.stdout is not None
        assert other.stdout.readline() == "a\n"
        other.kill()
        other.wait()

    assert FileQueue().pop() is None
    assert [(item.status, item.attempts) for item in queue.get_failed()] == [("failed", 3)]


# -- several at once --------------------------------------------------------------------------

ADD = "import overnight, sys; q = overnight.FileQueue(); [q.add(f'{sys.argv[1]}-{n}') for n in range(50)]"
TAKE = """
import overnight
queue = overnight.FileQueue()
while (item := queue.pop()) is not None:
    print(item.file_path, flush=True)
    queue.mark_complete(item.file_path, True)
"""


def test_several_processes_add_and_take_without_losing_or_doubling(python: Python) -> None:
    adders = [python(ADD, name) for name in "abcd"]
    assert [adder.wait(60) for adder in adders] == [0] * 4
    takers = [python(TAKE) for _ in range(3)]
    taken = Counter(line for taker in takers for line in taker.communicate(timeout=60)[0].splitlines())

    assert taken == Counter(f"{name}-{number}" for name in "abcd" for number in range(50))
    store = wiring.open_store(wiring.find_home())
    assert (store.counts().completed, store.recount()) == (200, [])
    store.close()


def test_several_threads_share_one_object() -> None:
    queue = FileQueue()
    threads = [threading.Thread(target=lambda: [queue.add("a") for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.size() == 80


def in_child(queue: FileQueue, parents: int) -> None:
    queue.add("child")
    assert id(queue._access.store) != parents


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_object_goes_with_a_child_process(method: str) -> None:
    """A forked child opens a connection of its own and leaves its parent's alone."""
    queue = FileQueue()
    queue.add("parent")
    context: Any = multiprocessing.get_context(method)
    child = context.Process(target=in_child, args=(queue, id(queue._access.store)))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    queue.add("parent")
    assert paths(queue.get_pending()) == ["parent", "child", "parent"]


def test_a_copy_by_pickle_is_the_same_queue(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = FileQueue("q")
    packed = pickle.dumps(queue)
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    copy = pickle.loads(packed)  # noqa: S301 - our own
    copy.add("a")
    assert queue.size() == 1
    assert repr(copy) == repr(queue)


# -- bad input --------------------------------------------------------------------------------


def test_a_home_that_was_removed_is_noticed_and_not_made_again(here: Path) -> None:
    queue = FileQueue()
    queue.add("a")
    shutil.rmtree(here / ".overnight")
    for use in (queue.size, queue.pop, lambda: queue.add("b"), lambda: queue.mark_timeout("a"), queue.clear):
        with pytest.raises(HomeUnusableError, match=r"has been removed since; .*nothing was changed"):
            use()
    assert not (here / ".overnight").exists()


def test_a_store_that_was_replaced_is_noticed(here: Path) -> None:
    queue = FileQueue()
    queue.add("a")
    store = Home(here / ".overnight").store
    store.rename(store.with_suffix(".old"))
    store.write_bytes(b"")
    with pytest.raises(StoreDamagedError, match="is not a store of Overnight; nothing was changed"):
        queue.add("b")
    assert store.read_bytes() == b""


def test_a_store_in_the_place_of_the_one_that_was_there_is_used(here: Path) -> None:
    """As going back to a checkpoint puts one there, whoever does it."""
    queue = FileQueue()
    queue.add("a")
    home = Home(here / ".overnight")
    wiring.open_store(home).close()
    aside = home.store.with_suffix(".old")
    for ending in ("", "-wal", "-shm"):
        Path(f"{home.store}{ending}").rename(f"{aside}{ending}")
    create_file(home.store)
    queue.add("b")
    assert paths(queue.get_pending()) == ["b"]


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda q: q.add(7), TypeError, "file_path is a int, and a str, bytes or path is wanted; nothing was changed"),
        (lambda q: q.add(None), TypeError, "file_path is a NoneType"),
        (lambda q: q.add(""), ValueError, "is empty"),
        (lambda q: q.add("a\0b"), ValueError, "NUL"),
        (lambda q: q.add("x" * 200_000), ValueError, "200,000 bytes long"),
        (lambda q: q.add("\ud800"), ValueError, "characters that no file name can have"),
        (lambda q: q.add("a", "high"), TypeError, "priority is 'high', and a whole number is wanted"),
        (lambda q: q.add("a", True), TypeError, "priority is True"),  # noqa: FBT003 - the point
        (lambda q: q.add("a", 1.5), TypeError, "priority is 1.5"),
        (lambda q: q.add("a", 10**9), ValueError, "priority is 1000000000, and -1000000 to 1000000 are possible"),
        (lambda q: q.add("a", urgent=True), TypeError, "unexpected keyword argument 'urgent'"),
        (lambda q: q.add_many("abc"), TypeError, "one input, and several are wanted"),
        (lambda q: q.mark_complete("a", "yes"), TypeError, "success is 'yes', and True or False is wanted"),
        (lambda q: q.mark_complete("a"), TypeError, "success"),
        (lambda _: FileQueue(7), TypeError, "queue is a int"),  # type: ignore[arg-type]  # the point
        (lambda _: FileQueue("a/b"), ValueError, "'a/b' cannot be the name of a queue"),
        (lambda _: FileQueue(home=7), TypeError, "home is a int"),  # type: ignore[arg-type]  # the point
    ],
)
def test_bad_arguments_are_refused_and_change_nothing(
    use: Callable[[FileQueue], object], error: type[Exception], words: str
) -> None:
    queue = FileQueue()
    with pytest.raises(error, match=words):
        use(queue)
    assert queue.size() == 0


# -- what a second reader found ---------------------------------------------------------------


def test_a_path_that_stands_in_two_queues_is_found_in_each() -> None:
    """The newest of all queues is not the one that is meant."""
    first, second = FileQueue("one"), FileQueue("two")
    first.add("a")
    second.add("a")
    first.mark_complete("a", success=True)
    assert (first.size(), second.size()) == (0, 1)
    assert [item.file_path for item in second.get_pending()] == ["a"]


def test_a_home_whose_name_is_not_utf_8_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(place)  # noqa: PTH102 - bytes
    monkeypatch.chdir(os.fsdecode(place))
    Path("a.txt").write_text("words")
    processor = AutonomousProcessor()
    processor.queue.add("a.txt")
    assert processor.run()["processed"] == 1
    Path("overnight.toml").write_text("[defaults]\nnonsense = 1\n")
    with pytest.raises(OvernightError, match="unknown"):
        processor.run()
