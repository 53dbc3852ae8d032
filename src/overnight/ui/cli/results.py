"""``--results``: what each task printed and how it ended, as files below a directory.

A directory for each input (`core.result_path`) with ``stdout``, ``stderr``, ``seq`` (the number of the
task) and ``exit``. The last one is written last, so a directory that has it is complete. Should we die in
between, the same call again writes what is missing, for the outputs are kept in the home.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from overnight.core.gates import Hold
from overnight.core.result_path import result_path
from overnight.core.states import Reason, TaskState
from overnight.core.stopping import Stopping
from overnight.core.task import OutputRef
from overnight.core.verdict import Settlement
from overnight.engine.attempts import Running
from overnight.engine.goal import AT_REST
from overnight.executors.local.output import read
from overnight.store.contract import Counts, Store
from overnight.ui.cli import printing

_STDOUT, _STDERR, _SEQ, _EXIT = b"/stdout", b"/stderr", b"/seq", b"/exit"


class Results:
    """An observer that writes down results.

    Args:
        directory: Where.
        store: Asked for the input of a task that another engine has run.
        output: Directory of the output segments.
        wanted: Whether the results of this task are asked for.
    """

    def __init__(self, directory: bytes, store: Store, output: Path, wanted: Callable[[int], bool]) -> None:
        self._directory = directory
        self._store = store
        self._output = output
        self._wanted = wanted
        #: Why results are no longer written.
        self.unwritten: printing.UnwrittenError | None = None

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        if settlement.state not in AT_REST or not self._wanted(settlement.task_id):
            return
        task_input = running.claimed.input if running else self._store.get(settlement.task_id).input
        self._write(task_input, settlement.task_id, settlement.attempt, settlement.output, ended(settlement))

    def complete(self, done: Iterable[int]) -> None:
        """Write what is missing for tasks that were completed before."""
        for task_id in done:
            task_input = self._store.get(task_id).input
            if _is_of(self._place(task_input), task_id):
                continue
            for last in self._store.attempts(task_id)[-1:]:
                if last.output is None or (self._output / last.output.segment).exists():
                    self._write(task_input, task_id, last.number, last.output, str(last.exit_code or 0))

    def stopping(self, stopping: Stopping, still_running: int) -> None:
        """It makes no difference."""

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """It makes no difference."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:
        """It makes no difference."""

    def _place(self, task_input: bytes) -> bytes:
        return os.path.join(self._directory, result_path(task_input))  # noqa: PTH118 - bytes

    def _write(self, task_input: bytes, task_id: int, attempt: int, output: OutputRef | None, end: str) -> None:
        if self.unwritten is not None:
            return
        place = self._place(task_input)
        try:
            os.makedirs(place, exist_ok=True)  # noqa: PTH103 - bytes
            _remove(place + _EXIT)
            self._pour(place, task_id, attempt, output)
            _put(place + _SEQ, f"{task_id}\n")
            _put(place + _EXIT, f"{end}\n")
        except OSError as error:
            if output is None or (self._output / output.segment).exists():
                self._lose(error)
            else:
                what = f"somebody has removed what task {task_id} printed; there is no result of it"
                printing.note(f"overnight: {what}, and the tasks go on")

    def _pour(self, place: bytes, task_id: int, attempt: int, output: OutputRef | None) -> None:
        with open(place + _STDOUT, "wb") as out, open(place + _STDERR, "wb") as err:  # noqa: PTH123 - bytes
            for stream, content in read(self._output, output, task_id, attempt) if output else ():
                (out if stream == 1 else err).write(content)

    def _lose(self, error: OSError) -> None:
        """The outputs are kept in the home, so that is no reason to end the night."""
        self.unwritten = printing.UnwrittenError(error)
        printing.note(
            f"overnight: results cannot be written any more ({printing.clean(str(error))}); the tasks go on\n"
            "  try: make room, then the same line again writes what is missing"
        )


def ended(settlement: Settlement) -> str:
    """How an attempt ended, as a shell counts it; a word where there is no exit status, or it was we who ended it."""
    if settlement.reason in (None, Reason.ERROR, Reason.CRASHED):
        if settlement.signal is not None:
            return str(128 + settlement.signal)
        if settlement.exit_code is not None:
            return str(settlement.exit_code)
    return "0" if settlement.state is TaskState.COMPLETED else str(settlement.reason or settlement.outcome)


def _is_of(place: bytes, task_id: int) -> bool:
    """Whether this is the whole result of this task, and not that of another command with the same input."""
    try:
        with open(place + _SEQ, "rb") as seq:  # noqa: PTH123 - bytes
            return seq.read() == b"%d\n" % task_id and os.path.exists(place + _EXIT)  # noqa: PTH110 - bytes
    except OSError:
        return False


def _remove(path: bytes) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 - bytes
    except FileNotFoundError:
        return


def _put(path: bytes, words: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - bytes
        file.write(words)
