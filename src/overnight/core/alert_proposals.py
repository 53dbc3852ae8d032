"""Bounds for alerts, proposed from what was usual: beyond everything that was seen, and not far beyond it.

Nobody knows how much free disk is little here; but what has never been the case for days is worth a word. The
answer is text for ``overnight.toml``, with the reason beside each bound, for a person to read and change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from overnight.core.durations import format_duration, format_size, spell_size

#: The least error rate that is worth an alert, and the part of the usual that is slow.
LEAST_RATE, SLOW = 0.05, 0.5
#: Minutes with work from which on there is something usual, and figures from which on they are believed.
ENOUGH_MINUTES, ENOUGH_HOURS = 30, 3


class Seen(msgspec.Struct, frozen=True):
    """What the history says. None: nothing of it."""

    #: Seconds that were looked at.
    seconds: float
    disk_free: float | None = None
    memory_available: float | None = None
    #: Of each hour with enough attempts, the share that failed.
    error_rates: Sequence[float] = ()
    #: Minutes in which something was completed.
    minutes: int = 0


class Proposal(msgspec.Struct, frozen=True):
    """One alert: what to write, and why."""

    name: str
    when: str
    why: str


def proposals(seen: Seen) -> list[Proposal]:
    """What to be told of, as far as there is a history to say so."""
    lately = format_duration(seen.seconds)
    found = []
    for name, figure, least in (
        ("disk", "disk_free", seen.disk_free),
        ("memory", "memory_available", seen.memory_available),
    ):
        if least is not None and (bound := _rounded(least / 2)):
            why = f"half of the least in {lately}, which was {format_size(least)}"
            found.append(Proposal(name, f"{figure} < {spell_size(bound)}", why))
    if len(seen.error_rates) >= ENOUGH_HOURS:
        worst = max(seen.error_rates)
        bound_percent = min(100, math.ceil(round(max(LEAST_RATE, worst * 1.5) * 100, 6)))
        why = f"the worst of {len(seen.error_rates)} hours was {worst:.1%}"
        if worst < 1:
            found.append(Proposal("errors", f"error_rate > {bound_percent}%", why))
    if seen.minutes >= ENOUGH_MINUTES:
        why = f"half of what is usual, by {seen.minutes} minutes with work"
        found.append(Proposal("slow", f"throughput < {SLOW:.0%}", why))
    return found


def _rounded(size: float) -> int:
    """Down to two digits, so that it reads as a guess, and still as the half that it is said to be."""
    if size < 1000:  # noqa: PLR2004 - bytes that nobody would call room
        return 0
    unit: int = 10 ** (int(math.log10(size)) - 1)
    return int(size // unit) * unit


def as_toml(found: Sequence[Proposal], targets: Sequence[str]) -> str:
    """Text for ``overnight.toml``."""
    names = ", ".join(f'"{name}"' for name in targets or ("me",))
    blocks = [
        f'[alerts.{one.name}]                # {one.why}\nwhen = "{one.when}"\ntargets = [{names}]' for one in found
    ]
    if found and not targets:
        blocks.append('[targets.me]                    # or webhook, mail, syslog, apprise\ncommand = ["cat"]')
    return "\n\n".join(blocks)
