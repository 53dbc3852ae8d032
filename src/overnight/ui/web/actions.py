"""What people do from a page: the same operations as on the command line, each with the command it stands for.

Nothing here is new to the store: queues are paused, tasks acted on by conditional updates, the engine is asked by
controls; who did it is on record. Commands cannot be submitted.
"""

from __future__ import annotations

import math
import shlex
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from overnight import wiring
from overnight.core.durations import spell_duration
from overnight.core.edits import Change
from overnight.core.errors import NotFoundError, NotRunningError, UsageError
from overnight.core.lanes import EVERY_QUEUE, is_paused, switch_of
from overnight.core.states import TaskState
from overnight.core.task import MOST_PRIORITY, MOST_RETRIES
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.store.contract import Query, Selector, Store, Verb
from overnight.ui.cli.selecting import need_known
from overnight.ui.web.answers import Done
from overnight.ui.web.showing import shown
from overnight.wiring import ending, queues, storms

#: Ids of one action, and characters of a name.
_MOST_IDS, _MOST_NAME = 1000, 200
#: Seconds: a year.
MOST_TIMEOUT = 31_536_000.0
_DONE = {
    Verb.CANCEL: "cancelled",
    Verb.HOLD: "held",
    Verb.RELEASE: "released",
    Verb.RETRY: "queued once more",
}


class Asked(StrEnum):
    """What can be done to tasks."""

    RETRY = "retry"
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"


class Which(BaseModel):
    """Which tasks: all that is given must match; nothing given is refused, and never means everything."""

    model_config = ConfigDict(extra="forbid")

    ids: list[int] = Field(default=[], max_length=_MOST_IDS)
    states: list[TaskState] = Field(default=[], max_length=len(TaskState))
    queue: str | None = Field(default=None, max_length=_MOST_NAME)
    workflow: str | None = Field(default=None, max_length=_MOST_NAME)
    cause: str | None = Field(default=None, max_length=_MOST_NAME)

    def selector(self, verb: Verb | None = None) -> Selector:
        """As the store wants it.

        Raises:
            UsageError: Nothing is selected.
        """
        states = tuple(self.states)
        if not (self.ids or states or self.queue or self.workflow or self.cause):
            raise UsageError("no task is named; nothing was changed", hint="give ids, states, queue, workflow or cause")
        if verb is Verb.RETRY and not self.ids and not states:
            states = (TaskState.FAILED,)
        if any(not 0 < one < 2**63 for one in self.ids):
            raise UsageError("an id is no id; nothing was changed")
        return Selector(tuple(self.ids), self.queue, self.workflow, states, self.cause)


class Changes(Which):
    """What is to be different of tasks that are still to run. `timeout`: seconds of an attempt, 0 for no limit."""

    priority: int | None = Field(default=None, ge=-MOST_PRIORITY, le=MOST_PRIORITY)
    timeout: float | None = Field(default=None, ge=0, le=MOST_TIMEOUT, allow_inf_nan=False)
    retries: int | None = Field(default=None, ge=0, le=MOST_RETRIES)

    def change(self) -> Change:
        """As the store wants it.

        Raises:
            UsageError: Nothing is to be different.
        """
        action: dict[str, float] = {} if self.timeout is None else {"timeout": self.timeout or math.inf}
        action |= {} if self.retries is None else {"retries": self.retries}
        change = Change(priority=self.priority, action=action)
        if change.is_empty:
            raise UsageError("nothing is to be different; nothing was changed", hint="priority, timeout or retries")
        return change


class Sure(BaseModel):
    """The name of what is done once more, as somebody has typed it."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(max_length=_MOST_NAME)


class Line(BaseModel):
    """A queue or a workflow by its name; neither means everything."""

    model_config = ConfigDict(extra="forbid")

    queue: str | None = Field(default=None, max_length=_MOST_NAME)
    workflow: str | None = Field(default=None, max_length=_MOST_NAME)


class Stop(BaseModel):
    """`now`: end what runs, instead of letting it finish."""

    model_config = ConfigDict(extra="forbid")

    now: bool = False


def who() -> str:
    """Who does this, for the events."""
    return f"{wiring.who()} dashboard"


def act(store: Store, verb: Verb, which: Which) -> Done:
    """Do something to tasks."""
    selector = which.selector(verb)
    _need_known(store, selector)
    acted = store.act(verb, selector, now=wiring.clock.now(), by=who())
    words = f"{_tasks(acted.changed)} {_DONE[verb]}"
    if acted.asked:
        words = f"{words}; " if acted.changed else ""
        words += f"{_tasks(acted.asked)} that run will be {_DONE[verb]} as soon as the engine hears it"
    return Done(words, command_of(verb, selector), acted.changed, acted.asked)


def edit(store: Store, changes: Changes) -> Done:
    """Change tasks that are still to run."""
    selector, change = changes.selector(), changes.change()
    _need_known(store, selector)
    edited = store.edit(selector, change, now=wiring.clock.now(), by=who())
    words = f"{_tasks(edited.changed)} changed"
    if edited.left:
        words += f"; {_tasks(len(edited.left))} left as they are: what runs, has ended or is a step cannot be changed"
    said = [f"--priority {changes.priority}"] if changes.priority is not None else []
    said += [f"--timeout {spell_duration(changes.timeout)}"] if changes.timeout is not None else []
    said += [f"--retries {changes.retries}"] if changes.retries is not None else []
    return Done(words, " ".join([command_of("edit", selector), *said]), edited.changed)


def _need_known(store: Store, selector: Selector) -> None:
    """Raises NotFoundError: there is no such task, or nothing ever failed of the cause."""
    need_known(store, selector.ids)
    if selector.cause and not store.how_many(Query(cause=selector.cause, limit=1)):
        raise NotFoundError(
            f"no task failed of the cause {shown(selector.cause)!r}; nothing was changed", hint="'overnight report'"
        )


def command_of(verb: str, selector: Selector) -> str:
    """The same on the command line."""
    words = ["overnight", str(verb), *map(str, selector.ids)]
    words += ["--queue", selector.queue] if selector.queue else []
    words += ["--workflow", selector.workflow] if selector.workflow else []
    for state in selector.states:
        words += ["--state", state.value]
    words += ["--cause", selector.cause] if selector.cause else []
    return shlex.join(words)


def pause(store: Store, line: Line) -> Done:
    """Let nothing more start."""
    now, names = wiring.clock.now(), _names(store, line)
    changed = sum(not is_paused(queues.of_name(store, name), now) for name in names)
    for name in names:
        queues.pause(store, name, until=None, now=now, by=who())
    return Done(f"{_what(line)} paused; what runs may finish", _command("pause", line), changed)


def unpause(store: Store, line: Line) -> Done:
    """Let it go on, after a storm, too."""
    now = wiring.clock.now()
    everything = line.queue is None and line.workflow is None
    names = [one.name for one in store.queues() if one.paused] if everything else _names(store, line)
    changed = sum(queues.unpause(store, name, now=now, by=who()) for name in names)
    wanted = [name for name in (line.queue, line.workflow) if name]
    ended = storms.end(store, wanted, now=now, by=who())
    revived = sum(n for _, n in ended)
    more = f", and {_tasks(revived)} that failed with it" if revived else ""
    words = f"{_what(line)} goes on{more}" if changed or ended else "nothing there was paused; nothing was changed"
    return Done(words, _command("unpause", line), changed)


def stop(home: Home, *, at_once: bool) -> Done:
    """Ask the engine to stop.

    Raises:
        NotRunningError: There is none.
    """
    if read_owner(home.lock) is None:
        raise NotRunningError("no engine runs here; nothing was stopped", hint="'overnight start' starts one")
    ending.ask(home, now=at_once)
    words = "what runs is ended and goes back to the queue" if at_once else "what runs may finish, nothing more starts"
    return Done(f"the engine was asked to stop: {words}", "overnight stop --now" if at_once else "overnight stop")


def _names(store: Store, line: Line) -> list[str]:
    """Under which names the switches stand.

    Raises:
        NotFoundError: There is no such queue or workflow.
    """
    known = {one.name for one in store.queues()}
    if line.queue is not None and line.queue not in known:
        raise queues.no_queue(line.queue, done="nothing was changed")
    if line.workflow is not None and line.workflow not in {one.name for one in store.workflows()}:
        raise queues.no_workflow(line.workflow, done="nothing was changed")
    named = [line.queue] if line.queue is not None else []
    named += [switch_of(line.workflow)] if line.workflow is not None else []
    return named or [EVERY_QUEUE]


def _what(line: Line) -> str:
    named = [f"queue {line.queue}"] if line.queue is not None else []
    named += [f"workflow {line.workflow}"] if line.workflow is not None else []
    return " and ".join(named) or "everything"


def _command(verb: str, line: Line) -> str:
    words = ["overnight", verb, *([line.queue] if line.queue is not None else [])]
    return shlex.join([*words, *(["--workflow", line.workflow] if line.workflow is not None else [])])


def _tasks(number: int) -> str:
    return f"{number:,} task{'' if number == 1 else 's'}"
