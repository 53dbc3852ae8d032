"""One sentence for every state and every gate, and always something to type."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from overnight.core.lanes import QueueView
from overnight.core.node_needs import Lot
from overnight.core.nodes import Closing, NodeRow, NodesView, NodeView
from overnight.core.states import FAILED_REASONS, HELD_REASONS, ErrorClass, Reason, TaskState
from overnight.core.storms import Storm, Subject
from overnight.core.task import Action, ActionKind, Task
from overnight.core.why import Around, Before, Engine, Held, Steps, _gates, why
from overnight.monitor.snapshot import EngineState
from overnight.monitor.standing import ENGINES as ENGINE_STATES

NOON = 1_800_000_000.0
S = TaskState


def task(state: TaskState, **fields: Any) -> Task:
    usual: dict[str, Any] = {
        "queue": "default", "workflow": "", "input": b"x", "action_id": 1, "priority": 0, "attempt": 0,
        "failures": 0, "deaths": 0, "generation": 1, "added_at": NOON - 60,
    }  # fmt: skip
    return Task(id=7, state=state, **usual | fields)


def ask(asked: Task, around: Around | None = None, **action: Any) -> str:
    usual: dict[str, Any] = {"argv": (b"gzip",), "retries": 3, "timeout": 300.0}
    made = Action(ActionKind.COMMAND, b"/", **usual | action)
    return why(asked, made, around or Around(now=NOON)).sentence


QUEUE = QueueView("net", slots=2)


@pytest.mark.parametrize(
    ("around", "sentence"),
    [
        (Around(NOON), "may start: the engine takes it with one of its next turns"),
        (Around(NOON, Engine.NONE), "waits for an engine, and none runs in this home"),
        (
            Around(NOON, Engine.NONE, "ten crashes in a row"),
            "waits for an engine, and none runs in this home (ten crashes in a row)",
        ),
        (Around(NOON, Engine.SILENT), "waits for the engine, which has not been heard of"),
        (Around(NOON, Engine.STOPPING), "waits: the engine is stopping and starts nothing more"),
        (
            Around(NOON, Engine.PAUSED, "the disk is full"),
            "waits: the engine starts nothing, because the disk is full",
        ),
        (
            Around(NOON, Engine.PAUSED, every_queue=QueueView("", paused=True)),
            "waits: a person has paused every queue",
        ),
        (
            Around(NOON, queue=QueueView("net", paused=True, paused_until=NOON + 60)),
            "waits: queue net is paused until 2027-01-15T08:01:00.000Z",
        ),
        (
            Around(NOON, queue=QUEUE, running_in_queue=2),
            "waits for its turn: queue net runs 2 at a time, and 2 are running",
        ),
        (Around(NOON, queue=QUEUE, running_in_queue=1, slots=4, running=4), "waits for its turn: all 4 slots are busy"),
        (Around(NOON, slots=4, running=1, rate=0.5), "waits for its turn: queue default starts at most 0.5 a second"),
    ],
)
def test_what_may_start_is_held_by_the_first_gate_that_is_closed(around: Around, sentence: str) -> None:
    assert ask(task(S.PENDING), around) == sentence
    assert ask(task(S.WAITING, not_before=NOON), around) == sentence


def test_a_resource_that_is_taken_differs_from_one_that_is_not_there() -> None:
    needy = task(S.PENDING, needs={"gpu": 2.0})
    assert "there is 1, so it waits until that changes" in ask(needy, Around(NOON, totals={"gpu": 1.0}))
    taken = Around(NOON, totals={"gpu": 2.0}, used={"gpu": 1.0})
    assert ask(needy, taken) == "needs 2 of 'gpu', and 1 of 2 is taken by running tasks"
    assert ask(needy, Around(NOON, totals={"gpu": 2.0})).startswith("may start")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "is not to start before its time and waits until 2027-01-15T08:01:30.000Z, 1 min 30 s from now"),
        ({"attempt": 1}, "has asked to be tried later and waits until 2027-01-15T08:01:30.000Z, 1 min 30 s from now"),
        (
            {"attempt": 2, "failures": 1, "error": "no"},
            "waits until 2027-01-15T08:01:30.000Z, 1 min 30 s from now, for attempt 2 of 4; the one before failed: no",
        ),
    ],
)
def test_what_waits_for_a_time_says_for_which_and_why(fields: dict[str, Any], sentence: str) -> None:
    assert ask(task(S.WAITING, not_before=NOON + 90, **fields)) == sentence


def test_what_runs_says_since_when_and_how_long_it_may() -> None:
    running = task(S.RUNNING, attempt=2, started_at=NOON - 90)
    assert ask(running) == "runs (attempt 2) since 1 min 30 s, of at most 5 min"
    assert ask(running, timeout=None) == "runs (attempt 2) since 1 min 30 s, without a time limit"
    assert ask(task(S.RUNNING, attempt=1)) == "was handed out (attempt 1) and is about to begin"
    assert "process 4711" in ask(running, Around(NOON, owner="4711:99:boot"))
    assert "when the engine ended" in ask(running, Around(NOON, Engine.NONE))


def test_what_runs_on_a_node_says_on_which_and_until_when_it_may_while_that_is_silent() -> None:
    running = task(S.RUNNING, attempt=2, started_at=NOON - 90)
    up = NodesView(NOON, [NodeView(NodeRow("b", "up", slots=2, held=1))])
    assert ask(running, Around(NOON, nodes=up, node="b")).startswith("runs (attempt 2 on node b) since 1 min 30 s")
    silent = NodesView(NOON, [NodeView(NodeRow("b", "silent", slots=2, held=1, over_at=NOON + 9))])
    assert ask(running, Around(NOON, nodes=silent, node="b")) == (
        "was handed out (attempt 2 on node b), and its node is silent;"
        " when the lease of that is over, in 9.0 s, it runs elsewhere"
    )


def test_what_failed_says_how_often_it_was_tried_and_why_no_more() -> None:
    failed = task(S.FAILED, reason=Reason.ERROR, failures=4, error="exit status 1", fingerprint="abc")
    assert ask(failed) == "failed (error): exit status 1; after 4 attempts, 4 allowed"
    permanent = task(S.FAILED, reason=Reason.ERROR, failures=1, error="no", error_class=ErrorClass.PERMANENT)
    assert ask(permanent) == "failed (error): no; after 1 attempt, 4 allowed; such an error is not tried again"
    orphan = task(S.FAILED, reason=Reason.DEPENDENCY, error="task 3 failed")
    assert ask(orphan) == "failed without being run: task 3 failed"


def test_what_is_held_says_by_whom() -> None:
    held = task(S.HELD, reason=Reason.POISON, deaths=3, error="signal 9")
    assert ask(held) == "is held: 3 workers have died while it ran (signal 9)"
    assert ask(task(S.HELD, reason=Reason.BY_HAND)) == "is held by a person"
    stuck = task(S.HELD, reason=Reason.INTERRUPTED, error="process 9 of it is stuck in the kernel")
    assert ask(stuck) == "is held: process 9 of it is stuck in the kernel"
    assert ask(stuck, at_most_once=True).startswith("is held: it runs at most once")


ENGINES = [Around(NOON, engine, "it says so", slots=1, running=number) for number, engine in enumerate(Engine)]
REASONS: dict[TaskState, list[Reason | None]] = {S.FAILED: [*FAILED_REASONS], S.HELD: [*HELD_REASONS]}


@pytest.mark.parametrize("around", ENGINES)
@pytest.mark.parametrize("state", S)
def test_every_state_has_one_sentence_and_something_to_type(state: TaskState, around: Around) -> None:
    for reason, error_class in itertools.product(REASONS.get(state, [None]), [None, *ErrorClass]):
        asked = task(state, reason=reason, error_class=error_class, attempt=1, failures=1, not_before=NOON + 1)
        answer = why(asked, Action(ActionKind.COMMAND, b"/"), around)
        assert answer.sentence
        assert "\n" not in answer.sentence
        assert not answer.sentence.endswith(".")
        assert answer.commands


STEP = {"parent_id": 1, "step": "b", "workflow": "flow"}


@pytest.mark.parametrize(
    ("asked", "around", "sentence"),
    [
        (
            task(S.WAITING, blockers=2, **STEP),
            Around(NOON, before=(Before(2, S.RUNNING, "a"), Before(3, S.WAITING, "c"))),
            "waits for step 'a' (task 2), which is running, and for 1 more",
        ),
        (
            task(S.WAITING, blockers=1),
            Around(NOON, before=(Before(2, S.PENDING),)),
            "waits for task 2, which is pending",
        ),
        (
            task(S.WAITING, **STEP),
            Around(NOON, parent=S.HELD),
            "waits until task 1, whose step it is, goes on; that one is held",
        ),
        (
            task(S.RUNNING),
            Around(NOON, steps=Steps(9, 2, running=("a", "b"), waiting=("c",))),
            "is under way: 2 of 9 steps are done, 'a', 'b' run",
        ),
        (
            task(S.RUNNING),
            Around(NOON, steps=Steps(9, 2, waiting=("a", "b", "c", "d"))),
            "is under way: 2 of 9 steps are done, 'a', 'b', 'c' and 1 more wait",
        ),
        (
            task(S.RUNNING),
            Around(NOON, Engine.NONE, steps=Steps(9, 2, running=("a",))),
            "is under way: 2 of 9 steps are done, and no engine runs in this home",
        ),
        (task(S.COMPLETED, skipped=True, error="{a.n} > 3 is false", **STEP), None, "was skipped: {a.n} > 3 is false"),
        (
            task(S.COMPLETED, attempt=1, finished_at=NOON),
            Around(NOON, steps=Steps(3, 3)),
            "completed at 2027-01-15T08:00:00.000Z, 3 steps",
        ),
        (
            task(S.FAILED, reason=Reason.GATE, error="step 'g': exit status 1"),
            Around(NOON, steps=Steps(3, 3)),
            "failed (gate): step 'g': exit status 1",
        ),
    ],
)
def test_steps_and_their_tasks(asked: Task, around: Around | None, sentence: str) -> None:
    assert ask(asked, around) == sentence


def test_what_is_stopped_because_its_likes_failed_says_so_and_names_the_way_out() -> None:
    storm = Storm(
        Subject(workflow="ingest", step="upload"), "net", "cause", None, "refused", 20, 1.0, 2.0, 0, NOON + 90
    )
    answer = why(task(S.PENDING), Action(ActionKind.COMMAND, b"/"), Around(NOON, storm=storm))
    words = "20 tasks of workflow 'ingest' failed alike in a row, in step 'upload' (refused)"
    assert answer.sentence == f"waits: {words}, and one of them is tried in 1 min 30 s"
    assert answer.commands == ("overnight unpause ingest",)


def test_the_limits_of_a_workflow_are_told_with_what_changes_them() -> None:
    flow = QueueView("workflow ingest", slots=2)
    asked = msgspec.structs.replace(task(S.PENDING), workflow="ingest")
    full = why(asked, Action(ActionKind.COMMAND, b"/"), Around(NOON, workflow=flow, running_of_workflow=2))
    assert full.sentence == "waits for its turn: of workflow 'ingest' 2 run at a time, and 2 are running"
    assert full.commands == ("overnight queue set -w ingest --slots 3",)
    slow = why(asked, Action(ActionKind.COMMAND, b"/"), Around(NOON, workflow_rate=0.5))
    assert slow.sentence == "waits for its turn: of workflow 'ingest' at most 0.5 start a second"
    assert slow.commands == ("overnight queue set -w ingest --rate none",)


def nodes_of(*nodes: NodeView) -> NodesView:
    return NodesView(NOON, list(nodes), shared=("license",))


PAUSED = QueueView("default", paused=True)
#: What makes each gate hold.
CLOSED: dict[Held, dict[str, Any]] = {
    Held.NO_ENGINE: {"engine": Engine.NONE},
    Held.ENGINE_SILENT: {"engine": Engine.SILENT},
    Held.ENGINE_STARTING: {"engine": Engine.STARTING},
    Held.ENGINE_RESTARTING: {"engine": Engine.RESTARTING, "engine_why": "signal 9"},
    Held.ENGINE_STOPPING: {"engine": Engine.STOPPING},
    Held.ALL_PAUSED: {"every_queue": QueueView("", paused=True)},
    Held.ENGINE_PAUSED: {"engine": Engine.PAUSED, "engine_why": "the disk is full"},
    Held.QUEUE_PAUSED: {"queue": PAUSED},
    Held.WORKFLOW_PAUSED: {"workflow": QueueView("workflow flow", paused=True)},
    Held.NOT_DEFINED: {"is_defined": False},
    Held.WORKFLOWS_OPEN: {"open_workflows": 4, "most_open": 4},
    Held.QUEUE_FULL: {"queue": QueueView("default", slots=1), "running_in_queue": 1},
    Held.WORKFLOW_FULL: {"workflow": QueueView("workflow flow", slots=1), "running_of_workflow": 1},
    Held.STORM: {"storm": Storm(Subject("flow", "a"), "net", "cause", None, "no", 20, 1.0, 2.0, 0, NOON + 90)},
    Held.RESOURCE_MISSING: {"totals": {"license": 0.5}},
    Held.RESOURCE_TAKEN: {"totals": {"license": 1.0}, "used": {"license": 1.0}},
    Held.NODES_CLOSED: {"nodes": nodes_of(NodeView(NodeRow("a", "up", slots=2), Closing.CORDON))},
    Held.NO_NODE: {"nodes": nodes_of(NodeView(NodeRow("a", "silent", slots=2, over_at=NOON + 9)))},
    Held.NODES_BUSY: {"nodes": nodes_of(NodeView(NodeRow("a", "up", slots=2, held=2)))},
    Held.SLOTS_BUSY: {"slots": 1, "running": 1},
    Held.QUEUE_RATE: {"rate": 1.0},
    Held.WORKFLOW_RATE: {"workflow_rate": 1.0},
    Held.NOTHING: {},
}
OF_WORKFLOWS = {Held.NOT_DEFINED, Held.WORKFLOWS_OPEN}
OF_OTHERS = {
    *(Held.QUEUE_FULL, Held.WORKFLOW_FULL, Held.RESOURCE_MISSING, Held.RESOURCE_TAKEN, Held.SLOTS_BUSY),
    *(Held.QUEUE_RATE, Held.WORKFLOW_RATE, Held.NODES_CLOSED, Held.NO_NODE, Held.NODES_BUSY),
}
ENOUGH = {"totals": {"license": 1.0}}


def held_by(*gates: Held, kind: ActionKind, state: TaskState = S.PENDING) -> Held | None:
    """What is said to keep a task, where these hold; what is said of the first counts."""
    facts: dict[str, Any] = dict(ENOUGH)
    for gate in reversed(gates):
        facts |= CLOSED[gate]
    waits = {"not_before": NOON - 1} if state is S.WAITING else {}
    asked = task(state, needs={"license": 1.0}, **waits)
    answer = why(asked, Action(kind, b"/", call="flow"), Around(NOON, **facts))
    assert answer.sentence.startswith(("waits", "needs", "may start"))
    assert answer.commands
    return answer.held


@pytest.mark.parametrize("state", [S.PENDING, S.WAITING])
@pytest.mark.parametrize("gate", Held)
def test_every_gate_is_named_and_says_what_to_type(gate: Held, state: TaskState) -> None:
    assert set(CLOSED) == set(Held)
    if gate not in OF_WORKFLOWS:
        assert held_by(gate, kind=ActionKind.COMMAND, state=state) is gate
    if gate not in OF_OTHERS:
        assert held_by(gate, kind=ActionKind.WORKFLOW, state=state) is gate


#: Two that cannot hold at the same time are told by the same facts.
PAIRS = [pair for pair in itertools.combinations(Held, 2) if not CLOSED[pair[0]].keys() & CLOSED[pair[1]].keys()]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_of_two_gates_the_harder_one_is_named(first: Held, second: Held) -> None:
    """In the order of the list."""
    for kind, others in ((ActionKind.COMMAND, OF_WORKFLOWS), (ActionKind.WORKFLOW, OF_OTHERS)):
        if not {first, second} & others:
            assert held_by(first, second, kind=kind) is first


@pytest.mark.parametrize("state", S)
def test_only_what_could_start_is_kept_by_a_gate(state: TaskState) -> None:
    asked = task(state, attempt=1, not_before=None if state is not S.WAITING else NOON + 1)
    could = state is S.PENDING
    assert (why(asked, Action(ActionKind.COMMAND, b"/"), Around(NOON)).held is not None) is could


def test_every_state_of_an_engine_is_known_here() -> None:
    assert set(ENGINE_STATES) == set(EngineState)
    assert set(ENGINE_STATES.values()) == set(Engine)


def test_what_stands_still_says_so() -> None:
    running = task(S.RUNNING, attempt=2, started_at=NOON - 90)
    assert ask(running, Around(NOON, frozen_since=NOON - 60)) == (
        "is frozen by a person since 1 min (attempt 2); its slot stays taken, and its time limits stand still"
    )


UNTIL = "so it waits until that changes"
CARDS = NodeRow("a", "up", slots=2, resources={"gpu": 2.0}, labels={"zone": "west"})
PLAIN = NodeRow("b", "up", slots=4)


@pytest.mark.parametrize(
    ("needs", "rows", "lots", "words"),
    [
        (
            {"gpu": 4.0},
            [CARDS, PLAIN],
            [],
            "needs 4 of 'gpu' on one node, and the most that a node has of it is 2 (a), so it waits until that changes",
        ),
        (
            {"fpga": 1.0},
            [CARDS, PLAIN],
            [],
            "needs 1 of 'fpga' on one node, and no node has any of it, so it waits until that changes",
        ),
        (
            {"zone:east": 1.0},
            [CARDS],
            [],
            "needs the label 'zone:east', and no node has this label, so it waits until that changes",
        ),
        (
            {"gpu": 1.0, "zone:east": 1.0},
            [CARDS, msgspec.structs.replace(PLAIN, labels={"zone": "east"})],
            [],
            f"needs 1 of 'gpu' on one node and the label 'zone:east', and no node has all of it, {UNTIL}",
        ),
        ({"gpu": 1.0}, [], [], "needs 1 of 'gpu' on one node, and no node is known, so it waits until that changes"),
        (
            {"gpu": 2.0},
            [CARDS, PLAIN],
            [Lot(7, "a", {"gpu": 0.5}), Lot(8, "b", {"gpu": 1.0}), Lot(9, "gone", {"gpu": 1.0})],
            "needs 2 of 'gpu' on one node, and on a 1 of 2 'gpu' is taken by running tasks",
        ),
        (
            {"gpu": 1.0},
            [msgspec.structs.replace(CARDS, kept_for={"gpu": 2.0}), PLAIN],
            [Lot(7, "a", {"gpu": 1.0})],
            "needs 1 of 'gpu' on one node, and a is kept free for what needs 2 of 'gpu' on one node",
        ),
        (
            {"gpu": 1.0},
            [msgspec.structs.replace(CARDS, state="silent", over_at=NOON + 9), PLAIN],
            [],
            "waits: no node that has what it needs is given work (a silent, its lease runs for 9.0 s more)",
        ),
        (
            {"gpu": 1.0},
            [msgspec.structs.replace(CARDS, held=2), PLAIN],
            [],
            "waits for its turn: all 2 slots of the nodes that have what it needs are busy",
        ),
        (
            {"gpu": 1.0, "zone:west": 1.0},
            [CARDS, PLAIN],
            [],
            "may start: the engine takes it with one of its next turns",
        ),
    ],
)
def test_what_needs_something_of_a_node_says_what_and_who_has_it(
    needs: dict[str, float], rows: list[NodeRow], lots: list[Lot], words: str
) -> None:
    around = Around(NOON, totals={"gpu": 99.0}, nodes=nodes_of(*map(NodeView, rows)), lots=tuple(lots))
    assert ask(task(S.PENDING, needs=needs), around) == words


def test_nothing_is_said_to_be_full_that_has_no_slots() -> None:
    around = Around(NOON, nodes=nodes_of(NodeView(NodeRow("a", "up"))))
    assert ask(task(S.PENDING), around) == "waits: none of the nodes that are given work has a slot"


@pytest.mark.parametrize("rows", [[PLAIN], [CARDS]])
def test_of_what_no_node_has_or_has_free_only_that_is_said(rows: list[NodeRow]) -> None:
    lots = (Lot(1, CARDS.name, {"gpu": CARDS.resources["gpu"]}),)
    around = Around(NOON, nodes=nodes_of(*map(NodeView, rows)), lots=lots)
    needy = task(S.PENDING, needs={"gpu": 1.0})
    held = [one.held for one in _gates(needy, Action(ActionKind.COMMAND, b"/"), around)]
    assert held in ([Held.RESOURCE_MISSING, Held.NOTHING], [Held.RESOURCE_TAKEN, Held.NOTHING])


def test_a_license_is_counted_for_all_nodes() -> None:
    around = Around(NOON, totals={"license": 1.0}, used={"license": 1.0}, nodes=nodes_of(NodeView(PLAIN)))
    words = "needs 1 of 'license', and 1 of 1 is taken by running tasks"
    assert ask(task(S.PENDING, needs={"license": 1.0}), around) == words
