"""What the function of a step is told besides its input."""

from __future__ import annotations

from typing import Any

import msgspec


class Context(msgspec.Struct, frozen=True):
    """The second argument of a step's function.

    Attributes:
        task_id: Number of the step's own task, the same in every attempt: a key for what must happen once.
        attempt: Counted from 1; what was taken back before it began does not count.
        workflow: Name of the workflow.
        step: Name of the step.
        outputs: What the steps that this one needs have given, by their names, as JSON has it.
        work_dir: A directory of its own, kept across attempts; not made until somebody makes it.
    """

    task_id: int
    attempt: int
    workflow: str
    step: str
    outputs: dict[str, Any]
    work_dir: str
