"""The short-lived process that makes a checkpoint beside an engine: ordered by one argument, it answers in one line.

It ends at once when its standard input does, for then its engine is gone; what is half made is removed
by the next one. Damage of the store is an answer like any other: it is this process that reads every page.

The copy is made at full speed, since the log of the store cannot be emptied meanwhile. What follows, two thirds of
the work, is nobody's hurry and gives way to the tasks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.events import printable
from overnight.host.clock import SystemClock
from overnight.host.priority import give_way
from overnight.store.copies.making import Made, Order, make


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """No checkpoint was made. `kind` is the name of the error's class."""

    kind: str
    message: str


class Done(msgspec.Struct, frozen=True, tag="done"):
    """One was made."""

    made: Made


Answer = Done | Failed


def argv(order: Order) -> list[str]:
    """The command that becomes a copier: isolated, and without `site`, which takes half of its start."""
    here = os.getcwd()  # noqa: PTH109 - as it stands in sys.path
    paths = list(dict.fromkeys(entry or here for entry in sys.path))
    boot = f"import sys; sys.path[:] = {paths!r}; from overnight.store.copies.copier import main; main()"
    words = _with_paths(order, lambda path: os.fsencode(path).decode("latin-1"))
    return [sys.executable, "-I", "-S", "-c", boot, msgspec.json.encode(words).decode()]


def _with_paths(order: Order, change: Callable[[str], str]) -> Order:
    """Names need not be text, and JSON carries nothing else."""
    paths = {"store": change(order.store), "shelf": change(order.shelf), "second": change(order.second)}
    return msgspec.structs.replace(order, **paths)


def main() -> None:
    """Make the checkpoint that the last argument orders."""
    threading.Thread(target=_end_with_the_engine, daemon=True).start()
    words = msgspec.json.decode(sys.argv[-1], type=Order)
    order = _with_paths(words, lambda path: os.fsdecode(path.encode("latin-1")))
    try:
        answer: Answer = Done(make(order, clock=SystemClock(), step=at_step))
    except OvernightError as error:
        answer = Failed(type(error).__name__, printable(error.message))
    except OSError as error:
        answer = Failed(
            "OSError", printable(f"no checkpoint could be written to {order.shelf}: {error.strerror or error}")
        )
    os.write(1, msgspec.json.encode(answer) + b"\n")
    os._exit(0)


def at_step(step: str) -> None:
    """Give way as soon as the store is let go of."""
    if step == "copied":
        give_way()


def _end_with_the_engine() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)
