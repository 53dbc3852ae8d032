"""Starting a supervisor: detached, so that it outlives the terminal, or in the place of this process."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
from collections.abc import Callable, Sequence
from typing import NoReturn

import msgspec

from overnight.core.errors import AlreadyRunningError, OvernightError
from overnight.core.settings import Settings
from overnight.core.supervision import Note, Policy, Ready, Refused, Word
from overnight.engine.supervisor import Order
from overnight.engine.voice import open_log
from overnight.host.channel import Channel
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.host.lock import Owner
from overnight.wiring import watching

__all__ = ["NotStartedError", "Options", "Order", "Pending", "become", "launch", "order"]


class Options(msgspec.Struct, frozen=True):
    """What was said at the start, and holds for each engine that follows: the word before its `Mission`."""

    #: A number or ``auto``; None: as the settings have it.
    slots: int | str | None = None
    #: Be done when nothing is left.
    until_empty: bool = False


class NotStartedError(OvernightError):
    """The supervisor or its engine has refused; the exit status is what it gave."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.message, hint=refused.hint)
        self.exit_code = refused.status


def order(
    home: Home,
    options: Options,
    settings: Settings,
    *,
    instead_of: Owner | None = None,
    dashboard: Sequence[bytes] = (),
) -> Order:
    """What a supervisor of this home is to do, by the settings as they are now.

    `instead_of`: who holds the home until then; `dashboard`: the program that serves one.
    """
    return Order(
        home=bytes(home.path),
        engine=[*map(os.fsencode, python_for("overnight.wiring.supervised")), msgspec.json.encode(options)],
        beside=watching.command(home, dashboard) if settings.monitor else [],
        last_word=watching.last_word(home),
        policy=Policy(settings.restart_backoff, settings.max_crashes, settings.frozen_after),
        on_give_up=tuple(map(os.fsencode, settings.on_give_up)),
        take_over=instead_of is not None,
        instead_of=instead_of.chief if instead_of is not None else None,
    )


class Pending:
    """A supervisor that has been started, and of which nothing has been heard yet."""

    def __init__(self, home: Home, channel: Channel) -> None:
        self._home = home
        self._channel = channel

    def wait(self, told: Callable[[str], None]) -> int:
        """Return the number of the engine's process when it is up. Interrupted, the supervisor goes on without us.

        Args:
            told: What it says meanwhile, for people.

        Raises:
            OvernightError: There will be no engine, and why.
        """
        with contextlib.closing(self._channel):
            while not self._channel.ended:
                select.select([self._channel], [], [])
                for line in self._channel.receive():
                    word = msgspec.json.decode(line, type=Word)
                    if isinstance(word, Ready):
                        return word.pid
                    if isinstance(word, Refused):
                        raise _meaning(word)
                    if isinstance(word, Note):
                        told(word.message)
        raise OvernightError(
            "the supervisor has ended without a word; no task was touched", hint=f"see what {self._home.log} says"
        )


def launch(home: Home, order: Order) -> Pending:
    """Start a supervisor in a session of its own, so that it outlives the terminal."""
    ours, theirs = Channel.pair()
    log = open_log(home)
    try:
        child = subprocess.Popen(
            _argv(msgspec.structs.replace(order, waiting=theirs.fileno())),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            cwd=home.path.parent,
        )
    finally:
        os.close(log)
        theirs.close()
    child.returncode = 0  # it goes on without us, or tells us its end by the channel: nobody here waits for it
    return Pending(home, ours)


def _argv(order: Order) -> list[str]:
    return [*python_for("overnight.engine.supervisor"), msgspec.json.encode(order).decode()]


def _meaning(refused: Refused) -> OvernightError:
    if refused.status == AlreadyRunningError.exit_code:
        return AlreadyRunningError(refused.message, hint=refused.hint)
    return NotStartedError(refused)


def become(order: Order) -> NoReturn:
    """Be the supervisor, in this process: for a service manager, or a terminal that stays."""
    argv = _argv(msgspec.structs.replace(order, foreground=True))
    os.execv(argv[0], argv)  # noqa: S606 - a program of ours, and no shell
