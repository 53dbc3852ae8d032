"""Tasks and attempts as ``--json`` shows them. The names are stable; instants are ISO 8601 in UTC.

Bytes that are not UTF-8 cannot stand in JSON: the text shows them with replacement characters, and
``input_b64`` (``command_b64``) beside it has them exactly.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec

from overnight.core.task import Action, ActionKind, Attempt, Task
from overnight.ui.cli import printing

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.nodes import NodesView


def line(shape: dict[str, Any]) -> str:
    """One object on one line."""
    return msgspec.json.encode(shape).decode()


def exact(name: str, content: bytes) -> dict[str, str]:
    """Bytes under `name` as text, and under ``name_b64`` when text cannot hold them."""
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {name: content.decode("utf-8", "replace"), f"{name}_b64": b64encode(content).decode()}


def safe(words: str) -> str:
    """Text that JSON can hold: what was not UTF-8 is replaced."""
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def task_shape(task: Task, action: Action | None, frozen_since: float | None = None) -> dict[str, Any]:
    """A task as ``list --json`` shows it. `frozen_since`: POSIX seconds, of one that stands still."""
    return {
        "id": task.id,
        "title": safe(task.title),
        "description": safe(task.description),
        "state": task.state,
        "reason": task.reason,
        **exact("input", task.input),
        **_doing(action),
        "workflow": task.workflow or None,
        "step": task.step or None,
        "parent_id": task.parent_id,
        "queue": task.queue,
        "priority": task.priority,
        "attempt": task.attempt,
        "added_at": printing.iso(task.added_at),
        "not_before": printing.iso(task.not_before),
        "started_at": printing.iso(task.started_at),
        "finished_at": printing.iso(task.finished_at),
        "frozen_since": printing.iso(frozen_since),
        "error_class": task.error_class,
        "error": safe(task.error) or None,
    }


def _doing(action: Action | None) -> dict[str, Any]:
    """The command or the function, and the directory."""
    if action is None:
        return {"command": None, "call": None, "cwd": None}
    shape: dict[str, Any] = {
        "command": None,
        "call": None if action.kind is ActionKind.WORKFLOW else action.call or None,
        **exact("cwd", action.cwd),
    }
    if action.kind is ActionKind.COMMAND:
        shape["command"] = [word.decode("utf-8", "replace") for word in action.argv]
        if any(exact("word", word).get("word_b64") for word in action.argv):
            shape["command_b64"] = [b64encode(word).decode() for word in action.argv]
    return shape


def nodes_shape(nodes: NodesView) -> list[dict[str, Any]]:
    """The nodes as ``status --json`` shows them."""
    return [
        {
            "name": safe(node.row.name),
            "state": node.stands,
            "why": safe(node.row.why) or None,
            "closed": node.closed,
            "slots": node.row.slots,
            "busy": node.busy,
            "held": node.row.held,
            "lost": node.row.lost,
            "version": node.row.version or None,
            "resources": node.row.resources,
            "labels": node.row.labels,
            "last_heard": printing.iso(node.row.heard_at),
            "lease_until": printing.iso(node.row.over_at),
        }
        for node in nodes.nodes
    ]


def attempt_shape(attempt: Attempt) -> dict[str, Any]:
    """An attempt as ``show --json`` shows it."""
    return {
        "number": attempt.number,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "started_at": printing.iso(attempt.started_at),
        "finished_at": printing.iso(attempt.finished_at),
        "seconds": attempt.seconds,
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "error_class": attempt.error_class,
        "error": safe(attempt.error) or None,
        "output_bytes": attempt.output.printed if attempt.output else 0,
        "cpu_seconds": attempt.cpu_seconds,
        "peak_memory_bytes": attempt.peak_memory_bytes,
        "node": safe(attempt.node) or None,
    }


def title(task: Task, action: Action | None) -> str:
    """What a task is called on a line: its title, or what it does with its input. Safe to print."""
    from overnight.core.inputs import shown
    from overnight.core.task import text

    if task.title:
        return printing.clean(task.title)
    if action is None:
        return printing.clean(shown(task.input))
    doing = action.call or " ".join(text(word) for word in action.argv[:1])
    if not task.input:
        doing = action.call or " ".join(text(word) for word in action.argv)
    return printing.clean(f"{doing}  {shown(task.input)}" if task.input else doing)
