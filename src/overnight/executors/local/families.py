"""The families that commands of one slot have left running on purpose, as its keeper has them.

Each is below a warden, a child of the keeper that no purge touches any more. It is waited for when it ends, and
what it uses is nobody's: the limits were those of the attempt.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

from overnight.core.states import ErrorClass
from overnight.executors.local import control_file
from overnight.executors.local.command import RefusedError
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.running_command import RunningCommand
from overnight.host.processes import Exit
from overnight.host.purge import forget, purge, spare


class Desk(Protocol):
    """What the keeper does for them."""

    def watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        """Call `handler` when there is something to read."""

    def unwatch(self, descriptor: int) -> None:
        """Stop watching."""

    def watch_output(self, pipes: Pipes) -> None:
        """Take what is printed into these."""

    def others(self) -> tuple[int, ...]:
        """Children of the keeper that do not belong to a command."""


class Families:
    """What was left in one slot.

    Args:
        desk: The keeper.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._own_pipes: set[Pipes] = set()
        #: The end of each warden, and where the attempt reported that has left it.
        self._wardens: dict[int, tuple[Exit, bytes]] = {}

    @property
    def wardens(self) -> tuple[int, ...]:
        """The numbers of the wardens of what goes on."""
        return tuple(self._wardens)

    def pipes(self) -> Pipes:
        """A pair for one command alone: what it leaves must not print into the output of the next one.

        Raises:
            RefusedError: There is no room for it now.
        """
        try:
            pipes = Pipes()
        except OSError as error:
            words = f"there is no room for the pipes into which it would print ({error.strerror})"
            raise RefusedError(words, ErrorClass.RESOURCE) from None
        self._own_pipes.add(pipes)
        self._desk.watch_output(pipes)
        return pipes

    def close(self, pipes: Pipes) -> None:
        """Nobody is to be heard over these any more; nothing for those that all share."""
        if pipes not in self._own_pipes:
            return
        self._own_pipes.remove(pipes)
        self._desk.unwatch(pipes.stdout)
        self._desk.unwatch(pipes.stderr)
        pipes.close()

    def part(self, command: RunningCommand, reports: bytes) -> None:
        """A command is over, and its outcome is kept. If it may leave something, let that go on.

        Args:
            command: Which one.
            reports: The path of the file in which it may have reported.
        """
        if command.leaves:
            if command.main.let_go():
                self._take(command.pid, reports)
            else:  # it cannot go on, and must not stand below the next command
                purge(self._desk.others())
        command.main.close()
        self.close(command.pipes)

    def _take(self, warden: int, reports: bytes) -> None:
        spare(warden)
        end = Exit(warden)
        self._wardens[warden] = end, reports
        self._desk.watch(end.fileno(), lambda: self._on_end(warden))

    def _on_end(self, warden: int) -> None:
        end, reports = self._wardens.pop(warden)
        self._desk.unwatch(end.fileno())
        end.close()
        control_file.remove(reports)  # they may have made it anew
        os.waitpid(warden, 0)
        forget(warden)
