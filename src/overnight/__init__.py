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
    "Context": "overnight.core.step_context",
    "Checkpoint": "overnight.store.copies.summary",
    "DEFAULT_CHECKPOINT_INTERVAL": "overnight.api.processor",
    "DEFAULT_TIMEOUT_SECONDS": "overnight.api.processor",
    "ExecutionState": "overnight.api.orchestrator",
    "FileQueue": "overnight.api.queue",
    "Flow": "overnight.api.workflows",
    "MAX_RETRIES": "overnight.api.processor",
    "MonitoringStatus": "overnight.monitor.status_file",
    "Overnight": "overnight.api.overnight",
    "OvernightError": "overnight.core.errors",
    "Permanent": "overnight.core.asks",
    "ProcessingResult": "overnight.api.processor",
    "ProcessorState": "overnight.api.processor",
    "ProgressReport": "overnight.api.orchestrator",
    "QueueItem": "overnight.api.queue",
    "RateLimited": "overnight.core.asks",
    "Retry": "overnight.core.asks",
    "RunResult": "overnight.api.records",
    "RunSummary": "overnight.api.processor",
    "StepOptions": "overnight.api.workflows",
    "TaskFailedError": "overnight.api.overnight",
    "TaskFunction": "overnight.api.decorator",
    "TaskOptions": "overnight.api.options",
    "TaskOrchestrator": "overnight.api.orchestrator",
    "TaskRecord": "overnight.api.records",
    "Workflow": "overnight.api.workflows",
    "WorkflowOptions": "overnight.api.workflows",
    "progress": "overnight.api.progress",
    "WaitedTooLongError": "overnight.api.overnight",
    "task": "overnight.api.decorator",
    "workflow": "overnight.api.workflows",
}

__all__ = [
    "DEFAULT_CHECKPOINT_INTERVAL",
    "DEFAULT_TIMEOUT_SECONDS",
    "MAX_RETRIES",
    "AddManyOptions",
    "AddOptions",
    "AutonomousProcessor",
    "Checkpoint",
    "Context",
    "ExecutionState",
    "FileQueue",
    "Flow",
    "MonitoringStatus",
    "Overnight",
    "OvernightError",
    "Permanent",
    "ProcessingResult",
    "ProcessorState",
    "ProgressReport",
    "QueueItem",
    "RateLimited",
    "Retry",
    "RunResult",
    "RunSummary",
    "StepOptions",
    "TaskFailedError",
    "TaskFunction",
    "TaskOptions",
    "TaskOrchestrator",
    "TaskRecord",
    "WaitedTooLongError",
    "Workflow",
    "WorkflowOptions",
    "__version__",
    "progress",
    "task",
    "workflow",
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
