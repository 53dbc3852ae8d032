"""Processes that cannot be ended because they are stuck in the kernel: whose they are, and what to say.

A process that waits for a disk or a file server that does not answer (state D) takes no signal, not even
SIGKILL, until the answer comes. It may go on then, so its task must not run again beside it; but the others
need not wait.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from overnight.host.processes import environment_in_time

_Key = tuple[int, int]


class Stuck(NamedTuple):
    """One process that could not be seen dead."""

    pid: int
    #: Its slot, counted from 0, and its attempt; None where it does not say, as the runner of functions.
    slot: int | None
    key: _Key | None


def identify(pids: Iterable[int]) -> list[Stuck]:
    """What these processes belong to, from the environment with which they began. Keepers are left out."""
    found = []
    for pid in pids:
        lines = dict(line.partition(b"=")[::2] for line in environment_in_time(pid).split(b"\0"))
        if b"OVERNIGHT_ROLE" not in lines:
            task, attempt = _number(lines, b"TASK_ID"), _number(lines, b"ATTEMPT_ID")
            slot = _number(lines, b"SLOT")
            key = None if task is None or attempt is None else (task, attempt)
            found.append(Stuck(pid, None if slot is None else slot - 1, key))
    return found


def _number(lines: dict[bytes, bytes], name: bytes) -> int | None:
    words = lines.get(b"OVERNIGHT_" + name, b"")
    return int(words) if words.isdigit() else None


def in_slot(stuck: Iterable[Stuck], slot: int) -> list[int]:
    """The numbers of those that belong to a slot, or do not say to which."""
    return [one.pid for one in stuck if one.slot in (None, slot)]


def words_about(pids: Collection[int]) -> str:
    """For people: why the task is held."""
    listed = ", ".join(map(str, sorted(pids)))
    noun, verb = ("process", "is") if len(pids) == 1 else ("processes", "are")
    return f"{noun} {listed} of it {verb} stuck in the kernel, cannot be ended, and may still go on"
