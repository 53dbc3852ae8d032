"""Workflows by name: out of ``overnight.toml``, built in, or defined by Python programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from overnight import wiring
from overnight.core.errors import NotFoundError
from overnight.core.task import Action, ActionKind
from overnight.core.workflow.model import Workflow
from overnight.store.contract import Store

#: Who defines the workflows of the file.
SOURCE = "overnight.toml"


class Named(NamedTuple):
    """A workflow by which a task can be begun, and who defines it."""

    workflow: Workflow
    source: str


def lay_down(
    store: Store, action: Action, workflows: Mapping[str, Workflow], *, done: str = "nothing was added"
) -> None:
    """Make sure that the workflow of an action is defined where the task goes.

    Args:
        store: Where it goes.
        action: Of a workflow task; others need nothing.
        workflows: Those of ``overnight.toml``.
        done: For the error: what has become of the task.

    Raises:
        NotFoundError: Nobody defines it.
    """
    if action.kind is ActionKind.WORKFLOW:
        need(store, action.call, workflows, done=done)


def need(store: Store, name: str, workflows: Mapping[str, Workflow], *, done: str) -> None:
    """Make sure that a workflow is defined in a store; as `lay_down`.

    Raises:
        NotFoundError: Nobody defines it.
    """
    now, by = wiring.clock.now(), wiring.who()
    if name in workflows:
        store.define(list(workflows.values()), source=SOURCE, now=now, by=by)
        return
    from overnight.wiring import built_in

    known = {one.name: one.source for one in store.workflows()}
    ours = [one for one in built_in.WORKFLOWS.values() if known.get(one.name, built_in.SOURCE) == built_in.SOURCE]
    if any(one.name == name for one in ours):
        store.define(ours, source=built_in.SOURCE, now=now, by=by)
    elif name not in known:
        raise unknown(name, known.keys() | workflows.keys() | built_in.WORKFLOWS.keys(), done=done)


def all_known(store: Store | None, workflows: Mapping[str, Workflow]) -> dict[str, Named]:
    """Every workflow by which a task could be begun now, by name.

    Args:
        store: Where programs have defined theirs; None when there is none.
        workflows: Those of ``overnight.toml``, which come before all others.
    """
    from overnight.wiring import built_in

    found = {name: Named(workflow, built_in.SOURCE) for name, workflow in built_in.WORKFLOWS.items()}
    for one in store.workflows() if store else ():
        if one.source not in (SOURCE, built_in.SOURCE):
            found[one.name] = Named(one.workflow, one.source)
    found |= {name: Named(workflow, SOURCE) for name, workflow in workflows.items()}
    return dict(sorted(found.items()))


def unknown(name: str, known: Collection[str], *, done: str = "nothing was added") -> NotFoundError:
    """There is no workflow of this name."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"define it in overnight.toml: [[workflow.{name}.step]]"
    return NotFoundError(f"there is no workflow {name!r}; {done}", hint=hint)
