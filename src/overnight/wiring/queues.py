"""Settings of queues and workflows, and the switch that stops them: each change keeps what it does not mean."""

from __future__ import annotations

import msgspec

from overnight.core.configuration import Configuration
from overnight.core.errors import NotFoundError
from overnight.core.lanes import EVERY_QUEUE, is_paused, switch_of
from overnight.store.contract import Queue, Store


def of_name(store: Store, name: str) -> Queue:
    """The queue of this name as it is set; one that was never set has no limits."""
    return next((queue for queue in store.queues() if queue.name == name), Queue(name))


def no_queue(name: str, *, done: str) -> NotFoundError:
    """There is none of this name. `done`: what that means."""
    return NotFoundError(f"there is no queue {name!r}; {done}", hint="'overnight queue names' lists them")


def no_workflow(name: str, *, done: str) -> NotFoundError:
    """There is none of this name to be looked at or held up; `wiring.workflows` says it of one to be begun."""
    return NotFoundError(f"there is no workflow {name!r}; {done}", hint="'overnight workflow list'")


def lay_down(store: Store, configured: Configuration, *, now: float, by: str) -> None:
    """Give queues and workflows the limits of a configuration. One that a person has paused stays paused."""
    of_workflows = {switch_of(name): limits for name, limits in configured.workflow_limits.items()}
    for name, limits in (configured.queues | of_workflows).items():
        before = of_name(store, name)
        after = msgspec.structs.replace(before, slots=limits.slots, rate=limits.rate)
        if after != before:
            store.set_queue(after, now=now, by=by)


def pause(store: Store, name: str, *, until: float | None, now: float, by: str) -> None:
    """Let nothing more of a queue start, or of any (`EVERY_QUEUE`). What runs may finish."""
    before = of_name(store, name)
    store.set_queue(msgspec.structs.replace(before, paused=True, paused_until=until), now=now, by=by)


def unpause(store: Store, name: str, *, now: float, by: str) -> bool:
    """Let a queue go on; False when it was not paused."""
    before = of_name(store, name)
    if not is_paused(before, now):
        return False
    store.set_queue(msgspec.structs.replace(before, paused=False, paused_until=None), now=now, by=by)
    return True


def is_closed(store: Store, name: str, *, now: float) -> bool:
    """Whether a person has paused this queue, or every queue."""
    return any(is_paused(queue, now) for queue in store.queues() if queue.name in (name, EVERY_QUEUE))


__all__ = ["EVERY_QUEUE", "is_closed", "lay_down", "of_name", "pause", "unpause"]
