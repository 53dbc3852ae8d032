"""A selection of the faults, on this machine and within a time that somebody names: what ``overnight chaos`` runs.

Each family strikes in portions until its share of the time is used up, at least once. A control is the same
with something taken out, or with nothing broken: it shows that the judge sees what there is to see. All
happens in directories that are removed at the end, whatever happens; no home of the user is touched.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.core.endings import AttemptKey, Ending, Evidence, Lost
from overnight.core.task import Action, ActionKind, NewTask
from overnight.executors.contract import Over, Spec
from overnight.host.clock import SystemClock
from overnight.store.copies.making import Order, make
from overnight.store.copies.manifest import NAME as MANIFEST
from overnight.store.copies.manifest import STORE
from overnight.store.copies.shelf import Shelf, troubles
from overnight.testing.crashing import CrashPoints
from overnight.testing.cutting import Recording, cut, fast_directory, record
from overnight.testing.disk import Synced
from overnight.testing.io_faults import Strike, refer, strike, strikes
from overnight.testing.kills import COMMANDS, FUNCTIONS, Site, run_schedule, violations
from overnight.testing.simulation import Simulation
from overnight.testing.world import FakeWorld, Play

#: Cuts, faults and damages in one portion.
PORTION = 20
#: Seconds that a whole sheet takes if nobody says otherwise.
USUAL = 60.0
_HOME = "0123456789abcdef"


class Result(msgspec.Struct, frozen=True):
    """How one family went. `control`: what the control has shown; empty where there is none."""

    family: str
    what: str
    count: int
    violations: list[str]
    control: str
    control_passed: bool
    seconds: float

    @property
    def passed(self) -> bool:
        """Nothing was against the promises, and the control has shown what it should."""
        return not self.violations and self.control_passed


class Struck(NamedTuple):
    """What one portion was: how many faults, and what was wrong afterwards."""

    faults: int
    violations: Sequence[str]


class Control(NamedTuple):
    """What a control has shown, in words, and whether that is what it should."""

    words: str
    passed: bool


class Family(NamedTuple):
    """Faults of one kind. `strike` gets a new directory, and dice; it is a generator of portions without end."""

    name: str
    what: str
    share: float
    strike: Callable[[Path, random.Random], Iterator[Struck]]
    control: Callable[[Path], Control] | None = None


def families(program: Sequence[str]) -> list[Family]:
    """All of them, by hand. `program`: the words after the interpreter that start the program."""
    return [
        Family("crashes", "engines killed before or after a COMMIT, in virtual time", 0.1, _crashes, _forgetful),
        Family("power cuts", "the power cut at any write or sync of the store", 0.15, _power_cuts, _deaf_disk),
        Family("disk errors", "reads, writes, syncs and opens of the store that fail", 0.12, _disk_errors),
        Family("full disk", "writes of the store that find no room", 0.08, _full_disk),
        Family("checkpoints", "bytes flipped and ends cut off in a checkpoint", 0.1, _damages, _whole),
        Family("kills", "engine, keepers, runners and tasks really killed", 0.45, _kills(program)),
    ]


def run(program: Sequence[str], *, seconds: float, seed: int, tell: Callable[[Result], None]) -> list[Result]:
    """Run every family.

    Args:
        program: The words after the interpreter that start the program.
        seconds: For all together; the first portion of each may take longer.
        seed: Of all dice.
        tell: Called with each result.
    """
    found = []
    for family in families(program):
        result = _run(family, family.share * seconds, random.Random(f"{seed} {family.name}"))  # noqa: S311 - dice
        tell(result)
        found.append(result)
    return found


def _run(family: Family, seconds: float, dice: random.Random) -> Result:
    clock = SystemClock()
    began, count, wrong = clock.monotonic(), 0, list[str]()
    with tempfile.TemporaryDirectory(prefix="overnight-chaos-", ignore_cleanup_errors=True) as name:
        control = family.control(_made(Path(name) / "control")) if family.control else Control("", passed=True)
        for portion in family.strike(_made(Path(name) / "struck"), dice):
            count += portion.faults
            wrong += portion.violations
            if wrong or clock.monotonic() - began >= seconds:
                break
    took = round(clock.monotonic() - began, 2)
    return Result(family.name, family.what, count, wrong, control.words, control.passed, took)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


# -- crashes --------------------------------------------------------------------------------------


def _crashes(place: Path, dice: random.Random) -> Iterator[Struck]:
    moments = len(_night(place / "whole", CrashPoints()).points.names)
    while True:
        points = CrashPoints(*dice.sample(range(1, moments + 1), dice.randint(1, 3)))
        night = _night(place / str(dice.random()), points)
        yield Struck(night.crashes, night.violations())


class _Forgetful(FakeWorld):
    """Takes what was killed for what never began."""

    def testimony(self, key: AttemptKey) -> Over:
        found = super().testimony(key)
        return Lost(*key, Evidence.NEVER_STARTED) if isinstance(found, Lost) else found


def _forgetful(place: Path) -> Control:
    moments = len(_night(place / "whole", CrashPoints()).points.names)
    nights = [_night(place / str(at), CrashPoints(at), _Forgetful) for at in range(moments // 3, moments // 3 + 10)]
    seen = sum(bool(night.violations()) for night in nights)
    return Control(f"what was killed taken for what never began: {seen} of {len(nights)} found out", seen > 0)


def _night(place: Path, points: CrashPoints, world: type[FakeWorld] = FakeWorld) -> Simulation:
    place.mkdir()
    night = Simulation(place, play=_play, points=points)
    night.world = world(night.clock)
    action = Action(ActionKind.CALL, b"/", call="m:f")
    night.add([NewTask(action, b"%d" % number, priority=number % 3) for number in range(12)])
    night.run()
    return night


def _play(spec: Spec, _action: Action) -> Play:
    if spec.task_id % 4 == 0 and spec.attempt == 1:
        return Play(0.05, Ending.EXITED, exit_code=1)
    return Play(0.05 * (spec.task_id % 3 + 1))


# -- the disk -------------------------------------------------------------------------------------


def _power_cuts(_place: Path, dice: random.Random) -> Iterator[Struck]:
    with fast_directory() as memory:
        recording = record(_made(memory / "recorded"))
        while True:
            at = dice.sample(range(len(recording.trace) + 1), PORTION)
            done = cut(recording, at, seed=dice.randrange(10**6), directory=memory / "cut")
            yield Struck(done.count, done.violations)


def _deaf_disk(_place: Path) -> Control:
    """The same with a disk that takes no notice of syncs."""
    with fast_directory() as memory:
        recording = record(_made(memory / "recorded"))
        deaf = [step for step in recording.trace if not isinstance(step, Synced)]
        at = range(len(deaf) // 2, len(deaf), max(1, len(deaf) // (2 * PORTION)))
        recording = Recording(deaf, recording.pictures, recording.before)
        done = cut(recording, at, seed=1, directory=memory / "cut", again=False)
    lost = len({words.partition(":")[0] for words in done.violations})
    return Control(f"with a disk that ignores syncs {lost} of {done.count} cuts are found to lose work", lost > 0)


def _disk_errors(_place: Path, dice: random.Random) -> Iterator[Struck]:
    yield from _strikes(dice, lambda one: not one.full)


def _full_disk(_place: Path, dice: random.Random) -> Iterator[Struck]:
    yield from _strikes(dice, lambda one: one.full)


def _strikes(dice: random.Random, wanted: Callable[[Strike], bool]) -> Iterator[Struck]:
    with fast_directory() as memory:
        reference = refer(_made(memory / "reference"))
        every = [one for one in strikes(reference) if wanted(one)]
        while True:
            chosen = dice.sample(every, PORTION)
            yield Struck(len(chosen), strike(reference, chosen, memory / "struck"))


# -- checkpoints ----------------------------------------------------------------------------------


def _checkpoint(place: Path) -> Shelf:
    """A shelf with one checkpoint of a store that is not empty."""
    record(_made(place / "home"))
    order = Order(store=str(place / "home" / STORE), shelf=str(place / "shelf"), home=_HOME, reason="asked")
    make(order, clock=SystemClock())
    return Shelf(place / "shelf", _HOME)


def _whole(place: Path) -> Control:
    found = [words for entry in _checkpoint(place).entries() for words in troubles(entry, deep=True)]
    return Control("the same checkpoint without damage is found whole" if not found else found[0], not found)


def _damages(place: Path, dice: random.Random) -> Iterator[Struck]:
    shelf = _checkpoint(place)
    (entry,) = shelf.entries()
    while True:
        wrong = [_damage(shelf, entry.path, dice) for _ in range(PORTION)]
        yield Struck(PORTION, [words for words in wrong if words])


def _damage(shelf: Shelf, folder: Path, dice: random.Random) -> str:
    """Damage one file of a checkpoint, see that it is noticed, and mend it."""
    path = folder / dice.choice((STORE, STORE, MANIFEST))
    content = path.read_bytes()
    start = dice.randrange(len(content))
    length = min(dice.choice((1, 16, 4096)), len(content) - start)
    if dice.random() < 0.3:  # noqa: PLR2004 - three in ten
        path.write_bytes(content[:start])
    else:
        changed = bytes(byte ^ dice.randint(1, 255) for byte in content[start : start + length])
        path.write_bytes(content[:start] + changed + content[start + length :])
    found = troubles(shelf.entry(folder.name))
    path.write_bytes(content)
    return "" if found else f"{path.name}, damaged from byte {start} on, is taken for whole"


# -- processes ------------------------------------------------------------------------------------


def _kills(program: Sequence[str]) -> Callable[[Path, random.Random], Iterator[Struck]]:
    def strikes_of(place: Path, dice: random.Random) -> Iterator[Struck]:
        while True:
            yield _schedule(_made(place / str(dice.randrange(10**9))), program, dice.randrange(10**6))

    return strikes_of


def _schedule(place: Path, program: Sequence[str], seed: int) -> Struck:
    """A run of commands and functions, killed until all is done."""
    room = {"OVERNIGHT_HOME": str(place / ".overnight"), "OVERNIGHT_GATE_DISK": "0", "OVERNIGHT_GATE_MEMORY": "0"}
    with closing(Site(place, program, room)) as site:
        site.add(COMMANDS, 10)
        site.add(FUNCTIONS, 8)
        killed = run_schedule(site, seed)
        found = Struck(killed.total() - killed["engines"], violations(site))
    shutil.rmtree(place)
    return found
