"""The first page and what every page shows: the picture of now, in the shapes of the API."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from overnight.core import scores as scoring
from overnight.core import storms
from overnight.core.lanes import is_queue
from overnight.core.next_steps import Limits, next_step
from overnight.core.night import Alike
from overnight.core.sentence import Level
from overnight.core.states import ErrorClass, Reason, TaskState
from overnight.core.version import VERSION
from overnight.host.home import Home
from overnight.monitor.snapshot import EngineState, EngineView, Snapshot, SupervisorView, take
from overnight.monitor.standing import sentence_of
from overnight.store.contract import Cause, Counts, Store
from overnight.ui.web.answers import (
    CauseView,
    Checkpoint,
    Engine,
    NodeLine,
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

#: Running tasks of a pulse, causes on the first page and at all, queues.
_MOST_RUNNING, MOST_CAUSES, _MOST_KNOWN, _MOST_QUEUES = 20, 8, 200, 50
#: Causes whose mend names a limit of one of their tasks.
_LIMITED = frozenset({Reason.TIMEOUT, Reason.STALLED, Reason.MEMORY})
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
    Level.NEEDS_YOU: ("overnight report",),
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
        nodes=[] if picture.nodes is None else [NodeLine.of(one) for one in picture.nodes.nodes],
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


def causes(store: Store) -> list[CauseView]:
    """What tasks failed of, the most first, and what to do about each: as the report says it."""
    return [_advised(store, one) for one in store.causes(_MOST_KNOWN)]


def _advised(store: Store, cause: Cause) -> CauseView:
    alike = Alike(
        fingerprint=cause.fingerprint,
        state=TaskState.FAILED,
        reason=cause.reason,
        error_class=ErrorClass(cause.error_class) if cause.error_class else None,
        error=cause.error,
        newest_id=cause.newest_id,
        queue=cause.queue,
        workflow=cause.workflow,
        tasks=cause.tasks,
        before=0,
        spans=(),
        first_at=cause.first_at,
        last_at=cause.last_at,
    )
    return CauseView.of(cause, next_step(alike, _limits(store, cause)))


def _limits(store: Store, cause: Cause) -> Limits:
    if cause.reason not in _LIMITED:
        return Limits()
    task = store.get(cause.newest_id)
    action = store.actions({task.action_id}).get(task.action_id)
    return Limits(action.timeout, action.stall, action.memory) if action else Limits()


def overview(
    store: Store,
    home: Home,
    *,
    seq: int,
    now: float,
    causes: Sequence[CauseView],
    scores: scoring.Scores,
    checkpoint: Checkpoint | None,
) -> Overview:
    """The first page. `causes`, `scores`: those of the store, however they are had."""
    return Overview(
        pulse=pulse(store, home.path, seq, now),
        home=shown(str(home.path)),
        host=platform.node(),
        version=VERSION,
        causes=list(causes[:MOST_CAUSES]),
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
