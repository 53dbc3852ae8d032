"""``status``: how it goes, in one look. Also what ``overnight`` alone says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from overnight import wiring
from overnight.core import storms
from overnight.core.errors import UsageError
from overnight.core.scores import WINDOW, scores
from overnight.core.slots import Bounds
from overnight.core.states import TaskState
from overnight.core.storms import Storm
from overnight.host.home import Home
from overnight.monitor.elsewhere import elsewhere
from overnight.monitor.heartbeats import Beat
from overnight.monitor.snapshot import EngineState, RunningView, Snapshot, SupervisorView, take
from overnight.monitor.standing import sentence_of
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb
from overnight.ui.cli.session import Session, opened
from overnight.ui.cli.values import Duration

if TYPE_CHECKING:  # most looks ask no check
    from overnight.ui.cli.glance import Glance

#: Exit status of ``--check`` when no engine runs.
_NOT_RUNNING = 3
#: Schedules that are shown.
_SOON = 3
#: Running tasks that are shown without ``--detailed``.
_FEW = 8


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--format", "form", type=click.Choice(["text", "json", "html"]), default="text", help="How to say it.")
@click.option("--detailed", is_flag=True, help="Everything: each running task, queues, scores, and what checks find.")
@click.option("--include-resources", "resources", is_flag=True, help="Show the machine: CPU, memory, disk, network.")
@click.option("--check", is_flag=True, help="Exit with 3 when no engine runs.")
@click.option("--watch", is_flag=True, help="Say it again and again, until Ctrl-C.")
@click.option("--interval", type=Duration(), default="5s", show_default=True, help="With --watch: how often.")
def status(
    *, as_json: bool, form: str, detailed: bool, resources: bool, check: bool, watch: bool, interval: float
) -> int:
    """Say how it goes, the worst first: one sentence, then engine, counts, what runs, the rate and the time left.

    --format html prints a page that stands alone, as it is at this moment.

    Exits with 0, whether an engine runs or not; with --check, 3 when none does.
    """
    form = "json" if as_json else form
    if watch and form == "html":
        raise UsageError("a page that stands alone is printed once; nothing was said", hint="'overnight dashboard'")
    if watch:
        from overnight.ui.cli.again import again_and_again

        return again_and_again(lambda: _said(form, detailed=detailed, resources=resources).lines, interval)
    said = _said(form, detailed=detailed, resources=resources)
    for line in said.lines:
        printing.say(line)
    return _NOT_RUNNING if check and said.is_stopped else 0


class _Said(NamedTuple):
    """One look: what is printed, and whether no engine runs."""

    lines: list[str]
    is_stopped: bool


def _said(form: str, *, detailed: bool, resources: bool) -> _Said:
    with opened(readonly=True) as session:
        found = _glance(session) if detailed else None
        snapshot = take(session.store, session.home.path, now=wiring.clock.now())
        if form == "json":
            lines = [shapes.line(_whole_shape(snapshot, session, found, resources=resources))]
        elif form == "html":
            from overnight.monitor.machine import machine_view
            from overnight.ui.report.status_page import status_page

            lines = [status_page(snapshot, machine_view(session.home.path, now=snapshot.at), found)]
        else:
            columns = printing.width() if printing.on_terminal() else 10_000
            told = _lines(snapshot, session, found, resources=resources)
            lines = [line for whole in told for line in printing.wrapped(whole, columns)]
    return _Said(lines, snapshot.engine.state is EngineState.STOPPED)


def _whole_shape(snapshot: Snapshot, session: Session, found: Glance | None, *, resources: bool) -> dict[str, Any]:
    more: dict[str, Any] = {} if found is None else {"scores": _scores_shape(session), "findings": found}
    if moved := elsewhere(session.store, session.home):
        more["moved"] = {"was": shapes.safe(moved.was), "tasks": moved.count}
    return _shape(snapshot) | more | _resources_shape(session, snapshot, wanted=resources)


def _glance(session: Session) -> Glance:
    from overnight.ui.cli.glance import glance
    from overnight.ui.cli.settings import in_use

    _, configured = in_use()
    return glance(session.home, configured)


def _shape(snapshot: Snapshot) -> dict[str, Any]:
    engine, counts = snapshot.engine, snapshot.counts
    stands = sentence_of(snapshot)
    return {
        "sentence": shapes.safe(stands.words),
        "level": stands.level,
        "engine": {
            "state": engine.state,
            "pid": engine.pid,
            "uptime_seconds": engine.uptime_seconds,
            "last_heartbeat": printing.iso(_last_heard_of(snapshot)),
            "workers": engine.slots,
            "workers_active": engine.active,
            "slots": None if engine.bounds is None else _slots_shape(engine.slots, engine.bounds),
            "gates": [
                {"gate": it.gate, "available_bytes": it.available_bytes, "needed_bytes": it.needed_bytes}
                for it in engine.gates
            ],
            "containment": engine.containment or None,
            "supervisor": None if engine.supervisor is None else _supervisor_shape(engine.supervisor),
        },
        "counts": {state.value: getattr(counts, state) for state in TaskState} | {"total": counts.total},
        "steps": counts.steps,
        "interrupted": snapshot.interrupted,
        "removed": counts.removed,
        "unaccounted": snapshot.unaccounted,
        "paused": snapshot.paused or None,
        "storms": [_storm_shape(storm) for storm in snapshot.storms],
        "schedules": [
            {"name": one.schedule.name, "next_at": printing.iso(one.next_at), "missed_runs": one.missed}
            for one in snapshot.schedules
        ],
        "rate_per_second": snapshot.rate_per_second,
        "seconds_left": snapshot.seconds_left,
        "heartbeat": None if snapshot.heartbeat is None else _beat_shape(snapshot.heartbeat),
        "running": [
            {
                "id": view.task.id,
                "attempt": view.task.attempt,
                "title": shapes.safe(view.task.title),
                **shapes.exact("input", view.task.input),
                "queue": view.task.queue,
                "started_at": printing.iso(view.task.started_at),
                "seconds": view.seconds,
                "interrupted": view.interrupted,
                "steps": view.steps,
                "progress": view.report.progress if view.report else None,
                "message": view.report.message if view.report else None,
                "frozen_since": printing.iso(view.frozen_since),
                "node": view.node or None,
            }
            for view in snapshot.running
        ],
        "nodes": None if snapshot.nodes is None else shapes.nodes_shape(snapshot.nodes),
        "health": {"state": "ok" if snapshot.healthy else "warning", "why": engine.why},
    }


def _last_heard_of(snapshot: Snapshot) -> float | None:
    """POSIX seconds; of an engine that is no more what the heartbeat log has of it."""
    if snapshot.engine.last_heartbeat is not None or snapshot.heartbeat is None:
        return snapshot.engine.last_heartbeat
    return snapshot.heartbeat.at.timestamp()


def _slots_shape(now: int | None, bounds: Bounds) -> dict[str, Any]:
    return {"now": now, "least": bounds.least, "most": bounds.most, "auto": bounds.auto}


def _beat_shape(beat: Beat) -> dict[str, Any]:
    return {
        "at": printing.iso(beat.at.timestamp()),
        "completed": beat.completed,
        "active": beat.active,
        "tasks": beat.tasks,
    }


def _supervisor_shape(watch: SupervisorView) -> dict[str, Any]:
    return {
        "pid": watch.pid,
        "alive": watch.alive,
        "gave_up": watch.gave_up,
        "restarts": watch.restarts,
        "last_crash": watch.last_crash or None,
        "last_crash_at": printing.iso(watch.last_crash_at),
    }


def _storm_shape(storm: Storm) -> dict[str, Any]:
    return {
        "name": storms.name(storm),
        "workflow": storm.subject.workflow or None,
        "step": storm.subject.step or None,
        "queue": storm.queue,
        "cause": storm.fingerprint,
        "error_class": storm.error_class,
        "error": shapes.safe(storm.error),
        "failures": storm.failures,
        "probes": storm.probes,
        "began_at": printing.iso(storm.began_at),
        "probe_at": printing.iso(storm.probe_at),
    }


def _storm_lines(snapshot: Snapshot) -> list[str]:
    """What stands still because it failed for so many, and what ends that."""
    lines = []
    for storm in snapshot.storms:
        left = storm.probe_at - snapshot.at
        when = f"in {printing.duration(left)}" if left > 0 else "next"
        words = f"{storms.sentence(storm)}; the others wait, and one of them is tried {when}"
        lines.append(f"{printing.clean(words)}; 'overnight unpause {storms.name(storm)}' lets all of them go on")
    return lines


def _resources_shape(session: Session, snapshot: Snapshot, *, wanted: bool) -> dict[str, Any]:
    if not wanted:
        return {}
    from overnight.monitor.machine import machine_view
    from overnight.ui.cli.resources import engine_memory, memory_shape, resources_shape

    machine = resources_shape(machine_view(session.home.path, now=snapshot.at, names=()))
    return {"resources": machine | memory_shape(engine_memory(snapshot))}


def _resource_lines(session: Session, snapshot: Snapshot) -> list[str]:
    from overnight.monitor.machine import machine_view
    from overnight.ui.cli.resources import engine_memory, memory_lines, resource_lines

    machine = resource_lines(machine_view(session.home.path, now=snapshot.at), now=snapshot.at)
    return ["", *machine, *memory_lines(engine_memory(snapshot))]


def _moved_lines(session: Session) -> list[str]:
    found = elsewhere(session.store, session.home)
    return [printing.clean(f"{found.words()}; {found.advice()}")] if found else []


def _lines(snapshot: Snapshot, session: Session, found: Glance | None, *, resources: bool) -> list[str]:
    """For people. `found`: what the checks say, where everything is wanted."""
    lines = [printing.clean(sentence_of(snapshot).words)]
    if found is not None:
        from overnight.ui.cli.glance import failing, lines_of

        lines += failing(found)
    lines += [
        _engine_line(snapshot),
        *_node_lines(snapshot),
        *_supervisor_lines(snapshot),
        *_storm_lines(snapshot),
        *_moved_lines(session),
    ]
    lines += [_counts_line(snapshot), *_steps_lines(snapshot), *_interrupted_lines(snapshot)]
    lines += _schedule_lines(snapshot)
    if snapshot.counts.unfinished and snapshot.engine.state not in (EngineState.STOPPED, EngineState.PAUSED):
        lines.append(_pace_line(snapshot))
    shown = snapshot.running if found is not None else snapshot.running[:_FEW]
    if shown:
        lines += ["", *printing.table([_running_row(view) for view in shown], right=(0, 1), last=printing.room())]
    hidden = snapshot.counts.running - len(shown)
    if hidden > 0 and shown:
        lines.append(f"... and {hidden:,} more")
    if found is not None:
        lines += ["", *_machine_lines(snapshot), *_score_lines(session), *_queue_lines(session), *_containment_lines()]
        lines += ["", *lines_of(found)]
    if resources:
        lines += _resource_lines(session, snapshot)
    return lines + _advice(snapshot, session.home)


def _engine_line(snapshot: Snapshot) -> str:
    engine = snapshot.engine
    words = f"engine {engine.state}"
    if engine.pid is not None:
        words += f", pid {engine.pid}"
    if engine.uptime_seconds is not None:
        words += f", for {printing.duration(engine.uptime_seconds)}"
    if engine.slots is not None:
        words += f", {printing.count(engine.slots, 'worker')}"
    if engine.last_heartbeat is not None:
        words += f", last heard of {printing.duration(max(0.0, snapshot.at - engine.last_heartbeat))} ago"
    return words + (f": {printing.clean(engine.why)}" if engine.why else "")


def _node_lines(snapshot: Snapshot) -> list[str]:
    """The nodes on which it runs. What they were when it ended, 'nodes list' says."""
    if snapshot.nodes is None or snapshot.engine.state is EngineState.STOPPED:
        return []
    return [printing.clean(snapshot.nodes.words(snapshot.at))]


def _machine_lines(snapshot: Snapshot) -> list[str]:
    """What the machine lets the engine do, and its last heartbeat."""
    engine, beat = snapshot.engine, snapshot.heartbeat
    lines = []
    if engine.slots is not None and engine.bounds is not None:
        bounds = engine.bounds
        range_of = f", auto between {bounds.least} and {bounds.most}" if bounds.auto else f" of {bounds.most}"
        lines.append(f"slots: {engine.slots}{range_of}; {printing.count(engine.active or 0, 'worker')} active")
    lines += [
        f"{it.gate} gate: {printing.size(it.available_bytes)} left, {printing.size(it.needed_bytes)} needed"
        for it in engine.gates
    ]
    if engine.containment:
        lines.append(f"containment: {printing.clean(engine.containment)}")
    if beat is not None:
        ago = printing.duration(max(0.0, snapshot.at - beat.at.timestamp()))
        at = f", at {', '.join(str(task_id) for task_id in beat.tasks[:_FEW])}" if beat.tasks else ""
        workers = printing.count(beat.active, "worker")
        lines.append(f"heartbeat {ago} ago: {beat.completed:,} completed, {workers} active{at}")
    return lines


def _supervisor_lines(snapshot: Snapshot) -> list[str]:
    """Who watches over the engine, and what there was to do."""
    watch = snapshot.engine.supervisor
    if watch is None:
        return []
    words = f"supervisor pid {watch.pid}"
    if watch.gave_up:
        words = "its supervisor gave up"
    elif not watch.alive:
        words += ", which is gone: nobody starts the engine again when it crashes"
    if watch.restarts:
        words += f", {printing.count(watch.restarts, 'restart')}"
    if watch.last_crash:
        when = "" if watch.last_crash_at is None else f" at {printing.clock(watch.last_crash_at)}"
        words += f"; an engine {printing.clean(watch.last_crash)}{when}"
    return [words]


def _counts_line(snapshot: Snapshot) -> str:
    counts = snapshot.counts
    if not counts.total:
        return "no tasks" + (f" ({counts.removed:,} removed)" if counts.removed else "")
    numbers = {state.value: getattr(counts, state) for state in TaskState}
    numbers[TaskState.RUNNING] -= snapshot.interrupted
    numbers["interrupted"] = snapshot.interrupted
    states = [f"{number:,} {state}" for state, number in numbers.items() if number]
    return f"{printing.count(counts.total, 'task')}: {', '.join(states)}"


def _interrupted_lines(snapshot: Snapshot) -> list[str]:
    """What becomes of tasks that ran when their engine ended: the books say so until somebody can look."""
    if not snapshot.interrupted:
        return []
    return ["interrupted: the engine ended while they ran; the next one sees them dead and runs them again"]


def _steps_lines(snapshot: Snapshot) -> list[str]:
    """How the steps of workflows stand, where there are any."""
    steps = snapshot.counts.steps
    states = [f"{steps[state]:,} {state}" for state in TaskState if steps.get(state)]
    return [f"{printing.count(sum(steps.values()), 'step')}: {', '.join(states)}"] if states else []


def _schedule_lines(snapshot: Snapshot) -> list[str]:
    """What runs next by the clock."""
    coming = sorted((one.next_at, one.schedule.name) for one in snapshot.schedules if one.next_at is not None)
    if not coming:
        return []
    words = [
        f"{name} " + (f"in {printing.duration(at - snapshot.at)}" if at > snapshot.at else "due")
        for at, name in coming[:_SOON]
    ]
    more = f" and {len(coming) - _SOON} more" if len(coming) > _SOON else ""
    return [f"next by the clock: {printing.clean(', '.join(words))}{more}"]


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
    if view.interrupted:
        since = "interrupted"
    words = [f"on {view.node}"] if view.node else []
    words += ["frozen"] if view.frozen_since is not None else []
    words += [f"[{', '.join(view.steps)}]"] if view.steps else []
    if view.report is not None:
        words += [f"{view.report.progress:.0%}"] if view.report.progress is not None else []
        words += [view.report.message] if view.report.message else []
    said = "  " + printing.clean(" ".join(words)) if words else ""
    return str(view.task.id), since, shapes.title(view.task, view.action) + said


def _scores_shape(session: Session) -> dict[str, Any]:
    """Each share with its counts (seconds for the last one); no value where there is nothing to be a share of."""
    found = scores(session.store.scored(WINDOW))
    shares = {"autonomy": found.autonomy, "recovery_rate": found.recovery, "execution_efficiency": found.efficiency}
    return {name: {"value": one.value, "part": one.part, "whole": one.whole} for name, one in shares.items()} | {
        "newest_tasks": WINDOW
    }


def _score_lines(session: Session) -> list[str]:
    """How well it went without anybody."""
    found = scores(session.store.scored(WINDOW))
    lines = []
    if found.autonomy.value is not None:
        counts = f"{found.autonomy.part:,.0f} of {found.autonomy.whole:,.0f} tasks completed without a person"
        lines.append(f"autonomy: {found.autonomy.value:.3f}; {counts}")
    if found.recovery.value is not None:
        counts = f"{found.recovery.part:,.0f} of {found.recovery.whole:,.0f} that met an error completed after it"
        lines.append(f"recovery rate: {found.recovery.value:.3f}; {counts}")
    if found.efficiency.value is not None:
        useful, all_of_it = printing.duration(found.efficiency.part), printing.duration(found.efficiency.whole)
        lines.append(f"execution efficiency: {found.efficiency.value:.3f}; {useful} of {all_of_it} led to a completion")
    return [*lines, f"(of the newest {WINDOW:,} tasks)"] if lines else []


def _queue_lines(session: Session) -> list[str]:
    from overnight.ui.cli.commands.queue import queue_rows

    rows = queue_rows(session.store)
    return ["", *printing.table(rows, right=(1, 2, 3))] if rows else []


def _containment_lines() -> list[str]:
    """What holds the processes of tasks together here, and what may be left behind all the same."""
    from overnight.executors.local.containment import containment
    from overnight.ui.cli.settings import in_use

    settings, _ = in_use()
    *layers, left = containment(settings.isolation)
    words = [(layer.name, layer.words if layer.holds else f"no: {layer.words}") for layer in layers]
    lines = [f"  {name + ':':<15}{printing.clean(said)}" for name, said in [*words, (left.name, left.words)]]
    return ["", f"containment (isolation = {settings.isolation!r})", *lines]


def _advice(snapshot: Snapshot, home: Home) -> list[str]:
    """What to type next, if there is something to do."""
    counts = snapshot.counts
    advice = []
    if counts.failed:
        advice.append("'overnight list --state failed' shows what failed, 'overnight retry-failed' tries it again")
    if counts.held:
        advice.append("'overnight list --state held' shows what waits for you")
    if snapshot.paused and snapshot.engine.state is EngineState.STOPPED:
        advice.append(f"{printing.clean(snapshot.paused)} is paused: 'overnight unpause' lets tasks start again")
    if counts.unfinished and snapshot.engine.state is EngineState.STOPPED:
        advice.append("'overnight run' works on what is left, 'overnight start' does so in the background")
    watch = snapshot.engine.supervisor
    if watch is not None and watch.gave_up:
        advice.append(f"'tail {printing.place(os.fspath(home.log))}' shows why, 'overnight start' tries again")
    elif watch is not None and not watch.alive:
        advice.append("'overnight restart' lets what runs finish and starts a new one")
    return ["", *advice] if advice else []
