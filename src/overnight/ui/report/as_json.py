"""The report as one JSON object. The names are stable; instants are ISO 8601 in UTC, durations are seconds."""

from __future__ import annotations

from typing import Any

from overnight.core.scores import Share
from overnight.core.states import TaskState
from overnight.monitor.report.gathering import Cause, MorningReport, Slow
from overnight.ui.cli import printing, shapes

SCHEMA = "overnight.report/1"


def as_json(report: MorningReport) -> dict[str, Any]:
    """The report as JSON shows it."""
    night, told = report.night, report.scores
    counts = report.picture.counts
    return {
        "schema": SCHEMA,
        "at": printing.iso(report.picture.at),
        "since": printing.iso(report.since),
        "until": printing.iso(report.until),
        "level": report.sentence.level,
        "sentence": shapes.safe(report.sentence.words),
        "engine": report.picture.engine.state,
        "counts": {state.value: getattr(counts, state) for state in TaskState} | {"total": counts.total},
        "finished": {state.value: number for state, number in night.finished.items()},
        "recovered": night.recovered,
        "balanced": not report.troubles,
        "causes": night.causes,
        "failed": [_cause(one) for one in report.failed],
        "held": [_cause(one) for one in report.held],
        "slowest": [_slow(one) for one in report.slowest],
        "crashes_survived": report.crashes,
        "incidents": [
            {
                "kind": one.kind,
                "began_at": printing.iso(one.began_at),
                "ended_at": printing.iso(one.ended_at),
                "words": shapes.safe(one.words),
            }
            for one in report.incidents
        ],
        "scores": {
            "autonomy": _share(told.autonomy),
            "recovery_rate": _share(told.recovery),
            "execution_efficiency": _share(told.efficiency),
        },
        "checkpoints": {"saved": report.checkpoints, "last_at": printing.iso(report.last_checkpoint_at)},
        "span_seconds": night.span_seconds,
        "pace": {"completed": report.pace.completed, "others": report.pace.others},
        "workers": [{"slot": one.slot, "busy": one.busy, "troubled": one.troubled} for one in report.strips],
        "machine": {
            name: [
                {"at": printing.iso(one.at), "mean": one.mean, "least": one.least, "most": one.most} for one in points
            ]
            for name, points in report.machine.items()
        },
    }


def _share(one: Share) -> dict[str, float | None]:
    return {"value": one.value, "part": one.part, "whole": one.whole}


def _cause(cause: Cause) -> dict[str, Any]:
    alike = cause.alike
    return {
        "cause": alike.fingerprint or None,
        "tasks": alike.tasks,
        "before": alike.before,
        "reason": alike.reason,
        "error_class": alike.error_class,
        "error": shapes.safe(alike.error) or None,
        "queue": alike.queue,
        "workflow": alike.workflow or None,
        "newest_id": alike.newest_id,
        "first_at": printing.iso(alike.first_at),
        "last_at": printing.iso(alike.last_at),
        "is_new": cause.is_new,
        "direction": cause.direction,
        "next_step": {"words": cause.step.words, "commands": cause.step.commands},
    }


def _slow(one: Slow) -> dict[str, Any]:
    lasting = one.lasting
    return {
        "id": lasting.task_id,
        "attempt": lasting.number,
        "outcome": lasting.outcome,
        "seconds": lasting.seconds,
        "started_at": printing.iso(lasting.started_at),
        **(shapes.exact("input", one.task.input) if one.task else {"input": None}),
        "title": shapes.safe(one.task.title) if one.task else None,
    }
