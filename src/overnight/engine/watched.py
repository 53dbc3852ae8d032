"""One engine as its supervisor has it: started, listened to, and seen dead with everything below it.

It tells that it is up, and that its loop goes round; when it is silent for too long it is frozen, and
then it is asked for the stacks of its threads (SIGABRT, which ``faulthandler`` answers even from a loop
in C) before it is killed. What it leaves is ended before anything else is done: the next engine never
starts beside the processes of this one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

import msgspec

from overnight.core.supervision import (
    Life,
    Note,
    Policy,
    Pulse,
    Ready,
    Refused,
    Report,
    Word,
    is_frozen,
    look_every,
    silence,
)
from overnight.host.channel import Channel
from overnight.host.clock import Clock
from overnight.host.processes import Exit, children
from overnight.host.purge import forget, see_off, spare, spare_strangers
from overnight.host.waiter import Source

#: Seconds for the stacks of a frozen engine to be written, and for its workers to end what they run.
DUMP, PATIENCE = 2.0, 3.0


class Mission(msgspec.Struct, frozen=True):
    """What an engine needs to know of its supervisor. It is the last word of its command line."""

    #: Bytes, since names need not be text.
    home: bytes
    #: Descriptors that it has inherited: the lock of the home, and its end of the channel.
    lock: int
    channel: int
    supervisor: Report


class Watched:
    """An engine, from its start until it and everything below it was seen dead.

    Args:
        argv: The program; a `Mission` is put behind it.
        home: The home.
        lock: Descriptor of the lock, which both hold.
        report: What its supervisor says of itself.
        policy: How long it may be silent.
        clock: Monotonic.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(
        self, argv: Sequence[bytes], *, home: bytes, lock: int, report: Report, policy: Policy, clock: Clock
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._channel, theirs = Channel.pair()
        mission = Mission(home, lock, theirs.fileno(), report)
        try:
            self._child = subprocess.Popen(
                [*argv, msgspec.json.encode(mission)],
                stdin=subprocess.DEVNULL,
                pass_fds=(lock, theirs.fileno()),
                start_new_session=True,  # a Ctrl-C at our terminal is ours, and we pass it on once
            )
            self._exit = self._watch_exit()
        except OSError:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._began = self._looked_at = clock.monotonic()
        self._silent = 0.0
        self._heard = False
        self._frozen_for: float | None = None
        self._kill_at: float | None = None
        self.look_every = look_every(policy.frozen_after)
        self.ready = self.proven = self.over = False
        #: Why it would not work, if it said so.
        self.refusal: Refused | None = None
        #: What it wants people to know, and was not taken yet.
        self._notes: list[str] = []

    def _watch_exit(self) -> Exit:
        spare(self._child.pid)
        try:
            return Exit(self._child.pid)
        except OSError:  # no room for a descriptor: it must not live unwatched, beside the next one
            self._child.kill()
            self._child.wait()
            forget(self._child.pid)
            raise

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid

    def sources(self) -> list[Source]:
        """What to wait for. Once it is up its pulses need not wake anybody."""
        return [self._exit] if self.ready else [self._exit, self._channel]

    def patience(self) -> float:
        """Seconds until it wants to be looked at."""
        moments = [self._looked_at + self.look_every, *([] if self._kill_at is None else [self._kill_at])]
        return max(0.0, min(moments) - self._clock.monotonic())

    def attend(self, ready: Sequence[Source]) -> None:
        """Take in what has happened to it. `ready`: those of the sources that are."""
        self.over = self._exit in ready
        self._hear()
        moment = self._clock.monotonic()
        if self._kill_at is not None and moment >= self._kill_at:
            self._send(signal.SIGKILL)
            self._kill_at = None
        if moment - self._looked_at >= self.look_every:
            self._look(moment)

    def _hear(self) -> None:
        for line in self._channel.receive():
            try:
                word = msgspec.json.decode(line, type=Word)
            except msgspec.DecodeError:
                continue  # not worth a supervisor
            self._heard = True
            if isinstance(word, Ready):
                self.ready = True
            elif isinstance(word, Pulse):
                self.proven = self.proven or word.proven
            elif isinstance(word, Refused):
                self.refusal = word
            elif isinstance(word, Note):
                self._notes.append(word.message)

    def _look(self, moment: float) -> None:
        elapsed, self._looked_at = moment - self._looked_at, moment
        self._spare_strangers()
        self._silent = silence(self._silent, heard=self._heard, elapsed=elapsed, look_every=self.look_every)
        self._heard = False
        if self._frozen_for is None and is_frozen(self._silent, self._policy, ready=self.ready):
            self._frozen_for = self._silent
            self.end()

    def take_notes(self) -> list[str]:
        """What it wants people to know, once."""
        notes, self._notes = self._notes, []
        return notes

    def _spare_strangers(self) -> None:
        """As the first process of a container we are given the orphans of others, which are to be left alone.

        Once it is up the engine takes in what loses its parents below it: while it lives, what comes to us
        is from elsewhere. One that dies at this moment may have left us something, so it must outlive the look.
        """
        if self.ready and os.getpid() == 1:
            found = children(1)
            if not self._exit.wait(0):
                spare_strangers(found, reap=True)

    def pass_on(self, number: signal.Signals) -> None:
        """Let it have a signal that came for it."""
        self._send(number)

    def end_within(self, seconds: float) -> None:
        """Give it so long from now; an earlier time stays."""
        self._kill_at = min(self._kill_at or float("inf"), self._clock.monotonic() + seconds)

    def end(self) -> None:
        """Have it write the stacks of its threads, and kill it."""
        self._send(signal.SIGABRT)
        self._send(signal.SIGCONT)  # one that is stopped answers nothing else
        self.end_within(DUMP)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has not been reaped, so the number is its own
            os.kill(self._child.pid, number)

    def bury(self) -> tuple[Life, set[int]]:
        """Reap it, and end what it has left.

        Returns:
            Its life, and the numbers of processes that cannot be ended.
        """
        self._exit.close()
        status = self._child.wait()
        forget(self._child.pid)
        self._hear()
        self._channel.close()
        left = see_off(patience=PATIENCE)
        seconds = self._clock.monotonic() - self._began
        return Life(seconds, status, ready=self.ready, proven=self.proven, frozen_for=self._frozen_for), left
