"""Workflow tasks: begun when they are claimed, closed by their steps."""

from __future__ import annotations

import msgspec
import pytest
from flow_parts import FLOW, Player, carry_on, flow, names, step
from store_parts import NOON, settlement, told

from overnight.core.states import Outcome, Reason, TaskState
from overnight.core.task import NewTask
from overnight.core.verdict import Settlement
from overnight.core.workflow.model import Input
from overnight.store.contract import Claim, Query, Selector, Store, Verb

S = TaskState


def test_a_workflow_task_is_begun_when_it_is_claimed(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    assert store.counts().pending == 2
    assert store.tasks(Query(steps=True)) == store.tasks(Query())

    turn = player.turn()
    assert [one.id for one in turn.opened] == [1, 2]
    assert names(player.claim()) == ["a", "a"]
    assert player.states() == {"a": "running", "b": "waiting"}
    assert store.counts().running == 2
    assert store.counts().steps == {"running": 2, "waiting": 2}


def test_first_steps_start_in_the_turn_that_begins_their_task(store: Store) -> None:
    """Once their lane is known to the engine."""
    player = Player(store, step("a"), step("b", "a"))
    player.add("x")
    player.turn()
    player.add("y")
    turn = player.turn()
    assert [one.id for one in turn.opened] == [2 + 2]
    assert [(one.parent_id, one.step, one.input) for one in turn.claimed] == [(1, "a", b"x"), (4, "a", b"y")]


def test_steps_run_in_order_and_the_last_one_completes_the_task(store: Store) -> None:
    player = Player(store, step("c", "b"), step("b", "a"), step("a"))
    player.add()
    player.play()
    assert player.names == ["a", "b", "c"]
    assert player.state() is S.COMPLETED
    assert [(one.id, one.state) for one in player.rested] == [(1, S.COMPLETED)]
    assert store.counts().completed == 1
    assert store.counts().steps == {"completed": 3}
    task = store.get(1)
    assert (task.attempt, task.started_at, task.finished_at) == (1, NOON, NOON)


def test_a_step_carries_what_belongs_to_its_task(store: Store) -> None:
    player = Player(store, step("a", title="the first"), step("b", "a"))
    player.add("x", priority=5, queue="night")
    (claimed,) = player.claim()
    assert (claimed.parent_id, claimed.step, claimed.priority, claimed.input) == (1, "a", 5, b"x")
    one = player.steps()[0]
    assert (one.parent_id, one.step, one.queue, one.workflow, one.title) == (1, "a", "night", "flow", "the first")
    action = store.actions([claimed.action_id])[claimed.action_id]
    assert (action.argv, action.cwd, action.in_workflow) == ((b"a",), b"/data", True)


def test_equal_tasks_share_the_actions_of_their_steps(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add(*map(str, range(50)))
    player.play()
    assert len({one.action_id for one in store.tasks(Query(steps=True, limit=1000)) if one.parent_id}) == 2


def test_started_work_finishes_before_new_work_starts(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y", "z")
    order = []
    for _ in range(3 * 2):
        one = player.claim_one()
        order.append((one.input, one.step))
        player.engine.turn(settlement(one))
    assert order == [(b"x", "a"), (b"x", "b"), (b"y", "a"), (b"y", "b"), (b"z", "a"), (b"z", "b")]


def test_a_task_with_a_higher_priority_overtakes_started_work(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x")
    (first,) = player.claim()
    (urgent,) = player.add("urgent", priority=9)
    player.engine.turn(settlement(first))
    assert [(one.parent_id, one.step) for one in player.claim()] == [(urgent, "a"), (1, "b")]


def test_no_more_tasks_are_begun_than_the_pools_allow(store: Store) -> None:
    player = Player(store, step("a"))
    player.add("x", "y", "z")
    claim = player.engine.everything()
    limited = Claim(count=9, lanes={lane: {"workflows": 1.0} for lane in claim.lanes}, pools={"workflows": 2.0})
    assert [one.id for one in player.engine.turn(claim=limited).opened] == [1, 2]
    assert store.counts().pending == 1


def test_first_steps_that_do_not_fill_the_slots_are_claimed_in_halves(store: Store) -> None:
    player = Player(store, *(step(f"s{n}") for n in range(20)))
    player.add("x")
    player.turn()
    player.add("y", priority=9)
    lanes = {lane: {"work": 0.01} for lane in player.engine.everything().lanes}
    turn = player.engine.turn(claim=Claim(count=99, lanes=lanes, pools={"work": 1.0}, least=2))
    assert [one.id for one in turn.opened] == [22]
    assert len(turn.claimed) == 20, "9 steps of x when y was begun, and 11 of the 31 that could start then"


def test_a_task_of_an_unknown_workflow_waits_until_somebody_defines_it(store: Store) -> None:
    player = Player(store, step("a"))
    store.add([NewTask(action=msgspec.structs.replace(FLOW, call="other"), input=b"x")], now=NOON)
    assert player.claim() == []
    assert store.orders().workflows == {"flow"}
    store.define([flow(step("z"), name="other")], source="elsewhere", now=NOON, by="me")
    assert names(player.claim()) == ["z"]


def test_a_running_task_keeps_the_definition_it_began_with(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x")
    (first,) = player.claim()
    player.define(step("a"), step("new", "a"))
    player.add("y")
    player.engine.turn(settlement(first))
    player.play()
    assert player.ran == [(1, "b"), (4, "a"), (4, "new")]


def test_definitions_of_a_source_replace_those_it_had(store: Store) -> None:
    one, two = flow(step("a"), name="one"), flow(step("a"), name="two")
    assert store.define([one, two], source="file", now=NOON, by="me") == ["one", "two"]
    assert store.define([one, two], source="file", now=NOON + 1, by="me") == []
    store.define([flow(step("z"), name="mine")], source="python", now=NOON, by="me")
    changed = flow(step("b"), name="one")
    assert store.define([changed], source="file", now=NOON + 2, by="me") == ["one", "two"]
    assert [(each.name, each.source, each.defined_at) for each in store.workflows()] == [
        ("mine", "python", NOON),
        ("one", "file", NOON + 2),
    ]
    assert store.workflows()[1].workflow == changed
    assert store.workflows()[1].digest == changed.digest()


# -- failures ---------------------------------------------------------------------------------


def test_a_failed_step_fails_what_comes_after_it_and_its_task(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c", "b"), step("d"))
    player.add()
    player.play({"a": S.FAILED})
    assert player.states() == {"a": "failed", "b": "failed", "c": "failed", "d": "completed"}
    assert sorted(player.names) == ["a", "d"]
    fallen = store.get(player.id_of("c"))
    assert (fallen.reason, fallen.error, fallen.attempt) == (Reason.DEPENDENCY, "step 'a' has failed", 0)
    task = store.get(1)
    assert (task.state, task.reason) == (S.FAILED, Reason.ERROR)
    assert task.error.startswith("step 'a': ")


def test_a_task_is_told_by_the_step_that_began_it(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add()
    (claimed,) = player.claim()
    player.engine.turn(settlement(claimed, S.FAILED, error="no such codec", fingerprint="f00", reason=Reason.TIMEOUT))
    task = store.get(1)
    assert (task.error, task.fingerprint, task.reason) == ("step 'a': no such codec", "f00", Reason.TIMEOUT)


def test_a_step_may_fail_without_harm(store: Store) -> None:
    player = Player(store, carry_on("a"), step("b", "a"))
    player.add()
    player.play({"a": S.FAILED})
    assert player.states() == {"a": "failed", "b": "completed"}
    task = store.get(1)
    assert (task.state, task.reason) == (S.COMPLETED, None)
    assert task.error == "with a warning: failed without stopping it: 'a'"


def test_a_failure_is_passed_on_by_steps_that_may_fail_without_harm(store: Store) -> None:
    player = Player(store, step("a"), carry_on("b", "a"), step("c", "b"))
    player.add()
    player.play({"a": S.FAILED})
    assert player.states() == {"a": "failed", "b": "failed", "c": "failed"}
    assert player.state() is S.FAILED


def test_a_gate_that_is_closed_keeps_the_next_phase_from_beginning(store: Store) -> None:
    gate = step("check", phase="one")
    player = Player(store, step("a", phase="one"), step("b", phase="two"), gates=[gate], phases=("one", "two"))
    player.add("x", "y")
    claimed = player.claim()
    player.engine.turn(*map(settlement, claimed))
    closed, opened = player.claim()
    player.engine.turn(settlement(closed, S.FAILED, reason=Reason.GATE), settlement(opened))
    player.play()
    assert player.state(1) is S.FAILED
    assert store.get(1).reason is Reason.GATE
    assert player.states(1) == {"a": "completed", "b": "failed", "check": "failed"}
    assert player.state(2) is S.COMPLETED


def test_a_retry_of_a_step_keeps_its_task_open(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add()
    (claimed,) = player.claim()
    player.engine.turn(settlement(claimed, S.WAITING))
    assert player.claim() == []
    assert player.state() is S.RUNNING
    player.play(now=NOON + 101)
    assert player.names == ["a", "b"]
    assert player.state() is S.COMPLETED


def test_many_wait_for_many_by_way_of_a_join(store: Store) -> None:
    before = [step(f"a{n}", phase="one") for n in range(4)]
    after = [step(f"b{n}", phase="two") for n in range(4)]
    player = Player(store, *before, *after, phases=("one", "two"))
    player.add()
    claimed = player.claim()
    assert names(claimed) == ["a0", "a1", "a2", "a3"]
    for one in claimed[:3]:
        player.engine.turn(settlement(one))
        assert player.claim() == []
    player.engine.turn(settlement(claimed[3]))
    assert names(player.claim()) == ["b0", "b1", "b2", "b3"]
    assert player.states()["begin of two"] == "completed"


# -- outputs and conditions -------------------------------------------------------------------


def test_outputs_flow_into_the_steps_that_use_them(store: Store) -> None:
    player = Player(store, step("a"), step("b", run=("cp", "{a.path}")), step("c", "a", call="m:f", run=()))
    player.add()
    (first,) = player.claim()
    player.engine.turn(settlement(first, result=b'{"path":"x.wav","n":3}'))
    given = {one.step: one.given for one in player.claim()}
    assert given == {"b": b'{"a":{"path":"x.wav","n":3}}', "c": b'{"a":{"path":"x.wav","n":3}}'}


def test_a_false_condition_skips_a_step_and_what_uses_its_output(store: Store) -> None:
    player = Player(
        store,
        step("a"),
        step("b", condition="{a.n} > 3"),
        step("c", run=("cp", "{b.path}")),
        step("d", "c"),
    )
    player.add()
    player.play({"a": b'{"n":2}'})
    assert player.names == ["a", "d"]
    assert player.states() == dict.fromkeys("abcd", "completed")
    skipped = [(one.step, one.error) for one in player.steps() if one.skipped]
    assert skipped == [("b", "{a.n} > 3 is false"), ("c", "step 'b', whose output it uses, was skipped")]
    assert player.state() is S.COMPLETED


def test_a_true_condition_lets_a_step_run(store: Store) -> None:
    player = Player(store, step("a"), step("b", condition="{a.n} > 3"))
    player.add()
    player.play({"a": b'{"n":4}'})
    assert player.names == ["a", "b"]


def test_an_output_that_is_missing_fails_the_step_that_asks_for_it(store: Store) -> None:
    player = Player(store, step("a"), step("b", run=("cp", "{a.path}")), step("c", "b"))
    player.add()
    player.play({"a": b'{"n":4}'})
    assert player.states() == {"a": "completed", "b": "failed", "c": "failed"}
    assert store.get(1).error == "step 'b': {a.path} is missing: step 'a' has given no 'path'"
    assert store.get(player.id_of("c")).error == "step 'b' has failed"


def test_the_output_of_a_step_that_failed_without_harm_is_missing_without_harm(store: Store) -> None:
    player = Player(store, carry_on("a"), step("b", run=("cp", "{a.path}")), step("c", "b"))
    player.add()
    player.play({"a": S.FAILED})
    assert player.names == ["a", "c"]
    assert store.get(player.id_of("b")).error == "step 'a', whose output it uses, has failed"
    assert player.state() is S.COMPLETED


def test_a_task_whose_first_steps_are_all_skipped_is_done_at_once(store: Store) -> None:
    player = Player(store, step("a", condition="{input.n} > 3"), step("b", run=("cp", "{a.x}")), input=Input.JSON)
    (task_id,) = player.add('{"n": 2}')
    turn = player.turn()
    assert [(one.id, one.state) for one in turn.rested] == [(task_id, S.COMPLETED)]
    assert player.names == []


LARGE = b"@2-1.json 3000000 " + b"0" * 32


def test_a_result_in_a_file_of_its_own_is_handed_on_by_its_reference(store: Store) -> None:
    player = Player(store, step("a"), step("b"), step("c", run=("cp", "{a.path}", "{b.n}")))
    player.add()
    first, second = player.claim()
    player.engine.turn(settlement(first, result=LARGE), settlement(second, result=b'{"n":4}'))
    (third,) = player.claim()
    assert msgspec.json.decode(third.given) == {"b": {"n": 4}, "@": {"a": LARGE.decode()}}


def test_a_condition_does_not_look_into_a_result_in_a_file_of_its_own(store: Store) -> None:
    player = Player(store, step("a"), step("b", condition="{a.n} > 3"))
    player.add()
    player.play({"a": LARGE})
    assert "the output of step 'a' is too large to be asked about in a condition" in store.get(1).error


# -- the record -------------------------------------------------------------------------------


def test_steps_are_told_under_names_of_their_own(store: Store) -> None:
    player = Player(store, step("a"), step("b", condition="{a.n} > 3"))
    player.add()
    player.play({"a": b'{"n":2}'})
    kinds = [(one["event"], one.get("parent"), one.get("step")) for one in told(store)]
    assert kinds == [
        ("processor_started", None, None),
        ("workflow_defined", None, None),
        ("file_added", None, None),
        ("file_started", None, None),
        ("step_started", 1, "a"),
        ("step_completed", 1, "a"),
        ("step_skipped", 1, "b"),
        ("file_completed", None, None),
    ]
    begun = next(one for one in told(store) if one["event"] == "file_started")
    assert (begun["first_step"], begun["steps"]) == (2, 2)
    family = store.family(1)
    assert family is not None
    assert begun["definition"] == family.digest.hex()
    defined = next(one for one in told(store) if one["event"] == "workflow_defined")
    assert defined["definition"]["steps"][1]["condition"] == "{a.n} > 3"


def test_how_a_task_stands_can_be_asked(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), step("c"))
    player.add()
    first, _ = player.claim()
    player.engine.turn(settlement(first, S.FAILED))
    family = store.family(1)
    assert family is not None
    assert (family.first_id, family.tally.open, family.tally.moving, family.tally.failed) == (2, 1, 1, 1)
    assert [one.id for one in family.workflow.steps] == ["a", "b", "c"]
    assert store.family(2) is None


def test_listings_leave_steps_out_unless_they_are_asked_for(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    player.play()
    assert [one.id for one in store.tasks(Query())] == [2, 1]
    assert [one.step for one in store.tasks(Query(parent=2))] == ["b", "a"]
    assert len(store.tasks(Query(steps=True))) == 6
    assert [one.step for one in store.tasks(Query(parent=1, states=(S.COMPLETED,)))] == ["b", "a"]


def test_a_step_is_not_taken_for_a_task_that_does_the_same(store: Store) -> None:
    player = Player(store, step("a"))
    player.add("x")
    player.play()
    claimed = store.tasks(Query(parent=1))[0]
    action = store.actions([claimed.action_id])[claimed.action_id]
    assert store.find([NewTask(action=action, input=b"x")]) == []
    assert [one.id for one in store.find([NewTask(action=FLOW, input=b"x")])] == [1]


def test_removing_a_task_removes_its_steps(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    player.play()
    assert store.remove(Selector(ids=(1,)), now=NOON, by="me") == 1
    assert [one.parent_id for one in store.tasks(Query(steps=True)) if one.parent_id] == [2, 2]
    assert store.counts().removed == 1
    assert store.remove(Selector(ids=(player.id_of("a", 2),)), now=NOON, by="me") == 0


def test_finished_tasks_are_forgotten_with_their_steps(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    player.play({})
    fence = player.engine.fence
    gone = store.forget_finished(before=NOON + 1, after=0, limit=100, fence=fence, now=NOON + 2, by="me")
    assert gone.count == 2
    assert store.tasks(Query(steps=True)) == []


def test_actions_that_were_let_go_are_put_down_again(store: Store) -> None:
    player = Player(store, step("a"))
    player.add("x")
    player.play()
    store.remove(Selector(everything=True), now=NOON, by="me")
    player.add("y")
    newest = max(store.spare_actions(), default=0)
    store.drop_actions(list(store.spare_actions()), after=newest, fence=player.engine.fence)
    player.play()
    assert player.names == ["a", "a"]


def test_a_deadline_ends_a_task_and_what_is_left_of_it(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"), deadline=60.0)
    player.add()
    (claimed,) = player.claim()
    assert player.turn().next_due == NOON + 60

    turn = player.turn(now=NOON + 60)
    assert turn.asked
    assert player.states() == {"a": "running", "b": "cancelled"}
    (control,) = store.orders().controls
    assert (control.verb, control.task_id) == ("cancel", claimed.id)

    player.engine.turn(settlement(claimed, S.CANCELLED), now=NOON + 61)
    task = store.get(1)
    assert (task.state, task.reason, task.error) == (S.FAILED, Reason.TIMEOUT, "over the deadline of its workflow")
    assert player.turn(now=NOON + 62).next_due is None


def test_a_task_that_is_done_in_time_has_no_deadline_any_more(store: Store) -> None:
    player = Player(store, step("a"), deadline=60.0)
    player.add()
    (claimed,) = player.claim()
    turn = player.engine.turn(settlement(claimed), now=NOON + 10)
    assert player.state(1) is S.COMPLETED
    assert turn.next_due is None


def test_a_program_that_takes_a_task_does_it_in_its_own_way(store: Store) -> None:
    player = Player(store, step("a"), step("b", "a"))
    player.add("x", "y")
    player.play({"a": S.FAILED})
    store.act(Verb.RETRY, Selector(ids=(1,)), now=NOON, by="me")
    popped = store.pop("default", owner="1:2:3", now=NOON, by="me")
    assert popped is not None
    assert (popped.task_id, popped.attempt) == (1, 2)
    assert player.claim() == []
    assert [one.state for one in store.tasks(Query(parent=1))] == [S.CANCELLED, S.CANCELLED]
    done = Settlement(1, 2, S.COMPLETED, Outcome.COMPLETED, 0, 0, NOON)
    assert store.hand_in([done], now=NOON) == []
    assert player.state(1) is S.COMPLETED


@pytest.mark.parametrize("count", [1, 7])
def test_large_fans_cost_one_count_each(store: Store, count: int) -> None:
    middle = [step(f"m{n}", "a") for n in range(300)]
    player = Player(store, step("a"), *middle, step("z", *(f"m{n}" for n in range(300))))
    player.add(*map(str, range(count)))
    player.play()
    assert len(player.ran) == 302 * count
    assert store.counts().completed == count
