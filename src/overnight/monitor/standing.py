"""How it stands: a picture of now as the facts of the one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from overnight.core.sentence import Facts, Sentence, sentence
from overnight.core.why import Engine
from overnight.monitor.snapshot import EngineState, Snapshot

#: Each of them, so that a new one is not forgotten.
ENGINES: Mapping[EngineState, Engine] = {
    EngineState.STOPPED: Engine.NONE,
    EngineState.STARTING: Engine.STARTING,
    EngineState.RESTARTING: Engine.RESTARTING,
    EngineState.RUNNING: Engine.WORKING,
    EngineState.PAUSED: Engine.PAUSED,
    EngineState.STOPPING: Engine.STOPPING,
    EngineState.SILENT: Engine.SILENT,
}


def facts_of(picture: Snapshot) -> Facts:
    """What the sentence is made of."""
    counts, engine = picture.counts, picture.engine
    watch = engine.supervisor
    return Facts(
        total=counts.total,
        completed=counts.completed,
        failed=counts.failed,
        held=counts.held,
        unfinished=counts.unfinished,
        unaccounted=picture.unaccounted,
        engine=ENGINES[engine.state],
        why=" ".join(engine.why.split()),
        paused=picture.paused,
        silent_for=None if engine.last_heartbeat is None else max(0.0, picture.at - engine.last_heartbeat),
        supervisor_gone=watch is not None and not watch.alive and not watch.gave_up,
        supervisor_gave_up=watch is not None and watch.gave_up,
        storms=len(picture.storms),
        no_node=_no_node(picture),
        seconds_left=picture.seconds_left,
    )


def _no_node(picture: Snapshot) -> str:
    """Why no node can be given anything. What a closed one still has moves."""
    if picture.nodes is None or picture.engine.state is EngineState.STOPPED:
        return ""
    moving = any(node.row.held for node in picture.nodes.nodes if node.row.state == "up")
    return "" if moving else picture.nodes.stranded(picture.at)


def sentence_of(picture: Snapshot) -> Sentence:
    """The one sentence about it."""
    return sentence(facts_of(picture))
