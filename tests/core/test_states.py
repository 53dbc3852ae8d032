"""The table of states against everything that repeats it: `check`, the schema, the drawn page."""

from __future__ import annotations

import re
import runpy
from enum import StrEnum
from itertools import product
from pathlib import Path

import apsw
import pytest

from overnight.core.states import (
    FAILED_REASONS,
    FINAL,
    HELD_REASONS,
    STEPS,
    Cause,
    ErrorClass,
    IllegalStepError,
    Outcome,
    Reason,
    TaskState,
    check,
    sources,
)

PROJECT = Path(__file__).parents[2]
SCHEMA = PROJECT / "src" / "overnight" / "store" / "sql" / "schema.sql"

Triple = tuple[TaskState, Cause, TaskState]
EVERY: list[Triple] = list(product(TaskState, Cause, TaskState))
LEGAL: set[Triple] = {(state, cause, target) for (state, cause), targets in STEPS.items() for target in targets}
#: What a person may do to a task that waits for a person.
BY_A_PERSON = {Cause.RELEASE, Cause.CANCEL}


def accepted(triple: Triple) -> bool:
    """Whether `check` lets a step pass; an accepted step gives its target back."""
    try:
        return check(*triple) is triple[2]
    except IllegalStepError:
        return False


def test_every_step_that_is_not_in_the_table_is_refused() -> None:
    """All 7 x 10 x 7 of them."""
    assert len(EVERY) == 490
    assert {triple for triple in EVERY if accepted(triple)} == LEGAL


def test_a_refused_step_says_which_one_it_was() -> None:
    with pytest.raises(IllegalStepError, match="a completed task cannot become running by claim"):
        check(TaskState.COMPLETED, Cause.CLAIM, TaskState.RUNNING)


def test_only_a_revival_leaves_a_final_state() -> None:
    assert {cause for state, cause, _ in LEGAL if state in FINAL} == {Cause.REVIVE}
    assert sources(Cause.REVIVE) == FINAL


def test_only_a_person_moves_what_is_held() -> None:
    assert {cause for state, cause, _ in LEGAL if state is TaskState.HELD} == BY_A_PERSON


def test_only_a_claim_of_a_pending_task_makes_it_running() -> None:
    assert {triple for triple in LEGAL if triple[2] is TaskState.RUNNING} == {
        (TaskState.PENDING, Cause.CLAIM, TaskState.RUNNING)
    }


def test_a_running_task_can_end_in_every_other_state() -> None:
    assert {target for state, _, target in LEGAL if state is TaskState.RUNNING} == set(TaskState) - {TaskState.RUNNING}


def test_every_state_is_reached_and_every_cause_is_used() -> None:
    reached = {TaskState.PENDING, TaskState.WAITING}
    for _ in TaskState:
        reached |= {target for state, _, target in LEGAL if state in reached}

    assert reached == set(TaskState)
    assert {cause for _, cause, _ in LEGAL} == set(Cause)


def test_no_step_stays_where_it_is() -> None:
    assert [triple for triple in LEGAL if triple[0] is triple[2]] == []


@pytest.mark.parametrize("cause", Cause)
def test_sources_answers_as_the_table_does(cause: Cause) -> None:
    assert sources(cause) == {state for state, why, _ in LEGAL if why is cause}


def test_every_reason_is_either_for_failed_or_for_held() -> None:
    assert set(Reason) == FAILED_REASONS | HELD_REASONS
    assert not FAILED_REASONS & HELD_REASONS
    assert {"poison", "interrupted", "by_hand"} == HELD_REASONS


def words_of(column: str) -> set[str]:
    """What the schema lets a column hold; the column's own check is the only one with this shape."""
    (words,) = re.findall(rf"CHECK \({column} IN\s*\(([^)]*)\)\)", SCHEMA.read_text("utf-8"))
    return set(re.findall(r"'(\w+)'", words))


@pytest.mark.parametrize(
    ("column", "words"), [("state", TaskState), ("reason", Reason), ("outcome", Outcome), ("error_class", ErrorClass)]
)
def test_the_schema_knows_exactly_these(column: str, words: type[StrEnum]) -> None:
    assert words_of(column) == set(words)


@pytest.fixture(scope="module")
def tables() -> apsw.Connection:
    """The schema in memory, with one action that all tasks share."""
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA.read_text("utf-8"))
    connection.execute(
        "INSERT INTO actions (id, digest, identity, definition) VALUES (1, zeroblob(16), zeroblob(16), x'')"
    )
    return connection


def takes(tables: apsw.Connection, state: TaskState, *, reason: Reason | None, finished_at: float | None) -> bool:
    """Whether the tables accept a task like this."""
    try:
        tables.execute(
            "INSERT INTO tasks (state, reason, finished_at, attempt, lane_id, action_id, priority, order_key, added_at,"
            " identity, input) VALUES (?, ?, ?, 1, 1, 1, 0, 1, 0, 0, x'')",
            (state, reason, finished_at),
        )
    except apsw.ConstraintError:
        return False
    return True


@pytest.mark.parametrize("state", TaskState)
def test_the_tables_agree_on_what_is_final(tables: apsw.Connection, state: TaskState) -> None:
    reasons = {TaskState.FAILED: Reason.ERROR, TaskState.HELD: Reason.BY_HAND}

    finished = takes(tables, state, reason=reasons.get(state), finished_at=1.0)
    unfinished = takes(tables, state, reason=reasons.get(state), finished_at=None)

    assert (finished, unfinished) == ((True, False) if state in FINAL else (False, True))


@pytest.mark.parametrize(
    ("state", "finished_at", "allowed"),
    [(TaskState.FAILED, 1.0, FAILED_REASONS), (TaskState.HELD, None, HELD_REASONS), (TaskState.COMPLETED, 1.0, {None})],
)
def test_the_tables_agree_on_the_reasons(
    tables: apsw.Connection, state: TaskState, finished_at: float | None, allowed: set[Reason | None]
) -> None:
    """Every reason and none at all, for each state that has a rule of its own."""
    every = [None, *Reason]

    assert {reason for reason in every if takes(tables, state, reason=reason, finished_at=finished_at)} == allowed


def test_the_drawn_page_is_what_the_table_says() -> None:
    """Red? `make docs` draws it again."""
    page: str = runpy.run_path(str(PROJECT / "scripts" / "lifecycle.py"))["page"]()

    assert (PROJECT / "docs" / "lifecycle.md").read_text("utf-8") == page
