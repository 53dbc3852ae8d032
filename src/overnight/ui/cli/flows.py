"""Workflows by name, as the command line takes them: out of ``overnight.toml``, or defined by Python programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from overnight import wiring
from overnight.core.errors import NotFoundError, UsageError
from overnight.core.inputs import shown
from overnight.core.task import Action, ActionKind
from overnight.core.workflow.model import Workflow
from overnight.store.contract import Store

#: Who defines the workflows of the file.
SOURCE = "overnight.toml"
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
            hint="leave them out, or change 'match' in overnight.toml",
        )


def takes(workflow: Workflow, name: str) -> bool:
    """Whether a workflow takes an input: its base name, or the whole of it, matches a pattern."""
    base = name.rstrip("/").rpartition("/")[2]
    return not workflow.match or any(fnmatchcase(one, pattern) for one in (base, name) for pattern in workflow.match)


def lay_down(store: Store, action: Action, workflows: Mapping[str, Workflow]) -> None:
    """Make sure that the workflow of an action is defined where the task goes.

    Raises:
        NotFoundError: Nobody defines it.
    """
    if action.kind is not ActionKind.WORKFLOW:
        return
    if action.call in workflows:
        store.define(list(workflows.values()), source=SOURCE, now=wiring.clock.now(), by=wiring.who())
        return
    known = {one.name for one in store.workflows()}
    if action.call not in known:
        raise unknown(action.call, known | workflows.keys())


def unknown(name: str, known: Collection[str]) -> NotFoundError:
    """There is no workflow of this name."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"define it in overnight.toml: [[workflow.{name}.step]]"
    return NotFoundError(f"there is no workflow {name!r}; nothing was added", hint=hint)
