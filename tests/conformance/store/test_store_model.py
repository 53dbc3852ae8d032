"""Random nights against a model in plain Python, and against the journal replayed.

After every step the counters equal the model and the books balance; at the end, what the events
alone say of every task is what the store says.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule
from redoing import built_again, differences, told_lines
from store_parts import IMPLEMENTATIONS, NOON, Implementation, SmallEngine, settlement, task, told

from overnight.core.states import FINAL, TaskState
from overnight.store.contract import Claimed, Query, Selector, Verb

S = TaskState


class Modelled(msgspec.Struct):
    """What the model knows of a task."""

    state: TaskState
    priority: int
    not_before: float | None = None
    attempt: int = 0
    generation: int = 1


class Night(RuleBasedStateMachine):
    """One store, its model, and everything that may happen to both."""

    implementation: Implementation
    open_claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="overnight-model-"))
        self.path = self.directory / "queue.db"
        self.store = self.implementation.open(self.path, create=True)
        self.engine = SmallEngine(self.store)
        self.now = NOON
        self.model: dict[int, Modelled] = {}
        self.removed = 0

    def teardown(self) -> None:
        self.the_events_tell_the_same()
        self.store.close()
        shutil.rmtree(self.directory)

    # -- what may happen ---------------------------------------------------------------------

    @rule(
        priorities=st.lists(st.integers(-2, 2), min_size=1, max_size=4),
        delay=st.sampled_from([None, 5.0]),
        queue=st.sampled_from(["default", "other"]),
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
            self.model[task_id] = Modelled(state, priority, not_before)

    @rule(count=st.integers(1, 4))
    def abandon(self, count: int) -> None:
        batch = self.store.open_batch(now=self.now, owner="me")
        self.store.add([task("gone")] * count, now=self.now, batch=batch)
        assert self.store.abandon(batch) == count

    @rule(seconds=st.sampled_from([0.0, 3.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.engine.turn(now=self.now)
        self._make_due()

    @rule(target=open_claims, count=st.integers(1, 4))
    def claim(self, count: int) -> Any:
        self._make_due_by_turn()
        ready = [(-one.priority, task_id) for task_id, one in self.model.items() if one.state is S.PENDING]
        claimed = self.engine.claim(count, now=self.now)
        assert [one.id for one in claimed] == [task_id for _, task_id in sorted(ready)[:count]]
        for one in claimed:
            known = self.model[one.id]
            known.state, known.attempt = S.RUNNING, known.attempt + 1
            assert (one.attempt, one.generation) == (known.attempt, known.generation)
        return multiple(*claimed)

    @rule(
        claimed=open_claims,
        state=st.sampled_from([S.COMPLETED, S.FAILED, S.WAITING, S.PENDING, S.HELD, S.CANCELLED]),
        died=st.integers(0, 1),
    )
    def settle(self, claimed: Claimed, state: TaskState, died: int) -> None:
        """Some of them late: their task has moved on, or is gone."""
        known = self.model.get(claimed.id)
        fresh = known is not None and known.state is S.RUNNING and known.attempt == claimed.attempt
        later = self.now + 50 if state is S.WAITING else None
        turn = self.engine.turn(
            settlement(claimed, state, not_before=later, deaths=claimed.deaths + died), now=self.now
        )
        self._make_due()
        assert turn.stale == ([] if fresh else [(claimed.id, claimed.attempt)])
        if fresh and known is not None:
            known.state, known.not_before = state, later

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
        self.store.close()
        self.store = self.implementation.open(self.path)
        self.engine = SmallEngine(self.store)

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
        self.path.with_name("again.db").unlink(missing_ok=True)
        built_again(told_lines(self.store), self.path.with_name("again.db"))
        assert differences(self.path, self.path.with_name("again.db")) == []
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
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_every_implementation_has_its_night() -> None:
    assert len(IMPLEMENTATIONS) == sum(name.startswith("TestNightOn") for name in globals())
