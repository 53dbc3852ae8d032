"""Attempts in processes of this machine: one keeper per slot, and beside it a runner for functions.

`LocalExecutor` is fetched when it is first asked for: keepers and runners pass through this file on
their way to their own modules, and need nothing of what the engine's side imports.
"""

from __future__ import annotations

__all__ = ["LocalExecutor"]


def __getattr__(name: str) -> object:
    """Fetch the engine's side."""
    if name != "LocalExecutor":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from overnight.executors.local.executor import LocalExecutor

    return LocalExecutor
