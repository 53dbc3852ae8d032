"""What happened to storms: many tasks that failed alike, and a brake that spares the others."""

from __future__ import annotations

from datetime import datetime

from overnight.core import events
from overnight.core.event_names import EventName
from overnight.core.storms import Storm


class _Raging(events.OfStorm, frozen=True, kw_only=True, gc=False):
    """Everything that is needed to know the storm again."""

    error: str = ""
    error_class: str | None = None
    #: Tasks that failed in a row.
    failures: int
    first_at: datetime | None
    began_at: datetime | None
    #: Probes that have failed, and when the next one may start.
    probes: int = 0
    probe_at: datetime | None


class StormBegan(_Raging, frozen=True, kw_only=True, gc=False, tag=EventName.STORM_BEGAN.value):
    """So many tasks in a row have failed alike that the others wait."""


class StormProbed(_Raging, frozen=True, kw_only=True, gc=False, tag=EventName.STORM_PROBED.value):
    """One of them was tried, and the storm goes on."""


class StormEnded(events.OfStorm, frozen=True, kw_only=True, gc=False, tag=EventName.STORM_ENDED.value):
    """The others go on. What had failed for good in the storm is revived, each told by an event of its own."""

    by: str
    revived: int = 0
    #: How long it lasted.
    seconds: float = 0.0


def raging(storm: Storm, *, at: str, action: str) -> StormBegan | StormProbed:
    """The record of a storm that goes on. `action`: hexadecimal digest, empty for a workflow."""
    kind = StormProbed if storm.probes else StormBegan
    return kind(
        at=at,
        workflow=storm.subject.workflow,
        step=storm.subject.step,
        action=action,
        queue=storm.queue,
        fingerprint=storm.fingerprint,
        error=events.printable(storm.error),
        error_class=storm.error_class,
        failures=storm.failures,
        first_at=events.instant(storm.first_at),
        began_at=events.instant(storm.began_at),
        probes=storm.probes,
        probe_at=events.instant(storm.probe_at),
    )


def ended(storm: Storm, *, at: str, action: str, by: str, revived: int, now: float) -> StormEnded:
    """The record of a storm that is over."""
    return StormEnded(
        at=at,
        workflow=storm.subject.workflow,
        step=storm.subject.step,
        action=action,
        queue=storm.queue,
        fingerprint=storm.fingerprint,
        by=by,
        revived=revived,
        seconds=round(max(0.0, now - storm.began_at), 3),
    )
