"""What retry, cancel, hold and release have in common: select, do, and say what could not be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.states import FINAL, TaskState
from overnight.host.lock import read_owner
from overnight.store.contract import Acted, Selector, Store, Verb
from overnight.ui.cli import printing
from overnight.ui.cli.selecting import need_there, need_words
from overnight.ui.cli.session import opened

#: How a verb is told when it is done.
_DONE = {Verb.CANCEL: "cancelled", Verb.HOLD: "held", Verb.RELEASE: "released", Verb.RETRY: "queued once more"}
#: States in which there is nothing left to do for a verb.
_THERE = {
    Verb.CANCEL: {TaskState.CANCELLED},
    Verb.HOLD: {TaskState.HELD},
    Verb.RELEASE: {TaskState.PENDING, TaskState.RUNNING, TaskState.WAITING},
    Verb.RETRY: {TaskState.PENDING, TaskState.RUNNING},
}
#: Task ids that are named one by one.
_FEW = 10


def act(
    verb: Verb, selector: Selector, *, restart: Sequence[str] = (), first: Callable[[Store], object] | None = None
) -> int:
    """Do it, say how many tasks it reached, and name those that it could not reach.

    Args:
        verb: What.
        selector: To which tasks.
        restart: Of workflows, names of steps from which a retry begins anew.
        first: What else is done to them before, once it is known that everything which was named exists.

    Returns:
        The exit status: 1 when a task that was named by its id could not be reached.
    """
    need_words(selector)
    with opened() as session:
        states = need_there(session, selector)
        if restart:
            _want_steps(session.store, selector, restart)
        if first is not None:
            first(session.store)
        acted = session.store.act(verb, selector, now=wiring.clock.now(), by=wiring.who(), restart=restart)
        session.ring()
        missed = _missed(session.store, verb, selector, acted, states)
        nobody = read_owner(session.home.lock) is None
    _report(verb, acted, nobody=nobody)
    for task_id, state in missed[:_FEW]:
        printing.note(f"overnight: task {task_id} is {state} and cannot be {_DONE[verb]}; it stays as it is")
        printing.note(f"  try: {_instead(verb, state).format(id=task_id)}")
    return 1 if missed else 0


def _instead(verb: Verb, state: TaskState) -> str:
    """What can be typed of a task that a verb cannot reach."""
    if state not in FINAL:
        return "'overnight release {id}'" if state is TaskState.HELD else "'overnight why {id}' says what changes that"
    return "'overnight clean {id}' forgets it" if verb is Verb.CANCEL else "'overnight retry {id}' queues it once more"


def _want_steps(store: Store, selector: Selector, restart: Sequence[str]) -> None:
    """Refuse names of steps that a task does not have.

    Raises:
        UsageError: There is no such step, and nothing was changed.
    """
    for task_id in selector.ids:
        family = store.family(task_id)
        known = [step.id for step in family.workflow.nodes] if family else []
        for name in restart:
            if name not in known:
                raise UsageError(
                    f"task {task_id} has no step {name!r}; nothing was changed",
                    hint=f"its steps are: {', '.join(known)}" if known else f"'overnight show {task_id}'",
                )


def _missed(
    store: Store, verb: Verb, selector: Selector, acted: Acted, before: dict[int, TaskState]
) -> list[tuple[int, TaskState]]:
    """Tasks that were named and neither reached nor there already."""
    reached = set(acted.ids)
    left = [task_id for task_id in selector.ids if task_id not in reached and before[task_id] not in _THERE[verb]]
    now = store.states(left) if left else {}
    return [(task_id, state) for task_id, state in now.items() if state not in _THERE[verb]]


def _report(verb: Verb, acted: Acted, *, nobody: bool) -> None:
    """`nobody`: no engine is there to hear what was asked."""
    if acted.changed or not acted.asked:
        printing.say(f"{printing.count(acted.changed, 'task')} {_DONE[verb]}")
    if acted.asked:
        tasks = printing.count(acted.asked, "interrupted task" if nobody else "running task")
        when = (
            "by the next engine, before it runs anything: 'overnight start'"
            if nobody
            else "as soon as the engine hears it"
        )
        printing.say(f"{tasks} will be {_DONE[verb]} {when}")
