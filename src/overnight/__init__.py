"""Overnight: leave it running.

The front door, for people's own code: what is listed here stays. Nothing inside uses it, and each
name is fetched when it is first asked for (PEP 562), so that `import overnight` costs next to
nothing in a worker that runs a hundred thousand small functions. Types stand in ``__init__.pyi``.
"""

from __future__ import annotations

import importlib

#: Where each name lives.
_HOMES = {
    "AddManyOptions": "overnight.api.options",
    "AddOptions": "overnight.api.options",
    "AutonomousProcessor": "overnight.api.processor",
    "Checkpoint": "overnight.store.copies.summary",
    "DEFAULT_CHECKPOINT_INTERVAL": "overnight.api.processor",
    "DEFAULT_TIMEOUT_SECONDS": "overnight.api.processor",
    "FileQueue": "overnight.api.queue",
    "MAX_RETRIES": "overnight.api.processor",
    "Overnight": "overnight.api.overnight",
    "OvernightError": "overnight.core.errors",
    "Permanent": "overnight.core.asks",
    "ProcessingResult": "overnight.api.processor",
    "ProcessorState": "overnight.api.processor",
    "QueueItem": "overnight.api.queue",
    "Retry": "overnight.core.asks",
    "RunResult": "overnight.api.records",
    "RunSummary": "overnight.api.processor",
    "TaskFailedError": "overnight.api.overnight",
    "TaskFunction": "overnight.api.decorator",
    "TaskOptions": "overnight.api.options",
    "TaskRecord": "overnight.api.records",
    "WaitedTooLongError": "overnight.api.overnight",
    "task": "overnight.api.decorator",
}

__all__ = [
    "DEFAULT_CHECKPOINT_INTERVAL",
    "DEFAULT_TIMEOUT_SECONDS",
    "MAX_RETRIES",
    "AddManyOptions",
    "AddOptions",
    "AutonomousProcessor",
    "Checkpoint",
    "FileQueue",
    "Overnight",
    "OvernightError",
    "Permanent",
    "ProcessingResult",
    "ProcessorState",
    "QueueItem",
    "Retry",
    "RunResult",
    "RunSummary",
    "TaskFailedError",
    "TaskFunction",
    "TaskOptions",
    "TaskRecord",
    "WaitedTooLongError",
    "__version__",
    "task",
]


def __getattr__(name: str) -> object:
    """Fetch a public name and keep it."""
    if name == "__version__":
        home, inner = "overnight.core.version", "VERSION"
    elif name in _HOMES:
        home, inner = _HOMES[name], name
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
