"""What may be said about an entry, ``{priority=5 timeout=30m}`` in Markdown or a field in JSON, and how it is read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from overnight.core import kinds
from overnight.core.durations import quoted
from overnight.core.task import MOST_PRIORITY

#: Words for priorities, as other programs have them.
LEVELS = {"critical": 20, "high": 10, "medium": 0, "low": -10}
MOST_RETRIES = 1000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _priority(written: object) -> int:
    if isinstance(written, str) and written in LEVELS:
        return LEVELS[written]
    try:
        number = int(written) if isinstance(written, int | str) and not isinstance(written, bool) else None
    except ValueError:
        number = None
    if number is None or abs(number) > MOST_PRIORITY:
        raise ValueError(f"{quoted(written)} is no priority; write a number or {', '.join(LEVELS)}")
    return number


def _seconds(written: object) -> float:
    limit: float | None = kinds.LIMIT.read(written)
    return math.inf if limit is None else limit


def _bytes(written: object) -> float:
    limit: int | None = kinds.SIZE_LIMIT.read(written)
    return math.inf if limit is None else float(limit)


def _retries(written: object) -> int:
    number: int = kinds.COUNT.read(written)
    if not 0 <= number <= MOST_RETRIES:
        raise ValueError(f"{quoted(written)} is no number of retries; write 0 to {MOST_RETRIES:,}")
    return number


def _name(written: object) -> str:
    if isinstance(written, str) and _NAME.fullmatch(written):
        return written
    raise ValueError(f"{quoted(written)} is no name; use up to 64 letters, digits, dots, dashes and underscores")


def _needs(written: object) -> tuple[tuple[str, float], ...]:
    """``gpu=1`` or ``gpu=1,licence=2``; as JSON an object."""
    if isinstance(written, Mapping):
        pairs = list(written.items())
    else:
        parts = (one.partition("=") for one in str(written).split(","))
        pairs = [(name.strip(), _number(amount)) for name, _, amount in parts]
    if not pairs or not all(kinds.is_need(name, amount) for name, amount in pairs):
        raise ValueError(f"{quoted(written)} names no amount of a resource; write needs=gpu=1")
    return tuple((name, float(amount)) for name, amount in pairs)


def _number(words: str) -> float:
    try:
        return float(words or "1")
    except ValueError:
        return 0.0


#: The fields of `Said`: how each is read. Readers raise ValueError with what would be accepted.
READERS: Mapping[str, Callable[[object], Any]] = {
    "workflow": _name,
    "priority": _priority,
    "timeout": _seconds,
    "stall": _seconds,
    "memory": _bytes,
    "retries": _retries,
    "queue": _name,
    "needs": _needs,
}
