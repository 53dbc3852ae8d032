"""What a task list says: entries in an order in which they can be run, or everything that is wrong with it.

A list is a text; nothing is looked up and nothing is run here. What an entry does not say (`Said`) is said
by the command line that adds it, or by the settings.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from overnight.core.errors import UsageError
from overnight.core.inputs import check
from overnight.core.problems import Problem, told

#: A longer text is no list that people keep.
MAX_BYTES = 32 * 1000 * 1000


class Box(Enum):
    """What becomes of an entry."""

    #: It is to be done.
    OPEN = " "
    #: It was done; never run, and what waits for it need not.
    DONE = "x"
    #: Given up; never run, and nothing may wait for it.
    CANCELLED = "-"
    #: Not now, as the program says that keeps the list; what waits for it is left out, too.
    LATER = "later"


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said about an entry beside its words. None: nothing. Names and meanings as of the options of ``add``."""

    workflow: str | None = None
    priority: int | None = None
    #: Seconds; infinity for no limit, here and in the next two.
    timeout: float | None = None
    stall: float | None = None
    #: Bytes.
    memory: float | None = None
    retries: int | None = None
    queue: str | None = None
    needs: tuple[tuple[str, float], ...] | None = None

    def over(self, general: Said) -> Said:
        """This, and where it says nothing what is said in general."""
        pairs = ((name, getattr(self, name), getattr(general, name)) for name in self.__struct_fields__)
        return Said(**{name: general_value if own is None else own for name, own, general_value in pairs})


class Entry(msgspec.Struct, frozen=True):
    """One task of a list."""

    #: Its id in the list; empty when it has none.
    key: str
    #: What people call it.
    title: str
    #: What it works on; empty for a command of its own.
    input: bytes
    box: Box = Box.OPEN
    description: str = ""
    #: The words of its own command; empty when it has none.
    run: tuple[bytes, ...] = ()
    said: Said = Said()
    #: Tells it apart from other entries that do the same with the same input; see `Action.entry`.
    entry: str = ""
    #: Those that it waits for and that are to be done, by position in the list.
    after: tuple[int, ...] = ()
    #: Where it stands in the text, where its workflow is named, and where its box is; in characters.
    offset: int = 0
    workflow_at: int = 0
    box_at: int | None = None

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.key or self.title[:40]


class TaskList(msgspec.Struct, frozen=True):
    """A list that makes sense. Every entry stands behind those that it waits for."""

    entries: tuple[Entry, ...]
    #: What a person should know, though it is no mistake.
    notes: tuple[str, ...] = ()


class TaskListError(UsageError):
    """A list that cannot be used; nothing of it was added.

    Args:
        text: What was read.
        filename: How it is called in messages.
        problems: All that is wrong with it.
    """

    def __init__(self, text: str, filename: str, problems: list[Problem]) -> None:
        super().__init__(
            told(text, filename, problems, "nothing was added"), hint="mend the list, then the same line again"
        )


def input_problem(input_bytes: bytes, offset: int) -> Problem | None:
    """What keeps bytes from being the input of a task."""
    try:
        check(input_bytes)
    except UsageError as error:
        return Problem(offset, error.message.removesuffix("; nothing was added"), error.hint)
    return None
