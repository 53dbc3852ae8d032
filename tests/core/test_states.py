"""The table of states against everything that repeats it: `check`, the schema, the drawn page."""

from __future__ import annotations

import re
import runpy
from itertools import product
from pathlib import Path

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
SCHEMA = PROJECT / "src" / "overnight" / "store" / "sqlite" / "schema.sql"

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


def named_in_schema(expression: str) -> list[set[str]]:
    """Every list of words that the schema puts behind an expression such as ``state IN``."""
    lists = re.findall(rf"\b{expression}\s*\(([^)]*)\)", SCHEMA.read_text("utf-8"))
    return [set(re.findall(r"'(\w+)'", words)) for words in lists]


def test_the_schema_knows_exactly_these_states() -> None:
    every, final = named_in_schema("state IN")

    assert every == set(TaskState)
    assert final == FINAL


def test_the_schema_knows_exactly_these_reasons() -> None:
    every, held = named_in_schema("reason IN")

    assert every == set(Reason)
    assert held == HELD_REASONS
    assert all(words == HELD_REASONS for words in named_in_schema("reason NOT IN"))


def test_the_schema_knows_exactly_these_outcomes_and_error_classes() -> None:
    assert named_in_schema("outcome IN") == [set(Outcome)]
    assert named_in_schema("error_class IN") == [set(ErrorClass)]


def test_the_drawn_page_is_what_the_table_says() -> None:
    """Red? `make docs` draws it again."""
    page: str = runpy.run_path(str(PROJECT / "scripts" / "lifecycle.py"))["page"]()

    assert (PROJECT / "docs" / "lifecycle.md").read_text("utf-8") == page
