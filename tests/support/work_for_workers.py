"""Functions that workers import in the tests of the Python face; their ledger knows nothing of our records."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import overnight


def record(file_path: str) -> str:
    """Append the path to the ledger of the task's directory."""
    with Path("ledger").open("a", encoding="utf-8") as file:
        file.write(f"{file_path}\n")
    return file_path.upper()


def refuse(file_path: str) -> None:
    """Fail for good."""
    record(file_path)
    raise overnight.Permanent(f"{file_path} is no good")


def fail_once(file_path: str) -> str:
    """Fail at the first attempt."""
    record(file_path)
    if Path("ledger").read_text("utf-8").splitlines().count(file_path) == 1:
        raise RuntimeError("not yet")
    return "at last"


def fail(file_path: str) -> None:
    """Fail each time."""
    record(file_path)
    raise RuntimeError("never")


def wait_for_go(file_path: str) -> str:
    """Record the path; one that is called slow then waits until there is a file called go, for a minute at most."""
    record(file_path)
    until = time.monotonic() + 60.0
    while file_path.startswith("slow") and not Path("go").exists() and time.monotonic() < until:
        time.sleep(0.005)
    return "gone"


def big(file_path: str) -> str:
    """Return much."""
    return "x" * int(file_path)


def no_json(file_path: str) -> object:
    """Return what JSON does not know."""
    return {file_path: object()}


@overnight.task(retries=0, timeout="1m", priority=7, queue="letters")
def shout(words: str, mark: str = "!") -> str:
    """Say it aloud."""
    return words.upper() + mark


@overnight.task
def plain(words: str) -> str:
    """Say it as it is."""
    return words


@overnight.workflow(input="file")
def both(flow: overnight.Flow) -> None:
    """One step after the other."""
    flow.step(record)
    flow.step(shout, needs=[record])


async def later(words: str) -> str:
    """Runs in a loop of events only."""
    return words


def one_by_one(words: str) -> Iterator[str]:
    """Runs when somebody goes through it."""
    yield from words


async def one_by_one_later(words: str) -> AsyncIterator[str]:
    """Both."""
    yield words


def outer() -> object:
    """Give a function that nobody else can find."""

    def inner(file_path: str) -> str:
        return file_path

    return inner


def no_argument() -> None:
    """Take nothing."""


class Worker:
    """Has methods."""

    @staticmethod
    def still(file_path: str) -> str:
        """Be a function with a dot in its name."""
        return file_path

    def moving(self, file_path: str) -> str:
        """Need an object."""
        return file_path


def ledger_of_its_own(file_path: str) -> None:
    """Append the path to a ledger that only this process writes: a line is whole, and never another's."""
    directory = Path("ledgers")
    directory.mkdir(exist_ok=True)
    with (directory / str(os.getpid())).open("a", encoding="utf-8") as page:
        page.write(f"{file_path}\n")


def louder(function: Callable[[str], str]) -> Callable[[str], str]:
    """Wrap a function under its own name, as decorators do."""

    @functools.wraps(function)
    def wrapper(words: str) -> str:
        return function(words) + "!"

    return wrapper


louder_record = louder(record)
louder_shout = louder(shout)


@louder
def loud(words: str) -> str:
    """Say it louder; what stands in the module is the wrapper."""
    return words
