"""The first page and what every page shows: the picture of now, in the shapes of the API."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from overnight.core import scores as scoring
from overnight.core import storms
from overnight.core.lanes import is_queue
from overnight.core.sentence import Level
from overnight.core.states import TaskState
from overnight.core.version import VERSION
from overnight.host.home import Home
from overnight.monitor.snapshot import EngineState, EngineView, Snapshot, SupervisorView, take
from overnight.monitor.standing import sentence_of
from overnight.store.contract import Cause, Counts, Store
from overnight.ui.web.answers import (
    CauseView,
    Checkpoint,
    Engine,
    Overview,
    Pulse,
    QueueView,
    Running,
    Sentence,
    Share,
    StormView,
    Supervisor,
)
from overnight.ui.web.showing import shown

#: Running tasks of a pulse, causes on the first page, queues.
_MOST_RUNNING, _MOST_CAUSES, _MOST_QUEUES = 20, 8, 50
_ADVICE = {
    "timeout": "raise --timeout, or see where it hangs",
    "stalled": "no sign of life: see where it hangs, or raise --stall",
    "memory": "raise --memory, or run fewer at a time",
    "output": "it printed too much; raise --max-output or quieten it",
    "crashed": "ended by a signal; see its last lines",
    "gate": "its check said no; see what the check printed",
    "dependency": "what it waited for failed; retry that one",
}
_BY_CLASS = {
    "transient": "may work now; safe to retry",
    "resource": "make room, then retry",
    "rate_limited": "retry later, or set a rate",
    "permanent": "a retry alone will not help; see the error",
}


#: In which of the page's colours each level is drawn.
_COLOURS = {
    Level.LOST: "trouble",
    Level.UNWATCHED: "trouble",
    Level.STALLED: "trouble",
    Level.NEEDS_YOU: "attention",
    Level.RUNNING: "working",
    Level.DONE: "fine",
}
#: What to type at each level that is somebody's business; where nothing moves it depends on the engine, and so does
#: whether somebody wanted it so.
_TYPED: dict[Level, tuple[str, ...]] = {
    Level.LOST: ("overnight verify",),
    Level.UNWATCHED: ("overnight restart",),
    Level.STALLED: ("overnight why --queue",),
    Level.NEEDS_YOU: ("overnight retry --all",),
}
_STANDING: dict[EngineState, tuple[str, tuple[str, ...]]] = {
    EngineState.STOPPED: ("attention", ("overnight start",)),
    EngineState.PAUSED: ("attention", ("overnight unpause",)),
    EngineState.SILENT: ("trouble", ("overnight stop --now", "overnight start")),
}


def counts_of(counts: Counts, interrupted: int = 0) -> dict[str, int]:
    """By state; what ran when its engine ended apart from what runs."""
    found = {state.value: int(getattr(counts, state)) for state in TaskState}
    found[TaskState.RUNNING] -= interrupted
    return found | {"interrupted": interrupted}


def pulse(store: Store, home: Path, seq: int, now: float) -> Pulse:
    """Look at everything once."""
    return pulse_of(take(store, home, now=now), seq)


def pulse_of(picture: Snapshot, seq: int) -> Pulse:
    """A picture for the pages."""
    return Pulse(
        seq=seq,
        at=picture.at,
        sentence=_sentence(picture),
        engine=_engine(picture.engine),
        counts=counts_of(picture.counts, picture.interrupted),
        total=picture.counts.total,
        removed=picture.counts.removed,
        steps=picture.counts.steps,
        rate_per_second=picture.rate_per_second,
        seconds_left=picture.seconds_left if picture.counts.unfinished else None,
        running=[Running.of(one) for one in picture.running[:_MOST_RUNNING]],
        storms=[StormView(storms.name(one), shown(storms.sentence(one)), one.probe_at) for one in picture.storms],
    )


def _sentence(picture: Snapshot) -> Sentence:
    """The one sentence, as everywhere."""
    said = sentence_of(picture)
    colour, typed = _COLOURS[said.level], _TYPED.get(said.level, ())
    if said.level is Level.STALLED:
        colour, typed = _STANDING.get(picture.engine.state, (colour, typed))
        if picture.paused and picture.engine.state is EngineState.STOPPED:
            typed = ("overnight unpause", *typed)
    return Sentence(colour, shown(said.words, 1000), typed)


def _engine(engine: EngineView) -> Engine:
    return Engine(
        state=engine.state,
        why=shown(engine.why),
        pid=engine.pid,
        started_at=engine.started_at,
        uptime_seconds=engine.uptime_seconds,
        last_heartbeat=engine.last_heartbeat,
        slots=engine.slots,
        active=engine.active,
        containment=shown(engine.containment),
        gates=[str(one.gate) for one in engine.gates],
        supervisor=_supervisor(engine.supervisor) if engine.supervisor else None,
    )


def _supervisor(watch: SupervisorView) -> Supervisor:
    return Supervisor(
        watch.pid, watch.alive, watch.gave_up, watch.restarts, shown(watch.last_crash), watch.last_crash_at
    )


def advised(cause: Cause) -> CauseView:
    """A cause, with what may help."""
    return CauseView.of(cause, _ADVICE.get(cause.reason or "") or _BY_CLASS.get(cause.error_class, "see the error"))


def overview(
    store: Store,
    home: Home,
    *,
    seq: int,
    now: float,
    causes: Sequence[Cause],
    scores: scoring.Scores,
    checkpoint: Checkpoint | None,
) -> Overview:
    """The first page. `causes`, `scores`: those of the store, however they are had."""
    return Overview(
        pulse=pulse(store, home.path, seq, now),
        home=shown(str(home.path)),
        host=platform.node(),
        version=VERSION,
        causes=[advised(one) for one in causes[:_MOST_CAUSES]],
        autonomy=_share(scores.autonomy),
        recovery=_share(scores.recovery),
        efficiency=_share(scores.efficiency),
        checkpoint=checkpoint,
        queues=queues(store),
    )


def queues(store: Store) -> list[QueueView]:
    """Queues as they are set, and how they stand."""
    found = [one for one in store.queues() if is_queue(one.name)]
    return [QueueView.of(one, counts_of(store.counts(queue=one.name))) for one in found[:_MOST_QUEUES]]


def _share(share: scoring.Share) -> Share:
    return Share(share.value, share.part, share.whole)
