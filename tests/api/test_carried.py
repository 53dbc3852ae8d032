"""Objects of the Python face and their errors, carried to another process or shown in a traceback."""

from __future__ import annotations

import multiprocessing
import pickle
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from work_for_workers import both, record, shout

import overnight
from overnight import AutonomousProcessor, Overnight, WaitedTooLongError
from overnight.api.arguments import ArgumentTypeError
from overnight.core.errors import NotFoundError, OvernightError


def carried(value: object) -> object:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own


def test_a_traceback_says_what_to_do_once() -> None:
    error = NotFoundError("there is none; nothing was done", hint="add() one")
    for one in (error, carried(error)):
        assert isinstance(one, NotFoundError)
        assert (one.message, one.hint, str(one)) == (error.message, "add() one", error.message)
        assert "".join(traceback.format_exception(one)).count("try: add() one") == 1
    assert not hasattr(OvernightError("there is none"), "__notes__")


def test_a_task_is_sent_by_its_name_as_the_function_would_be() -> None:
    """Calling it is a plain call, in a pool of processes too."""
    assert carried(shout) is shout
    assert carried(both) is both
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        assert list(pool.map(shout, ["a", "b"])) == ["A!", "B!"]
    other = carried(overnight.task(record))
    assert isinstance(other, overnight.TaskFunction)
    assert other.add("a") == 1
    named = carried(overnight.Workflow.named("wf-ingest"))
    assert isinstance(named, overnight.Workflow)
    assert (named.name, named.definition) == ("wf-ingest", None)


class Shouter:
    """Has a method that is decorated."""

    @overnight.task
    def shout(self, words: str) -> str:
        """Say it aloud."""
        return f"{type(self).__name__}: {words}"


def test_a_decorated_method_is_called_as_one_and_cannot_be_added() -> None:
    assert Shouter().shout("a") == "Shouter: a"
    with pytest.raises(ArgumentTypeError, match="cannot be called with one input"):
        Shouter().shout.add("a")


def test_what_is_not_finished_in_time_is_told_in_three_parts() -> None:
    night = Overnight()
    number = night.add(["true"])
    with pytest.raises(TimeoutError, match="1 of 1 tasks are not finished after 0 seconds; they go on") as caught:
        night.wait(number, timeout=0)
    error = carried(caught.value)
    assert isinstance(error, WaitedTooLongError)
    assert (error.exit_code, error.hint.split(",")[0]) == (124, "wait(...")


def test_an_overnight_that_was_sent_is_of_the_same_home(here: Path) -> None:
    night = Overnight()
    number = night.add(["true"])
    sent = carried(night)
    assert isinstance(sent, Overnight)
    assert sent.get(number).command == ("true",)
    night.on("file_completed", print)
    with pytest.raises(ArgumentTypeError, match="has listeners, which cannot go to another process; nothing was sent"):
        carried(night)
    assert str(here) in repr(sent)


def test_a_processor_that_was_sent_does_what_it_would_have_done_here() -> None:
    processor = AutonomousProcessor(checkpoint_interval=7, handler=record)
    processor.timeout_seconds = 9
    processor.queue.add("a")
    sent = carried(processor)
    assert isinstance(sent, AutonomousProcessor)
    assert (sent.checkpoint_interval, sent.timeout_seconds) == (7, 9)
    assert sent.run()["processed"] == 1
    assert Path("ledger").read_text() == "a\n"
    assert getattr(carried(sent), "state", None) == sent.state
