"""The agent of a node: runs attempts by the executor of one machine, for an engine that is elsewhere.

It decides nothing and retries nothing. What only it knows is when to stop by itself: without word from
its engine for as long as the lease lasts (see `messages`) it ends everything that runs here, since the
engine will run it elsewhere. Nobody has to reach it for that.

No socket, no process and no thread here: words come in by `hear`, and what is to be said lies in `out`.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import msgspec

from overnight.core.durations import format_duration
from overnight.core.endings import AttemptKey, Ended, Ending, Evidence, Froze, Lost
from overnight.core.errors import OvernightError
from overnight.core.resources import Granted
from overnight.core.task import Action
from overnight.executors.contract import Executor, Over, Spec
from overnight.executors.nodes import messages
from overnight.executors.nodes.letters import Letter, Letters
from overnight.executors.nodes.live import Prints
from overnight.executors.nodes.messages import Key, encode, to_agent
from overnight.executors.nodes.parcels import Parcels
from overnight.host.clock import Clock

#: Signs of life in one lease, and the share of the time between two by which one may come sooner: nodes that were given
#: work in the same moment would speak in the same moment for ever.
BEATS, SOONER = 6, 0.25
#: Seconds after which events are taken in though many outcomes are on their way. They are acknowledged only together,
#: so it is better to wait until the engine has committed them; but one that is slow must not keep deaths unseen.
ANYWAY = 0.1
#: Seconds between two looks whether what was handed to a worker has begun.
BEGINS = 0.02


class Agent:
    """One node, seen from inside.

    Args:
        executor: Runs the attempts; opened when the first engine comes.
        clock: Monotonic for the lease; it goes on while the machine sleeps.
        facts: What to say of the node.
        pieces: The files that go with an outcome (see `files`).
        lacks: What an action needs and this node has not, in words.
        parcels: The files that come along.
        prints: Reads what attempts have printed, for who follows that.
        dice: Numbers from 0 to 1, by which signs of life are spread.
        guard: Told until when (monotonic seconds) the attempts may run, whenever that changes; infinite while none do.
    """

    def __init__(
        self,
        executor: Executor,
        clock: Clock,
        facts: messages.Facts,
        *,
        pieces: Callable[[Ended], Iterator[messages.Piece]] = lambda _: iter(()),
        lacks: Callable[[Action], str] = lambda _: "",
        parcels: Parcels | None = None,
        prints: Prints | None = None,
        guard: Callable[[float], None] = lambda _: None,
        dice: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._executor = executor
        self._clock = clock
        self._facts = facts
        self._lacks = lacks
        self._guard = guard
        self._dice = dice
        self._parcels = parcels
        self._prints = prints
        self._letters = Letters(pieces)
        self._fence, self._term, self._ttl = 0, 0, math.inf
        self._opened = False
        #: The engine that waits until what it does not know of has ended, and that; of its end nobody is told.
        self._opening: messages.Open | None = None
        self._strangers: set[Key] = set()
        #: Without a lease nothing runs: before the first engine, and after one that was silent for too long.
        self.lapsed = True
        self._until = -math.inf
        self._beat_at = math.inf
        self._taken_at = -math.inf
        #: What each slot holds, in order.
        self._slots: dict[int, dict[Key, Granted]] = {}
        self._begun: set[Key] = set()
        self._frozen: set[AttemptKey] = set()
        #: Asked to end by us, and why.
        self._ended_by_us: dict[Key, str] = {}
        self._actions: dict[int, Action] = {}
        #: Actions of which something is not here, unless somebody insists.
        self._unfit: dict[int, str] = {}
        #: Slots that are asked for, and that there are.
        self._wanted = self._there = 0
        self._resting: list[int] = []
        #: What is to be said.
        self.out: deque[bytes] = deque()
        #: Told to end, and everything has ended.
        self.closed = False
        #: Nothing of it will be asked for again.
        self.done = False

    # -- what the engine says ----------------------------------------------------------------

    def connected(self) -> None:
        """Somebody is at the other end of the line now; what was to be said was meant for somebody else."""
        self.out.clear()
        self._say(messages.Hello(self._facts, self._clock.monotonic()))

    def hear(self, packed: bytes) -> None:
        """Take in one message."""
        self._keep_lease()  # a word that waited while we were frozen does not give the lease back
        message = to_agent.decode(packed)
        if isinstance(message, messages.Open):
            self._open(message)
        elif (message.fence, message.term) == (self._fence, self._term) and not self.lapsed:
            self._heed(message)

    def _open(self, opening: messages.Open) -> None:
        if (opening.fence, opening.term) <= (self._fence, self._term):
            self._say(messages.Refused(opening.term, f"an engine that came later (number {self._fence}) has this node"))
            return
        if opening.fence != self._fence:
            for key in self._frozen:
                self._executor.freeze(key, frozen=False)  # who wanted that is gone
        self._fence, self._term, self._ttl = opening.fence, opening.term, opening.ttl
        self._actions.clear()
        self._unfit.clear()
        if not self._opened:
            keys = [AttemptKey(*key) for key in opening.left]
            try:
                self._letters.add(self._executor.open(fence=opening.fence, left_open=keys))
            except OvernightError as error:
                self._say(messages.Refused(self._term, error.message))
                return
            self._opened = True
        if self._parcels is not None:
            self._parcels.keep({*opening.left, *self._under()})
        self._letters.begin_again(opening.left)
        self._show_nothing()
        self._begun.clear()  # whoever asks is told again
        self._strangers = self._under().difference(opening.left)
        self._end(self._strangers, "the engine does not know of it any more")
        self._opening = opening
        self.lapsed, self._until = False, -math.inf
        self._extend(opening.echo)
        self.look()

    def _answer(self, opening: messages.Open) -> None:
        """It is the engine now. What it does not know of might be handed out anew as soon as it knows that."""
        self._opening = None
        self._beat_at = self._next_beat()
        told = self._letters.keys().intersection(opening.left)
        still = [(*key, slot, granted) for slot, held in self._slots.items() for key, granted in held.items()]
        self._say(messages.Opened(self._term, self._clock.monotonic(), list(told), still))

    def _heed(self, word: messages.Word) -> None:
        self._extend(word.echo)
        self._drop_parcels(self._letters.acknowledge(word.ack))
        if self._letters.empty:
            self._executor.ack()
        for order in word.orders:
            self._obey(order)

    def _obey(self, order: messages.Order) -> None:
        if isinstance(order, messages.Submit):
            self._submit(order)
        elif isinstance(order, messages.Ship):
            if self._parcels is not None:
                self._parcels.take(order)
        elif isinstance(order, messages.Recall):
            self._recall(order)
        elif isinstance(order, messages.Resize):
            self._resize(order.slots)
        elif isinstance(order, messages.Close):
            self.done = self._letters.empty and not any(self._slots.values())
            self.close()
            self._say(messages.Closed(self._term))
        else:
            self._obey_about_some(order)

    def _obey_about_some(self, order: messages.AboutSome) -> None:
        if isinstance(order, messages.Cancel):
            self._executor.cancel([AttemptKey(*key) for key in order.keys], grace=order.grace)
        elif isinstance(order, messages.End):
            self._end(self._under().intersection(order.keys), order.why)
        elif isinstance(order, messages.Freeze):
            self._executor.freeze(AttemptKey(*order.key), frozen=order.frozen)
        elif isinstance(order, messages.Follow):
            if self._prints is not None:
                self._prints.ask(order.key, order.at)
        elif isinstance(order, messages.Forget):
            self._actions.clear()
            self._unfit.clear()
        else:
            self._unfit = dict.fromkeys(self._unfit, "")

    def _resize(self, slots: int) -> None:
        self._wanted = slots
        with contextlib.suppress(OSError):  # no room for all of them: those that are missing are told as resting
            self._executor.resize(slots)
            self._there = slots

    def _submit(self, order: messages.Submit) -> None:
        for number, action in order.actions.items():
            self._learn(number, action, order.specs)
        why = next((words for spec in order.specs if (words := self._unfit[spec.action_id])), "")
        if why or order.slot >= self._there:
            self._letters.add([Lost(*spec.key, Evidence.NEVER_STARTED) for spec in order.specs])
            self._report(self._letters.write(), unfit=why)
            return
        specs = self._unpacked(order.specs)
        held = self._slots.setdefault(order.slot, {})
        held |= {(spec.task_id, spec.attempt): spec.granted for spec in specs}
        self._executor.submit(order.slot, specs, self._actions)

    def _learn(self, number: int, action: Action, specs: Sequence[Spec]) -> None:
        """Know an action. One whose directory is not here, and whose file came along, is done where that is."""
        lacks, parcels = self._lacks(action), self._parcels
        if lacks and parcels is not None and any(parcels.has(spec) for spec in specs if spec.action_id == number):
            action, lacks = msgspec.structs.replace(action, cwd=bytes(parcels.directory)), ""
        self._actions[number], self._unfit[number] = action, lacks

    def _unpacked(self, specs: Sequence[Spec]) -> list[Spec]:
        """These with the files that came along; of one whose file could not be laid down that is told."""
        if self._parcels is None:
            return list(specs)
        for spec in specs:
            if not self._parcels.has(spec):
                self._parcels.expect(spec, self._actions[spec.action_id])
        found = [self._parcels.unpacked(spec, now=self._clock.now()) for spec in specs]
        self._letters.add([refused for refused in found if isinstance(refused, Ended)])
        return [spec for spec in found if isinstance(spec, Spec)]

    def _drop_parcels(self, keys: Collection[Key]) -> None:
        if self._parcels is not None:
            self._parcels.drop(keys)

    def _recall(self, order: messages.Recall) -> None:
        if order.slot is not None and order.slot not in self._slots:
            self._report(recalled=[(order.number, [])])
            return
        keys: list[Key] = [(key.task_id, key.attempt) for key in self._executor.recall(order.slot)]
        self._forget(keys)
        self._drop_parcels(keys)
        self._report(recalled=[(order.number, keys)])

    # -- the lease ---------------------------------------------------------------------------

    def _extend(self, stamp: float) -> None:
        if stamp + self._ttl > self._until:
            self._until = stamp + self._ttl
            self._guard(self._until)

    def _keep_lease(self) -> None:
        """End everything when the lease is over."""
        if self.lapsed or self._clock.monotonic() < self._until:
            return
        self.lapsed = True
        self._show_nothing()
        words = f"its node had no word from the engine for {format_duration(self._ttl)}, and ended it"
        self._forget_unread()
        self._end(self._under(), words)
        self._report(lapsed=True)

    def _forget_unread(self) -> None:
        keys = self._executor.recall()
        self._forget([(key.task_id, key.attempt) for key in keys])
        self._letters.add([Lost(*key, Evidence.NEVER_STARTED) for key in keys])

    def _end(self, keys: Collection[Key], words: str) -> None:
        """End these at once; they count as interrupted."""
        if keys:
            self._ended_by_us |= dict.fromkeys(keys, words)
            self._executor.cancel([AttemptKey(*key) for key in keys], grace=0.0)

    def close(self) -> None:
        """End everything, and see it dead."""
        if self._opened and not self.closed:
            self._executor.close()
        self.closed = True
        self._guard(math.inf)

    # -- what happens here -------------------------------------------------------------------

    @property
    def listens(self) -> bool:
        """Whether what workers say is taken in at once: what the engine has heard does not go with the node."""
        return self._opened and not self.closed and not self._letters.many

    @property
    def may_tidy(self) -> bool:
        """Whether no outcome is on its way whose files somebody may still have to read, however long it takes."""
        return self.listens and self._letters.empty

    def due(self) -> float:
        """Seconds until `look` has something to do though nobody says anything."""
        if not self._opened or self.closed:
            return math.inf
        moment = self._clock.monotonic()
        dues = [self._beat_at, math.inf if self.lapsed else self._until]
        dues += [moment + BEGINS] if self._heads() else []
        dues += [self._taken_at + ANYWAY] if self._letters.many else []
        dues += [self._prints.due()] if self._prints is not None else []
        return max(0.0, min(dues) - moment)

    def look(self) -> None:
        """Take in what workers said, and say what there is to say. To be called when the executor has something."""
        if not self._opened or self.closed:
            return
        self._keep_lease()
        moment = self._clock.monotonic()
        froze = self._take_in(moment) if not self._letters.many or moment >= self._taken_at + ANYWAY else []
        if self._opening is not None and not self.lapsed and not self._strangers:
            self._answer(self._opening)
        letter = None if self.lapsed or self._opening is not None else self._letters.write()
        begun = self._newly_begun()
        resting = self._now_resting()
        if letter or froze or begun or resting != self._resting or moment >= self._beat_at:
            self._resting = resting
            self._report(letter, froze=froze, begun=begun)
        if self._prints is not None and (piece := self._prints.take()) is not None:
            self._say(messages.Printed(self._term, *piece))

    def _show_nothing(self) -> None:
        """Nobody follows anything here, until he asks."""
        if self._prints is not None:
            self._prints.begin_again()

    def _take_in(self, moment: float) -> list[Froze]:
        self._taken_at = moment
        events = self._executor.events()
        overs: list[Over] = [self._told(event) for event in events if not isinstance(event, Froze)]
        self._letters.add([over for over in overs if (over.task_id, over.attempt) not in self._strangers])
        self._forget([(over.task_id, over.attempt) for over in overs])
        if self.lapsed and not any(self._slots.values()):
            self._guard(math.inf)
        froze = [event for event in events if isinstance(event, Froze)]
        for event in froze:
            (self._frozen.add if event.frozen else self._frozen.discard)(event.key)
        return froze

    def _told(self, over: Over) -> Over:
        why = self._ended_by_us.get((over.task_id, over.attempt))
        if why is None or not isinstance(over, Ended) or over.ending is not Ending.CANCELLED:
            return over
        return Lost(over.task_id, over.attempt, Evidence.STARTED, started_at=over.started_at, error=why)

    def _under(self) -> set[Key]:
        return {key for keys in self._slots.values() for key in keys}

    def _forget(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._begun.discard(key)
            self._frozen.discard(AttemptKey(*key))
            self._strangers.discard(key)
            self._ended_by_us.pop(key, None)
            for held in self._slots.values():
                held.pop(key, None)

    def _heads(self) -> list[Key]:
        """What each slot runs next, and is not known to have begun."""
        heads = (next(iter(held)) for held in self._slots.values() if held)
        return [key for key in heads if key not in self._begun]

    def _newly_begun(self) -> list[tuple[int, int, float]]:
        found = []
        for key in self._heads():
            wall = self._executor.started(AttemptKey(*key))
            if wall is not None:
                self._begun.add(key)
                found.append((*key, wall))
        return found

    def _now_resting(self) -> list[int]:
        offered = {offer.slot for offer in self._executor.offers()}
        return [slot for slot in range(self._wanted) if slot not in offered]

    def _next_beat(self) -> float:
        return self._clock.monotonic() + self._ttl / BEATS * (1 - SOONER * self._dice())

    def _report(
        self,
        letter: Letter | None = None,
        *,
        froze: Collection[Froze] = (),
        begun: Collection[tuple[int, int, float]] = (),
        recalled: Collection[tuple[int, list[Key]]] = (),
        unfit: str = "",
        lapsed: bool = False,
    ) -> None:
        moment = self._clock.monotonic()
        self._beat_at = math.inf if self.lapsed else self._next_beat()
        report = messages.Report(
            self._term,
            moment,
            self._resting,
            list(begun),
            list(recalled),
            list(froze),
            unfit=unfit,
            lapsed=lapsed or self.lapsed,
        )
        if letter is not None:
            told = {"letter": letter.number, "ended": letter.ended, "lost": letter.lost, "pieces": letter.pieces}
            report = msgspec.structs.replace(report, **told)
        self._say(report)

    def _say(self, message: messages.ToEngine) -> None:
        self.out.append(encode(message))
