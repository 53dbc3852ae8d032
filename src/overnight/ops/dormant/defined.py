"""The parts that ``overnight.toml`` or a program has defined, each with what is known of its runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import apsw

from overnight.core.calendars import instants
from overnight.core.check_tables import Asked
from overnight.core.configuration import Configuration
from overnight.core.dormancy import Kind, Part, Past
from overnight.core.errors import NotFoundError
from overnight.core.lanes import switch_of
from overnight.core.schedules import Scheduled
from overnight.core.states import TaskState
from overnight.core.workflow.model import Input, Workflow
from overnight.core.workflow.records import Defined
from overnight.engine.scheduling import calendar_of
from overnight.host.clock import zone_of
from overnight.monitor.history.asking import Past as History
from overnight.monitor.history.standing import standing
from overnight.ops.workflow_checks import Machine
from overnight.store.contract import Store
from overnight.store.records import Query

#: Messages that are asked whether they arrived, and tasks among which the one of a schedule is looked for.
_MESSAGES, _TASKS = 1000, 50
_NEVER, _SOME_TIME = Past(), Past(has_run=True, has_succeeded=True)
#: Who defines workflows: people, and we ourselves, whose nobody need use.
_FILE, _OURS = "overnight.toml", "overnight"


class Definitions:
    """The parts of one configuration.

    Args:
        configured: What it says.
        store: Where tasks are; None when there are none yet.
        history: ``history.db``, be it there or not; None where there is no home.
        written_at: When the configuration was changed last, POSIX seconds.
        now: POSIX seconds.
    """

    def __init__(
        self,
        configured: Configuration,
        store: Store | None,
        history: Path | None,
        *,
        written_at: float | None,
        now: float,
    ) -> None:
        self._configured = configured
        self._store = store
        self._history = history
        self._written_at = written_at
        self._now = now
        self._paused = (
            {one.name for one in store.queues() if one.paused and one.paused_until is None} if store else set()
        )
        self._ran = _ran(history) if history else {}

    def workflows(self, machine: Machine) -> Iterator[Part]:
        """Those of the file, and those that programs have defined."""
        stored = {one.name: one for one in self._store.workflows()} if self._store else {}
        known = {name: one for name, one in stored.items() if one.source not in (_FILE, _OURS)}
        for name, workflow in self._configured.workflows.items():
            yield self._workflow(workflow, stored.get(name), machine, file=_FILE)
        for name, defined in known.items():
            if name not in self._configured.workflows:
                yield self._workflow(defined.workflow, defined, machine, file=defined.source)

    def _workflow(self, workflow: Workflow, defined: Defined | None, machine: Machine, *, file: str) -> Part:
        wrong = machine.check(workflow)
        is_paused = switch_of(workflow.name) in self._paused
        programs = [step.run[0] for step in workflow.nodes if step.run and "{" not in step.run[0]]
        return Part(
            kind=Kind.WORKFLOW,
            name=workflow.name,
            file=file,
            steps=len(workflow.nodes),
            since=defined.defined_at if defined else self._written_at,
            needs=tuple(dict.fromkeys([*programs, *(step.call for step in workflow.nodes if step.call)])),
            missing=wrong[0].what if wrong else "",
            disabled="paused" if is_paused else "",
            switch=("overnight", "unpause", "-w", workflow.name) if is_paused else (),
            takes_input=workflow.input is not Input.VALUE or bool(workflow.match),
            past=self._past_of(workflow.name),
            permanent=self._configured.permanent.get(f"workflow.{workflow.name}", ""),
        )

    def _past_of(self, workflow: str) -> Past:
        """What its tasks tell; where none is left of them, what the history knows of its steps."""
        if self._store is None:
            return _NEVER
        ended = {state: self._newest(workflow, state) for state in (TaskState.COMPLETED, TaskState.FAILED)}
        moments = [at for at in ended.values() if at is not None]
        if moments:
            return _ran_at(max(moments), has_succeeded=ended[TaskState.COMPLETED] is not None)
        return self._ran.get(workflow, _NEVER)

    def _newest(self, workflow: str, state: TaskState) -> float | None:
        assert self._store is not None  # noqa: S101 - asked by the only caller
        found = self._store.tasks(Query(workflow=workflow, states=(state,), limit=1))
        return (found[0].finished_at or found[0].added_at) if found else None

    def schedules(self) -> Iterator[Part]:
        """What runs by the clock."""
        stored = {one.schedule.name: one for one in self._store.schedules()} if self._store else {}
        for name, schedule in self._configured.schedules.items():
            found = stored.get(name)
            is_over = found is not None and found.next_at is None
            yield Part(
                kind=Kind.SCHEDULE,
                name=name,
                file=_FILE,
                since=found.began_at if found else self._written_at,
                needs=tuple(one for one in (schedule.workflow, schedule.call, *schedule.run[:1]) if one),
                disabled=f"its last moment has passed; change when [schedules.{name}] runs, or remove it"
                if is_over
                else "",
                past=self._past_of_schedule(found) if found else _NEVER,
                is_overdue=found is not None and self._is_overdue(found),
                permanent=self._configured.permanent.get(f"schedules.{name}", ""),
            )

    def _past_of_schedule(self, found: Scheduled) -> Past | None:
        """What is known of the last run; nothing is asked of one whose first time has not come."""
        if found.last_at is None or found.last_id is None or self._store is None:
            return None if found.next_at is not None and found.next_at > self._now else _NEVER
        try:
            has_failed = self._store.get(found.last_id).state is TaskState.FAILED
        except NotFoundError:
            has_failed = False
        if has_failed:
            title = found.task.title
            good = self._store.tasks(Query(words=title, states=(TaskState.COMPLETED,), limit=_TASKS))
            return _ran_at(found.last_at, has_succeeded=any(task.title == title for task in good))
        return _ran_at(found.last_at, has_succeeded=True)

    def _is_overdue(self, found: Scheduled) -> bool:
        """Whether it should have run, and should have run again since."""
        if found.next_at is None or found.next_at > self._now:
            return False
        return next(instants(calendar_of(found, zone_of), after=found.next_at, until=self._now), None) is not None

    def telling(self, reached: Collection[str], *, is_watched: bool, reports: Collection[str]) -> Iterator[Part]:
        """Alerts and their targets.

        Args:
            reached: Targets that a message has reached, as far as that is on record elsewhere.
            is_watched: Whether somebody judges alerts at all.
            reports: Targets to which reports are sent.
        """
        permanent = self._configured.permanent
        wanted = {target for rule in self._configured.alerts.values() for target in rule.targets} | set(reports)
        for name, rule in self._configured.alerts.items():
            off = "" if is_watched else "nobody watches; write [monitor] enabled = true"
            reason = permanent.get(f"alerts.{name}", "")
            yield Part(kind=Kind.ALERT, name=name, file=_FILE, needs=rule.targets, disabled=off, permanent=reason)
        delivered = self._delivered() if self._configured.targets else set()
        for name, target in self._configured.targets.items():
            yield Part(
                kind=Kind.TARGET,
                name=name,
                file=_FILE,
                since=self._written_at,
                needs=(target.kind,),
                is_named=name in wanted,
                is_tested=name in reached or name in delivered,
                permanent=permanent.get(f"targets.{name}", ""),
            )

    def _delivered(self) -> set[str]:
        """Targets that a message of an alert has reached."""
        if self._history is None or self._store is None:
            return set()
        sent = standing(self._history, now=self._now, messages=_MESSAGES).messages
        tasks = {one.task: one.message.target for one in sent if one.task is not None}
        states = self._store.states(tasks)
        return {target for task, target in tasks.items() if states.get(task) is TaskState.COMPLETED}

    def checks(self, path: str) -> Iterator[Part]:
        """Checks of people's own; programs are looked for in `path`, as ``PATH`` says it."""
        for name, check in self._configured.checks.items():
            program = check.words[0] if check.asked is Asked.RUN else ""
            is_there = not program or shutil.which(program, path=path) is not None
            yield Part(
                kind=Kind.CHECK,
                name=name,
                file=_FILE,
                needs=(program,) if program else (),
                missing="" if is_there else f"it runs {program!r}, and there is none on PATH",
                permanent=self._configured.permanent.get(f"check.{name}", ""),
            )

    def queues(self) -> Iterator[Part]:
        """Queues about which the file says something."""
        for name in self._configured.queues:
            if name == "default":
                continue
            is_used = self._store is not None and bool(self._store.counts(queue=name).total)
            yield Part(
                kind=Kind.QUEUE,
                name=name,
                file=_FILE,
                since=self._written_at,
                disabled="paused" if name in self._paused else "",
                switch=("overnight", "unpause", name),
                past=_SOME_TIME if is_used or f"queue {name}" in self._ran else _NEVER,
                permanent=self._configured.permanent.get(f"queue.{name}", ""),
            )


def _ran_at(at: float, *, has_succeeded: bool) -> Past:
    return Past(has_run=True, has_succeeded=has_succeeded, last_run=at)


def _ran(history: Path) -> Mapping[str, Past]:
    """What the history knows of workflows, and of queues as ``queue NAME``; nothing where there is none."""
    try:
        with closing(History(history)) as past:
            totals = past.totals()
    except apsw.Error:
        return {}
    names = {name for one in totals if one.n for name in (one.workflow, f"queue {one.queue}")}
    return dict.fromkeys(names, _SOME_TIME)


def written(path: Path) -> float | None:
    """When a file was changed last, POSIX seconds; None when it is not there."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def machine_at(directory: Path, environ: Mapping[str, str], roots: Sequence[str]) -> Machine:
    """Who looks for what workflows need, as tasks that run there would."""
    return Machine(directory, environ, [os.fspath(directory / "src"), *roots])
