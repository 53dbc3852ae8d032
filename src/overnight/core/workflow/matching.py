"""Which inputs a workflow takes."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from overnight.core.errors import UsageError
from overnight.core.inputs import shown
from overnight.core.workflow.model import Workflow

#: Inputs that are named one by one.
_NAMED = 5


def want_matching(workflow: Workflow | None, inputs: Sequence[bytes]) -> None:
    """Refuse inputs that the workflow does not take.

    Raises:
        UsageError: Some do not match; none is added.
    """
    if workflow is None or not workflow.match:
        return
    wrong = [one for one in map(shown, inputs) if not takes(workflow, one)]
    if wrong:
        named = ", ".join(wrong[:_NAMED]) + (f" and {len(wrong) - _NAMED:,} more" if len(wrong) > _NAMED else "")
        raise UsageError(
            f"workflow {workflow.name!r} takes {', '.join(workflow.match)}, and not {named}; nothing was added",
            hint="leave them out, or change 'match' of the workflow",
        )


def takes(workflow: Workflow, name: str) -> bool:
    """Whether a workflow takes an input: its base name, or the whole of it, matches a pattern."""
    base = name.rstrip("/").rpartition("/")[2]
    return not workflow.match or any(fnmatchcase(one, pattern) for one in (base, name) for pattern in workflow.match)
