"""``show``: all about one task."""

from __future__ import annotations

from typing import Any

import click

from overnight.core.errors import OvernightError
from overnight.core.inputs import shown
from overnight.core.results import spilled
from overnight.core.task import LIMITS, Action, ActionKind, Attempt, Task, text
from overnight.host import results
from overnight.host.home import Home
from overnight.monitor.around import asked_of
from overnight.monitor.frozen import Frozen
from overnight.monitor.nodes import Whereabouts
from overnight.monitor.snapshot import interrupted
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb
from overnight.ui.cli.kinship import kin_of
from overnight.ui.cli.limit_options import spell
from overnight.ui.cli.session import opened
from overnight.ui.cli.values import TaskId


@click.command(cls=Verb)
@click.argument("task_id", type=TaskId(), metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(*, task_id: int, as_json: bool) -> None:
    """Show all about one task and each of its attempts."""
    with opened(readonly=True) as session:
        task = session.store.get(task_id)
        action = session.store.actions({task.action_id}).get(task.action_id)
        attempts = session.store.attempts(task_id)
        kin = kin_of(session.store, task)
        frozen = Frozen(session.home.path).since(task)
        idle = interrupted(session.store, session.home.path)(task)
        asked = asked_of(session.store.orders(), task_id) if idle else ""
    if as_json:
        shape = _shape(session.home, task, action, attempts, frozen) | {"interrupted": idle}
        printing.say(shapes.line(shape | kin.shape()))
        return
    facts = dict(_facts(session.home, task, action, frozen))
    if idle:
        then = f"has it {asked}, as was asked" if asked else "runs it again"
        facts["task"] = f"{task.id}, interrupted: its engine ended while it ran; the next one {then}"
    for name, value in facts.items():
        if value:
            printing.say(f"{name + ':':<13}{printing.clean(value)}")
    for name, value in kin.facts():
        printing.say(f"{name + ':':<13}{printing.clean(value)}")
    if kin.children:
        printing.say()
        for text_line in printing.table(kin.rows(), right=(0,)):
            printing.say(text_line)
        printing.say("'overnight show ID' shows a step, 'overnight log ID' prints what it printed")
    if attempts:
        printing.say()
        for text_line in printing.table([_row(attempt) for attempt in attempts], right=(0,)):
            printing.say(text_line)
        printing.say(f"'overnight log {task_id}' prints what it printed")


def _shape(
    home: Home, task: Task, action: Action | None, attempts: list[Attempt], frozen: float | None
) -> dict[str, Any]:
    import msgspec

    shape = shapes.task_shape(task, action, frozen)
    shape["failures"], shape["deaths"], shape["generation"] = task.failures, task.deaths, task.generation
    shape["fingerprint"] = task.fingerprint or None
    shape["timeout"] = action.timeout if action else None
    shape["limits"] = {name: getattr(action, name) for name in LIMITS} if action else None
    shape["retries"] = action.retries if action else None
    shape["attempts"] = [shapes.attempt_shape(attempt) for attempt in attempts]
    shape["node"] = Whereabouts(home.path).of(task) or None
    shape["needs"] = task.needs
    shape["keep_children"] = bool(action and action.keep_children)
    shape["left_running"] = _left_running(home, task, action)
    try:
        result = results.read(home.results, task.result)
    except OvernightError as error:
        printing.note(f"overnight: {error.message}")
        result = b""
    shape["result"] = msgspec.Raw(result) if result else None
    return shape


def _facts(home: Home, task: Task, action: Action | None, frozen: float | None) -> list[tuple[str, str]]:
    """Everything worth a line, most important first. Empty values are left out by the caller."""
    facts = [
        ("task", f"{task.id}, {task.state}" + (f" ({task.reason})" if task.reason else "")),
        ("title", task.title),
        ("description", task.description),
        ("error", task.error),
        ("error class", task.error_class or ""),
        ("cause", task.fingerprint),
        ("input", shown(task.input)),
    ]
    if action is not None:
        retries = printing.count(action.retries, "retry", "retries")
        limit = "none" if action.timeout is None else printing.duration(action.timeout)
        facts += [
            ("command", " ".join(_quoted(word) for word in action.argv)),
            ("workflow", action.call if action.kind is ActionKind.WORKFLOW else ""),
            ("function", "" if action.kind is ActionKind.WORKFLOW else action.call),
            ("directory", text(action.cwd)),
            ("limits", ", ".join([f"{limit} an attempt", *spell(action), retries])),
            ("keeps", _kept(home, task, action)),
        ]
    return [
        *facts,
        ("queue", f"{task.queue}, priority {task.priority}"),
        ("needs", ", ".join(f"{amount:g} {name}" for name, amount in task.needs.items())),
        ("attempts", f"{task.attempt}, {printing.count(task.failures, 'failure')} counted"),
        ("added", printing.clock(task.added_at)),
        ("not before", _clock(task.not_before)),
        ("started", _clock(task.started_at)),
        ("node", Whereabouts(home.path).of(task)),
        ("frozen", "" if frozen is None else f"since {_clock(frozen)}"),
        ("finished", _clock(task.finished_at)),
        ("result", _result(home, task)),
    ]


def _kept(home: Home, task: Task, action: Action) -> str:
    """What its command may leave running, and has."""
    if not action.keep_children:
        return ""
    pids = _left_running(home, task, action)
    listed = f"; running now: {', '.join(map(str, pids))}" if pids else ""
    return f"what its command leaves running goes on when that has ended well{listed}"


def _left_running(home: Home, task: Task, action: Action | None) -> list[int]:
    """The processes that it has left running on purpose."""
    if action is None or not action.keep_children:
        return []
    from overnight.host import kept  # hardly any task has need of it

    return sorted(pid for left in kept.left_by(task.id, home.cookie()) for pid in left.pids)


def _result(home: Home, task: Task) -> str:
    """A result that fits into the store, or where a larger one lies."""
    large = spilled(task.result)
    if large is None:
        return text(task.result)
    return f"{printing.size(large.size_bytes)} in {home.results / large.name}"


def _quoted(word: bytes) -> str:
    from shlex import quote

    return quote(text(word))


def _clock(at: float | None) -> str:
    return "" if at is None else printing.clock(at)


def _row(attempt: Attempt) -> tuple[str, str, str, str, str]:
    ended = attempt.outcome.value
    if attempt.exit_code is not None and attempt.exit_code != 0:
        ended += f", exit {attempt.exit_code}"
    if attempt.signal is not None:
        ended += f", signal {attempt.signal}"
    used = [f"cpu {printing.duration(attempt.cpu_seconds)}"] if attempt.cpu_seconds is not None else []
    used += [f"memory {printing.size(attempt.peak_memory_bytes)}"] if attempt.peak_memory_bytes else []
    used = [f"on {attempt.node}", *used] if attempt.node else used
    used += [f"output {printing.size(attempt.output.printed)}"] if attempt.output else []
    began = attempt.started_at if attempt.started_at is not None else attempt.finished_at
    return (
        f"attempt {attempt.number}",
        printing.clock(began),
        printing.duration(attempt.seconds),
        ended,
        ", ".join(used),
    )
