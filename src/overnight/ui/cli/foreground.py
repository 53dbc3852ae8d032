"""A run in the foreground: be the engine until the work is done, or follow the one that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.errors import AlreadyRunningError
from overnight.core.halting import Halt
from overnight.core.lanes import EVERY_QUEUE, is_paused, switch_words
from overnight.core.settings import Settings
from overnight.core.stopping import StoppedBy, Stopping
from overnight.engine.goal import Endless, Goal, QueueEmpty, TheseAtRest
from overnight.engine.observers import Observers
from overnight.engine.ports import Observer
from overnight.engine.result import Result
from overnight.host.beside import Beside
from overnight.host.home import Home
from overnight.host.signals import SignalWatch
from overnight.host.stop_file import StopFile
from overnight.monitor.tail import last_seq
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.ending import EXIT_WORK_LEFT, Ending
from overnight.ui.cli.following import follow
from overnight.ui.cli.group import log_level
from overnight.ui.cli.narrator import Narrator
from overnight.ui.cli.results import Results
from overnight.ui.cli.submit import Resumed, resume
from overnight.ui.cli.task_options import Work
from overnight.wiring import watching
from overnight.wiring.adding import alone, this_process
from overnight.wiring.engine import holding, run_engine
from overnight.wiring.workflows import lay_down

#: So many changed inputs are named; the rest are counted.
NAMED = 5


class Manner(NamedTuple):
    """How a run works and how it shows itself."""

    settings: Settings
    configured: Configuration
    quiet: bool = False
    keep_order: bool = False
    #: How many failures are too many; None for any number.
    halt: Halt | None = None
    #: What stands before each line of output, with placeholders; None for nothing.
    tag: bytes | None = None
    #: Where results are written; empty for nowhere.
    results: bytes = b""
    #: Who else is told how it goes.
    observers: tuple[Observer, ...] = ()
    #: What watches beside the engine.
    beside: Beside | None = None


class Onlookers:
    """Who is told how it goes: the person at the terminal, and the files of ``--results``."""

    def __init__(self, home: Home, store: Store, manner: Manner, goal: Goal, order: Sequence[int] = ()) -> None:
        wanted = goal.includes if isinstance(goal, TheseAtRest) else lambda _: True
        self.narrator = Narrator(
            store,
            home.output,
            wiring.clock,
            quiet=manner.quiet,
            verbose=log_level() in ("debug", "info"),
            order=order,
            tag=manner.tag,
            wanted=wanted,
            spool=home.spool,
        )
        self.results = Results(manner.results, store, home.output, wanted) if manner.results else None
        ours = [one for one in (self.results, self.narrator) if one is not None]
        self.observer = Observers([*ours, *manner.observers])

    @property
    def unwritten(self) -> printing.UnwrittenError | None:
        """Why something was not told to the end."""
        return self.narrator.unwritten or (self.results.unwritten if self.results else None)


def work_with(home: Home, store: Store, goal: Goal, onlookers: Onlookers, manner: Manner) -> Result:
    """Be the engine until the goal is reached."""
    say_paused(store)
    try:
        return run_engine(
            home,
            store,
            goal=goal,
            observer=onlookers.observer,
            settings=manner.settings,
            configured=manner.configured,
            beside=manner.beside,
            told=lambda words, hint: onlookers.narrator.note(_in_parts(words, hint)),
        )
    finally:
        onlookers.narrator.finish()


def _in_parts(words: str, hint: str) -> str:
    """What has happened, and what to type where there is something."""
    advice = f"\n  try: {printing.clean(hint)}" if hint else ""
    return f"overnight: {printing.clean(words)}{advice}"


def say_paused(store: Store) -> None:
    """Name what a person has paused: nothing of it starts, however long somebody waits."""
    names = [queue.name for queue in store.queues() if is_paused(queue, wiring.clock.now())]
    if names:
        all_of_it = switch_words(EVERY_QUEUE)
        what = all_of_it if EVERY_QUEUE in names else printing.clean(", ".join(map(switch_words, names)))
        printing.note(
            f"overnight: {what} is paused, and nothing of it starts until it goes on\n  try: 'overnight unpause'"
        )


def run_queue(home: Home, manner: Manner, *, endless: bool = False) -> Ending:
    """Work until nothing is left in the queue; `endless`: until somebody says stop."""
    manner = manner._replace(beside=watching.beside(home, manner.settings))
    with taking(home, manner.settings, manner.beside) as store:
        goal = (Endless if endless else QueueEmpty)(manner.halt, total=store.counts().unfinished)
        onlookers = Onlookers(home, store, manner, goal)
        result = work_with(home, store, goal, onlookers, manner)
        return Ending(
            result.stopped_by,
            result.exit_code,
            onlookers.narrator.tally,
            result.left,
            result.elsewhere,
            onlookers.unwritten,
        )


def run_work(home: Home, entering: Callable[[Store], Resumed], manner: Manner) -> tuple[Ending, int]:
    """Work until these tasks are at rest, in this process or by following the engine that holds the home.

    Args:
        home: Where.
        entering: Puts the tasks into the store; called once.
        manner: How.

    Returns:
        How it ended, and how many inputs were completed before.
    """
    resumed: Resumed | None = None
    manner = manner._replace(beside=watching.beside(home, manner.settings))
    after = last_seq(home.journal)
    while True:
        try:
            with taking(home, manner.settings, manner.beside) as store:
                if resumed is None:
                    with alone(home, say_waiting):
                        resumed = entering(store)
                return lead(home, store, resumed, manner), resumed.skipped
        except AlreadyRunningError:
            store = wiring.open_store(home, create=True)
            try:
                if resumed is None:
                    with alone(home, say_waiting):
                        resumed = entering(store)
                    wiring.ring(home)
                    printing.note("overnight: an engine is at work in this home; it does these, and this follows")
                if (ending := stay_behind(home, store, resumed, manner, after=after)) is not None:
                    return ending, resumed.skipped
            finally:
                store.close()


def enter(store: Store, work: Work, *, changed: bool, again: bool) -> Resumed:
    """Put the work into the store by identity, and say what was there already."""
    lay_down(store, work.action, work.workflows)
    resumed = resume(store, work, this_process(), changed=changed, again=again)
    say_known(resumed, work.duplicates, ran=changed)
    return resumed


def say_known(resumed: Resumed, duplicates: int, *, ran: bool) -> None:
    """Say what was named twice, and what was there already."""
    if duplicates:
        printing.note(f"overnight: {printing.count(duplicates, 'input')} named more than once; each is one task")
    if resumed.redefined:
        printing.note(
            f"overnight: {printing.count(len(resumed.redefined), 'task')} added before and still to run now has the "
            "options of this call"
        )
    if resumed.skipped:
        printing.note(f"overnight: {printing.count(resumed.skipped, 'input')} completed before and skipped")
    if resumed.changed:
        say_changed(resumed, ran=ran)


def say_waiting() -> None:
    """Somebody else adds to this home."""
    printing.note("overnight: another call adds to this home; this one looks when that is done")


def say_changed(resumed: Resumed, *, ran: bool) -> None:
    """Name the inputs whose file is not what it was."""
    names = ", ".join(printing.clean(name.decode("utf-8", "surrogateescape")) for name in resumed.changed[:NAMED])
    more = f" and {len(resumed.changed) - NAMED:,} more" if len(resumed.changed) > NAMED else ""
    what = "run again" if ran else "skipped all the same; --changed runs them again"
    printing.note(f"overnight: changed since they were completed: {names}{more}; {what}")


def lead(home: Home, store: Store, resumed: Resumed, manner: Manner) -> Ending:
    """Be the engine until these are at rest."""
    goal, onlookers = begin(home, store, resumed, manner)
    result = work_with(home, store, goal, onlookers, manner)
    goal.stirred()
    return ending_of(goal, Stopping(by=result.stopped_by, exit_code=result.exit_code), onlookers)


def stay_behind(home: Home, store: Store, resumed: Resumed, manner: Manner, *, after: int) -> Ending | None:
    """Follow the engine that is there until these are at rest; None when it is gone before."""
    goal, onlookers = begin(home, store, resumed, manner)
    try:
        with SignalWatch() as signals:
            stopped = follow(home, store, goal, onlookers.observer, signals, after=after)
    finally:
        onlookers.narrator.finish()
    return None if stopped is None else ending_of(goal, stopped, onlookers)


def begin(home: Home, store: Store, resumed: Resumed, manner: Manner) -> tuple[TheseAtRest, Onlookers]:
    """What these tasks are to come to, and who is told."""
    goal = TheseAtRest(resumed.ids, store, manner.halt)
    order: list[int] = []
    if manner.keep_order:
        goal.look_again()  # what is at rest already will not be heard of, and must not be waited for
        order = [task_id for task_id in resumed.ids if goal.is_open(task_id)]
    onlookers = Onlookers(home, store, manner, goal, order)
    if onlookers.results:
        onlookers.results.complete(resumed.completed)
    return goal, onlookers


def ending_of(goal: TheseAtRest, stopped: Stopping, onlookers: Onlookers) -> Ending:
    """How it ended for these tasks. Whoever asked for them is told by the exit status when other programs have some."""
    elsewhere, exit_code = goal.popped(), stopped.exit_code
    if elsewhere and exit_code is None:
        exit_code = EXIT_WORK_LEFT
    left = goal.total - goal.at_rest - elsewhere
    return Ending(stopped.by or StoppedBy.QUEUE_EMPTY, exit_code, goal.tally, left, elsewhere, onlookers.unwritten)


@contextmanager
def taking(home: Home, settings: Settings, beside: Beside | None) -> Iterator[Store]:
    """Hold the home. A STOP file that lies there when somebody starts by hand is from another night.

    One that is touched once we hold the home is meant for us, however long it takes to add the inputs.
    """
    stop_file = StopFile(home.stop)
    before = stop_file.touched()
    with holding(home, settings=settings, beside=beside) as store:
        if stop_file.remove_if(before):
            printing.note("overnight: removed a STOP file that was left here; starting")
        yield store
