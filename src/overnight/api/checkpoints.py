"""Checkpoints from Python: a verified copy of a home made because a program asks for it, and going back to one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from overnight import wiring
from overnight.api.access import Access
from overnight.api.arguments import ArgumentValueError
from overnight.core.durations import quoted
from overnight.core.errors import NotFoundError, OvernightError
from overnight.host.lock import HomeLock, about_me
from overnight.ops import rollback
from overnight.ops.migrations.own_store import keep_old_schema
from overnight.ops.swapping import keep_promise
from overnight.store.copies.making import Made, make, saved
from overnight.store.copies.summary import Checkpoint, read_summary
from overnight.wiring.checkpoints import order, plan_of, shelves


def save(access: Access, *, state: dict[str, Any], processed: int) -> Checkpoint:
    """Make a checkpoint now, beside whoever works in the home, and say what is in it.

    Args:
        access: The home.
        state: Of the processor, as it is to be found again.
        processed: Files processed since the processor began.

    Raises:
        NotFoundError: Nothing was ever added, so there is nothing to copy.
        StoreDamagedError: The store is damaged; no checkpoint was made.
        OvernightError: It could not be written.
    """
    if not access.has_store():
        raise NotFoundError(
            f"nothing was ever added to {access.home.path}; no checkpoint was made", hint="add() something first"
        )
    made = _made(access, state, processed)
    access.store.note([saved(made, at=wiring.clock.now(), by=wiring.who())])
    access.ring()
    return read_summary(access.home.checkpoints / made.name)


def _made(access: Access, state: dict[str, Any], processed: int) -> Made:
    home, plan = access.home, plan_of(access.settings())
    try:
        return make(order(home, plan, reason="asked", state=state, processed=processed), clock=wiring.clock)
    except OSError as error:
        raise OvernightError(
            f"no checkpoint could be written to {home.checkpoints} ({error.strerror or error});"
            " the older ones are as they were",
            hint="look at the room and the permissions there",
        ) from error


def restore(access: Access, name: str) -> Checkpoint:
    """Go back to a checkpoint: what was then is now, and what came since is set aside. Says what is in it.

    Args:
        access: The home.
        name: Which; ``latest`` for the newest that is whole. Or the path of one, or of a store that was set aside.

    Raises:
        AlreadyRunningError: An engine works in the home.
        NotFoundError: There is no such checkpoint.
        StoreDamagedError: It is not whole; nothing was changed.
        OvernightError: It could not be written; nothing was changed.
    """
    access.want_home()
    home = access.home
    if not name or "\0" in name:
        raise ArgumentValueError(
            f"{quoted(name)} is no name of a checkpoint; nothing was changed", hint='leave it out for "latest"'
        )
    try:
        with _held(access):
            source, passed_over = rollback.find(name, home, shelves(home, plan_of(access.settings())))
            summary = rollback.summary(home, source)
            access.close()
            rollback.roll_back(home, source, now=wiring.clock.now(), by=wiring.who(), passed_over=passed_over)
    except OSError as error:
        raise OvernightError(
            f"checkpoint {quoted(name)} could not be restored ({error.strerror or error}); nothing was changed",
            hint=f"look at the room and the permissions of {home.path}",
        ) from error
    return summary


@contextmanager
def _held(access: Access) -> Iterator[None]:
    """The home, with no engine in it."""
    lock = HomeLock(access.home.lock)
    lock.acquire(about_me(access.home.path, now=wiring.clock.now()))
    try:
        keep_promise(access.home)  # of somebody who has begun the same, and was killed
        keep_old_schema(access.home, now=wiring.clock.now())
        yield
    finally:
        lock.release()
