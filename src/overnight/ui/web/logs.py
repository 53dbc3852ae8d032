"""What an attempt printed, for a page: asked for by task and attempt, never by a path, and never more than a part.

Output lies in files of many attempts, so following one means to remember where its next piece begins. A few
readers are kept for that; one that was let go of is made again, and reads from the beginning.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

from overnight.core.errors import NotFoundError
from overnight.core.states import TaskState
from overnight.core.task import Attempt
from overnight.executors.local.output import follow, read
from overnight.store.contract import Store
from overnight.ui.web.showing import shown
from overnight.ui.web.task_answers import Log

#: Bytes of an attempt that are at hand and in one answer; attempts; lines of an answer; characters of a line.
MOST_KEPT, MOST_READERS, MOST_LINES, MOST_LINE = 1024 * 1024, 16, 1000, 4000
#: Everything that steers a terminal, colours included.
_ESCAPES = re.compile(
    rb"\x1b(?:[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\[[0-?]*[ -/]*[@-~]?|[ -/]*[0-~]?)|\r(?=\n)|\xc2[\x80-\x9f]"
)


class _Reader:
    """The last part of what an attempt printed so far."""

    def __init__(self, pieces: Iterator[tuple[int, bytes]]) -> None:
        self._pieces = pieces
        self.kept = bytearray()
        self.end = 0
        self.ended = False

    def catch_up(self) -> None:
        """Take in what there is by now."""
        for stream, content in self._pieces:
            if not stream:
                return
            self.kept += content
            self.end += len(content)
            if len(self.kept) > 2 * MOST_KEPT:
                del self.kept[:-MOST_KEPT]
        self.ended = True

    def after(self, start: int) -> tuple[int, bytes]:
        """What is kept from byte `start` on, and where that really begins."""
        first = self.end - len(self.kept)
        begin = max(start, first, self.end - MOST_KEPT)
        return begin, bytes(self.kept[begin - first :])


class Logs:
    """Reads output. For one thread.

    Args:
        output: The directory of the segments.
        ask: Asks the store.
    """

    def __init__(self, output: Path, ask: Callable[[Callable[[Store], object]], object]) -> None:
        self._output = output
        self._ask = ask
        self._readers: OrderedDict[tuple[int, int, bool], _Reader] = OrderedDict()

    def part(self, task_id: int, number: int | None, after: int, words: str) -> Log:
        """What an attempt printed from byte `after` on; `number` None: the last one, the running one included.

        With `words` only lines that have them in them.

        Raises:
            NotFoundError: There is no such task or attempt, or its output has been removed.
        """
        attempt, number = self._attempt(task_id, number)
        if number == 0:
            return Log(0, 0, 0, [], ended=False)
        key = (task_id, number, attempt is None)
        reader = self._readers.get(key)
        if reader is None or after == 0:
            reader = self._readers[key] = _Reader(self._pieces(task_id, number, attempt))
        self._readers.move_to_end(key)
        while len(self._readers) > MOST_READERS:
            self._readers.popitem(last=False)
        try:
            reader.catch_up()
        except FileNotFoundError:
            self._readers.pop(key)
            raise NotFoundError(f"the output of task {task_id}, attempt {number} has been removed") from None
        return self._log(reader, attempt, number, after, words)

    def _log(self, reader: _Reader, attempt: Attempt | None, number: int, after: int, words: str) -> Log:
        start, content = reader.after(after)
        ended = attempt is not None
        cut = content.rfind(b"\n") + 1
        if not ended and (cut or len(content) < MOST_LINE):
            content = content[:cut]  # a line on its way comes when it is whole
        end = start + len(content)
        lines = _ESCAPES.sub(b"", content).decode("utf-8", "replace").split("\n")
        if lines and not lines[-1]:
            lines.pop()
        if words:
            lines = [one for one in lines if words.casefold() in one.casefold()]
        output = attempt.output if attempt else None
        missing = output.printed - output.length if output else 0
        return Log(number, start, end, [shown(one, MOST_LINE) for one in lines[-MOST_LINES:]], ended, missing)

    def _attempt(self, task_id: int, number: int | None) -> tuple[Attempt | None, int]:
        """The ended attempt, or None and the number of the one that runs; 0 when none has begun."""

        def look(store: Store) -> tuple[Attempt | None, int]:
            task = store.get(task_id)
            ended = store.attempts(task_id)
            wanted = number if number is not None else max([0, *(one.number for one in ended)])
            if number is None and task.state is TaskState.RUNNING:
                wanted = task.attempt
            if wanted == 0:
                return None, 0
            for one in ended:
                if one.number == wanted:
                    return one, wanted
            if task.state is TaskState.RUNNING and task.attempt == wanted:
                return None, wanted
            raise NotFoundError(f"task {task_id} has no attempt {wanted} that printed anything; it is {task.state}")

        found = self._ask(look)
        assert isinstance(found, tuple)  # noqa: S101 - what `look` gives
        return found

    def _pieces(self, task_id: int, number: int, attempt: Attempt | None) -> Iterator[tuple[int, bytes]]:
        if attempt is None:
            return follow(self._output, task_id, number)
        return read(self._output, attempt.output, task_id, number) if attempt.output else iter(())
