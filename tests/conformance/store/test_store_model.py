"""Random nights against a model in plain Python, and against the journal replayed.

After every step the counters equal the model and the books balance; at the end, what the events
alone say of every task is what the store says. Processes die before and after COMMIT, clocks are set back,
queues are paused, and the store is set back to a copy of itself.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
)
from redoing import built_again, differences, told_lines
from store_parts import IMPLEMENTATIONS, NOON, Implementation, SmallEngine, settlement, task, told

from overnight.core.lanes import LaneView, QueueView, is_paused, openings
from overnight.core.states import FINAL, TaskState
from overnight.monitor.agreement import disagreements
from overnight.monitor.segments import lines_after
from overnight.store.contract import Claim, Claimed, Query, Queue, Selector, Settlement, Turn, Verb
from overnight.store.sqlite.copying import copy_file
from overnight.store.sqlite.copying import facts as facts_of
from overnight.store.sqlite.rebuilding import go_on_after, rebuilding
from overnight.testing import CrashError

S = TaskState
QUEUES = ("default", "other")
#: In memory where there is such a place: nothing here is about the disk.
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a new directory inside


class Modelled(msgspec.Struct):
    """What the model knows of a task."""

    state: TaskState
    priority: int
    queue: str
    not_before: float | None = None
    attempt: int = 0
    generation: int = 1


class Copy(NamedTuple):
    """The store at one moment, and the model at the same."""

    path: Path
    model: dict[int, Modelled]
    removed: int
    queues: dict[str, Queue]


class Handed(NamedTuple):
    """An attempt that was claimed, and how often the store had been set back by then."""

    era: int
    claimed: Claimed


class Death:
    """Kills at the next moment of this name, if it was told to."""

    def __init__(self) -> None:
        self.at: str | None = None

    def __call__(self, _operation: str, moment: str) -> None:
        if moment == self.at:
            self.at = None
            raise CrashError(moment)


class Night(RuleBasedStateMachine):
    """One store, its model, and everything that may happen to both."""

    implementation: Implementation
    open_claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="overnight-model-", dir=FAST))
        self.path = self.directory / "queue.db"
        self.death = Death()
        self.store = self.implementation.open(self.path, create=True, hooks=self.death)
        self.engine = SmallEngine(self.store)
        self.now = NOON
        self.model: dict[int, Modelled] = {}
        self.removed = 0
        self.queues: dict[str, Queue] = {}
        self.copies: list[Copy] = []
        self.era = 0

    def teardown(self) -> None:
        self.the_events_tell_the_same()
        self.store.close()
        shutil.rmtree(self.directory)

    # -- what may happen ---------------------------------------------------------------------

    @rule(
        priorities=st.lists(st.integers(-2, 2), min_size=1, max_size=4),
        delay=st.sampled_from([None, 5.0]),
        queue=st.sampled_from(QUEUES),
        batched=st.booleans(),
    )
    def add(self, priorities: list[int], delay: float | None, queue: str, batched: bool) -> None:  # noqa: FBT001  # drawn
        not_before = None if delay is None else self.now + delay
        new = [task(str(p), priority=p, not_before=not_before, queue=queue) for p in priorities]
        batch = self.store.open_batch(now=self.now, owner="me") if batched else None
        ids = self.store.add(new, now=self.now, batch=batch).ids
        if batch is not None:
            assert self.store.publish(batch, now=self.now) == len(ids)
        for task_id, priority in zip(ids, priorities, strict=True):
            state = S.PENDING if delay is None else S.WAITING
            self.model[task_id] = Modelled(state, priority, queue, not_before)

    @rule(count=st.integers(1, 4))
    def abandon(self, count: int) -> None:
        batch = self.store.open_batch(now=self.now, owner="me")
        self.store.add([task("gone")] * count, now=self.now, batch=batch)
        assert self.store.abandon(batch) == count

    @rule(seconds=st.sampled_from([0.0, 3.0, 200.0, -100.0, -86_400.0]))
    def time_passes_or_is_set_back(self, seconds: float) -> None:
        self.now += seconds
        self.engine.turn(now=self.now)
        self._make_due()

    @rule(queue=st.sampled_from(("", *QUEUES)), paused=st.booleans(), seconds=st.sampled_from([None, 50.0]))
    def pause(self, queue: str, paused: bool, seconds: float | None) -> None:  # noqa: FBT001  # drawn
        until = self.now + seconds if paused and seconds is not None else None
        self.queues[queue] = Queue(queue, paused=paused, paused_until=until)
        self.store.set_queue(self.queues[queue], now=self.now, by="me")

    @rule(target=open_claims, count=st.integers(1, 4))
    def claim(self, count: int) -> Any:
        self._make_due_by_turn()
        claimed = self.engine.turn(now=self.now, claim=self._what_may_start(count)).claimed
        assert [one.id for one in claimed] == self._next(count)
        self._begun([one.id for one in claimed])
        for one in claimed:
            known = self.model[one.id]
            assert (one.attempt, one.generation) == (known.attempt, known.generation)
        return multiple(*(Handed(self.era, one) for one in claimed))

    def _what_may_start(self, count: int) -> Claim:
        """By the same rule by which an engine decides it."""
        orders = self.store.orders()
        lanes = [LaneView(lane.id, lane.queue, lane.needs, 1.0) for lane in orders.lanes]
        queues = {one.name: QueueView(one.name, None, one.paused, one.paused_until) for one in orders.queues}
        found = openings(lanes, queues, work=float(count), running={}, totals={}, now=self.now)
        return Claim(count=count, lanes=found.lanes, pools=found.pools)

    def _next(self, count: int) -> list[int]:
        shut = {name for name, queue in self.queues.items() if is_paused(queue, self.now)}
        ready = [
            (-one.priority, task_id)
            for task_id, one in self.model.items()
            if one.state is S.PENDING and not shut & {"", one.queue}
        ]
        return [task_id for _, task_id in sorted(ready)[:count]]

    def _begun(self, ids: list[int]) -> None:
        for task_id in ids:
            known = self.model[task_id]
            known.state, known.attempt = S.RUNNING, known.attempt + 1

    @rule(
        handed=open_claims,
        state=st.sampled_from([S.COMPLETED, S.FAILED, S.WAITING, S.PENDING, S.HELD, S.CANCELLED]),
        died=st.integers(0, 1),
    )
    def settle(self, handed: Handed, state: TaskState, died: int) -> None:
        """Some of them late: their task has moved on, or is gone."""
        era, claimed = handed
        if era != self.era:
            return  # its engine was ended before the store was set back
        known = self.model.get(claimed.id)
        fresh = known is not None and known.state is S.RUNNING and known.attempt == claimed.attempt
        later = self.now + 50 if state is S.WAITING else None
        ended = settlement(claimed, state, not_before=later, deaths=claimed.deaths + died)
        turn = self._settled(ended) if fresh else self.engine.turn(ended, now=self.now)
        self._make_due()
        assert turn.stale == ([] if fresh else [(claimed.id, claimed.attempt)])
        if fresh and known is not None:
            known.state, known.not_before = state, later

    def _settled(self, *settlements: Settlement) -> Turn:
        """What was asked of a running task is over with its attempt, as an engine has it."""
        ids = {one.task_id for one in settlements}
        return self.store.turn(
            fence=self.engine.fence,
            now=self.now,
            settlements=settlements,
            obeyed=[control.id for control in self.store.orders().controls if control.task_id in ids],
        )

    @rule(verb=st.sampled_from(list(Verb)), states=st.sets(st.sampled_from(list(S))))
    def act(self, verb: Verb, states: set[TaskState]) -> None:
        self.store.act(verb, Selector(states=tuple(states)), now=self.now, by="me")
        for known in self.model.values():
            if known.state in states:
                self._acted(verb, known)

    @rule(states=st.sets(st.sampled_from(list(S)), min_size=1))
    def remove(self, states: set[TaskState]) -> None:
        gone = [i for i, one in self.model.items() if one.state in states and one.state in FINAL | {S.HELD}]
        assert self.store.remove(Selector(states=tuple(states)), now=self.now, by="me") == len(gone)
        for task_id in gone:
            del self.model[task_id]
        self.removed += len(gone)

    @rule()
    def reopen(self) -> None:
        """A process ends, and the next one goes on without having lost anything."""
        self._open_again()

    def _open_again(self) -> None:
        self.store.close()
        self.store = self.implementation.open(self.path, hooks=self.death)
        self.engine = SmallEngine(self.store)

    # -- what goes wrong ---------------------------------------------------------------------

    @rule(committed=st.booleans(), priority=st.integers(-2, 2), count=st.integers(1, 3))
    def a_producer_dies(self, committed: bool, priority: int, count: int) -> None:  # noqa: FBT001  # drawn
        new = [task("dying", priority=priority)] * count
        self._die(committed, lambda: self.store.add(new, now=self.now))
        if committed:
            newest = self.store.tasks(Query(limit=count))
            for one in newest:
                assert one.id not in self.model
                self.model[one.id] = Modelled(S.PENDING, priority, "default")

    @rule(committed=st.booleans(), count=st.integers(1, 4))
    def the_engine_dies_as_it_claims(self, committed: bool, count: int) -> None:  # noqa: FBT001  # drawn
        self._make_due_by_turn()
        ids, claim = self._next(count), self._what_may_start(count)
        self._die(committed, lambda: self.engine.turn(now=self.now, claim=claim))
        if committed:
            self._begun(ids)
        self._recover()

    def _die(self, committed: bool, deed: Callable[[], object]) -> None:  # noqa: FBT001  # of whom it is drawn
        self.death.at = "after_commit" if committed else "before_commit"
        with pytest.raises(CrashError):
            deed()
        self._open_again()

    def _recover(self) -> None:
        """What an engine does first: all that was left open was interrupted."""
        left = self.store.left_open()
        assert {one.task_id for one in left} == {i for i, one in self.model.items() if one.state is S.RUNNING}
        lost = [
            settlement(
                Claimed(one.task_id, one.attempt, one.action_id, 0, b"", one.failures, one.deaths, 1, 0), S.PENDING
            )
            for one in left
        ]
        self._settled(*lost)
        for one in left:
            self.model[one.task_id].state = S.PENDING
        self._make_due()

    @precondition(lambda self: self.implementation.is_file and len(self.copies) < 3)
    @rule()
    def checkpoint(self) -> None:
        path = self.directory / f"copy-{len(self.copies)}.db"
        copy_file(self.path, path)
        self.copies.append(Copy(path, copy.deepcopy(self.model), self.removed, dict(self.queues)))

    @precondition(lambda self: self.copies)
    @rule(number=st.integers(0, 2))
    def restore(self, number: int) -> None:
        """As it was then; only numbers that were given since are not given again."""
        chosen = self.copies[number % len(self.copies)]
        self.store.close()
        known = facts_of(self.path)
        for part in ("", "-wal", "-shm"):
            Path(f"{self.path}{part}").unlink(missing_ok=True)
        shutil.copyfile(chosen.path, self.path)
        with rebuilding(self.path) as rebuilt:
            go_on_after(rebuilt, last=0, fence=known.fence, last_task_id=known.last_task_id)
        self.store = self.implementation.open(self.path, hooks=self.death)
        self.engine = SmallEngine(self.store)
        assert self.engine.fence > known.fence
        self.model, self.removed = copy.deepcopy(chosen.model), chosen.removed
        self.queues, self.era = dict(chosen.queues), self.era + 1
        self._recover()

    # -- the model ---------------------------------------------------------------------------

    def _make_due_by_turn(self) -> None:
        self.engine.turn(now=self.now)
        self._make_due()

    def _make_due(self) -> None:
        for known in self.model.values():
            if known.state is S.WAITING and known.not_before is not None and known.not_before <= self.now:
                known.state, known.not_before = S.PENDING, None

    @staticmethod
    def _acted(verb: Verb, known: Modelled) -> None:
        if verb is Verb.CANCEL and known.state in (S.WAITING, S.PENDING, S.HELD):
            known.state = S.CANCELLED
        elif verb is Verb.HOLD and known.state in (S.WAITING, S.PENDING):
            known.state = S.HELD
        elif verb is Verb.RELEASE and known.state is S.HELD:
            known.state = S.PENDING
        elif verb is Verb.RETRY and known.state in FINAL:
            known.state, known.generation = S.PENDING, known.generation + 1
        elif verb is Verb.RETRY and known.state is S.WAITING and known.attempt:
            known.state = S.PENDING

    # -- what must always hold ---------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        assert self.store.recount() == []
        counts = self.store.counts()
        for state in TaskState:
            assert getattr(counts, state) == sum(one.state is state for one in self.model.values())
        assert counts.removed == self.removed
        assert len(self.store.left_open()) == counts.running

    def the_events_tell_the_same(self) -> None:
        assert disagreements(self.store, lambda: lines_after(self.path.with_name("events.jsonl"), 0)) == []
        self.path.with_name("again.db").unlink(missing_ok=True)
        built_again(told_lines(self.store), self.path.with_name("again.db"))
        again = self.path.with_name("again.db")
        assert differences(self.path, again, see=self.implementation.picture) == []
        replayed = replay(list(told(self.store)))
        found = {one.id: one for one in self.store.tasks(Query(limit=10_000))}
        assert replayed.keys() == found.keys() == self.model.keys()
        for task_id, facts in replayed.items():
            one = found[task_id]
            # That a time has come is no event: it follows from the time alone.
            if facts["state"] == "waiting":
                assert one.state in (S.WAITING, S.PENDING)
            else:
                assert facts["state"] == one.state
            assert facts["input"].encode() == one.input
            assert facts.get("queue") == one.queue
            assert facts.get("priority", 0) == one.priority
            assert facts.get("attempt", 0) == one.attempt
            assert facts.get("generation", 1) == one.generation
            assert facts.get("failures", 0) == one.failures
            assert facts.get("deaths", 0) == one.deaths


def replay(events: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What the journal alone says about every task."""
    tasks: dict[int, dict[str, Any]] = {}
    for event in events:
        name, task_id = event["event"], event.get("id")
        if name == "file_added":
            tasks[event["id"]] = dict(event)
        elif name == "file_removed":
            del tasks[event["id"]]
        elif name == "file_started":
            tasks[event["id"]].update(state="running", attempt=event["attempt"])
        elif name.startswith("file_") and task_id is not None:
            facts = tasks[task_id]
            facts["state"] = event["state"]
            if "outcome" in event:
                facts.update(failures=event.get("failures", 0), deaths=event.get("deaths", 0))
            elif name == "file_revived":
                facts.update(failures=0, deaths=0, generation=event["generation"])
            elif name == "file_released" and event["was"] == "held":
                facts["deaths"] = 0
    return tasks


class NightOnSqlite(Night):
    """On the first of them."""

    implementation = IMPLEMENTATIONS[0]


TestNightOnSqlite = NightOnSqlite.TestCase
TestNightOnSqlite.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


class LongNightOnSqlite(NightOnSqlite):
    """The same at length."""


class AnotherLongNightOnSqlite(NightOnSqlite):
    """And once more, so that two processes can share the proof."""


AT_LENGTH = settings(
    max_examples=1000, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
TestLongNightOnSqlite = pytest.mark.prove(LongNightOnSqlite.TestCase)
TestLongNightOnSqlite.settings = AT_LENGTH
TestAnotherLongNightOnSqlite = pytest.mark.prove(AnotherLongNightOnSqlite.TestCase)
TestAnotherLongNightOnSqlite.settings = AT_LENGTH


class NightOnPostgres(Night):
    """On the second, of which no file can be copied."""

    implementation = IMPLEMENTATIONS[1]


TestNightOnPostgres = pytest.mark.prove(pytest.mark.usefixtures("stores_of_postgres")(NightOnPostgres.TestCase))
TestNightOnPostgres.settings = settings(
    max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


class UnfencedNight(NightOnSqlite):
    """A late result counts for whatever attempt its task is at."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Unfenced(self.store)

    def _open_again(self) -> None:
        super()._open_again()
        self.engine = Unfenced(self.store)


class Unfenced(SmallEngine):
    """Settles whatever is open."""

    def turn(self, *settlements: Settlement, now: float = NOON, claim: Claim | None = None) -> Turn:
        now_open = {one.task_id: one.attempt for one in self.store.left_open()}
        unfenced = [msgspec.structs.replace(one, attempt=now_open.get(one.task_id, one.attempt)) for one in settlements]
        return super().turn(*unfenced, now=now, claim=claim)


@pytest.mark.parametrize("fenced", [True, False])
def test_a_late_result_that_counts_is_found_out(fenced: bool) -> None:  # noqa: FBT001 - parametrized
    """The control, by a sequence that the machine finds by itself now and then."""
    night = NightOnSqlite() if fenced else UnfencedNight()
    night.add([0], delay=None, queue="default", batched=False)
    late = night.claim(1).values[0]
    night.settle(late, S.PENDING, 0)
    night.claim(1)
    with contextlib.nullcontext() if fenced else pytest.raises(AssertionError):
        night.settle(late, S.COMPLETED, 0)
    night.store.close()
    shutil.rmtree(night.directory)


def test_every_implementation_has_its_night() -> None:
    assert len(IMPLEMENTATIONS) == sum(name.startswith("TestNightOn") for name in globals())
