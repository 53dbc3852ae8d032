"""Files about which nothing was said become tasks of a workflow when they are claimed, and not before."""

from __future__ import annotations

import msgspec
import pytest
from flow_parts import flow, step
from store_parts import ACTION, NOON, SmallEngine, settlement, task, told

from overnight.core.claims import Bind, Opened
from overnight.core.lanes import WORK, WORKFLOWS
from overnight.core.states import TaskState
from overnight.core.task import Action, ActionKind, NewTask
from overnight.store.contract import Claim, Query, Store, Verb
from overnight.store.contract import Selector as Which

S = TaskState
FILE = Action(kind=ActionKind.CALL, call="any:file", cwd=b"/data", timeout=7.0)
BIND = Bind("any:file", "flow")


def file(name: str, **changes: object) -> NewTask:
    return msgspec.structs.replace(NewTask(action=FILE, input=name.encode()), **changes)


@pytest.fixture
def engine(store: Store) -> SmallEngine:
    store.define([flow(step("a"), step("b", "a"))], source="test", now=NOON, by="me")
    return SmallEngine(store)


def claim(engine: SmallEngine, *, bind: Bind | None = BIND, count: int = 100) -> tuple[list[str], list[Opened]]:
    """The names of what starts (of a step its name, else its input), and what was begun."""
    turn = engine.turn(claim=msgspec.structs.replace(engine.everything(count), bind=bind))
    return [one.step or one.input.decode() for one in turn.claimed], turn.opened


def test_what_is_meant_is_begun_and_nothing_else(store: Store, engine: SmallEngine) -> None:
    store.add([file("x"), task("plain"), file("y")], now=NOON)
    names, opened = claim(engine)
    assert (names, [one.id for one in opened]) == (["plain"], [1, 3])
    assert claim(engine)[0] == ["a", "a"], "their steps, whose lane nobody knew before"
    assert [(one.step, one.input) for one in store.tasks(Query(parent=1))] == [("b", b"x"), ("a", b"x")]
    assert {store.get(number).workflow for number in (1, 3)} == {"flow"}
    redefined = [event for event in told(store) if event["event"] == "file_redefined"]
    assert [(event["id"], "definition" in event) for event in redefined] == [(1, True), (3, False)]
    assert store.recount() == []


def test_without_a_word_it_is_a_task_like_any_other(store: Store, engine: SmallEngine) -> None:
    store.add([file("x")], now=NOON)
    assert claim(engine, bind=None) == (["x"], [])


def test_it_is_found_by_what_stood_in_its_place(store: Store, engine: SmallEngine) -> None:
    store.add([file("x", queue="night")], now=NOON)
    claim(engine)
    assert [known.id for known in store.find([file("x")])] == [1]
    assert store.add([file("x")], now=NOON, unique=True).known == [1]
    assert store.get(1).queue == "night"


def test_the_time_limit_is_that_of_whoever_begins_it(store: Store, engine: SmallEngine) -> None:
    store.add([file("x"), file("y")], now=NOON)
    claim(engine, count=1)
    claim(engine, bind=msgspec.structs.replace(BIND, timeout=None))
    limits = [store.actions({store.get(number).action_id})[store.get(number).action_id].timeout for number in (1, 2)]
    assert limits == [7.0, None]


def test_while_nobody_defines_the_workflow_it_waits_and_others_do_not(store: Store, engine: SmallEngine) -> None:
    store.add([file("x"), task("plain")], now=NOON)
    unknown = msgspec.structs.replace(BIND, workflow="unknown")
    assert claim(engine, bind=unknown) == (["plain"], [])
    assert store.get(1).state is S.PENDING
    assert claim(engine)[1][0].id == 1


def test_what_a_file_took_of_the_pools_is_left_for_its_first_step(store: Store, engine: SmallEngine) -> None:
    """Once the lane of the steps is known."""
    store.add([file("x"), file("y")], now=NOON)
    claim(engine, count=1)
    assert claim(engine, count=1)[0] == ["a"]
    pools = {WORK: 1.0, "slots default": 1.0}
    lanes = {lane.id: pools for lane in store.orders().lanes}
    turn = engine.turn(claim=Claim(10, lanes, pools, bind=BIND))
    assert [one.step for one in turn.claimed] == ["a"]


def test_as_many_are_begun_as_there_are_places_and_not_as_there_are_slots(store: Store, engine: SmallEngine) -> None:
    store.add([file(str(number)) for number in range(9)], now=NOON)
    (lane,) = store.orders().lanes
    pools = {WORK: 1.0, WORKFLOWS: 4.0}
    places = {lane.id: {WORKFLOWS: 0.5}}
    turn = engine.turn(claim=Claim(100, {lane.id: {WORK: 1.0}}, pools, bind=BIND, bound=places))
    assert [one.id for one in turn.opened] == list(range(1, 9))


def test_once_begun_it_goes_on_as_it_was_begun(store: Store, engine: SmallEngine) -> None:
    store.add([file("x")], now=NOON)
    claim(engine)
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed, S.FAILED))
    store.define([flow(step("c"), name="other")], source="else", now=NOON, by="me")
    store.act(Verb.RETRY, Which(ids=(1,)), now=NOON, by="me")
    assert claim(engine, bind=msgspec.structs.replace(BIND, workflow="other"))[0] == ["a"]


def test_a_program_takes_it_back_when_it_waits_again(store: Store, engine: SmallEngine) -> None:
    store.add([file("x"), task("plain", action=ACTION)], now=NOON)
    claim(engine)
    (claimed,) = engine.claim()
    engine.turn(settlement(claimed, S.FAILED))
    store.act(Verb.RETRY, Which(ids=(1,)), now=NOON, by="me")
    popped = store.pop("default", owner="1:1:boot", now=NOON, by="me", call="any:file")
    assert popped is not None
    assert popped.task_id == 1
