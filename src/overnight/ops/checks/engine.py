"""Whether the engine works, and if not, whether it should; whether it is watched over, and of this version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from overnight.core.durations import format_count, format_duration
from overnight.core.findings import Finding, Fix
from overnight.core.version import VERSION
from overnight.host.home import Home, has_tasks
from overnight.monitor.report.journal import last_crash
from overnight.monitor.snapshot import EngineState, EngineView, Snapshot, take
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

_ID = "engine"
_GO_PAST = Fix("stop-now", "End the engine that hangs; its workers clean up", ("overnight", "stop", "--now"))
#: What runs may finish first, which can take hours: nothing to be waited for here.
_RESTART = by_hand("restart", "Have a new engine and supervisor", "overnight restart; what runs may finish first")
#: Seconds for which a crash is news.
_LATELY = 86400.0
_START = Fix("start", "Start the engine", ("overnight", "start"))


def _run(scene: Scene) -> Iterator[Finding]:
    if scene.home is None or not has_tasks(scene.home):
        return
    now = scene.clock.now()
    with closing(scene.open_store()) as store:
        picture = take(store, scene.home.path, now=now)
    yield _judge(picture, now)
    if picture.engine.state is not EngineState.STOPPED:
        yield from _around(picture.engine)
    yield from _crash(picture.engine, scene.home, now)


def _around(engine: EngineView) -> Iterator[Finding]:
    """Who watches over it, and of which version it is."""
    watch = engine.supervisor
    if watch is not None and not watch.alive:
        yield warn(_ID, f"its supervisor (process {watch.pid}) is gone: nobody would start it again", _RESTART)
    if engine.version and engine.version != VERSION:
        yield warn(_ID, f"engine and workers are of version {engine.version}, and this is {VERSION}", _RESTART)


def _crash(engine: EngineView, home: Home, now: float) -> Iterator[Finding]:
    """That an engine has crashed lately, as its supervisor says; else by the journal, which outlives both."""
    see, watch = by_hand("crash", "See why", f"tail -n 50 {home.log}; overnight report"), engine.supervisor
    if watch is not None and watch.last_crash_at is not None and now - watch.last_crash_at < _LATELY:
        ago = format_duration(max(0.0, now - watch.last_crash_at))
        words = (
            f"an engine has crashed {ago} ago ({watch.last_crash}), {format_count(watch.restarts, 'restart')} in all"
        )
        yield warn(_ID, words, see)
        return
    runs = engine.state is not EngineState.STOPPED
    at = last_crash(home.journal, now - _LATELY, runs=runs)
    if at is None or (watch is not None and watch.gave_up):
        return
    ago = format_duration(max(0.0, now - at))
    then = f"the next one began {ago} ago" if runs else f"it had begun {ago} ago"
    yield warn(_ID, f"an engine has ended without a word (a crash, a kill, a power cut); {then}", see)


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
        return warn(_ID, f"no engine runs, and {format_count(left, 'task is', 'tasks are')} left in the queue", _START)
    if engine.state is EngineState.STOPPED:
        return ok(_ID, "no engine runs, and nothing is left to do")
    return ok(_ID, f"process {engine.pid} is {engine.state}")


CHECK = Check(_ID, "engine and supervisor", _run)
