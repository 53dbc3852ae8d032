"""What the engine may rely on: order, limits, fences, late results."""

from __future__ import annotations

import msgspec
import pytest
from store_parts import ENDINGS, NOON, SmallEngine, settlement, task, tasks, told

from overnight.core.errors import StaleEngineError
from overnight.core.events import SlotsChanged
from overnight.core.states import FINAL, ErrorClass, IllegalStepError, Outcome, Reason, TaskState
from overnight.core.task import OutputRef
from overnight.store.contract import Claim, Store

# -- claiming ---------------------------------------------------------------------------------


def test_the_highest_priority_goes_first_then_the_oldest(store: Store, engine: SmallEngine) -> None:
    """Over all lanes together, whichever queue or need they are for."""
    low, high, elsewhere, middle, needy = store.add(
        [
            task("low", priority=-1),
            task("high", priority=5),
            task("elsewhere", priority=5, queue="other"),
            task("middle"),
            task("needy", needs={"gpu": 1}),
        ],
        now=NOON,
    ).ids
    assert [one.id for one in engine.claim()] == [high, elsewhere, middle, needy, low]


def test_a_claim_takes_no_more_than_its_count(store: Store, engine: SmallEngine) -> None:
    ids = store.add([*tasks(3), task("x", queue="other")], now=NOON).ids
    assert [one.id for one in engine.claim(2)] == ids[:2]
    assert [one.id for one in engine.claim(9)] == ids[2:]
    assert engine.claim(9) == []
    assert engine.claim(0) == []


def test_a_lane_that_is_not_named_is_closed(store: Store, engine: SmallEngine) -> None:
    store.add([task("a"), task("b", queue="other")], now=NOON)
    other = next(lane for lane in store.orders().lanes if lane.queue == "other")
    claimed = engine.turn(claim=Claim(count=9, lanes={other.id: {}}, pools={})).claimed
    assert [one.input for one in claimed] == [b"b"]


@pytest.mark.parametrize("lanes", ["one lane", "several"])
def test_a_pool_is_never_overdrawn(store: Store, engine: SmallEngine, lanes: str) -> None:
    store.add(tasks(5), now=NOON)
    if lanes == "several":
        store.add([task("x", queue="other")], now=NOON)
    takes = {lane.id: {"gpu": 0.1} for lane in store.orders().lanes}
    claimed = engine.turn(claim=Claim(count=9, lanes=takes, pools={"gpu": 0.3})).claimed
    assert [one.input for one in claimed] == [b"0", b"1", b"2"]


def test_a_lane_whose_pool_is_empty_is_passed_over(store: Store, engine: SmallEngine) -> None:
    """The others go on; two lanes that share a pool share what is in it."""
    store.add([task("a1", queue="a"), task("b1", queue="b"), task("a2", queue="a"), task("b2", queue="b")], now=NOON)
    store.add([task("free1"), task("free2")], now=NOON)
    takes = {lane.id: {} if lane.queue == "default" else {"slots": 1.0} for lane in store.orders().lanes}
    claimed = engine.turn(claim=Claim(count=9, lanes=takes, pools={"slots": 3})).claimed
    assert [one.input for one in claimed] == [b"a1", b"b1", b"a2", b"free1", b"free2"]


def test_a_pool_that_is_not_there_is_empty(store: Store, engine: SmallEngine) -> None:
    store.add(tasks(1), now=NOON)
    (lane,) = store.orders().lanes
    assert engine.turn(claim=Claim(count=9, lanes={lane.id: {"gpu": 1}}, pools={})).claimed == []


@pytest.mark.parametrize("others", [0, 3])
def test_a_task_that_needs_a_node_has_its_place_where_the_pools_last(
    store: Store, engine: SmallEngine, others: int
) -> None:
    store.add([task(str(n), needs={"gpu": 1.0}) for n in range(9)], now=NOON)
    store.add([task("high", needs={"gpu": 2.0}, priority=9)] + [task(f"other{n}") for n in range(others)], now=NOON)
    one, two = ([lane.id for lane in store.orders().lanes if lane.needs == {"gpu": n}] for n in (1.0, 2.0))
    lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
    at = {
        one[0]: [("a", {"gpu on a": 1.0}), ("b", {"gpu on b": 1.0})],
        two[0]: [("a", {"gpu on a": 2.0}), ("b", {"gpu on b": 2.0})],
    }
    wanted = Claim(count=99, lanes=lanes, pools={"work": 8.0, "gpu on a": 1.0, "gpu on b": 5.0}, at=at)

    claimed = engine.turn(claim=wanted).claimed

    assert [(task.input, task.node) for task in claimed] == [
        (b"high", "b"),
        (b"0", "a"),
        *((b"%d" % n, "b") for n in (1, 2, 3)),
        *((b"other%d" % n, "") for n in range(others)),
    ]
    assert engine.turn(claim=msgspec.structs.replace(wanted, pools={"work": 8.0, "gpu on b": 0.5})).claimed == []


def test_places_of_tasks_that_wait_for_the_others_are_free(store: Store, engine: SmallEngine) -> None:
    """Where a claim takes only a share of what could start."""
    store.add([task(str(n), needs={"gpu": 1.0}) for n in range(8)], now=NOON)
    (lane,) = store.orders().lanes
    pools = {"work": 99.0, "gpu on a": 2.0, "gpu on b": 9.0}
    at = {lane.id: [("a", {"gpu on a": 1.0}), ("b", {"gpu on b": 1.0})]}
    wanted = Claim(count=99, lanes={lane.id: {"work": 1.0}}, pools=pools, at=at, least=1)
    assert [task.node for task in engine.turn(claim=wanted).claimed] == ["a", "a", "b", "b"]


def test_the_orders_say_what_comes_first_of_each_lane(store: Store, engine: SmallEngine) -> None:
    store.add([task("low", queue="q"), task("high", queue="q", priority=7), task("x", queue="other")], now=NOON)
    assert {lane.queue: lane.head for lane in store.orders().lanes} == {"q": 7, "other": 0}
    engine.claim()
    assert {lane.queue: lane.head for lane in store.orders().lanes} == {"q": None, "other": None}


@pytest.mark.parametrize("lanes", ["one lane", "several"])
def test_what_does_not_fill_the_slots_is_claimed_in_halves(store: Store, engine: SmallEngine, lanes: str) -> None:
    """Where there is less than room for it, so that few outcomes are left to write when the last one ends."""
    store.add([*tasks(40), task("x", queue="other" if lanes == "several" else "default", needs={})], now=NOON)
    takes = {lane.id: {"work": 0.01, "gpu": 1.0} for lane in store.orders().lanes}
    whole = Claim(count=99, lanes=takes, pools={"work": 1.0, "gpu": 99.0}, least=4)
    assert [one.input for one in engine.turn(claim=whole).claimed] == [b"%d" % n for n in range(20)]
    for change, claimed in (
        ({"in_hand": 20}, 4),
        ({"pools": {"work": 0.1, "gpu": 99.0}}, 10),
        ({"least": None}, 7),
    ):
        assert len(engine.turn(claim=msgspec.structs.replace(whole, **change)).claimed) == claimed, change


def test_a_claim_puts_the_attempt_on_record(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one("a", priority=3)
    (left,) = store.left_open()
    assert (left.task_id, left.attempt, left.lane_id, left.fence) == (claimed.id, 1, claimed.lane_id, engine.fence)
    assert (claimed.input, claimed.attempt, claimed.priority, claimed.generation) == (b"a", 1, 3, 1)
    assert (left.claimed_at, left.action_id, left.generation) == (NOON, claimed.action_id, 1)
    assert store.get(claimed.id).started_at == NOON
    assert store.counts().running == 1


@pytest.mark.parametrize(
    ("outcome", "begun"),
    [(Outcome.RECALLED, 0), (Outcome.INTERRUPTED, 1), (Outcome.LOST, 1), (Outcome.POSTPONED, 1)],
)
def test_a_claim_says_how_many_attempts_have_begun_before(engine: SmallEngine, outcome: Outcome, begun: int) -> None:
    """The number rises at every claim, since it is a fence; what was taken back unread never began."""
    first = engine.one()
    at = None if outcome is Outcome.RECALLED else NOON
    engine.turn(settlement(first, TaskState.PENDING, outcome=outcome, started_at=at))
    (second,) = engine.claim()
    assert [(one.attempt, one.begun) for one in (first, second)] == [(1, 0), (2, begun)]
    engine.turn(settlement(second, TaskState.PENDING, outcome=Outcome.RECALLED, started_at=None))
    assert [(one.attempt, one.begun) for one in engine.claim()] == [(3, begun)]


def test_a_lane_is_listed_as_long_as_it_has_something_to_do(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one("a", needs={"gpu": 1, "a": 2})
    (lane,) = store.orders().lanes
    assert (lane.id, lane.queue, lane.workflow, lane.needs) == (claimed.lane_id, "default", "", {"gpu": 1, "a": 2})
    assert engine.store.get(claimed.id).needs == {"gpu": 1, "a": 2}
    engine.turn(settlement(claimed))
    assert store.orders().lanes == []


# -- settling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ENDINGS)
def test_an_attempt_leads_to_each_state_that_it_may(store: Store, engine: SmallEngine, state: TaskState) -> None:
    claimed = engine.one()
    engine.turn(settlement(claimed, state, failures=2, deaths=1), now=NOON + 5)
    found = store.get(claimed.id)
    assert (found.state, found.failures, found.deaths, found.attempt) == (state, 2, 1, 1)
    assert found.finished_at == (NOON + 5 if state in FINAL else None)
    assert found.reason == ENDINGS[state][1]
    assert found.started_at == NOON
    assert getattr(store.counts(), state) == store.counts().total == 1
    assert store.left_open() == []


def test_a_running_task_cannot_be_settled_as_running(store: Store, engine: SmallEngine) -> None:
    good, bad = engine.one("a"), engine.one("b")
    events = len(list(told(store)))
    wrong = settlement(bad, state=TaskState.COMPLETED)
    with pytest.raises(IllegalStepError):
        engine.turn(settlement(good), type(wrong)(bad.id, 1, TaskState.RUNNING, Outcome.COMPLETED, 0, 0, NOON))
    assert store.counts().running == 2
    assert len(list(told(store))) == events


def test_a_task_does_not_wait_for_nothing(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    with pytest.raises(ValueError, match="for ever"):
        engine.turn(settlement(claimed, TaskState.WAITING, not_before=None))
    assert store.counts().running == 1


def test_all_that_is_known_of_an_attempt_is_kept(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    engine.turn(
        settlement(
            claimed,
            TaskState.FAILED,
            started_at=NOON + 1,
            seconds=2.5,
            reason=Reason.CRASHED,
            error_class=ErrorClass.PERMANENT,
            error="killed \udcff",
            detail="the end\nof stderr",
            fingerprint="abc",
            exit_code=None,
            signal=11,
            cpu_seconds=1.25,
            peak_memory_bytes=2**40,
            output=OutputRef("slot-1", 5, 6, 7),
            slot=3,
        ),
        now=NOON + 9,
    )
    (attempt,) = store.attempts(claimed.id)
    assert (attempt.number, attempt.outcome, attempt.started_at, attempt.finished_at) == (
        1,
        Outcome.FAILED,
        NOON + 1,
        NOON + 9,
    )
    assert (attempt.seconds, attempt.reason, attempt.error_class) == (2.5, Reason.CRASHED, ErrorClass.PERMANENT)
    assert (attempt.error, attempt.detail, attempt.exit_code, attempt.signal) == (
        "killed \\udcff",
        "the end\nof stderr",
        None,
        11,
    )
    assert (attempt.cpu_seconds, attempt.peak_memory_bytes, attempt.slot) == (1.25, 2**40, 3)
    assert attempt.output == OutputRef("slot-1", 5, 6, 7)
    found = store.get(claimed.id)
    assert (found.error, found.error_class, found.fingerprint) == ("killed \\udcff", ErrorClass.PERMANENT, "abc")


def test_a_result_is_kept_and_a_success_clears_what_was_before(store: Store, engine: SmallEngine) -> None:
    first = engine.one()
    engine.turn(settlement(first, TaskState.WAITING, error="no", fingerprint="f", error_class=ErrorClass.UNKNOWN))
    engine.turn(now=NOON + 200)
    (second,) = engine.claim(now=NOON + 200)
    assert (second.attempt, second.failures) == (2, 1)
    engine.turn(settlement(second, result=b'{"a": 1}', failures=1))
    found = store.get(first.id)
    assert (found.result, found.error, found.fingerprint, found.reason) == (b'{"a": 1}', "", "", None)
    assert (found.error_class, found.failures) == (None, 1)
    assert [one.outcome for one in store.attempts(first.id)] == [Outcome.FAILED, Outcome.COMPLETED]


def test_the_result_of_a_first_success_is_kept(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    engine.turn(settlement(claimed, result="„é“".encode()))
    assert store.get(claimed.id).result == "„é“".encode()


def test_a_success_after_an_interruption_leaves_no_trace_of_it(store: Store, engine: SmallEngine) -> None:
    """The interruption left a word in the row though it counted as no failure."""
    first = engine.one()
    engine.turn(settlement(first, TaskState.PENDING, error="worker lost"))
    (second,) = engine.claim()
    engine.turn(settlement(second))
    assert store.get(first.id).error == ""


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
def test_a_batch_of_any_size_is_settled_whole(store: Store, engine: SmallEngine, count: int) -> None:
    """Rows are written by 32 together; none is lost at the seams."""
    store.add(tasks(count), now=NOON)
    claimed = engine.claim(count)
    engine.turn(*map(settlement, claimed))
    assert store.counts().completed == count
    assert all(len(store.attempts(one.id)) == 1 for one in claimed)


# -- late results -----------------------------------------------------------------------------


def test_a_worker_back_from_the_dead_cannot_settle(store: Store, engine: SmallEngine) -> None:
    """Its task has a new attempt by then; the late result is refused, told, and merged into nothing."""
    ghost = engine.one()
    engine.turn(settlement(ghost, TaskState.PENDING))
    (owner,) = engine.claim()
    assert engine.turn(settlement(ghost)).stale == [(ghost.id, 1)]
    assert store.get(ghost.id).state is TaskState.RUNNING
    assert engine.turn(settlement(owner)).stale == []
    assert [one.outcome for one in store.attempts(ghost.id)] == [Outcome.INTERRUPTED, Outcome.COMPLETED]
    late = [one for one in told(store) if one["event"] == "late_result_refused"]
    assert [(one["id"], one["attempt"], one["outcome"]) for one in late] == [(ghost.id, 1, "completed")]


def test_an_outcome_is_recorded_once_however_often_it_is_told(store: Store, engine: SmallEngine) -> None:
    """Twice in one turn, and again in the next."""
    claimed = engine.one()
    assert engine.turn(settlement(claimed), settlement(claimed, TaskState.FAILED)).stale == [(claimed.id, 1)]
    assert engine.turn(settlement(claimed, TaskState.FAILED)).stale == [(claimed.id, 1)]
    assert store.get(claimed.id).state is TaskState.COMPLETED
    assert len(store.attempts(claimed.id)) == 1


def test_a_stale_result_does_not_keep_others_from_being_settled(store: Store, engine: SmallEngine) -> None:
    first, second = engine.one("a"), engine.one("b")
    turn = engine.turn(settlement(first, attempt=7), settlement(second), settlement(first, task_id=99))
    assert turn.stale == [(first.id, 7), (99, 1)]
    assert store.states([first.id, second.id]) == {
        first.id: TaskState.RUNNING,
        second.id: TaskState.COMPLETED,
    }


# -- fences -----------------------------------------------------------------------------------


def test_an_engine_that_was_replaced_changes_nothing(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    store.add([task("b")], now=NOON)
    newer = SmallEngine(store)
    events = len(list(told(store)))
    with pytest.raises(StaleEngineError):
        engine.turn(settlement(claimed), claim=engine.everything())
    assert len(list(told(store))) == events
    assert store.get(claimed.id).state is TaskState.RUNNING
    assert store.counts().pending == 1
    assert newer.turn(settlement(claimed, TaskState.PENDING)).stale == []


def test_every_fence_is_higher_than_those_before(store: Store) -> None:
    fences = [store.take_fence(now=NOON, by="me") for _ in range(3)]
    assert fences == sorted(set(fences))


# -- time -------------------------------------------------------------------------------------


def test_a_waiting_task_becomes_due_at_its_time_and_not_before(store: Store, engine: SmallEngine) -> None:
    store.add([task("a", not_before=NOON + 10), task("b", not_before=NOON + 12)], now=NOON)
    assert engine.turn(now=NOON + 9.9).next_due == NOON + 10
    assert store.counts().waiting == 2
    turn = engine.turn(now=NOON + 10, claim=engine.everything())
    assert [one.input for one in turn.claimed] == [b"a"]
    assert turn.next_due == NOON + 12
    assert engine.turn(now=NOON + 12).next_due is None
    assert store.counts().pending == 1


def test_a_retry_settled_in_this_turn_is_in_its_next_due(engine: SmallEngine) -> None:
    claimed = engine.one()
    assert engine.turn(settlement(claimed, TaskState.WAITING, not_before=NOON + 2)).next_due == NOON + 2


def test_at_most_ten_thousand_become_due_in_one_turn(store: Store, engine: SmallEngine) -> None:
    store.add(tasks(10_001, not_before=NOON + 1), now=NOON)
    assert engine.turn(now=NOON + 2).next_due == NOON + 1
    assert (store.counts().pending, store.counts().waiting) == (10_000, 1)
    assert engine.turn(now=NOON + 2).next_due is None
    assert store.counts().pending == 10_001


# -- controls and the outbox ------------------------------------------------------------------


def test_a_control_stays_until_it_is_obeyed(store: Store, engine: SmallEngine) -> None:
    first = store.ask("stop", now=NOON, by="me", argument="30")
    second = store.ask("checkpoint", now=NOON + 1, by="you")
    assert [(one.id, one.verb, one.argument, one.by, one.at) for one in store.orders().controls] == [
        (first, "stop", "30", "me", NOON),
        (second, "checkpoint", "", "you", NOON + 1),
    ]
    store.turn(fence=engine.fence, now=NOON, obeyed=[first])
    assert [one.id for one in store.orders().controls] == [second]


def test_the_outbox_keeps_events_in_order_until_they_are_drained(store: Store) -> None:
    for name in "abc":
        store.add([task(name)], now=NOON)
    rows = store.outbox(2)
    assert [row.id for row in rows] == sorted(row.id for row in rows)
    assert len(rows) == 2
    assert [row.id for row in store.outbox(9, after=rows[-1].id)] == [rows[-1].id + 1]
    store.drained(rows[-1].id, seq=17)
    assert [one["input"] for one in told(store)] == ["c"]
    assert store.journal_seq() == 17
    store.drained(rows[-1].id + 1, seq=18)
    store.add([task("d")], now=NOON)
    assert store.outbox(9)[0].id > rows[-1].id + 1, "an id of the outbox must not come again"


def test_the_events_of_a_batch_are_drained_for_good(store: Store) -> None:
    batch = store.open_batch(now=NOON, owner="me")
    store.add(tasks(3), now=NOON, batch=batch)
    store.publish(batch, now=NOON)
    assert len(list(told(store))) == 3
    store.drained(store.outbox(9)[-1].id, seq=3)
    assert store.outbox(9) == []


def test_tidying_changes_nothing_that_can_be_seen(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    store.tidy()
    engine.turn(settlement(claimed))
    store.tidy()
    assert store.counts().completed == 1


def test_an_engine_that_lets_go_says_why_for_the_record(store: Store) -> None:
    fence = store.take_fence(now=NOON, by="engine")
    store.stand_down(fence=fence, now=NOON, why="queue_empty")
    assert b'"processor_stopped"' in store.outbox(10)[-1].lines
    assert b'"queue_empty"' in store.outbox(10)[-1].lines


def test_an_engine_that_was_replaced_has_no_last_word(store: Store) -> None:
    fence = store.take_fence(now=NOON, by="engine")
    store.take_fence(now=NOON, by="another")
    with pytest.raises(StaleEngineError):
        store.stand_down(fence=fence, now=NOON, why="queue_empty")


def test_what_the_engine_has_to_tell_besides_is_told_with_its_turn(store: Store, engine: SmallEngine) -> None:
    note = SlotsChanged(at="2026-01-01T00:00:00.000Z", was=2, slots=3, why="more to do")
    store.turn(fence=engine.fence, now=NOON, notes=[note])
    assert list(told(store))[-1] == {
        "event": "slots_changed",
        "at": "2026-01-01T00:00:00.000Z",
        "was": 2,
        "slots": 3,
        "why": "more to do",
    }


# -- clocks that jump -------------------------------------------------------------------------


def test_retries_move_with_the_clock_and_what_waits_for_an_instant_does_not(store: Store, engine: SmallEngine) -> None:
    retry, asked = engine.one("retry"), engine.one("asked to be tried at this time")
    postponed = settlement(asked, TaskState.WAITING, outcome=Outcome.POSTPONED, reason=None, not_before=NOON + 50)
    engine.turn(settlement(retry, TaskState.WAITING, not_before=NOON + 4), postponed)
    (later,) = store.add([task("later", not_before=NOON + 60)], now=NOON).ids

    assert store.move_waits(86400.0, fence=engine.fence, now=NOON + 86400) == 1

    waits = [store.get(one).not_before for one in (retry.id, asked.id, later)]
    assert waits == [NOON + 86404, NOON + 50, NOON + 60]
    assert engine.turn(now=NOON + 86401).next_due == NOON + 86404
    assert list(told(store))[-1]["event"] == "clock_jumped"
    assert (list(told(store))[-1]["seconds"], list(told(store))[-1]["moved"]) == (86400.0, 1)


def test_a_task_that_was_postponed_after_a_failure_waits_for_an_instant(store: Store, engine: SmallEngine) -> None:
    first = engine.one()
    engine.turn(settlement(first, TaskState.WAITING, not_before=NOON + 4))
    (again,) = engine.claim(now=NOON + 5)
    engine.turn(
        settlement(again, TaskState.WAITING, outcome=Outcome.POSTPONED, reason=None, not_before=NOON + 50), now=NOON + 6
    )
    assert store.move_waits(-3600.0, fence=engine.fence, now=NOON) == 0
    assert store.get(first.id).not_before == NOON + 50


def test_an_engine_that_was_replaced_moves_nothing(store: Store, engine: SmallEngine) -> None:
    claimed = engine.one()
    engine.turn(settlement(claimed, TaskState.WAITING, not_before=NOON + 4))
    store.take_fence(now=NOON, by="another")
    with pytest.raises(StaleEngineError):
        store.move_waits(60.0, fence=engine.fence, now=NOON)
    assert store.get(claimed.id).not_before == NOON + 4
