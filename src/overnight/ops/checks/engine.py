"""Whether the engine works, and if not, whether it should."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from overnight.core.findings import Finding, Fix
from overnight.monitor.snapshot import EngineState, Snapshot, take
from overnight.ops.checks.contract import Check, Scene, fail, ok, warn

_ID = "engine"
_GO_PAST = Fix("stop-now", "End the engine that hangs; its workers clean up", ("overnight", "stop", "--now"))
_START = Fix("start", "Start the engine", ("overnight", "start"))


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None or not scene.home.store.exists():
        return
    with closing(scene.open_store()) as store:
        yield _judge(take(store, scene.home.path, now=scene.clock.now()), scene.clock.now())


def _judge(picture: Snapshot, now: float) -> Finding:
    engine, left = picture.engine, picture.counts.unfinished
    if engine.state is EngineState.SILENT:
        silent = now - (engine.last_heartbeat or now)
        words = f"the engine (process {engine.pid}) has not been heard of for {silent:.0f} s"
        return fail(_ID, words, _GO_PAST, value=silent, unit="seconds")
    if engine.state is EngineState.PAUSED:
        return warn(_ID, f"the engine starts nothing: {engine.why}")
    if engine.state is EngineState.STOPPED and engine.why:
        return fail(_ID, f"the engine has given up: {engine.why}", _START)
    if engine.state is EngineState.STOPPED and left:
        return warn(_ID, f"no engine runs, and {left:,} tasks are left in the queue", _START)
    if engine.state is EngineState.STOPPED:
        return ok(_ID, "no engine runs, and nothing is left to do")
    return ok(_ID, f"process {engine.pid} is {engine.state}")


CHECK = Check(_ID, "engine and supervisor", _run)
