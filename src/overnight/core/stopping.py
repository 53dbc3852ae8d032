"""How a run comes to its end: the table of asks and what each makes of the one before.

A stop never asks for a person, is idempotent, and only ever gets stronger. `DRAIN` claims nothing
more and lets running attempts finish; `NOW` ends them (TERM, 5 s, KILL, seen dead) and puts their
tasks back without counting a failure.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec


class Mode(IntEnum):
    """How strongly the engine is stopping."""

    RUN = 0
    DRAIN = 1
    NOW = 2


class StoppedBy(StrEnum):
    """Why a run ended, as its result names it."""

    QUEUE_EMPTY = "queue_empty"
    STOP_SIGNAL = "stop_signal"
    SIGNAL = "signal"
    GATE = "gate"
    HALT = "halt"


class Ask(StrEnum):
    """Where the wish to stop came from."""

    #: The STOP file, or ``overnight stop``.
    STOP = "stop"
    #: ``overnight stop --now``.
    STOP_NOW = "stop_now"
    SIGINT = "sigint"
    SIGTERM = "sigterm"
    SIGHUP = "sighup"
    #: A task said "done, and stop the queue" (exit 99), or too many failed.
    HALT = "halt"
    #: Too many failed, and what runs is not to be waited for.
    HALT_NOW = "halt_now"


class Stopping(msgspec.Struct, frozen=True):
    """How the engine is stopping at the moment.

    `exit_code` None means: 7 when work is left, else as usual. `deadline` is the monotonic second at
    which a drain becomes `NOW`.
    """

    mode: Mode = Mode.RUN
    by: StoppedBy | None = None
    exit_code: int | None = None
    deadline: float | None = None


_BY = {
    Ask.STOP: StoppedBy.STOP_SIGNAL,
    Ask.STOP_NOW: StoppedBy.STOP_SIGNAL,
    Ask.HALT: StoppedBy.HALT,
    Ask.HALT_NOW: StoppedBy.HALT,
}
_EXIT_CODES = {Ask.SIGINT: 130, Ask.SIGTERM: 143, Ask.SIGHUP: 129}


def after(stopping: Stopping, ask: Ask, *, deadline: float | None = None) -> Stopping:
    """What `ask` makes of the present state. A first SIGINT drains, a second one ends at once.

    A drain because the goal is reached was asked for by nobody, so the first SIGINT in it is a first one: what
    still runs then belongs to somebody else.
    """
    unasked = stopping.by in (None, StoppedBy.QUEUE_EMPTY)
    by = _BY.get(ask, StoppedBy.SIGNAL) if unasked else stopping.by
    gentle = ask in (Ask.STOP, Ask.HALT) or (ask is Ask.SIGINT and unasked)
    if gentle and stopping.mode is Mode.NOW:
        return stopping
    if gentle:
        deadlines = [moment for moment in (stopping.deadline, deadline) if moment is not None]
        return Stopping(
            mode=Mode.DRAIN,
            by=by,
            exit_code=stopping.exit_code,
            deadline=min(deadlines, default=None),
        )
    return Stopping(mode=Mode.NOW, by=by, exit_code=_EXIT_CODES.get(ask, stopping.exit_code))


def overdue(stopping: Stopping, *, now: float) -> Stopping:
    """A drain whose grace has run out becomes `NOW`. `now` is monotonic."""
    if stopping.mode is Mode.DRAIN and stopping.deadline is not None and now >= stopping.deadline:
        return msgspec.structs.replace(stopping, mode=Mode.NOW, deadline=None)
    return stopping
