"""Draw the life of a task from the table in ``core/states.py`` and write it to ``docs/lifecycle.md``."""

from __future__ import annotations

from pathlib import Path

from overnight.core.states import FAILED_REASONS, FINAL, HELD_REASONS, STEPS, Cause, Reason, TaskState

PAGE = Path(__file__).parents[1] / "docs" / "lifecycle.md"

HEAD = """\
# The life of a task

Generated from the table in `src/overnight/core/states.py` by `make docs`; a test compares the two.
What is not drawn here is refused: by the table, and by the constraints of the store.

A retry is not a state: a task that waits for its next attempt is `waiting` with a later time.
"""


def page() -> str:
    """The whole page as text."""
    return "\n".join([HEAD, *_diagram(), "", *_table(), "", *_reasons()]) + "\n"


def _diagram() -> list[str]:
    """A state diagram in Mermaid; causes between the same two states share one arrow."""
    arrows: dict[tuple[TaskState, TaskState], list[str]] = {}
    for state, cause, target in _steps():
        arrows.setdefault((state, target), []).append(cause)
    begin = [f"    [*] --> {state}" for state in (TaskState.PENDING, TaskState.WAITING)]
    middle = [f"    {state} --> {target}: {', '.join(causes)}" for (state, target), causes in arrows.items()]
    end = [f"    {state} --> [*]" for state in TaskState if state in FINAL]
    return ["```mermaid", "stateDiagram-v2", *begin, *middle, *end, "```"]


def _table() -> list[str]:
    """Rows are where a task is, columns are why it moves, cells are where it goes."""
    head = ["", *Cause]
    rows = [[f"**{state}**", *(_cell(state, cause) for cause in Cause)] for state in TaskState]
    return ["## Every legal step", "", _row(head), _row(["---"] * len(head)), *map(_row, rows)]


def _reasons() -> list[str]:
    """Which reasons go with which state."""
    final = ", ".join(f"`{state}`" for state in TaskState if state in FINAL)
    return [
        "## Reasons",
        "",
        f"* `failed`: {_in_order(FAILED_REASONS)}",
        f"* `held`: {_in_order(HELD_REASONS)}",
        "",
        f"Final states, left only by a revival (a new generation): {final}.",
    ]


def _steps() -> list[tuple[TaskState, Cause, TaskState]]:
    """The table in the order in which states and causes are defined."""
    return [
        (state, cause, target)
        for state in TaskState
        for cause in Cause
        for target in TaskState
        if target in STEPS.get((state, cause), ())
    ]


def _cell(state: TaskState, cause: Cause) -> str:
    return " or ".join(target for from_, why, target in _steps() if (from_, why) == (state, cause))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _in_order(reasons: frozenset[Reason]) -> str:
    return ", ".join(f"`{reason}`" for reason in Reason if reason in reasons)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}")
