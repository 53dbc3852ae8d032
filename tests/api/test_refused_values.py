"""Whatever is handed in where: a value that works, or an error for people; and never half of anything."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from work_for_workers import outer, record, shout

import overnight
from overnight import AddManyOptions, AutonomousProcessor, FileQueue, Overnight, OvernightError, TaskOptions, wiring
from overnight.core.settings import resolve
from overnight.host.home import Home
from overnight.wiring import engine as wiring_engine


class Nasty:
    """Cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


#: Of every type that comes along, and every value that is special somewhere.
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**70, -(2**70), 0.5, math.nan, math.inf, -math.inf, 1e300, 3 + 4j),
    *("", "a", "a b", "a\0b", "a\nb", "\udc80", "ä", "x" * 200_000, "0", "30m", "none", "default"),
    *(b"", b"a", b"\xff", b"a\0b", bytearray(b"a")),
    *([], ["a"], [1], [None], ("a",), {}, {"a": 1}, {"a": math.nan}, {"a": math.inf}, {"a": True}, {"\udc80": 1}),
    *({"": 1}, {1: 1}, set(), {"a"}, {"A=B"}, range(2), object(), Nasty(), type, Path("a"), Path("a/../b")),
    *(lambda one: one, record, shout, outer(), int, len, print),
    *(datetime.min, datetime.max, datetime(2030, 1, 31), date(2030, 1, 31)),  # noqa: DTZ001, DTZ901 - people do
]


class Faces(NamedTuple):
    """One of each."""

    night: Overnight
    queue: FileQueue
    processor: AutonomousProcessor


USES: dict[str, Callable[[Faces, Any], object]] = {
    "add work": lambda on, it: on.night.add(it, "x"),
    "add input": lambda on, it: on.night.add(record, it),
    "add word": lambda on, it: on.night.add([it], "x"),
    "add_many inputs": lambda on, it: on.night.add_many(record, it),
    "add_many input": lambda on, it: on.night.add_many(record, [it]),
    "get": lambda on, it: on.night.get(it),
    "list state": lambda on, it: on.night.list(it),
    "list queue": lambda on, it: on.night.list(queue=it),
    "list limit": lambda on, it: on.night.list(limit=it),
    "wait": lambda on, it: on.night.wait(it, timeout=0),
    "result": lambda on, it: on.night.result(it),
    "on event": lambda on, it: on.night.on(it, print),
    "on listener": lambda on, it: on.night.on("*", it),
    "task": lambda _, it: overnight.task(it),
    "Overnight": lambda _, it: Overnight(it),
    "FileQueue": lambda _, it: FileQueue(it),
    "FileQueue home": lambda _, it: FileQueue(home=it),
    "AutonomousProcessor": lambda _, it: AutonomousProcessor(it),
    "AutonomousProcessor checkpoint_interval": lambda _, it: AutonomousProcessor(checkpoint_interval=it),
    "AutonomousProcessor handler": lambda _, it: AutonomousProcessor(handler=it),
    "queue add": lambda on, it: on.queue.add(it),
    "queue add priority": lambda on, it: on.queue.add("x", it),
    "queue add_many": lambda on, it: on.queue.add_many(it),
    "queue mark_complete": lambda on, it: on.queue.mark_complete(it, success=True),
    "queue mark_complete success": lambda on, it: on.queue.mark_complete("x", it),
    "queue mark_timeout": lambda on, it: on.queue.mark_timeout(it),
    "processor result": lambda on, it: on.processor.result(it),
    # An unknown workflow, so that what is accepted starts nothing.
    "processor restore_from_checkpoint": lambda on, it: on.processor.restore_from_checkpoint(it),
    "processor run": lambda _, it: AutonomousProcessor("unknown").run(it),
    "processor timeout_seconds": lambda _, it: run_with(it),
}
for _name in AddManyOptions.__annotations__:
    USES[f"add_many {_name}"] = lambda on, it, name=_name: on.night.add_many(record, ["x"], **{name: it})  # type: ignore[misc]  # a default names the loop's value
    if _name != "unique":
        USES[f"add {_name}"] = lambda on, it, name=_name: on.night.add(["true"], **{name: it})  # type: ignore[misc]  # as above
for _name in TaskOptions.__annotations__:
    USES[f"task {_name}"] = lambda _, it, name=_name: overnight.task(**{name: it})  # type: ignore[misc]  # as above


def run_with(limit: Any) -> None:
    processor = AutonomousProcessor("unknown")
    processor.timeout_seconds = limit
    processor.run()


@pytest.mark.parametrize("name", USES)
def test_every_value_is_taken_or_refused_in_words(name: str) -> None:
    on = Faces(Overnight(), FileQueue(), AutonomousProcessor())
    on.night.add(["true"])
    refused: list[OvernightError] = []
    for value in VALUES:
        try:
            USES[name](on, value)
        except OvernightError as error:
            refused.append(error)
    assert refused
    assert all(error.hint or error.exit_code == 4 for error in refused)
    assert max(len(error.message) for error in refused) < 5000
    with closing(wiring.open_store(wiring.find_home())) as store:
        store.orders()  # what an engine reads first
        assert store.recount() == []


@pytest.mark.parametrize(
    ("use", "words", "hint"),
    [
        (lambda on: on.night.add(record, "a", retires=3), "'retires'; nothing was added", "did you mean 'retries'?"),
        (lambda on: on.night.add(record, "a", unique=True), "'unique'; nothing was added", "one of at, at_most_once"),
        (lambda on: on.night.add_many(record, ["a"], uniq=1), "'uniq'; nothing was added", "did you mean 'unique'?"),
        (lambda _: overnight.task(needs={"a": 1}), "'needs'; nothing was added", "one of at_most_once"),  # type: ignore[call-overload]  # the point
        (lambda _: shout.add("a", prio=1), "'prio'; nothing was added", "did you mean 'priority'?"),  # type: ignore[call-arg]  # the point
    ],
)
def test_an_unknown_option_is_told_with_what_was_meant(use: Callable[[Faces], object], words: str, hint: str) -> None:
    with pytest.raises(TypeError, match=f"got an unexpected keyword argument {words}") as caught:
        use(Faces(Overnight(), FileQueue(), AutonomousProcessor()))
    assert isinstance(caught.value, OvernightError)
    assert caught.value.hint.startswith(hint)
    assert Overnight().list() == []


@pytest.mark.parametrize(
    ("work", "words", "hint"),
    [
        (lambda one: one, "a lambda cannot be found by a worker, which is another process", "write it as a function"),
        (outer(), "defined inside a function, cannot be found by a worker", "'def' at the left margin of a .py file"),
    ],
)
def test_a_function_that_no_worker_can_find_is_refused_with_what_to_do(
    work: Callable[[str], object], words: str, hint: str
) -> None:
    for use in (lambda: Overnight().add(work, "a"), lambda: AutonomousProcessor(handler=work)):
        with pytest.raises(ValueError, match=words) as caught:
            use()
        assert isinstance(caught.value, OvernightError)
        assert hint in caught.value.hint
    assert Overnight().list() == []


# -- a home that is gone ---------------------------------------------------------------------

AFTERWARDS: dict[str, Callable[[Faces], object]] = {
    "night add": lambda on: on.night.add(["true"]),
    "night add_many": lambda on: on.night.add_many(["true"], ["a"]),
    "night run": lambda on: on.night.run(),
    "night get": lambda on: on.night.get(1),
    "night list": lambda on: on.night.list(),
    "night steps": lambda on: on.night.steps(1),
    "night wait": lambda on: on.night.wait(1),
    "night result": lambda on: on.night.result(1),
    "queue add": lambda on: on.queue.add("b"),
    "queue add_many": lambda on: on.queue.add_many(["b"]),
    "queue pop": lambda on: on.queue.pop(),
    "queue peek": lambda on: on.queue.peek(),
    "queue mark_complete": lambda on: on.queue.mark_complete("a", success=True),
    "queue mark_timeout": lambda on: on.queue.mark_timeout("a"),
    "queue retry_failed": lambda on: on.queue.retry_failed(),
    "queue clear": lambda on: on.queue.clear(),
    "queue size": lambda on: on.queue.size(),
    "queue is_empty": lambda on: on.queue.is_empty(),
    "queue get_pending": lambda on: on.queue.get_pending(),
    "queue get_failed": lambda on: on.queue.get_failed(),
    "processor run": lambda on: on.processor.run(),
    "processor resume": lambda on: on.processor.resume(),
    "processor save_checkpoint": lambda on: on.processor.save_checkpoint(),
    "processor restore_from_checkpoint": lambda on: on.processor.restore_from_checkpoint(),
    "processor orchestrator": lambda on: on.processor.orchestrator,
    "processor get_status": lambda on: on.processor.get_status(),
    "processor result": lambda on: on.processor.result("a"),
}


@pytest.mark.parametrize("name", AFTERWARDS)
@pytest.mark.parametrize("used", [True, False])
def test_after_its_home_was_removed_everything_says_so_and_nothing_is_made_anew(
    here: Path, name: str, *, used: bool
) -> None:
    on = Faces(Overnight(), FileQueue(), AutonomousProcessor())
    if used:
        on.queue.add("a")
        on.night.list()
        on.processor.queue.size()
    (here / ".overnight").rename(here / "elsewhere")

    with pytest.raises(OvernightError, match="has been removed since; its tasks are gone with it and nothing was"):
        AFTERWARDS[name](on)

    assert not (here / ".overnight").exists()


@pytest.mark.parametrize("name", AFTERWARDS)
def test_another_home_in_its_place_is_not_taken_for_it(here: Path, name: str) -> None:
    """Somebody has begun anew meanwhile: his empty home is not the one that this object was made for."""
    on = Faces(Overnight(), FileQueue(), AutonomousProcessor())
    on.queue.add("a")
    (here / ".overnight").rename(here / "elsewhere")
    FileQueue().add("a")

    with pytest.raises(OvernightError, match="is another one now"):
        AFTERWARDS[name](on)

    assert [item.file_path for item in FileQueue().get_pending()] == ["a"]


@pytest.mark.parametrize("another", [True, False])
def test_stopping_where_the_home_is_gone_stops_nobody(here: Path, *, another: bool) -> None:
    processor = AutonomousProcessor()
    processor.queue.add("a")
    (here / ".overnight").rename(here / "elsewhere")
    if another:
        FileQueue().add("a")
        with wiring_engine.holding(Home(here / ".overnight"), settings=resolve(flags={}, environ={}, configured={})):
            processor.stop()
    else:
        processor.stop()
    assert (here / ".overnight").exists() is another
    assert not (here / ".overnight/STOP").exists()


def test_the_methods_that_use_a_home_are_all_tried() -> None:
    tried = {name.split()[1] for name in AFTERWARDS}
    for face in (Overnight, FileQueue, AutonomousProcessor):
        methods = {name for name in vars(face) if not name.startswith("_")} - {
            "checkpoint_interval",
            "close",
            "on",
            "stop",
        }
        assert methods <= tried
