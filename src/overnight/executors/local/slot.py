"""One slot, seen from the engine: its keeper, its two tracks, and what waits to be handed out.

A slot runs one attempt at a time, in the order given. Commands and functions go down different
lines, so one kind is handed out only when nothing of the other is outstanding.
"""

from __future__ import annotations

import os
import selectors
import subprocess
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from overnight.core.endings import Ended, Ending, Evidence, Lost
from overnight.core.states import ErrorClass
from overnight.core.task import Action, ActionKind
from overnight.executors.contract import AttemptKey, Event, Spec
from overnight.executors.local.marks import Ring, SlotMarks
from overnight.executors.local.place import Place, keeper_argv
from overnight.executors.local.track import Key, Sender, Track
from overnight.executors.local.wire import (
    Cancel,
    Close,
    Lag,
    Line,
    Report,
    Resume,
    RunnerGone,
    RunnerReport,
    frames,
    pair,
)
from overnight.host.clock import Clock
from overnight.host.processes import Exit
from overnight.host.purge import forget, purge, spare

#: Attempts in one frame: what cannot be recalled any more once it has been read.
CALLS_IN_FRAME = 16
#: Seconds to wait after the first, second ... death in a row of a worker that has done nothing.
PAUSES = (0.0, 0.1, 0.5, 2.0, 5.0)
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
    """

    def __init__(
        self,
        place: Place,
        marks: SlotMarks,
        selector: selectors.BaseSelector,
        tell: Callable[[Iterable[Event]], None],
        clock: Clock,
    ) -> None:
        self.number = place.slot
        self.retiring = False
        self._place = place
        self._marks = marks
        self._selector = selector
        self._tell = tell
        self._clock = clock
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
        self._graves: list[Path] = []
        self._graves_returned: list[Path] = []
        self._dead_keeper = False
        self.start()

    # -- the keeper --------------------------------------------------------------------------

    def start(self) -> None:
        """Start a keeper."""
        self._serial += 1
        pause = PAUSES[min(self._deaths, len(PAUSES) - 1)]
        ours, theirs = zip(*(pair() for _ in range(3)), strict=True)
        control, commands, calls = (end.fileno() for end in theirs)
        place = msgspec.structs.replace(
            self._place, serial=self._serial, control=control, commands=commands, calls=calls, pause=pause
        )
        environ = {**os.environ, "OVERNIGHT_COOKIE": place.cookie, "OVERNIGHT_ROLE": "keeper"}
        self._keeper = subprocess.Popen(
            keeper_argv(place),
            pass_fds=(control, commands, calls),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=environ,
        )
        spare(self._keeper.pid)
        self._useful = False
        self._exit = Exit(self._keeper.pid)
        self._selector.register(self._exit, selectors.EVENT_READ, self._on_exit)
        theirs[0].close()
        spill = os.fsdecode(place.spool)
        name = f"s{self.number}-{self._serial}"
        self._control = Sender(Line(ours[0], spill), self._selector, self._on_control)
        self._commands.connect(
            Sender(Line(ours[1], spill), self._selector, None), theirs[1], spill, (f"{name}-k.?", f"{name}-k.?")
        )
        self._calls_line = Line(ours[2], spill)
        self._calls.connect(
            Sender(self._calls_line, self._selector, self._on_calls), theirs[2], spill, (f"{name}-*", f"{name}-r*")
        )

    def _on_exit(self) -> None:
        self._selector.unregister(self._exit)
        self._exit.close()
        self._keeper.wait()
        forget(self._keeper.pid)
        self._dead_keeper = True
        self._control.rest()
        self._calls.rest()
        self._look(patience=1.0)

    def look(self) -> None:
        """When the keeper has died: bury it as soon as everything below it is dead, and start another one."""
        if self._dead_keeper:
            self._look(patience=0.0)  # it has had its time; the other slots wait for us

    def _look(self, patience: float) -> None:
        if purge(seconds=patience):
            return
        self._dead_keeper = False
        self._on_calls()
        self._on_control()
        status = self._keeper.returncode
        how = f"its keeper was killed by signal {-status}" if status < 0 else f"its keeper ended with status {status}"
        self._deaths = 0 if self._useful else self._deaths + 1
        self._bury(self._commands, how, worker_died=True)
        self._bury(self._calls, how, worker_died=True)
        self._disconnect()
        if not self.retiring:
            self.start()

    def _bury(self, track: Track, how: str, *, worker_died: bool) -> list[Spec]:
        self._graves += track.files()
        events, fresh = track.bury(how, worker_died=worker_died)
        self._tell(events)
        self._return(fresh)
        return fresh

    def _return(self, specs: list[Spec]) -> None:
        """Put back what had not begun; it goes first."""
        self._waiting.extendleft((spec, self._actions[spec.action_id][0]) for spec in reversed(specs))

    def _disconnect(self) -> None:
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
            pass

    def _on_control(self) -> None:
        try:
            while (message := self._control.line.receive()) is not None:
                if isinstance(message, Report):
                    self._useful = True
                    self._tell(self._commands.told(message))
                elif isinstance(message, RunnerReport):
                    self._tell(self._calls.told_by_keeper(message.ended))
                elif isinstance(message, RunnerGone):
                    self._runner_gone(message)
                elif isinstance(message, Lag):
                    self._on_calls()
                    self._tell(self._calls.harvest())
        except EOFError:
            pass

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
                self._actions[spec.action_id] = (action, msgspec.Raw(msgspec.msgpack.encode(action)))
            self._waiting.append((spec, action))
        self.feed()

    def feed(self) -> None:
        """Hand out what may be handed out now."""
        while self._waiting and not self._dead_keeper:
            kind = self._waiting[0][1].kind
            track = self._tracks[kind]
            other = self._calls if track is self._commands else self._commands
            if other.outstanding or track.blocked or track.room() <= 0:
                return
            most = min(1 if kind is ActionKind.COMMAND else CALLS_IN_FRAME, track.room())
            self._hand_out(track, most)
        if not self._waiting and not len(self):
            self._actions.clear()

    def _hand_out(self, track: Track, most: int) -> None:
        action_id = self._waiting[0][0].action_id
        specs: list[Spec] = []
        while self._waiting and len(specs) < most and self._waiting[0][0].action_id == action_id:
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
        if self._dead_keeper:
            return []
        return [*self._commands.take_back(), *self._calls.take_back()]

    def cancel(self, key: Key, grace: float | None) -> None:
        """Ask to end this attempt, if it is here."""
        if not any(key in track.outstanding for track in self._tracks.values()) and not self._waits(key):
            return
        self._return(self._take_back())
        if self._waits(key):
            self._waiting = deque(item for item in self._waiting if item[0].key != key)
            self._tell([Lost(*key, Evidence.NEVER_STARTED)])
        for track in self._tracks.values():
            if key in track.outstanding:
                track.cancelled.add(key)
                if not self._dead_keeper:
                    self._control.send(Cancel(*key, track.ring, track.outstanding[key][0], grace))
        self.feed()

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
        for track in self._tracks.values():
            track.returned()

    def commit(self) -> None:
        """All that had been given to the engine is committed."""
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
        self.retiring = True
        if not self._dead_keeper:
            self._control.send(Close())

    def wait(self, seconds: float) -> None:
        """See the keeper dead; by force when it takes longer. What may be below it then is for `purge`."""
        if not self._keeper.pid or self._keeper.returncode is not None:
            return
        if not self._exit.wait(seconds):
            self._keeper.kill()
        self._keeper.wait()
        forget(self._keeper.pid)
        self._selector.unregister(self._exit)
        self._exit.close()
        self._disconnect()

    @property
    def left_clean(self) -> bool:
        """Whether the keeper went by itself, after it had seen everything below it dead."""
        return self._keeper.returncode == 0

    def close(self) -> None:
        """Let go of the marks. The keeper is gone."""
        self._marks.close()
