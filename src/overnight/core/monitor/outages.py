"""When something was not there, out of looks at it again and again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Outage(NamedTuple):
    """From the first look that found it gone to the end of the last one, POSIX seconds."""

    since: float
    until: float


def outages(looks: Iterable[tuple[float, bool]], *, span: float, gap: float) -> list[Outage]:
    """Looks without a good one between them are one outage.

    Args:
        looks: When each began, and whether all was well over the whole of it; oldest first.
        span: Seconds that a look stands for.
        gap: Seconds without any look across which an outage goes on.
    """
    found: list[Outage] = []
    broken = True
    for at, is_well in looks:
        if is_well:
            broken = True
            continue
        if broken or at - found[-1].until > gap:
            found.append(Outage(at, at + span))
        else:
            found[-1] = Outage(found[-1].since, at + span)
        broken = False
    return found
