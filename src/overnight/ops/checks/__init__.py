"""Questions about health: one contract, one file each, and by hand the list of them.

A check is imported when it is asked, so that one with heavy needs costs only those who ask it.
"""

from __future__ import annotations

from importlib import import_module

from overnight.core.errors import UsageError
from overnight.core.findings import Finding, Status
from overnight.ops.checks.contract import Check

#: Every check of ours by its id, in the order of a report.
CHECKS = {
    name: f"overnight.ops.checks.{name}:CHECK"
    for name in (
        *("engine", "tasks", "store", "checkpoints", "home", "disk", "memory", "clock", "containment"),
        *("monitor", "alerts", "backups", "migrations", "logs", "tests", "workflows", "dormant"),
        *("git", "dependencies", "documentation", "linger"),
    )
}


def load(name: str) -> Check:
    """One check.

    Raises:
        UsageError: There is none of this name.
    """
    where = CHECKS.get(name)
    if where is None:
        raise UsageError(
            f"there is no check {name!r}; nothing was examined", hint=f"the checks are {', '.join(CHECKS)}"
        )
    module, _, attribute = where.partition(":")
    check = getattr(import_module(module), attribute)
    assert isinstance(check, Check)  # noqa: S101 - the list above is ours
    return check


__all__ = ["CHECKS", "Check", "Finding", "Status", "load"]
