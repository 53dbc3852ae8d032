"""The engine is killed at every moment at which something has just been, or is just about to be, made durable.

The real loop on the real store, in virtual time. A moment is a call of the store's hooks before and
after each COMMIT, and each answer of the executor. After a crash the next engine finds what the dead
one left, until the queue is empty; then the books are compared with what really happened.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from crashing_night import FULL, MEDIUM, SMALL, Night, forget_unacknowledged_outcomes, new_task, violations

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.task import NewTask
from overnight.core.verdict import Settlement
from overnight.engine import recovery
from overnight.engine.attempts import Attempts
from overnight.engine.loop import Engine
from overnight.engine.wishes import Wishes
from overnight.executors.contract import Executor, Over
from overnight.store.contract import Store, Turn
from overnight.store.sqlite import SqliteStore
from overnight.testing import CrashError, CrashPoints, FakeWorld, StuckError
from overnight.wiring import adding

#: In memory where there is such a place: nothing here is about the disk, and a night syncs it 200 times.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a new directory inside
#: Every so many moments are tried by `make test`; a prime, so that it meets each kind of moment.
SAMPLE = 13
#: The same for the whole night of 200 tasks.
FULL_SAMPLE = 151
#: The long proofs are dealt out in so many parts, which may run side by side.
PARTS = 8


def one_night(kinds: Mapping[str, int], *at: int) -> Night:
    """A night with crashes at these moments; the books of it must balance."""
    with tempfile.TemporaryDirectory(dir=FAST) as directory:
        night = Night(Path(directory), CrashPoints(*at), checkpoint_every=0 if kinds is SMALL else kinds["quick"])
        night.add_kinds(kinds)
        night.run()
        assert violations(night) == [], f"crashed at {at}: {[night.points.names[number - 1] for number in at]}"
    return night


@functools.cache
def moments(kinds: str) -> int:
    """How many moments a night without a crash has."""
    return len(one_night({"full": FULL, "medium": MEDIUM, "small": SMALL}[kinds]).points.names)


def try_points(kinds: Mapping[str, int], chosen: Sequence[int]) -> None:
    """One night for each of these moments."""
    for moment in chosen:
        assert one_night(kinds, moment).crashes == 1


def test_the_night_has_everything_that_a_crash_could_spoil() -> None:
    """200 tasks, with retries, priorities, steps and checkpoints."""
    night = one_night(FULL)
    assert sum(FULL.values()) == 200
    assert len(night.points.names) >= 1000
    assert {"turn before_commit", "submit after", "ack after", "checkpoint copied"} <= set(night.points.names)
    assert sum(SMALL.values()) == 12


def test_no_crash_at_a_sample_of_moments_loses_or_doubles_a_task() -> None:
    try_points(MEDIUM, range(1, moments("medium") + 1, SAMPLE))
    try_points(FULL, range(1, moments("full") + 1, FULL_SAMPLE))


def test_two_crashes_at_a_sample_of_moments_lose_or_double_no_task() -> None:
    for first, second in list(itertools.combinations(range(1, moments("small") + 1), 2))[::197]:
        one_night(SMALL, first, second)


@pytest.mark.prove
@pytest.mark.parametrize("part", range(PARTS))
def test_no_crash_at_any_moment_loses_or_doubles_a_task(part: int) -> None:
    try_points(FULL, range(1 + part, moments("full") + 1, PARTS))


@pytest.mark.prove
@pytest.mark.parametrize("part", range(PARTS))
def test_no_two_crashes_at_any_moments_lose_or_double_a_task(part: int) -> None:
    """The second one counts on from the first: many of them hit an engine that is just recovering."""
    for first in range(1 + part, moments("small") + 1, PARTS):
        for second in range(first + 1, moments("small") + 1):
            one_night(SMALL, first, second)


def test_an_engine_that_crashes_while_it_recovers_recovers_all_the_same() -> None:
    """Ten crashes one after the other, each a few moments into the life of the next engine."""
    middle = moments("medium") // 2
    for step in (1, 2, 3, 5):
        assert one_night(MEDIUM, *range(middle, middle + 10 * step, step)).crashes == 10


# -- the checker sees what it should --------------------------------------------------------------

Patch = Callable[[pytest.MonkeyPatch], None]


def drop_the_fence(patch: pytest.MonkeyPatch) -> None:
    """A result counts for whatever attempt its task is at."""
    real_settle, real_turn = Attempts.settle, SqliteStore.turn

    def settle(self: Attempts, event: Over, *, now: float) -> Any:
        running = self.get(event.task_id)
        if running is not None and isinstance(event, Ended):
            event = msgspec.structs.replace(event, attempt=running.claimed.attempt)
        return real_settle(self, event, now=now)

    def turn(self: SqliteStore, *, settlements: Sequence[Settlement], **words: Any) -> Turn:
        now_open = {attempt.task_id: attempt.attempt for attempt in self.left_open()}
        unfenced = [msgspec.structs.replace(one, attempt=now_open.get(one.task_id, one.attempt)) for one in settlements]
        return real_turn(self, settlements=unfenced, **words)

    patch.setattr(Attempts, "settle", settle)
    patch.setattr(SqliteStore, "turn", turn)


def acknowledge_before_commit(patch: pytest.MonkeyPatch) -> None:
    """Workers may forget an outcome that is not in the store yet."""
    real = Engine._commit

    def commit(self: Engine, claim: Any) -> Any:
        self._executor.ack()
        return real(self, claim)

    patch.setattr(Engine, "_commit", commit)


def believe_that_nothing_began(patch: pytest.MonkeyPatch) -> None:
    """A lost attempt that had begun is taken for one that had not."""
    real = FakeWorld.testimony

    def testimony(self: FakeWorld, key: AttemptKey) -> Over:
        found = real(self, key)
        return Lost(*key, Evidence.NEVER_STARTED) if isinstance(found, Lost) else found

    patch.setattr(FakeWorld, "testimony", testimony)


def recover_nothing(patch: pytest.MonkeyPatch) -> None:
    """What was left open stays so."""

    def recover(_store: Store, executor: Executor, *, fence: int, now: float, **_: object) -> list[Settlement]:  # noqa: ARG001 - its place
        executor.open(fence=fence, left_open=[])
        return []

    patch.setattr(RECOVER, recover)


def requeue_twice(patch: pytest.MonkeyPatch) -> None:
    """What was lost goes back into the queue, and a copy of it besides."""

    def recover(store: Store, executor: Executor, *, fence: int, now: float, **_: object) -> list[Settlement]:
        settlements = recovery.recover(store, executor, fence=fence, now=now)
        lost = [store.get(settlement.task_id) for settlement in settlements]
        store.add([NewTask(store.actions([task.action_id])[task.action_id], task.input) for task in lost], now=now)
        return settlements

    patch.setattr(RECOVER, recover)


def count_a_crash_as_a_failure(patch: pytest.MonkeyPatch) -> None:
    """Interruptions are held against the task."""

    def recover(store: Store, executor: Executor, *, fence: int, now: float, **_: object) -> list[Settlement]:
        settlements = recovery.recover(store, executor, fence=fence, now=now)
        return [msgspec.structs.replace(one, failures=one.failures + 1) for one in settlements]

    patch.setattr(RECOVER, recover)


def drop_late_controls(patch: pytest.MonkeyPatch) -> None:
    """What a person wants of a task whose attempt has just ended is forgotten."""

    def forget(self: Wishes) -> None:
        late = [control.id for control, task_id in self._late() if not self._agenda.is_settling(task_id)]
        self._agenda.obeyed += [one for one in late if one not in self._agenda.obeyed]

    patch.setattr(Wishes, "_obey_late", forget)


#: Where the engine finds it.
RECOVER = "overnight.engine.loop.recover"
#: What is taken away, and words of what the checker must find then.
MUTATIONS: list[tuple[Patch, str]] = [
    (drop_the_fence, "was settled before it ended"),
    (acknowledge_before_commit, "is lost on record; it really was begin, end"),
    (forget_unacknowledged_outcomes, "is lost on record; it really was begin, end"),
    (believe_that_nothing_began, "is recalled on record; it really was begin, killed"),
    (recover_nothing, "not over after"),
    (requeue_twice, "43 were added"),
    (count_a_crash_as_a_failure, "failed 0 times, and 1 are counted"),
    (drop_late_controls, "wavering 0': became failed"),
]


@pytest.mark.parametrize(("mutate", "words"), MUTATIONS, ids=[mutate.__name__ for mutate, _ in MUTATIONS])
def test_the_same_nights_go_wrong_without_a_protection(
    mutate: Patch, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proof that cannot fail proves nothing."""
    chosen = range(20, moments("medium"), SAMPLE)
    mutate(monkeypatch)
    assert any(words in what_goes_wrong(moment) for moment in chosen)


def what_goes_wrong(moment: int) -> str:
    """What the checker says of a night with a crash at this moment."""
    with tempfile.TemporaryDirectory(dir=FAST) as directory:
        night = Night(Path(directory), CrashPoints(moment))
        night.add_kinds(MEDIUM)
        try:
            night.run()
        except StuckError as error:
            return str(error)
        return "; ".join(violations(night))


# -- producers ------------------------------------------------------------------------------------


class SmallWork:
    """Tasks of one kind, as a call names them."""

    def __init__(self, first: int, count: int) -> None:
        self.inputs = [f"quick {number}".encode() for number in range(first, first + count)]

    def tasks(self, start: int = 0, stop: int | None = None) -> list[NewTask]:
        """Some of them."""
        return [new_task("quick", int(one.split()[1])) for one in self.inputs[start:stop]]


#: First number and size of each call of a producer; one of more than three goes as a batch.
CALLS = [(0, 2), (10, 10), (30, 3), (40, 7)]


def produce(night: Night) -> bool:
    """Add all that is not there yet, and note what was acknowledged. Returns whether it lived to the end."""
    night.points.next_life()
    with suppress(CrashError), night.opened(killable=True) as store:
        for first, count in CALLS:
            work = SmallWork(first, count)
            if store.find(work.tasks()):
                continue
            total = len(work.inputs)
            me = adding.Producer(night.clock.now(), "test", lambda: "dead", lambda _owner: False)
            added = adding.add_all(store, adding.chunks(work.tasks, total), total, me)
            night.acknowledged |= dict(zip(work.inputs, added.ids, strict=True))
        return True
    return False


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adding, "CHUNK", 3)


def producing_night(*at: int) -> int:
    """A producer killed at these moments, the same call again until it is through, and an engine.

    Returns:
        The moments that the producers had.
    """
    with tempfile.TemporaryDirectory(dir=FAST) as directory:
        night = Night(Path(directory), CrashPoints(*at))
        lives = 0
        while not produce(night):
            lives += 1
            assert lives <= len(at)
            _see_whole_calls_only(night)
        passed = len(night.points.names)
        with night.opened() as store:
            assert store.open_batches() == []
            night.acknowledged = _all(store)
        night.added = list(night.acknowledged.values())
        night.run()
        assert violations(night) == [], f"crashed at {at}: {[night.points.names[number - 1] for number in at]}"
    return passed


def _see_whole_calls_only(night: Night) -> None:
    with night.opened() as store:
        for first, count in CALLS:
            assert len(store.find(SmallWork(first, count).tasks())) in (0, count)
        assert _all(store).items() >= night.acknowledged.items()
        assert store.recount() == []


def _all(store: Store) -> dict[bytes, int]:
    works = [SmallWork(first, count) for first, count in CALLS]
    return {work.inputs[known.position]: known.id for work in works for known in store.find(work.tasks())}


def test_a_producer_killed_at_any_moment_has_added_all_of_a_call_or_nothing() -> None:
    for moment in range(1, producing_night() + 1):
        producing_night(moment)


def test_two_producers_killed_one_after_the_other_leave_nothing_behind() -> None:
    """The second one may be removing what the first one left."""
    pairs = list(itertools.combinations(range(1, producing_night(1) + 10), 2))
    for first, second in pairs[::11]:
        producing_night(first, second)


@pytest.mark.prove
def test_no_two_producers_killed_at_any_moments_leave_anything_behind() -> None:
    for first, second in itertools.combinations(range(1, producing_night(1) + 10), 2):
        producing_night(first, second)


def test_half_a_call_is_seen_when_its_chunks_are_visible_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same producers without a batch."""
    real = SqliteStore.add
    monkeypatch.setattr(SqliteStore, "add", lambda self, tasks, **words: real(self, tasks, **words | {"batch": None}))
    with pytest.raises(AssertionError):
        deque(map(producing_night, range(1, 20)))
