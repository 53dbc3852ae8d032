"""What a check is: a question about health, and findings for an answer.

A check never writes and never waits for the engine's lock. One that does not apply (no git
repository, no README) answers with nothing at all. What it raises is a failure of the check, and
what takes longer than its timeout is unknown; neither is its own business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.core.configuration import Configuration
from overnight.core.findings import Finding, Fix, Status
from overnight.core.settings import Settings
from overnight.host.clock import Clock
from overnight.host.home import Home
from overnight.store.contract import Store


class Cost(StrEnum):
    """Whether a check may run when somebody waits."""

    #: Some milliseconds.
    FAST = "fast"
    #: Reads much, or starts other programs.
    SLOW = "slow"


class Scene(NamedTuple):
    """What is examined."""

    #: Where the person stands; what belongs to the project lies here.
    project: Path
    #: None where there is none above `project`.
    home: Home | None
    #: Opens the home's store for reading; call it only when there is a home, and close what it gives.
    open_store: Callable[[], Store]
    settings: Settings
    clock: Clock
    #: What else ``overnight.toml`` says.
    configured: Configuration = Configuration()


class Check(msgspec.Struct, frozen=True):
    """One question."""

    id: str
    #: What it looks at, for people.
    title: str
    run: Callable[[Scene], Iterable[Finding]]
    cost: Cost = Cost.FAST
    #: Seconds after which its answer is no longer waited for.
    timeout: float = 3.0
    #: Seconds between two askings when it is asked on its own; None: as all are.
    every: float | None = None
    #: Of the figure in its findings; else more of it is worse.
    more_is_better: bool = False


def ok(check: str, summary: str, *, value: float | None = None, unit: str = "") -> Finding:
    """All is well."""
    return Finding(check, Status.OK, summary, value, unit)


def warn(check: str, summary: str, *fixes: Fix, value: float | None = None, unit: str = "") -> Finding:
    """Somebody should look, in time."""
    return Finding(check, Status.WARN, summary, value, unit, fixes)


def fail(check: str, summary: str, *fixes: Fix, value: float | None = None, unit: str = "") -> Finding:
    """Something does not work."""
    return Finding(check, Status.FAIL, summary, value, unit, fixes)


def unknown(check: str, summary: str, *fixes: Fix) -> Finding:
    """It could not be found out."""
    return Finding(check, Status.UNKNOWN, summary, fixes=fixes)


def by_hand(fix: str, title: str, text: str) -> Fix:
    """What only a person can do."""
    return Fix(fix, title, text=text)
