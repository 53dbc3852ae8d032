"""Power cuts: the real store on a recorded disk, the power cut anywhere, and what must be found afterwards.

After each cut the store must be whole (its structure, the checksums of its pages, its books), and be to the
last bit what it was after the last transaction that was acknowledged, or after the one under way. Then it
must go on. Some cuts are followed by another one, while the store recovers from the first.
"""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.sqlite import SqliteStore
from overnight.store.sqlite.connection import Database
from overnight.store.sqlite.examining import examine
from overnight.testing.clock import START
from overnight.testing.disk import Disk, Marked, Step
from overnight.testing.power import Image, images
from overnight.testing.small_night import SmallNight, picture

STORE = "queue.db"
#: Of so many cuts one is followed by cuts in the recovery from it, each this many.
AGAIN_EVERY = 40
AGAIN = 4


class Recording(NamedTuple):
    """What happened on the disk, and what the store was like after each transaction.

    A mark in `trace` is the number of a picture: from there on it was acknowledged. `before`: the number of the
    one that is acknowledged from the beginning; -1 when there is no store yet. `start`: the files that there were.
    """

    trace: Sequence[Step]
    pictures: Sequence[bytes]
    before: int = -1
    start: Mapping[str, bytes] = MappingProxyType({})

    def acknowledged(self) -> list[int]:
        """For each number of steps that had happened: the last picture acknowledged by then."""
        marks = (step.what if isinstance(step, Marked) else -1 for step in self.trace)
        numbers = (mark for mark in marks if isinstance(mark, int))
        return list(itertools.accumulate(numbers, max, initial=self.before))


class Cuts(msgspec.Struct):
    """How many there were, and everything that was wrong afterwards."""

    count: int = 0
    violations: list[str] = []


@contextmanager
def fast_directory() -> Iterator[Path]:
    """A new directory, in memory where there is such a place: what is recorded is cut, not what is there."""
    memory = Path("/dev/shm")  # noqa: S108 - a new directory inside
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def record(directory: Path) -> Recording:
    """A small night on a new store, from its making on."""
    return _recorded(directory, lambda database: [deed() for deed in SmallNight(database).steps()])


def _recorded(
    directory: Path,
    work: Callable[[Database], object],
    *,
    before: int = -1,
    start: Mapping[str, bytes] = MappingProxyType({}),
) -> Recording:
    path, pictures = directory / STORE, list[bytes]()
    with Disk(directory) as disk:

        def acknowledge(_operation: str = "", moment: str = "after_commit") -> None:
            if moment == "after_commit":
                pictures.append(picture(path))
                disk.mark(len(pictures) - 1)

        with closing(Database(path, create=True, migrate=True, hooks=acknowledge)) as database:
            acknowledge()
            work(database)
    return Recording(disk.trace, pictures, before, start)


def cut(recording: Recording, at: Collection[int], *, seed: int, directory: Path, again: bool = True) -> Cuts:
    """Cut the power after each of these numbers of steps, and see what is left.

    Args:
        recording: Of a night, or of a recovery.
        at: Numbers of steps of the recording.
        seed: Of the dice.
        directory: A place to work in.
        again: Cut once more during some of the recoveries.
    """
    done, acknowledged = Cuts(), recording.acknowledged()
    for number, image in enumerate(images(recording.trace, at, seed=seed, start=recording.start)):
        done.count += 1
        found = _judged(image, recording, acknowledged[image.at], directory)
        done.violations += [f"seed {seed}, cut after step {image.at}: {words}" for words in found]
        if again and not found and number % AGAIN_EVERY == 0 and acknowledged[image.at] >= 0:
            after = _cut_again(image, seed=seed, directory=directory)
            done.count += after.count
            done.violations += [f"after {image.at}, {words}" for words in after.violations]
    return done


def _cut_again(image: Image, *, seed: int, directory: Path) -> Cuts:
    image.lay_down(directory)
    recording = _recorded(directory, _go_on, before=0, start=image.files)
    dice = random.Random(f"{seed} {image.at} again")  # noqa: S311 - dice, not a secret
    at = dice.sample(range(len(recording.trace) + 1), min(AGAIN, len(recording.trace)))
    return cut(recording, at, seed=seed, directory=directory, again=False)


def _judged(image: Image, recording: Recording, acknowledged: int, directory: Path) -> list[str]:
    """What is wrong after a cut; [] when all is well."""
    image.lay_down(directory)
    path = directory / STORE
    try:
        # As an engine opens it. Where none was acknowledged there need be none.
        Database(path, create=acknowledged < 0, migrate=True).close()
        if wrong := examine(path, deep=True):
            return [f"damaged: {words}" for words in wrong]
        found = _placed(recording.pictures, picture(path), acknowledged)
        with closing(Database(path)) as database:
            _go_on(database)
            found += [f"afterwards {one.what}: {one.found}" for one in SqliteStore(database).recount()]
    except OvernightError as error:
        return [f"not usable: {error}"]
    return found


def _placed(pictures: Sequence[bytes], found: bytes, acknowledged: int) -> list[str]:
    allowed = pictures[max(acknowledged, 0) : acknowledged + 2]
    if found in allowed:
        return []
    if found in pictures:
        lost = acknowledged - pictures.index(found)
        return [f"{lost} acknowledged transactions are lost, of {acknowledged}"]
    return ["the store is as it never was"]


def _go_on(database: Database) -> None:
    """What the next engine and the next producer do."""
    store = SqliteStore(database)
    store.take_fence(now=START, by="next")
    store.add([NewTask(Action(kind=ActionKind.CALL, cwd=b"/", call="m:f"), b"next")], now=START)
    database.tidy(1, give_back=1)
