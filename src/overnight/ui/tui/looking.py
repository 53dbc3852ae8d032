"""What the screen shows, read from a home: one page of tasks however many there are, and nothing twice.

Nothing is read while nothing has changed: the store's change token and the seconds that a screen shows decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.answers import Cause
from overnight.core.sentence import Sentence
from overnight.core.states import TaskState
from overnight.core.task import Action, Task
from overnight.executors.local.last_words import LastWords
from overnight.host.files import file_at
from overnight.monitor.machine import MachineView, machine_view
from overnight.monitor.snapshot import RunningView, Snapshot, take
from overnight.monitor.standing import sentence_of
from overnight.store.contract import Query, Store
from overnight.ui.cli import printing, shapes

#: Seconds after which everything is read again though nothing has changed, and between two looks at what costs more.
STALE, SLOW = 1.0, 5.0
#: Causes that are shown; tasks that a filter goes through for one page.
MOST_CAUSES, MOST_FILTERED = 6, 5000
_PAGE = 500
#: What is drawn of the machine.
_DRAWN = ("cpu", "memory_available", "disk_free", "load")


class Choice(msgspec.Struct, frozen=True):
    """Which tasks are shown: one of the keys 1 to 5, and what their name or error must contain."""

    name: str
    states: tuple[TaskState, ...]


#: By their keys.
CHOICES: Mapping[str, Choice] = {
    "1": Choice("running", (TaskState.RUNNING,)),
    "2": Choice("failed", (TaskState.FAILED, TaskState.HELD)),
    "3": Choice("queued", (TaskState.PENDING, TaskState.WAITING)),
    "4": Choice("done", (TaskState.COMPLETED, TaskState.CANCELLED)),
    "5": Choice("all", ()),
}


class Row(msgspec.Struct, frozen=True):
    """A task as a row of the table; all of it safe to print."""

    id: int
    state: str
    since: str
    #: A fraction, 0 to 1; None: it has not said.
    progress: float | None
    what: str
    said: str


class Look(msgspec.Struct, frozen=True):
    """Everything that one drawing of the screen shows."""

    picture: Snapshot
    sentence: Sentence
    rows: list[Row]
    causes: list[Cause]
    machine: MachineView


class Watcher:
    """Looks at a home.

    Args:
        home: Its directory.
        open_store: Opens its store to read.
        now: The wall clock, POSIX seconds.
    """

    def __init__(self, home: Path, open_store: Callable[[], Store], now: Callable[[], float]) -> None:
        self.home = home
        self._open = open_store
        self._now = now
        self._store = open_store()
        self._file = file_at(home / "queue.db")
        self._words = LastWords(home / "output")
        self._asked: tuple[object, ...] = ()
        self._seen: tuple[int, float] = (-1, 0.0)
        self._causes: list[Cause] = []
        self._causes_of = (-1, 0.0)
        self._machine = MachineView()
        self._machine_at = 0.0

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    @property
    def store(self) -> Store:
        """The store, for what is asked about one task. Another one after a rollback.

        Raises:
            OvernightError: It cannot be opened at the moment.
        """
        if (file := file_at(self.home / "queue.db")) != self._file and file is not None:
            before, self._store = self._store, self._open()
            self._file = file
            before.close()
        return self._store

    def forget(self) -> None:
        """The next look is a whole one, whatever has changed."""
        self._asked = ()

    def look(self, choice: Choice, words: str, *, before: int | None, limit: int) -> Look | None:
        """A look at everything; None when it would be the same as the last one.

        Args:
            choice: Which states.
            words: What the name or the error of a task must contain; empty for everything.
            before: Show those with an id below; None: the newest.
            limit: Rows that there is room for.

        Raises:
            OvernightError: The store cannot be read at the moment.
        """
        store, now = self.store, self._now()
        token, asked = store.change_token(), (choice, words, before, limit)
        if asked == self._asked and token == self._seen[0] and 0 <= now - self._seen[1] < STALE:
            return None
        self._asked, self._seen = asked, (token, now)
        picture = take(store, self.home, now=now)
        return Look(
            picture,
            sentence_of(picture),
            self._rows(store, picture, choice, words.casefold(), before, limit),
            self._failed(store, picture.counts.failed, now),
            self._figures(now),
        )

    # -- what costs more ---------------------------------------------------------------------

    def _failed(self, store: Store, failed: int, now: float) -> list[Cause]:
        count, at = self._causes_of
        if failed != count and (count < 0 or abs(now - at) >= SLOW or failed == 0):
            self._causes = store.causes(MOST_CAUSES) if failed else []
            self._causes_of = (failed, now)
        return self._causes

    def _figures(self, now: float) -> MachineView:
        if abs(now - self._machine_at) >= SLOW:
            self._machine, self._machine_at = machine_view(self.home, now=now, names=_DRAWN), now
        return self._machine

    # -- rows --------------------------------------------------------------------------------

    def _rows(
        self, store: Store, picture: Snapshot, choice: Choice, words: str, before: int | None, limit: int
    ) -> list[Row]:
        said = self._words.look()
        views = {view.task.id: view for view in picture.running}
        rows: list[Row] = []
        for task, action in self._tasks(store, choice, before, words, limit):
            row = _row(task, action, views.get(task.id), said.get((task.id, task.attempt), ""), picture.at)
            if not words or words in f"{row.what} {row.said}".casefold():
                rows.append(row)
            if len(rows) >= limit:
                break
        return rows

    def _tasks(
        self, store: Store, choice: Choice, before: int | None, words: str, limit: int
    ) -> Iterator[tuple[Task, Action | None]]:
        """The tasks of a choice, newest first: a page, or with a filter as many pages as may be looked through."""
        size = _PAGE if words else limit
        query = Query(states=choice.states, before=before, limit=size)
        for _ in range(MOST_FILTERED // _PAGE if words else 1):
            page = store.tasks(query)
            actions = store.actions({task.action_id for task in page})
            yield from ((task, actions.get(task.action_id)) for task in page)
            if len(page) < size:
                return
            query = msgspec.structs.replace(query, before=page[-1].id)


def _row(task: Task, action: Action | None, view: RunningView | None, last: str, now: float) -> Row:
    report = view.report if view else None
    words = [f"[{', '.join(view.steps)}]"] if view and view.steps else []
    words += [f"(on {view.node})"] if view and view.node else []
    words += [report.message] if report is not None and report.message else [last] if last else []
    if task.error and task.state is not TaskState.RUNNING:
        words = [task.error]
    return Row(
        task.id,
        "frozen" if view and view.frozen_since is not None else task.state.value,
        _since(task, view, now),
        report.progress if report else None,
        shapes.title(task, action),
        printing.clean(" ".join(words)),
    )


def _since(task: Task, view: RunningView | None, now: float) -> str:
    """How long it runs, or how long ago it ended or was added."""
    if view is not None:
        return "stopped" if view.interrupted else "" if view.seconds is None else printing.duration(view.seconds)
    at = task.finished_at if task.finished_at is not None else task.added_at
    return printing.duration(max(0.0, now - at))


def bar(progress: float | None, columns: int) -> str:
    """A progress bar of so many columns; blanks when nothing is known."""
    if progress is None:
        return " " * columns
    full = round(columns * min(1.0, max(0.0, progress)))
    return "█" * full + "░" * (columns - full)


def summary(picture: Snapshot) -> str:
    """Counts, rate and time left on one line."""
    counts = picture.counts
    parts = [f"{getattr(counts, state):,} {state.value}" for state in TaskState if getattr(counts, state)]
    if picture.rate_per_second:
        parts.append(printing.speed(picture.rate_per_second))
    if picture.seconds_left is not None and counts.unfinished:
        parts.append(f"~{printing.duration(picture.seconds_left)} left")
    return "  ".join(parts) or "no tasks"


def share_bar(picture: Snapshot, columns: int) -> str:
    """What became of all tasks as one bar; each state with a sign of its own, for those who see no colours."""
    counts = picture.counts
    total = counts.total or 1

    def wide(number: int) -> int:
        return max(1, round(columns * number / total)) if number else 0

    failed, running = wide(counts.failed + counts.held), wide(counts.running)
    done = max(0, min(wide(counts.completed), columns - failed - running))
    return ("█" * done + "X" * failed + "▒" * running)[:columns].ljust(columns, "·")


def health(picture: Snapshot) -> str:
    """The engine, its supervisor and what holds it, on one line; safe to print."""
    engine = picture.engine
    parts = [f"engine {engine.state}"]
    if engine.slots is not None:
        parts.append(f"{engine.active or 0} of {engine.slots} slots busy")
    if engine.supervisor is not None:
        watch = engine.supervisor
        parts.append(
            "supervisor gone" if not watch.alive else f"supervised, {printing.count(watch.restarts, 'restart')}"
        )
    parts += [f"{gate.gate} gate closed" for gate in engine.gates]
    parts += [printing.count(len(picture.storms), "storm")] if picture.storms else []
    return "  ".join(parts)


def nodes(picture: Snapshot) -> str:
    """The nodes on which it runs, on one line; safe to print, and empty where there are none."""
    return "" if picture.nodes is None else printing.clean(picture.nodes.words(picture.at))


def cause_lines(causes: Sequence[Cause]) -> list[str]:
    """Failures by cause, the most first; safe to print."""
    return [f"{one.tasks:>7,}  {printing.clean(one.error or str(one.reason or ''))}" for one in causes]
