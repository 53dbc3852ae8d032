"""One slot, seen from the engine: its keeper, its two tracks, and what waits to be handed out.

A slot runs one attempt at a time, in the order given. Commands and functions go down different
lines, so one kind is handed out only when nothing of the other is outstanding.
"""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from overnight.core.endings import Ended, Ending, Evidence, Froze, Lost
from overnight.core.resources import Granted
from overnight.core.states import ErrorClass
from overnight.core.task import Action, ActionKind
from overnight.core.verdict import EXIT_DONE_AND_STOP
from overnight.executors.contract import AttemptKey, Event, Spec
from overnight.executors.local.keeper_process import NOT_NOW, KeeperProcess
from overnight.executors.local.marks import Ring, SlotMarks
from overnight.executors.local.place import Place
from overnight.executors.local.stuck import identify, in_slot, words_about
from overnight.executors.local.track import Key, Sender, Track
from overnight.executors.local.wire import (
    Cancel,
    Close,
    Freeze,
    GoOn,
    HasFrozen,
    Lag,
    Line,
    Ping,
    Report,
    Resume,
    RunnerGone,
    RunnerReport,
    frames,
)
from overnight.host.cgroups import Group
from overnight.host.clock import Clock
from overnight.host.purge import give_up, purge

#: Actions kept at hand; beyond so many those that nothing waits for are forgotten.
ACTIONS_KEPT = 64
#: Attempts in one frame: what cannot be recalled any more once it has been read.
CALLS_IN_FRAME = 16
#: Seconds to wait after the first, second ... death in a row of a worker that has done nothing.
PAUSES = (0.0, 0.1, 0.5, 2.0, 5.0)
#: Seconds until another keeper is tried when there was no room for a process.
START_AGAIN = 1.0
#: Seconds of silence after which a keeper with work is asked whether it lives, and seconds for its answer.
ASK_AFTER, ANSWER_WITHIN = 10.0, 30.0
#: Seconds for both, beside the grace, once what runs is to end at once.
HURRY = 1.0
#: After so many runners in a row that died without beginning anything, their attempts are refused.
HOPELESS = 3


class Slot:
    """One slot.

    Args:
        place: Where; the numbers of descriptors are filled in for each keeper.
        marks: Of this slot.
        selector: Where our ends are watched.
        tell: Takes events.
        clock: For what is refused here.
        group: In which its keepers live.
    """

    def __init__(
        self,
        place: Place,
        marks: SlotMarks,
        selector: selectors.BaseSelector,
        tell: Callable[[Iterable[Event]], None],
        clock: Clock,
        group: Group | None = None,
    ) -> None:
        self.number = place.slot
        self.retiring = False
        self._place = place
        self._marks = marks
        self._selector = selector
        self._tell = tell
        self._clock = clock
        self._group = group
        self._spool = Path(os.fsdecode(place.spool))
        self._waiting: deque[tuple[Spec, Action]] = deque()
        self._actions: dict[int, tuple[Action, msgspec.Raw]] = {}
        self._tracks = {
            ActionKind.COMMAND: Track(Ring.KEEPER, marks, self._spool),
            ActionKind.CALL: Track(Ring.RUNNER, marks, self._spool),
        }
        self._commands, self._calls = self._tracks.values()
        self._serial = 0
        self._deaths = 0
        self._futile_runners = 0
        #: Whether the keeper has brought an attempt to its end.
        self._useful = False
        #: The keeper waits until an exit status that stops the queue has been heeded: heard of, told to the engine.
        self._pausing = self._pause_told = False
        self._graves: list[Path] = []
        self._graves_returned: list[Path] = []
        self._keeper: KeeperProcess | None = None
        #: Whether the last keeper went by itself after it had seen everything below it dead, or we have seen it.
        self.left_clean = True
        #: The keeper is dead, and what was below it may not be; since when, monotonic.
        self._dead_keeper = False
        self._died_at = 0.0
        #: When to try to start one, monotonic, while there is none.
        self._start_at = 0.0
        #: Whether the keeper has said anything since it was looked at last, since when it is silent, and since
        #: when it owes an answer.
        self._heard = False
        self._silent_since = 0.0
        self._asked_at: float | None = None
        self._why_killed = ""
        #: How long it may be silent, and take to answer: less once everything is to end at once.
        self._ask_after, self._answer_within = ASK_AFTER, ANSWER_WITHIN
        #: Keepers that were killed and do not die.
        self._abandoned: list[KeeperProcess] = []
        self.start()

    # -- the keeper --------------------------------------------------------------------------

    def start(self) -> None:
        """Start a keeper; later, when there is no room for a process now."""
        pause = PAUSES[min(self._deaths, len(PAUSES) - 1)]
        try:
            place = msgspec.structs.replace(self._place, serial=self._serial + 1, pause=pause)
            keeper = KeeperProcess(place, self._group)
        except OSError as error:
            if error.errno not in NOT_NOW:
                raise
            self._start_at = self._clock.monotonic() + START_AGAIN
            return
        self._serial += 1
        self._keeper = keeper
        self._useful, self._why_killed, self._asked_at = False, "", None
        self._silent_since = self._clock.monotonic()
        self._selector.register(keeper.exit, selectors.EVENT_READ, self._on_exit)
        self._connect(keeper)

    def _connect(self, keeper: KeeperProcess) -> None:
        spill = os.fsdecode(self._place.spool)
        name = f"s{self.number}-{self._serial}"
        self._control = Sender(Line(keeper.control, spill), self._selector, self._on_control)
        commands = Sender(Line(keeper.commands, spill), self._selector, None)
        self._commands.connect(commands, keeper.their_commands, spill, (f"{name}-k.?", f"{name}-k.?"))
        self._calls_line = Line(keeper.calls, spill)
        calls = Sender(self._calls_line, self._selector, self._on_calls)
        self._calls.connect(calls, keeper.their_calls, spill, (f"{name}-*", f"{name}-r*"))

    @property
    def ready(self) -> bool:
        """Whether there is a keeper to hand something to."""
        return self._keeper is not None and not self._dead_keeper

    def _on_exit(self) -> None:
        self._reap()
        self._dead_keeper, self._died_at = True, self._clock.monotonic()
        self._control.rest()
        self._calls.rest()
        self._look_below(patience=1.0)

    def _reap(self) -> None:
        assert self._keeper is not None  # noqa: S101 - it has just ended
        self._selector.unregister(self._keeper.exit)
        self._keeper.exit.close()
        self._keeper.reap()
        self.left_clean = self._keeper.status == 0

    def look(self, moment: float) -> None:
        """Do what is due: bury a keeper when everything below it is dead, start one, ask whether it lives."""
        if self._dead_keeper:
            self._look_below(patience=0.0)  # it has had its time; the other slots wait for us
        elif self._keeper is not None:
            self._listen_for_life(moment)
        elif moment >= self._start_at and not self.retiring:
            self.start()

    def _look_below(self, patience: float) -> None:
        if self._group is not None:
            self._group.kill()  # all at one moment, however fast they fork; purge sees them dead
        left = purge(seconds=patience)
        if left and self._clock.monotonic() < self._died_at + self._place.stuck_after:
            return
        stuck = in_slot(identify(left), self.number)
        give_up(stuck)
        self._bury_all(stuck)

    def _bury_all(self, stuck: list[int]) -> None:
        """The keeper is dead, and all below it but the stuck."""
        assert self._keeper is not None  # noqa: S101 - it was there to die
        self._on_calls()
        self._on_control()
        status = self._keeper.status or 0
        how = f"its keeper was killed by signal {-status}" if status < 0 else f"its keeper ended with status {status}"
        how = words_about(stuck) if stuck else self._why_killed or how
        self._deaths = 0 if self._useful else self._deaths + 1
        self._dead_keeper, self.left_clean = False, True
        self._bury(self._commands, how, worker_died=True, stuck=bool(stuck))
        self._bury(self._calls, how, worker_died=True, stuck=bool(stuck))
        self._disconnect()
        if not self.retiring:
            self.start()

    def _listen_for_life(self, moment: float) -> None:
        """A keeper that is stopped or stuck keeps no limits: ask those that are silent, kill those that stay so."""
        if self._heard or not len(self):
            self._heard, self._asked_at, self._silent_since = False, None, moment
        elif self._asked_at is None and moment - self._silent_since > self._ask_after:
            self._asked_at = moment
            self._control.send(Ping())
        elif self._asked_at is not None and moment - self._asked_at > self._answer_within:
            self._press(moment)

    def _press(self, moment: float) -> None:
        assert self._keeper is not None  # noqa: S101 - see where this is called
        if not self._why_killed:
            self._why_killed = f"its keeper had not answered for {self._answer_within:g} s and was killed"
            self._died_at = moment
            self._keeper.kill()
        elif moment > self._died_at + self._place.stuck_after:
            self._abandon(self._keeper)

    def _abandon(self, keeper: KeeperProcess) -> None:
        """It was killed and does not die: end what is below it, and go on without it."""
        stuck = purge(seconds=1.0, below=keeper.pid)
        self._abandoned.append(keeper)
        self._selector.modify(keeper.exit, selectors.EVENT_READ, lambda: self._see_off(keeper))
        self._control.rest()
        self._calls.rest()
        self._bury_all(sorted(stuck))

    def _see_off(self, keeper: KeeperProcess) -> None:
        """One that had been abandoned is dead at last; what was below it has come to us."""
        self._abandoned.remove(keeper)
        self._selector.unregister(keeper.exit)
        keeper.exit.close()
        keeper.reap()
        purge(seconds=1.0)

    def _bury(self, track: Track, how: str, *, worker_died: bool, stuck: bool = False) -> list[Spec]:
        self._graves += track.files()
        events, fresh = track.bury(how, worker_died=worker_died, stuck=stuck)
        self._tell(events)
        self._return(fresh)
        return fresh

    def _return(self, specs: list[Spec]) -> None:
        """Put back what had not begun; it goes first."""
        self._waiting.extendleft((spec, self._actions[spec.action_id][0]) for spec in reversed(specs))

    def _disconnect(self) -> None:
        self._keeper = None
        self._control.close()
        self._commands.disconnect()
        self._calls.disconnect()

    # -- what workers say --------------------------------------------------------------------

    def _on_calls(self) -> None:
        try:
            while (message := self._calls_line.receive()) is not None:
                if isinstance(message, Report):
                    self._useful = True
                    self._futile_runners = 0
                    self._tell(self._calls.told(message))
        except EOFError:
            self._calls.rest()

    def _on_control(self) -> None:
        try:
            while (message := self._control.line.receive()) is not None:
                self._heard = True
                if isinstance(message, Report):
                    self._useful = True
                    self._pausing |= any(one.exit_code == EXIT_DONE_AND_STOP for one in message.ended)
                    self._tell(self._commands.told(message))
                elif isinstance(message, HasFrozen):
                    self._tell([Froze(message.task_id, message.attempt, message.frozen)])
                elif isinstance(message, RunnerReport):
                    self._tell(self._calls.told_by_keeper(message.ended))
                elif isinstance(message, RunnerGone):
                    self._runner_gone(message)
                elif isinstance(message, Lag):
                    self._on_calls()
                    self._tell(self._calls.harvest())
        except EOFError:
            self._control.rest()  # its pidfd tells of its death, its silence that it lives on

    def _runner_gone(self, message: RunnerGone) -> None:
        self._on_calls()  # what it said before it died
        self._return(self._calls.take_back())
        before = len(self._calls.outstanding)
        fresh = self._bury(self._calls, message.how, worker_died=not message.ours)
        futile = bool(before) and len(fresh) == before and not message.ours
        self._futile_runners = self._futile_runners + 1 if futile else 0
        if self._futile_runners >= HOPELESS:
            self._refuse(fresh, message.how)
        self._calls.restart()
        self._control.send(Resume(PAUSES[min(self._futile_runners, len(PAUSES) - 1)]))

    def _refuse(self, specs: list[Spec], how: str) -> None:
        self._futile_runners = 0
        for _ in specs:
            self._waiting.popleft()
        now = self._clock.now()
        words = f"no worker for functions stays alive here ({how}); nothing of the function was run"
        self._tell(
            Ended(spec.task_id, spec.attempt, Ending.REFUSED, now, 0.0, error=words, error_class=ErrorClass.RESOURCE)
            for spec in specs
        )

    # -- handing out -------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._waiting) + len(self._commands.outstanding) + len(self._calls.outstanding)

    def submit(self, batch: Iterable[tuple[Spec, Action]]) -> None:
        """Take attempts, to be run in this order."""
        for spec, action in batch:
            if spec.action_id not in self._actions:
                self._learn(spec.action_id, action)
            self._waiting.append((spec, action))
        self.feed()

    def _learn(self, action_id: int, action: Action) -> None:
        if len(self._actions) >= ACTIONS_KEPT:
            wanted = {spec.action_id for spec, _ in self._waiting}
            wanted.update(other for track in self._tracks.values() for _, _, other in track.outstanding.values())
            self._actions = {known: what for known, what in self._actions.items() if known in wanted}
        self._actions[action_id] = (action, msgspec.Raw(msgspec.msgpack.encode(action)))

    def feed(self) -> None:
        """Hand out what may be handed out now."""
        while self._waiting and self.ready:
            kind = self._waiting[0][1].kind
            track = self._tracks[kind]
            other = self._calls if track is self._commands else self._commands
            if other.outstanding or track.blocked or track.room() <= 0:
                return
            most = min(1 if kind is ActionKind.COMMAND else CALLS_IN_FRAME, track.room())
            self._hand_out(track, most)

    def _hand_out(self, track: Track, most: int) -> None:
        action_id = self._waiting[0][0].action_id
        specs: list[Spec] = []
        granted = self._waiting[0][0].granted  # a runner has the same ones for as long as it lives
        while self._waiting and len(specs) < most and _same(self._waiting[0][0], action_id, granted):
            specs.append(self._waiting.popleft()[0])
        first, *rest = frames(specs, most)
        self._return([spec for frame in rest for spec in frame])
        track.send(first, action_id, self._actions[action_id][1])

    def recall(self) -> list[AttemptKey]:
        """Take back what no worker has read."""
        unread = [*self._take_back(), *(spec for spec, _ in self._waiting)]
        self._waiting.clear()
        return [spec.key for spec in unread]

    def _take_back(self) -> list[Spec]:
        if not self.ready:
            return []
        return [*self._commands.take_back(), *self._calls.take_back()]

    def cancel(self, key: Key, grace: float | None) -> None:
        """Ask to end this attempt, if it is here."""
        if not any(key in track.outstanding for track in self._tracks.values()) and not self._waits(key):
            return
        if grace is not None:
            self._hurry(grace)
        self._return(self._take_back())
        if self._waits(key):
            self._waiting = deque(item for item in self._waiting if item[0].key != key)
            self._tell([Lost(*key, Evidence.NEVER_STARTED)])
        for track in self._tracks.values():
            if key in track.outstanding:
                track.cancelled.add(key)
                if self.ready:
                    self._control.send(Cancel(*key, track.ring, track.outstanding[key][0], grace))
        self.feed()

    def freeze(self, key: Key, *, frozen: bool) -> None:
        """Ask that this attempt stands still, or goes on, if a worker has it."""
        for track in self._tracks.values():
            if key in track.outstanding and self.ready:
                self._control.send(Freeze(*key, track.ring, track.outstanding[key][0], frozen))

    def _hurry(self, grace: float) -> None:
        """Somebody waits for the end of what runs: a keeper that is stopped must not make him wait for long."""
        self._ask_after = min(self._ask_after, HURRY)
        self._answer_within = min(self._answer_within, grace + HURRY)

    def _waits(self, key: Key) -> bool:
        return any(spec.key == key for spec, _ in self._waiting)

    def started(self, key: Key) -> float | None:
        """When it began, POSIX seconds."""
        for track in self._tracks.values():
            wall = track.started(key)
            if wall is not None:
                return wall
        return None

    # -- committing and closing --------------------------------------------------------------

    def returned(self) -> None:
        """All events so far have been given to the engine."""
        self._graves_returned = self._graves[:]
        self._pause_told = self._pausing
        for track in self._tracks.values():
            track.returned()

    def commit(self) -> None:
        """All that had been given to the engine is committed, and it has recalled what shall not begin."""
        if self._pause_told:
            self._pausing = self._pause_told = False
            if self.ready:
                self._control.send(GoOn())
        for path in self._graves_returned:
            path.unlink(missing_ok=True)
        self._graves = self._graves[len(self._graves_returned) :]
        self._graves_returned = []
        for track in self._tracks.values():
            track.commit()

    @property
    def settled(self) -> bool:
        """Whether all that was ever handed out has been committed."""
        return all(track.settled for track in self._tracks.values())

    def retire(self) -> None:
        """Tell the keeper to end what runs, and itself."""
        told, self.retiring = self.retiring, True
        if not told and self.ready:
            self._control.send(Close())

    def wait(self, seconds: float) -> None:
        """See the keeper dead; by force when it takes longer. What may be below it then is for `purge`."""
        keeper = self._keeper
        if keeper is None or keeper.status is not None:
            return
        if not keeper.exit.wait(seconds):
            keeper.kill()
        self._reap()
        self._disconnect()

    @property
    def gone(self) -> bool:
        """Whether it was told to go, and its keeper and all below it are dead."""
        return self.retiring and self._keeper is None

    def close(self) -> None:
        """Let go of everything. The keeper is gone."""
        if self._keeper is not None:
            self._disconnect()
        for keeper in self._abandoned:
            keeper.disown()
        self._marks.close()


def _same(spec: Spec, action_id: int, granted: Granted) -> bool:
    return spec.action_id == action_id and spec.granted == granted
