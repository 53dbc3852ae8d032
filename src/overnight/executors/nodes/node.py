"""One node, seen from the engine: what it holds, what was heard of it, and until when it may still run something.

`Node` says what is to be said and takes in what was heard; it opens no line and waits for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.placing import Needs, Stock, Stocks, stock_of
from overnight.core.resources import Granted
from overnight.core.task import Action
from overnight.core.version import VERSION
from overnight.executors.contract import Event, Spec
from overnight.executors.nodes import messages
from overnight.executors.nodes.messages import PROTOCOL, Key

#: A stamp is given back when so much of the lease has passed since the last one.
ECHO_AFTER = 1 / 10


#: Actions that an agent remembers; then it is told all anew, or a night of tasks of their own would fill its memory.
ACTIONS_KEPT = 1024
#: More than one engine ever opens.
TERMS = 2**20


class State(StrEnum):
    """What the engine knows of a node; the words are shown."""

    #: Never heard of yet.
    AWAITED = "awaited"
    #: It was asked to be ours, and has not answered.
    OPENING = "opening"
    UP = "up"
    #: The line has ended, and what runs there may go on until the lease is over.
    SILENT = "silent"
    #: Its lease is over: nothing of ours runs there.
    AWAY = "away"
    #: It cannot be used; `why` says why not.
    REFUSED = "refused"
    #: It was told to end, and has.
    CLOSED = "closed"


class Lease(NamedTuple):
    """How long an agent goes on without word, and how much longer the engine waits; seconds.

    The margin is for ending what runs (SIGKILL, and a guard that ends an agent which does not) and for clocks
    that run at different speeds: a thousandth of 15 s is 15 ms.
    """

    ttl: float = 15.0
    margin: float = 1.0

    @property
    def over_after(self) -> float:
        """Seconds of silence after which nothing can run there any more."""
        return self.ttl + self.margin


class Node:
    """One node.

    Args:
        name: Its name.
        fence: Of this engine.
        lease: What it is told.
        say: Sends to it.
        now: The monotonic clock.
    """

    def __init__(
        self,
        name: str,
        *,
        fence: int,
        lease: Lease,
        say: Callable[[messages.ToAgent], None],
        now: Callable[[], float],
    ) -> None:
        self.name = name
        self.facts: messages.Facts | None = None
        #: What it has that tasks may need.
        self.stock: Stock | None = None
        #: The needs for which the engine keeps it free.
        self.kept_for: Needs = {}
        self.state = State.AWAITED
        self.why = ""
        #: What it has not and an attempt needed.
        self.unfit = ""
        self._fence, self._lease, self._say, self._now = fence, lease, say, now
        # Of no other engine: what an agent says to the last one after it has greeted this one must not count here.
        self._term = fence * TERMS
        #: What it has not told the end of, in the order in which it was handed over, and the slot as the engine
        #: counts; None for what an earlier engine has handed over.
        self.held: dict[Key, int | None] = {}
        #: Of the latter what goes on there, with the slot as the node counts.
        self._still: dict[Key, tuple[int, Granted]] = {}
        self.begun: dict[Key, float] = {}
        #: Attempts that were lost with it.
        self.lost = 0
        #: Its slots that have no worker at the moment.
        self.resting: frozenset[int] = frozenset()
        self.slots = 0
        #: Whether an earlier engine has used it, and nobody has heard yet what of that it still runs.
        self.feared = False
        #: Whether the agent has greeted over the line that there is: words from before a gap have lost neighbours.
        self._linked = False
        self._known_actions: set[int] = set()
        self._orders: list[messages.Order] = []
        self._stamp = self._echoed = -math.inf
        #: When it was last heard: any lease of it ends before this and the lease's length.
        self.heard_at = now()
        #: The last letter that came, and the last one of which the node was told that it is committed.
        self._letter = self._told = 0
        #: Letters that wait for a commit: what they tell was not given to the engine yet, or was.
        self._fresh_letters: list[int] = []
        self._given_letters: list[int] = []
        #: Whose end was heard and not yet given to the engine, or given and not yet committed: the node keeps these.
        self._taken: set[Key] = set()
        self._uncommitted: set[Key] = set()
        self._pieces: dict[Key, list[messages.Piece]] = {}
        #: Answers to recalls that nobody waits for any more count as lost before they began.
        self._asked: set[int] = set()
        self.answers: dict[int, list[Key]] = {}
        self._number = 0
        self._interrupted = False
        #: Attempts of which it was asked to show what they print, and what it has shown.
        self.shown: set[Key] = set()
        self.prints: list[messages.Printed] = []

    # -- what is heard -----------------------------------------------------------------------

    def hear(self, message: messages.ToEngine) -> list[Event]:
        """Take in one message."""
        if isinstance(message, messages.Hello):
            self._greet(message)
        elif message.term != self._term or not self._linked:
            pass  # about a time that is over
        elif isinstance(message, messages.Refused):
            self.refuse(message.why)
        elif isinstance(message, messages.Opened):
            return self._opened(message)
        elif isinstance(message, messages.Report):
            return self._heard(message)
        elif isinstance(message, messages.Printed):
            self.prints.append(message)
        else:
            self._closed(message)
        return []

    def _greet(self, hello: messages.Hello) -> None:
        self.facts = hello.facts
        self.slots = min(self.slots, hello.facts.slots)  # it may have come back with fewer
        self.stock = stock_of(hello.facts.resources, hello.facts.ids, hello.facts.labels)
        self._linked = True
        if why := other_program(hello.facts):
            self.refuse(why)
        elif self.state is not State.CLOSED:
            self._heard_now(hello.stamp)
            self._reopen()

    def _reopen(self) -> None:
        """Ask it to be ours, from now on."""
        self._term += 1
        self.state = State.OPENING
        self._known_actions.clear()
        self._orders.clear()
        self._echoed = self._stamp
        self._letter = self._told = 0
        self._fresh_letters.clear()
        self._given_letters.clear()
        self._pieces.clear()
        self._asked.clear()
        self.shown.clear()
        self.prints.clear()
        self._interrupted = False
        self.unfit = ""
        self._say(messages.Open(self._fence, self._term, list(self.on_record()), self._lease.ttl, self._stamp))

    def on_record(self) -> dict[Key, None]:
        """What the store has on record as handed to it: what it holds, and what is not committed yet."""
        return dict.fromkeys((*self.held, *self._taken, *self._uncommitted))

    def _opened(self, opened: messages.Opened) -> list[Event]:
        self.state, self.why, self.feared = State.UP, "", False
        self._heard_now(opened.stamp)
        self._still = {(task, attempt): (local, granted) for task, attempt, local, granted in opened.still}
        known = {*opened.told, *self._still}
        never_came = [key for key in self.held if key not in known]
        if self.slots:
            self._orders.insert(0, messages.Resize(self.slots))
        return self._lose(never_came, lambda key: Lost(*key, Evidence.NEVER_STARTED))

    def _heard(self, report: messages.Report) -> list[Event]:
        self._heard_now(report.stamp)
        if report.lapsed:
            self._reopen()
            return []
        self.resting = frozenset(report.resting)
        self.unfit = self.unfit or report.unfit
        self.begun |= {(task, attempt): wall for task, attempt, wall in report.begun if (task, attempt) in self.held}
        events: list[Event] = [froze for froze in report.froze if froze.key in self.held]
        events += self._take_recalled(report.recalled)
        return events + self._take_letter(report) if report.letter else events

    def _heard_now(self, stamp: float) -> None:
        self._stamp, self.heard_at = stamp, self._now()

    def _take_letter(self, report: messages.Report) -> list[Event]:
        if report.letter <= self._letter:
            return []
        self._letter = report.letter
        for piece in report.pieces:
            self._pieces.setdefault((piece.task_id, piece.attempt), []).append(piece)
        events: list[Event] = []
        for over in report.overs:
            key = (over.task_id, over.attempt)
            if self.held.pop(key, self) is not self:
                self.begun.pop(key, None)
                self._taken.add(key)
                events.append(over)
            else:
                self._pieces.pop(key, None)
        # Else there is nothing in it for the store: parts of files, or what was settled long ago.
        if events or self._waits_for_commit(report):
            self._fresh_letters.append(report.letter)
        return events

    def _waits_for_commit(self, report: messages.Report) -> bool:
        """Whether something in a letter that was heard before is not in the store yet."""
        waiting = self._taken | self._uncommitted
        return any((over.task_id, over.attempt) in waiting for over in report.overs)

    def pieces_of(self, ended: Ended) -> list[messages.Piece]:
        """The files that came with an outcome; they are the caller's now."""
        return self._pieces.pop(ended.key, [])

    def _take_recalled(self, recalled: Iterable[tuple[int, Collection[Key]]]) -> list[Event]:
        events: list[Event] = []
        for number, keys in recalled:
            if number in self._asked:
                self.answers[number] = self._forget(keys)
            else:
                events += self._lose(keys, lambda key: Lost(*key, Evidence.NEVER_STARTED))
        return events

    def _forget(self, keys: Iterable[Key]) -> list[Key]:
        return [key for key in keys if self.held.pop(key, self) is not self]

    def _lose(self, keys: Iterable[Key], lost: Callable[[Key], Lost]) -> list[Event]:
        events: list[Event] = [lost(key) for key in self._forget(list(keys))]
        for key in list(self.begun.keys() - self.held.keys()):
            del self.begun[key]
        return events

    def _closed(self, _: messages.Closed) -> None:
        self.state = State.CLOSED

    def refuse(self, why: str) -> None:
        """It is not to be used."""
        self.state, self.why = State.REFUSED, why

    def still(self, key: Key) -> tuple[int, Granted] | None:
        """Where an attempt of an earlier engine goes on, as the node counts, and what is its own; else None."""
        return self._still.get(key) if self.state is State.UP and key in self.held else None

    # -- silence -----------------------------------------------------------------------------

    def gone(self, why: str) -> None:
        """The line has ended."""
        self.why, self._linked = why, False
        if self.state in (State.UP, State.OPENING):
            self.state = State.SILENT

    @property
    def usable(self) -> bool:
        """Whether attempts may be handed to it: it is ours, and was heard lately."""
        return self.state is State.UP and not self.unfit and self._now() < self.heard_at + self._lease.ttl / 2

    @property
    def over_at(self) -> float:
        """The monotonic moment from which on nothing of ours runs there if it is not heard until then."""
        return self.heard_at + self._lease.over_after

    @property
    def may_run(self) -> bool:
        """Whether there is anything to give up."""
        return bool(self.held) or self.feared or self.state in (State.OPENING, State.UP, State.SILENT)

    def give_up(self) -> list[Event]:
        """Its lease is over: whatever it held will be run elsewhere."""
        silent = f"{self._lease.over_after:g} s"
        why = f"the node {self.name} was not heard for {silent}" + (f" ({self.why})" if self.why else "")
        self.state, self.why, self.feared = State.AWAY, why, False
        self._pieces.clear()
        self.begun, begun = {}, self.begun
        self.lost += len(self.held)
        return self._lose(list(self.held), lambda key: _lost_with_node(key, begun, why))

    # -- what is said ------------------------------------------------------------------------

    def order(self, *orders: messages.Order) -> None:
        """Say this with the next word."""
        self._orders += orders

    def order_at_once(self, order: messages.Order) -> None:
        """Say this with a word of its own."""
        self.order(order)
        self.flush()

    def submit(self, local: int, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        """Hand attempts over.

        Args:
            local: The slot, as the node counts.
            slot: As the engine counts.
            batch: The attempts, in order.
            actions: What to do in each; sent once.
        """
        self.held |= {(spec.task_id, spec.attempt): slot for spec in batch}
        wanted = {spec.action_id for spec in batch}
        if len(self._known_actions) + len(wanted) > ACTIONS_KEPT:
            self._known_actions.clear()
            self.order(messages.Forget())
        fresh = wanted - self._known_actions
        self._known_actions |= fresh
        self.order(messages.Submit(local, list(batch), {action_id: actions[action_id] for action_id in fresh}))

    def recall(self, local: int | None) -> int:
        """Ask for what was not read; `answers` has it under the number that is returned."""
        self._number += 1
        self._asked.add(self._number)
        self.order(messages.Recall(self._number, local))
        return self._number

    def recall_for_good(self) -> None:
        """Take back what was not read; it is told as lost before it began."""
        self._number += 1
        self.order(messages.Recall(self._number, None))

    @property
    def idle(self) -> bool:
        """Whether it holds nothing, and all that it told is committed."""
        return not (self.held or self._taken or self._uncommitted)

    def answer(self, number: int) -> list[Key]:
        """What a recall has brought until now. What it brings later is told as lost before it began."""
        self._asked.discard(number)
        return self.answers.pop(number, [])

    def cancel(self, keys: Sequence[AttemptKey], grace: float | None) -> None:
        """Ask to end those of these that it has."""
        if mine := [(key.task_id, key.attempt) for key in keys if key in self.held]:
            self.order(messages.Cancel(mine, grace))

    def interrupt(self, why: str) -> None:
        """Ask, once in each term, to end all that it has; they go back to the queue."""
        if self.held and not self._interrupted:
            self._interrupted = True
            self.end(list(self.held), why)

    def end(self, keys: list[Key], why: str) -> None:
        """Ask to end these at once; they go back to the queue."""
        for key in keys:
            self._still.pop(key, None)
        self.order(messages.End(keys, why))

    def insist(self) -> None:
        """Have it run what it is not fit for, so that the reason is told of the task."""
        self.unfit = ""
        self.order(messages.Insist())

    def freeze(self, key: AttemptKey, *, frozen: bool) -> None:
        """Ask that this one stands still, or goes on, if it has it."""
        if key in self.held:
            self.order(messages.Freeze((key.task_id, key.attempt), frozen))

    def show(self, key: Key, at: int) -> None:
        """Ask for what an attempt prints, from byte `at` of its frames on."""
        self.shown.add(key)
        self.order(messages.Follow(key, at))

    def show_no_more(self, key: Key) -> None:
        """Nobody follows it any more."""
        self.shown.discard(key)
        self.order(messages.Follow(key, -1))

    def take_prints(self) -> list[messages.Printed]:
        """What it has shown since the last call."""
        prints, self.prints = self.prints, []
        return prints

    def resize(self, slots: int) -> None:
        """Have so many slots there."""
        if slots != self.slots:
            self.slots = slots
            self.order(messages.Resize(slots))

    def close(self) -> None:
        """Tell it to end everything, and itself."""
        self.order(messages.Close())

    def given(self) -> None:
        """All events so far have been given to the engine."""
        self._given_letters += self._fresh_letters
        self._fresh_letters.clear()
        self._uncommitted |= self._taken
        self._taken.clear()

    def commit(self) -> None:
        """All that had been given to the engine is committed."""
        self._given_letters.clear()
        self._uncommitted.clear()

    def flush(self) -> None:
        """Say what there is to say."""
        if self.state is not State.UP:
            return
        echo = self._stamp > self._echoed + self._lease.ttl * ECHO_AFTER
        committed = min((*self._given_letters, *self._fresh_letters), default=self._letter + 1) - 1
        if not (self._orders or echo or committed > self._told):
            return
        orders, self._orders = self._orders, []
        self._echoed, self._told = self._stamp, committed
        self._say(messages.Word(self._fence, self._term, self._stamp, committed, orders))


def stocks_of(
    nodes: Mapping[str, Node], seats: Mapping[int, str], closed: Container[str], kept: Mapping[str, Needs]
) -> Stocks:
    """What these nodes have, as far as they have said it.

    Args:
        nodes: By name.
        seats: The node of each slot.
        closed: Those that are to be given nothing.
        kept: Those that are kept free, and for whose needs.
    """
    for name, node in nodes.items():
        node.kept_for = kept.get(name, {})
    working = (name for name, node in nodes.items() if node.usable and name not in closed)
    return Stocks(
        {name: node.stock for name, node in nodes.items() if node.stock is not None}, seats, frozenset(working)
    )


def _lost_with_node(key: Key, begun: Mapping[Key, float], why: str) -> Lost:
    """What is known of an attempt whose node will not speak in time."""
    if key in begun:
        return Lost(*key, Evidence.STARTED, started_at=begun[key], error=why)
    return Lost(*key, Evidence.UNKNOWN, error=f"{why}, so whether it had begun is not known")


def other_program(facts: messages.Facts) -> str:
    """Why a node cannot be used that has another version of the program than we; empty when it has the same."""
    if (facts.version, facts.protocol) == (VERSION, PROTOCOL):
        return ""
    theirs, ours = facts.version, VERSION
    if theirs == ours:  # of two states of the source
        theirs, ours = f"{theirs} (protocol {facts.protocol})", f"{ours} (protocol {PROTOCOL})"
    return f"it has overnight {theirs}, and this engine is {ours}; install the same on both"
