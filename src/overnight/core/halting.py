"""When failures end a run: what ``--halt`` says, and whether it has come to that.

The words are those of GNU parallel as far as they are about failures. A failure is a task that has
failed for good; an attempt that will be tried again is none.
"""

from __future__ import annotations

import re

import msgspec

from overnight.core.durations import quoted
from overnight.core.stopping import Ask

HALTS = "never, 10%, soon,fail=3, now,fail=1 or now,fail=10%"
_HALT = re.compile(r"(?:(?P<when>soon|now),fail=)?(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<percent>%)?")
_ASKS = {"soon": Ask.HALT, "now": Ask.HALT_NOW}


class Halt(msgspec.Struct, frozen=True):
    """How many failures end a run, and how."""

    #: `HALT` lets running attempts finish, `HALT_NOW` ends them.
    ask: Ask
    #: So many failures; with `percent` so many of a hundred tasks.
    limit: float
    percent: bool = False


def after_failures(halt: Halt | None, failed: int, total: int) -> Ask | None:
    """How to stop when `failed` of `total` tasks have failed; None to go on."""
    if halt is None or not failed:
        return None
    return halt.ask if failed >= (halt.limit * total / 100 if halt.percent else halt.limit) else None


def parse_halt(words: str) -> Halt | None:
    """What ``--halt`` says; None for never. ``10%`` alone is ``soon,fail=10%``.

    Raises:
        ValueError: It says nothing that is known. A number alone is refused, since ``2`` is no count in GNU parallel.
    """
    stripped = words.strip().lower()
    if stripped == "never":
        return None
    found = _HALT.fullmatch(stripped)
    if found is None or not (found["when"] or found["percent"]):
        raise ValueError(f"{quoted(words)} is no rule for --halt; write {HALTS}")
    limit, percent = float(found["number"]), bool(found["percent"])
    if limit <= 0 or (percent and limit > 100) or not (percent or limit.is_integer()):  # noqa: PLR2004 - a hundred of a hundred
        raise ValueError(f"{quoted(words)}: no number of failures comes to that; write {HALTS}")
    return Halt(_ASKS[found["when"] or "soon"], limit, percent)
