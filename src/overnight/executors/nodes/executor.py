"""The engine's side of attempts on other machines: many agents behind the one contract.

What the runner itself has to do (`set_aside`) stays on this machine, in a local executor: it works on this home.
Everything else is handed to nodes. An attempt is on record as placed before it is sent, so whoever comes
after a crash knows whom to ask.

A node that is not heard is not offered any more; nothing of it is given up before its lease, and
the margin, are over. What it held is told as lost then, with what is known of it.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.nodes import Closing, NodeNews
from overnight.core.placing import Needs, Stocks
from overnight.core.resources import Granted
from overnight.core.task import Action
from overnight.executors.contract import Event, Executor, Offer, Onward, Over, Spec
from overnight.executors.nodes.bulletin import Bulletin
from overnight.executors.nodes.carrier import Carrier, Gone
from overnight.executors.nodes.closing import Closings
from overnight.executors.nodes.files import Landing
from overnight.executors.nodes.greetings import Greetings
from overnight.executors.nodes.live import Followed
from overnight.executors.nodes.messages import Facts, Key, encode, understood
from overnight.executors.nodes.node import Lease, Node, State, stocks_of
from overnight.executors.nodes.parcels import Sender
from overnight.executors.nodes.placements import Placed, Placements, read
from overnight.executors.nodes.seats import Seat, Seats
from overnight.host.clock import Clock

#: Seconds for an answer to a recall; what comes later counts as lost before it began.
RECALL = 1.0
#: Seconds for nodes to end everything when the engine leaves. One that is slower ends by its lease.
CLOSE = 8.0
#: Seconds between two looks at what people want of nodes.
LOOK = 1.0
#: The slot of the local executor for what is set aside.
ASIDE = 0


#: Told of all nodes.
Watch = Callable[[Sequence[Node]], None]


class NodesExecutor:
    """Runs attempts on nodes. See `overnight.executors.contract.Executor`.

    Args:
        local: For what is set aside; opened without slots of its own.
        carrier: How nodes are reached.
        clock: Monotonic.
        placements: File that says which attempt went where.
        landing: Where what attempts printed and returned is put.
        slots: How many attempts run at a time, at most.
        parcels: Sends the files along that inputs name; None where nodes have them.
        lease: How long nodes go on without word.
        followed: Brings what people follow of running attempts.
        watch: Told of all nodes when the state of one has changed, and each second.
        closed: The nodes that are to be given nothing, and how.
    """

    def __init__(
        self,
        *,
        local: Executor,
        carrier: Carrier,
        clock: Clock,
        placements: Path,
        landing: Landing,
        slots: int,
        parcels: Sender | None = None,
        lease: Lease = Lease(),  # noqa: B008 - a value
        followed: Followed | None = None,
        watch: Watch = lambda _nodes: None,
        closed: Callable[[], Mapping[str, Closing]] = dict,
    ) -> None:
        self._local = local
        self._carrier = carrier
        self._clock = clock
        self._path = placements
        self._placements = Placements(placements, lease.over_after, self._placed)
        self._landing = landing
        self._parcels = parcels
        self._followed = followed
        #: Slots that are seated as soon as there is room for them.
        self.wanted = slots
        self._lease = lease
        self._watch = watch
        self._look_at = 0.0
        #: What people were told of nodes that lack something.
        self._known_unfit: dict[str, str] = {}
        self._nodes: dict[str, Node] = {}
        self._states: dict[str, State] = {}
        self._bulletin = Bulletin()
        self._closed = Closings(closed, carrier, self._bulletin)
        self._seats = Seats()
        self._aside: int | None = None
        self._fence = 0
        self._greetings = Greetings(carrier, clock)
        #: What was heard while somebody waited for an answer.
        self._ready: list[Event] = []
        #: Whether an earlier engine's attempts are being taken over, and those that were.
        self._opening = False
        self._onward: list[Onward] = []
        #: A node was given up, and what became of its attempts is not committed yet.
        self._gave_up = False
        self._poll = select.epoll()

    # -- opening -----------------------------------------------------------------------------

    def connect(self, seconds: float) -> list[Facts]:
        """Make lines, and wait for nodes that say what they are: see `Greetings.connect`.

        Nothing is asked of them yet; `open` goes on from here.
        """
        return self._greetings.connect(seconds)

    @property
    def failed(self) -> Mapping[str, str]:
        """Nodes whose lines have ended before anything was asked of them, and why."""
        return self._greetings.failed

    def abandon(self) -> None:
        """There is nobody, and it will not be opened."""
        self._local.close()
        self._carrier.close()
        self._poll.close()

    def open(self, *, fence: int, left_open: Sequence[AttemptKey]) -> list[Over]:
        self._fence = fence
        placed = read(self._path)
        self._placements.used(placed.nodes)
        self._placements.whole = placed.whole
        self._opening = True
        with_nodes = [key for key in left_open if key in placed.by_key]
        here = [key for key in left_open if key not in placed.by_key]
        events = [self._of_here(over, placed) for over in self._local.open(fence=fence, left_open=here)]
        for name in placed.nodes:
            self._node(name).feared = True
        for key in with_nodes:
            self._node(placed.by_key[key]).held[key] = None
        self._placements.begin()
        self._greetings.reach()
        for source in (self._local, self._carrier):
            if source.fileno() >= 0:
                self._poll.register(source.fileno(), select.EPOLLIN)
        events += self._take_over(with_nodes)
        self._opening = False
        self._arrange()
        return events

    def _of_here(self, over: Over, placed: Placed) -> Over:
        """Where no worker has ever been on this machine and no node was given it, it never began."""
        unknown = isinstance(over, Lost) and over.evidence is Evidence.STARTED and over.started_at is None
        return Lost(*over.key, Evidence.NEVER_STARTED) if unknown and placed.whole else over

    def _take_over(self, keys: Sequence[AttemptKey]) -> list[Over]:
        """Ask the nodes what became of these, and take over what still runs, or end what there is no slot for.

        Of a node that does not answer the lease is waited for, also when nothing is known to be there: it may run
        what the store does not know of, because it was set back or lost with the machine.
        """
        missing, events = set(keys), []
        while missing or any(node.feared for node in self._nodes.values()):
            self._listen(0.1)
            heard, self._ready = self._ready, []
            events += [event for event in heard if isinstance(event, Ended | Lost) and event.key in missing]
            missing -= {event.key for event in heard}
            if all(self._where(key) for key in missing):
                missing -= self._adopt(sorted(missing))
        self._given()
        return events

    def _where(self, key: AttemptKey) -> tuple[Node, int, Granted] | None:
        """Where an attempt of an earlier engine goes on, in which slot of that node, and what is its own."""
        found = ((node, node.still(key)) for node in self._nodes.values())
        return next(((node, *still) for node, still in found if still is not None), None)

    def _adopt(self, keys: Iterable[AttemptKey]) -> set[AttemptKey]:
        """Take these over; those for which there is no slot here any more are ended. Returns the others."""
        for key in keys:
            if (found := self._where(key)) is None:
                continue
            node, local, granted = found
            slot = self._seats.take(Seat(node.name, local), self.wanted)
            if slot is None:
                node.end([key], "the engine died while it ran, and the next one has fewer slots")
                node.flush()
            else:
                node.held[key] = slot
                self._onward.append(Onward(key, slot, granted))
        return {one.key for one in self._onward}

    def onward(self) -> list[Onward]:
        onward, self._onward = self._onward, []
        return onward

    def nodes(self) -> list[Node]:
        """All that were heard of."""
        return list(self._nodes.values())

    def news(self) -> list[NodeNews]:
        """What has happened to nodes since this was last asked."""
        return self._bulletin.take()

    def stocks(self, kept: Mapping[str, Needs]) -> Stocks:
        """See `core.placing.Look`."""
        return stocks_of(self._nodes, self._seats.nodes(), self._closed, kept)

    # -- slots -------------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._poll.fileno()

    def offers(self) -> list[Offer]:
        held = self._held_by_slot()
        return [
            Offer(slot, held.get(slot, 0))
            for slot, seat in self._seats.wanted().items()
            if self._nodes[seat.node].usable
            and seat.node not in self._closed
            and (slot in held or seat.local not in self._nodes[seat.node].resting)
        ]

    def _held_by_slot(self) -> dict[int, int]:
        counts: dict[int, int] = {}
        for node in self._nodes.values():
            for held in node.held.values():
                if held is not None:
                    counts[held] = counts.get(held, 0) + 1
        return counts

    def resize(self, slots: int) -> None:
        self.wanted = slots
        self._arrange()

    def set_aside(self, slot: int | None) -> bool:
        self._aside = slot
        return self._local.set_aside(None if slot is None else ASIDE)

    def _arrange(self) -> None:
        """Seat the slots, and have the nodes make room for them."""
        if self._opening:
            return  # what goes on keeps its seat
        held = self._held_by_slot()
        room = {
            name: node.facts.slots
            for name, node in self._nodes.items()
            if node.state in (State.UP, State.OPENING, State.SILENT)
            and node.facts is not None
            and name not in self._closed
        }
        self._seats.arrange(self.wanted, room, lambda slot: slot not in held)
        for name, node in self._nodes.items():
            if node.state is State.UP:
                # A slot that is let go is gone only later: it would be told of attempts that it cannot take.
                node.resize(max(node.slots, self._seats.needed(name)))
                node.flush()

    # -- attempts ----------------------------------------------------------------------------

    def submit(self, slot: int, batch: Sequence[Spec], actions: Mapping[int, Action]) -> None:
        if slot == self._aside:
            self._local.submit(ASIDE, batch, actions)
            return
        seat = self._seats.get(slot)
        if seat is None or self._nodes[seat.node].state is not State.UP:  # its node was lost in the same moment
            self._ready += [Lost(*spec.key, Evidence.NEVER_STARTED) for spec in batch]
            return
        try:
            self._placements.note(seat.node, [(spec.task_id, spec.attempt) for spec in batch])
        except OSError:  # no room on the disk: then it must not go
            self._ready += [Lost(*spec.key, Evidence.NEVER_STARTED) for spec in batch]
            return
        node = self._nodes[seat.node]
        sent = list(batch)
        if self._parcels is not None:
            sent, refused = self._parcels.send(batch, actions, node.order_at_once, now=self._clock.now())
            self._ready += refused
        if not sent:
            return
        node.submit(seat.local, slot, [self._landing.whole(spec) for spec in sent], actions)
        node.flush()

    def recall(self, slot: int | None = None) -> list[AttemptKey]:
        if slot is not None and slot == self._aside:
            return self._local.recall(ASIDE)
        seat = None if slot is None else self._seats.get(slot)
        asked = [node for node in self._nodes.values() if node.state is State.UP and node.held]
        asked = asked if slot is None else [node for node in asked if seat is not None and node.name == seat.node]
        numbers = {node: node.recall(None if seat is None else seat.local) for node in asked}
        until = self._clock.monotonic() + RECALL
        while any(number not in node.answers for node, number in numbers.items()):
            for node in asked:
                node.flush()
            if self._clock.monotonic() >= until or not any(node.usable for node in asked):
                break
            self._listen(until - self._clock.monotonic())
        recalled = [AttemptKey(*key) for node, number in numbers.items() for key in node.answer(number)]
        return recalled + (self._local.recall() if slot is None else [])

    def cancel(self, keys: Sequence[AttemptKey], *, grace: float | None = None) -> None:
        self._local.cancel(keys, grace=grace)
        for node in self._nodes.values():
            node.cancel(keys, grace)
            node.flush()

    def freeze(self, key: AttemptKey, *, frozen: bool) -> None:
        self._local.freeze(key, frozen=frozen)
        for node in self._nodes.values():
            node.freeze(key, frozen=frozen)
            node.flush()

    def started(self, key: AttemptKey) -> float | None:
        for node in self._nodes.values():
            if key in node.begun:
                return node.begun[key]
        return self._local.started(key)

    # -- listening ---------------------------------------------------------------------------

    def events(self) -> list[Event]:
        self._listen(0.0)
        self._ready += self._local.events()
        events, self._ready = self._ready, []
        self._given()
        return events

    def _given(self) -> None:
        for node in self._nodes.values():
            node.given()

    def _listen(self, seconds: float) -> None:
        """Take in what nodes say, and give up those whose lease is over."""
        if seconds:
            self._carrier.wait(seconds)
        for word in (*self._greetings.take(), *self._carrier.receive()):
            node = self._node(word.node)
            if isinstance(word, Gone):
                node.gone(word.why)
            elif (message := understood(word.packed)) is not None:
                self._take(node, node.hear(message))
            else:
                node.refuse("what its agent says cannot be read here; install the same overnight on both")
        moment = self._clock.monotonic()
        for node in self._nodes.values():
            if moment >= node.over_at and node.may_run:
                given_up = node.give_up()
                self._gave_up = True
                self._bulletin.lost(node, given_up)
                self._take(node, given_up)
            if node.prints and self._followed is not None:
                self._followed.lay_down(node)
            node.flush()
        self._see_changes()
        if moment >= self._look_at:
            self._look_at = moment + LOOK
            self._look_after_closed()
            if self._followed is not None:
                self._followed.look(self._nodes.values())
            self._watch(self.nodes())

    def _take(self, node: Node, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Ended):
                self._ready.append(_on(node, self._landing.land(event, node.pieces_of(event))))
            else:
                self._ready.append(_on(node, event) if isinstance(event, Lost) else event)

    def _see_changes(self) -> None:
        changed = [node for node in self._nodes.values() if self._states.get(node.name) is not node.state]
        for node in changed:
            self._states[node.name] = node.state
            self._bulletin.changed(node, drained=node.name in self._closed)
        if changed:
            self._watch(self.nodes())
            self._arrange()

    def _look_after_closed(self) -> None:
        """Do what people want of nodes."""
        self._look_after_unfit()
        if self._closed.look():
            self._arrange()
        self._closed.obey(self._nodes.values())

    def _look_after_unfit(self) -> None:
        """A node that lacks something is given nothing, while another one lacks nothing."""
        up = [node for node in self._nodes.values() if node.state is State.UP and node.name not in self._closed]
        unfit = [node for node in up if node.unfit]
        for node in unfit:
            if node.unfit != self._known_unfit.get(node.name):
                self._known_unfit[node.name] = node.unfit
                self._bulletin.unfit(node)
            if len(unfit) == len(up):
                node.insist()
                node.flush()

    def _node(self, name: str) -> Node:
        if name not in self._nodes:
            self._nodes[name] = Node(
                name,
                fence=self._fence,
                lease=self._lease,
                say=lambda message: self._carrier.send(name, encode(message)),
                now=self._clock.monotonic,
            )
        return self._nodes[name]

    def _placed(self) -> dict[Key, str]:
        return {key: name for name, node in self._nodes.items() for key in node.on_record()}

    # -- committing and closing --------------------------------------------------------------

    def ack(self) -> None:
        self._local.ack()
        for node in self._nodes.values():
            node.commit()
            node.flush()
        with contextlib.suppress(OSError):  # then it goes on saying that it does not know all
            self._placements.settled()
        if self._gave_up:
            self._gave_up = False
            self._write_who_may_run()

    def _write_who_may_run(self) -> None:
        """Whoever comes next waits for no node that was given up, or that went in order."""
        self._placements.used(node.name for node in self._nodes.values() if node.may_run)
        with contextlib.suppress(OSError):  # then more of them are feared than need be
            self._placements.begin()

    def old_outputs(self, *, before: float) -> list[str]:
        return self._local.old_outputs(before=before)

    def drop_outputs(self, segments: Collection[str]) -> None:
        self._local.drop_outputs(segments)

    def close(self) -> None:
        self._local.close()
        leaving = [node for node in self._nodes.values() if node.state is State.UP]
        for node in leaving:
            self._carrier.release(node.name)
            node.close()
            node.flush()
        until = self._clock.monotonic() + CLOSE
        while any(node.state is State.UP for node in leaving) and self._clock.monotonic() < until:
            self._listen(0.1)
        self._write_who_may_run()
        self._carrier.close()
        self._poll.close()


def _on(node: Node, over: Over) -> Over:
    """The last word about an attempt, with where it ran; one that never began was nowhere."""
    if isinstance(over, Lost) and over.evidence is Evidence.NEVER_STARTED:
        return over
    return msgspec.structs.replace(over, node=node.name)
