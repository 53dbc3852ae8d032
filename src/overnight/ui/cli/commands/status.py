"""``status``: how it goes, in one look. Also what ``overnight`` alone says."""

from __future__ import annotations

from typing import Any

import click

from overnight import wiring
from overnight.core.states import TaskState
from overnight.monitor.snapshot import EngineState, RunningView, Snapshot, take
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import Session, opened

#: Exit status of ``--check`` when no engine runs.
_NOT_RUNNING = 3
#: Running tasks that are shown without ``--detailed``.
_FEW = 8


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="The same as --json.")
@click.option("--detailed", is_flag=True, help="Show every running task, and the queues.")
@click.option("--check", is_flag=True, help="Exit with 3 when no engine runs.")
def status(*, as_json: bool, form: str, detailed: bool, check: bool) -> int:
    """Say how it goes: the engine, the counts, what runs, the rate and the time left.

    Exits with 0, whether an engine runs or not; with --check, 3 when none does.
    """
    with opened(readonly=True) as session:
        snapshot = take(session.store, session.home.path, now=wiring.clock.now())
        if as_json or form == "json":
            printing.say(shapes.line(_shape(snapshot)))
        else:
            for text_line in _lines(snapshot, session, detailed=detailed):
                printing.say(text_line)
    stopped = snapshot.engine.state is EngineState.STOPPED
    return _NOT_RUNNING if check and stopped else 0


def _shape(snapshot: Snapshot) -> dict[str, Any]:
    engine, counts = snapshot.engine, snapshot.counts
    return {
        "engine": {
            "state": engine.state,
            "pid": engine.pid,
            "uptime_seconds": engine.uptime_seconds,
            "last_heartbeat": printing.iso(engine.last_heartbeat),
        },
        "counts": {state.value: getattr(counts, state) for state in TaskState} | {"total": counts.total},
        "steps": counts.steps,
        "removed": counts.removed,
        "rate_per_second": snapshot.rate_per_second,
        "seconds_left": snapshot.seconds_left,
        "running": [
            {
                "id": view.task.id,
                "attempt": view.task.attempt,
                "title": shapes.safe(view.task.title),
                **shapes.exact("input", view.task.input),
                "queue": view.task.queue,
                "started_at": printing.iso(view.task.started_at),
                "seconds": view.seconds,
            }
            for view in snapshot.running
        ],
        "health": {"state": "ok" if snapshot.healthy else "warning", "why": engine.why},
    }


def _lines(snapshot: Snapshot, session: Session, *, detailed: bool) -> list[str]:
    lines = [_engine_line(snapshot), _counts_line(snapshot)]
    if snapshot.counts.unfinished and snapshot.engine.state is not EngineState.STOPPED:
        lines.append(_pace_line(snapshot))
    shown = snapshot.running if detailed else snapshot.running[:_FEW]
    if shown:
        lines += ["", *printing.table([_running_row(view) for view in shown], right=(0, 1), last=printing.width())]
    hidden = snapshot.counts.running - len(shown)
    if hidden > 0 and shown:
        lines.append(f"... and {hidden:,} more")
    lines += _queue_lines(session) if detailed else []
    return lines + _advice(snapshot)


def _engine_line(snapshot: Snapshot) -> str:
    engine = snapshot.engine
    words = f"engine {engine.state}"
    if engine.pid is not None:
        words += f", pid {engine.pid}"
    if engine.uptime_seconds is not None:
        words += f", for {printing.duration(engine.uptime_seconds)}"
    if engine.state is EngineState.SILENT and engine.last_heartbeat is not None:
        words += f", last heard of {printing.duration(snapshot.at - engine.last_heartbeat)} ago"
    return words + (f": {printing.clean(engine.why)}" if engine.why else "")


def _counts_line(snapshot: Snapshot) -> str:
    counts = snapshot.counts
    if not counts.total:
        return "no tasks" + (f" ({counts.removed:,} removed)" if counts.removed else "")
    states = [f"{getattr(counts, state):,} {state}" for state in TaskState if getattr(counts, state)]
    return f"{printing.count(counts.total, 'task')}: {', '.join(states)}"


def _pace_line(snapshot: Snapshot) -> str:
    words = []
    if snapshot.rate_per_second:
        rate = snapshot.rate_per_second
        words.append(f"{rate:,.1f} a second" if rate >= 1 else f"{rate * 60:,.1f} a minute")
    if snapshot.seconds_left is not None:
        words.append(f"about {printing.duration(snapshot.seconds_left)} left")
    return ", ".join(words) or "no rate yet"


def _running_row(view: RunningView) -> tuple[str, str, str]:
    since = "" if view.seconds is None else printing.duration(view.seconds)
    return str(view.task.id), since, shapes.title(view.task, view.action)


def _queue_lines(session: Session) -> list[str]:
    from overnight.ui.cli.commands.queue import queue_rows

    rows = queue_rows(session.store)
    return ["", *printing.table(rows, right=(1, 2, 3))] if rows else []


def _advice(snapshot: Snapshot) -> list[str]:
    """What to type next, if there is something to do."""
    counts = snapshot.counts
    advice = []
    if counts.failed:
        advice.append("'overnight list --state failed' shows what failed, 'overnight retry-failed' tries it again")
    if counts.held:
        advice.append("'overnight list --state held' shows what waits for you")
    if counts.unfinished and snapshot.engine.state is EngineState.STOPPED:
        advice.append("'overnight run' works on what is left")
    return ["", *advice] if advice else []
