"""A home that was copied or moved: which of its tasks would still run where it was before.

A task runs in the directory that it was added from, which is its own and not that of its home. So a copy of a project
with its home works on the files of the original, beside it; after a move there is nothing to work on.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import msgspec

from overnight.core.events import printable
from overnight.core.states import TaskState
from overnight.host.home import Home, place_before
from overnight.store.contract import Query, Store

#: Tasks that are looked at; of more it is only said that there are so many.
MOST = 1000
_TO_RUN = (TaskState.WAITING, TaskState.PENDING, TaskState.RUNNING, TaskState.HELD)


class Elsewhere(msgspec.Struct, frozen=True):
    """Tasks of a home that run where it was before."""

    #: The directory that the home was in.
    was: str
    count: int
    #: The directory that it is in now.
    here: str

    def words(self) -> str:
        """What it means, in one sentence."""
        many = f"{self.count:,} tasks" if self.count > 1 else "a task"
        least = "at least " if self.count == MOST else ""
        return (
            f"this home was in {self.was} before; {least}{many} that {'were' if self.count > 1 else 'was'} added there"
            " would run there, and not here"
        )

    def advice(self) -> str:
        """What helps, to be typed."""
        return f"'{relocating(self.was, self.here)}' has them run here; in a copy beside its original, cancel them"


def relocating(was: str, here: str) -> str:
    """What to type where tasks that were added in one directory are to run in another one."""
    return shlex.join(["overnight", "relocate", printable(was), printable(here)])


def elsewhere(store: Store, home: Home) -> Elsewhere | None:
    """Tasks that are still to run and would do so where the home was before; None when there are none.

    Costs nothing where the home was never moved.
    """
    before = place_before(home)
    if before is None:
        return None
    was, here = before.parent, Path(os.path.realpath(home.path.parent))
    tasks = store.tasks(Query(states=_TO_RUN, limit=MOST))
    actions = store.actions({task.action_id for task in tasks})
    gone = {key for key, action in actions.items() if _is_left_behind(Path(os.fsdecode(action.cwd)), was, here)}
    count = sum(task.action_id in gone for task in tasks)
    return Elsewhere(os.fspath(was), count, os.fspath(here)) if count else None


def _is_left_behind(cwd: Path, was: Path, here: Path) -> bool:
    return cwd.is_relative_to(was) and not cwd.is_relative_to(here)
