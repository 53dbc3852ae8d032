"""The supervisor: starts an engine again when it has crashed, and does nothing else.

A process of its own, so small that there is little in it to crash: one thread, no store, no
configuration; it knows `core` and `host`, and a test holds that. What it decides is in
``core.supervision``. It holds the lock of the home as long as it lives and shares it with each of its
engines, so nobody gets in between two of them. Should it be killed itself, its engine works on (to end
good work because its guard has died would help nobody), and ``status`` says that nobody watches.

It is a subreaper: whatever an engine and its workers have left becomes a child of the supervisor, and
is ended before the next engine starts.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from pathlib import Path

import msgspec

from overnight.core.errors import AlreadyRunningError, OvernightError
from overnight.core.stopping import Mode, Stopping, after
from overnight.core.supervision import GiveUp, Life, Policy, Refused, Report, Restart, after_life, how
from overnight.engine.stops import ASKS
from overnight.engine.voice import Voice
from overnight.engine.watched import Watched
from overnight.host.beside import LAST_WORD, Beside
from overnight.host.clock import Clock, SystemClock
from overnight.host.home import Home
from overnight.host.kept import honour
from overnight.host.lock import HomeLock, about_me, read_owner
from overnight.host.processes import set_subreaper
from overnight.host.purge import purge, spare_strangers
from overnight.host.service import ServiceManager
from overnight.host.signals import SignalWatch
from overnight.host.stop_file import StopFile
from overnight.host.waiter import KernelWaiter

#: Seconds that an engine has when it was told to end at once: 5 for its tasks, the rest to see them dead.
STOP_PATIENCE = 15.0
#: Seconds between two looks at the STOP file while no engine looks at it, and between two tries for a home.
LOOK_EVERY, TRY_EVERY = 1.0, 0.1
#: Seconds that a supervisor sleeps at most.
LONGEST_SLEEP = 60.0
_WORK_LEFT = 7


class Order(msgspec.Struct, frozen=True):
    """What a supervisor is to do. It is the last word of its command line."""

    #: Bytes, since names need not be text.
    home: bytes
    #: The program that becomes an engine; a `Mission` is put behind it.
    engine: list[bytes]
    policy: Policy = Policy()
    #: The program of what watches beside the engine; empty for none.
    beside: list[bytes] = []
    #: Seconds that it has for its last word.
    last_word: float = LAST_WORD
    #: A command for the moment of giving up; empty for none.
    on_give_up: tuple[bytes, ...] = ()
    #: Descriptor of a channel to whoever waits until the engine is up; -1 for nobody.
    waiting: int = -1
    #: Wait until the home is free, instead of refusing.
    take_over: bool = False
    #: With `take_over`: whose home it is until then, by number and start; None: whoever holds it at first.
    instead_of: tuple[int, int | None] | None = None
    #: There is a terminal or a service manager: what is said goes to them, and not to the log.
    foreground: bool = False


class Supervisor:
    """Watches over the engines of one home, one after the other.

    Args:
        order: What to do.
        voice: How to say what happens.
        signals: SIGINT, SIGTERM and SIGHUP of this process.
        service: Its watch is kept content.
        clock: Wall clock for people, monotonic for waits.
    """

    def __init__(
        self, order: Order, *, voice: Voice, signals: SignalWatch, service: ServiceManager, clock: Clock
    ) -> None:
        self._order = order
        self._voice = voice
        self._signals = signals
        self._service = service
        self._clock = clock
        self._waiter = KernelWaiter()
        self._beside = Beside(order.beside, clock) if order.beside else None
        self._home = Home(Path(os.fsdecode(order.home)))
        self._lock = HomeLock(self._home.lock)
        self._stop_file = StopFile(self._home.stop)
        #: A STOP file that is not meant for us.
        self._before = self._stop_file.touched()
        self._stopping = Stopping()
        self._report = Report(os.getpid(), foreground=order.foreground)
        self._came_up = False

    def run(self) -> int:
        """Watch until there is nothing more to watch.

        Returns:
            The exit status.

        Raises:
            OvernightError: The home cannot be taken.
        """
        if not self._take_home():
            return self._stopping.exit_code or _WORK_LEFT
        honour(self._home.cookie())
        try:
            return self._watch()
        finally:
            self._service.stopping()
            purge()
            self._lock.release()
            if self._beside is not None:  # now its last word is about a home that nobody holds
                patience = self._order.last_word
                _ = self._beside.end(patience) or self._beside.once(patience)

    def _take_home(self) -> bool:
        """Hold the home; False when somebody asks us to end before it is free."""
        awaited = self._order.instead_of
        while True:
            try:
                self._lock.acquire(self._identity())
                break
            except AlreadyRunningError:
                owner = read_owner(self._home.lock)
                holder = owner.chief if owner is not None else None
                awaited = awaited or holder
                if not self._order.take_over or (holder is not None and holder != awaited):
                    raise  # another one that was to take over was quicker
                with contextlib.suppress(OSError):  # a full disk: only those who follow go by it
                    self._home.coming.touch()
                if not self._pause(TRY_EVERY):
                    self._refuse_to_wait()
                    return False
        with contextlib.suppress(OSError):
            self._home.coming.unlink(missing_ok=True)
        if self._stop_file.remove_if(self._before) and not self._order.take_over:
            self._voice.tell("removed a STOP file that was left here; starting")
        self._before = None
        return True

    def _refuse_to_wait(self) -> None:
        words = "a stop was asked for before the home was free; nothing was started, and no task was touched"
        self._voice.refuse(
            Refused(self._stopping.exit_code or _WORK_LEFT, words, "'overnight start' when you want one")
        )

    def _identity(self) -> dict[str, object]:
        """What stands in the lock while there is no engine."""
        me = about_me(os.fsdecode(self._order.home), now=self._clock.now())
        return me | {"supervisor": me["pid"], "supervisor_start": me["start"]}

    # -- one engine after the other ----------------------------------------------------------

    def _watch(self) -> int:
        while True:
            life, refusal = self._live()
            self._lock.rewrite(self._identity())
            verdict = self._judge(life)
            if isinstance(verdict, GiveUp) and not verdict.why:
                return verdict.status
            if self._is_asked_to_end():
                return self._stopped()
            if isinstance(verdict, GiveUp):
                return self._give_up(verdict, refusal)
            self._note_crash(life, verdict, refusal)
            if not self._pause(verdict.seconds):
                return self._stopped()
            self._report = msgspec.structs.replace(self._report, restarts=self._report.restarts + 1)

    def _judge(self, life: Life) -> Restart | GiveUp:
        dice = random.random()  # noqa: S311 - to spread starts, no secret
        return after_life(life, self._order.policy, crashes=self._report.crashes, came_up=self._came_up, dice=dice)

    def _live(self) -> tuple[Life, Refused | None]:
        """Start an engine, stay with it until it is over, and see dead what it has left."""
        self._voice.keep_short()
        try:
            engine = Watched(
                self._order.engine,
                home=self._order.home,
                lock=self._lock.fileno(),
                report=self._report,
                policy=self._order.policy,
                clock=self._clock,
            )
        except OSError as error:
            self._voice.tell(f"{os.fsdecode(self._order.engine[0])} cannot be started: {error.strerror}")
            purge()  # one that had begun was killed at once; nothing of it is to be beside the next one
            return Life(0.0, status=1), None
        while not engine.over:
            self._attend(engine)
        life, left = engine.bury()
        self._pass_on(engine)
        if left:
            self._voice.tell(f"processes that cannot be ended (stuck in the kernel?): {sorted(left)[:10]}")
        return life, engine.refusal

    def _attend(self, engine: Watched) -> None:
        """Wait for something to happen to an engine or to us, and answer it."""
        self._tend()
        ready = self._waiter.wait([*engine.sources(), self._signals], self._patience(engine.patience()))
        for number in self._take_signals():
            engine.pass_on(number)
            if self._stopping.mode is Mode.NOW:
                engine.end_within(STOP_PATIENCE)
        was_up = engine.ready
        engine.attend(ready)
        self._pass_on(engine)
        if engine.ready and not was_up:
            self._came_up = True
            self._voice.ready(engine.pid)
        self._service.alive()

    def _tend(self) -> None:
        if self._beside is not None:
            self._beside.tend()

    def _pass_on(self, engine: Watched) -> None:
        for words in engine.take_notes():
            self._voice.tell(words)

    def _patience(self, seconds: float) -> float:
        return min(seconds, LONGEST_SLEEP, (self._service.watches or LONGEST_SLEEP * 2) / 2)

    def _note_crash(self, life: Life, verdict: Restart, refusal: Refused | None) -> None:
        """Say that an engine has crashed or found no room, and when the next one starts."""
        why = f" ({refusal.message})" if refusal else ""
        words = f"the engine {how(life)}{why}; the next one starts in {verdict.seconds:.1f} s"
        if verdict.is_crash:
            words += f" (crash {verdict.crashes} of {self._order.policy.most_crashes})"
            self._report = msgspec.structs.replace(
                self._report, crashes=verdict.crashes, last_crash=how(life), last_crash_at=self._clock.now()
            )
        self._voice.tell(words)
        self._voice.write_info("restarting", words, self._report)

    # -- the end -----------------------------------------------------------------------------

    def _take_signals(self) -> list[signal.Signals]:
        numbers = self._signals.take()
        for number in numbers:
            self._stopping = after(self._stopping, ASKS[number])
        if numbers and self._stopping.mode is Mode.NOW:  # a drain may take hours, and is no end that has a time limit
            self._service.stopping()
        return numbers

    def _is_asked_to_end(self) -> bool:
        return self._stopping.mode is not Mode.RUN or self._stop_file.touched() not in (None, self._before)

    def _pause(self, seconds: float) -> bool:
        """Let time pass without an engine; False when somebody asks for an end meanwhile."""
        until = self._clock.monotonic() + seconds
        while not self._is_asked_to_end():
            left = until - self._clock.monotonic()
            if left <= 0:
                return True
            self._tend()
            self._waiter.wait([self._signals], self._patience(min(left, LOOK_EVERY)))
            self._take_signals()
            self._service.alive()
        return False

    def _stopped(self) -> int:
        """Somebody wants an end, and there is no engine to hear of it."""
        self._stop_file.remove()
        self._voice.tell("stopped while no engine was up")
        self._voice.write_info("stopping", "", self._report)
        return self._stopping.exit_code or _WORK_LEFT

    def _give_up(self, verdict: GiveUp, refusal: Refused | None) -> int:
        """Say it wherever anybody could look."""
        why = refusal.message if refusal else verdict.why
        self._report = msgspec.structs.replace(self._report, gave_up=True)
        self._voice.write_info("gave_up", why, self._report)
        purge()  # before the command: what that leaves running is meant to stay
        self._service.alive()
        self._voice.give_up(
            refusal or Refused(verdict.status, f"{why}; no other one is started"), self._order.on_give_up
        )
        spare_strangers()
        return verdict.status


def main() -> None:
    """Be the supervisor that the last argument orders."""
    order = msgspec.json.decode(sys.argv[-1], type=Order)
    clock = SystemClock()
    service = ServiceManager()
    voice = Voice(Home(Path(os.fsdecode(order.home))), order.waiting, service, clock, foreground=order.foreground)
    # Whoever started us may have it ignored; then the kernel would keep no exit status for us.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    spare_strangers()  # we may have been a shell that had started something
    set_subreaper()
    with SignalWatch() as signals:
        try:
            status = Supervisor(order, voice=voice, signals=signals, service=service, clock=clock).run()
        except OvernightError as error:
            voice.refuse(Refused(error.exit_code, error.message, error.hint))
            status = error.exit_code
    sys.exit(status)
