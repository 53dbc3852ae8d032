"""Files of large results: written by workers, read by whoever wants the result, removed with their tasks.

A file is on disk, whole, before anybody hears of it: the outcome that refers to it is committed later,
and must not point to nothing after a power cut. Files of attempts whose outcome was never committed
stay until their task is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any

import msgspec

from overnight.core import results
from overnight.core.errors import NotFoundError, StoreDamagedError
from overnight.core.results import Spilled
from overnight.host.files import write_atomically

_TRY = "'overnight retry ID' makes it anew"


def write(directory: Path, task_id: int, attempt: int, result: bytes) -> bytes:
    """Put a result into a file of its own, durably. Returns the reference to it.

    Raises:
        OSError: It could not be written; nothing is left of it.
    """
    name = results.file_name(task_id, attempt)
    directory.mkdir(mode=0o700, exist_ok=True)
    write_atomically(directory / name, result)
    return results.reference(Spilled(name, len(result), results.digest(result)))


def read(directory: Path, result: bytes) -> bytes:
    """The result itself, from wherever it lies: JSON text, empty for none.

    Raises:
        NotFoundError: Its file is not there.
        StoreDamagedError: Its file is not what was written, or cannot be read.
    """
    spilled = results.spilled(result)
    if spilled is None:
        return result
    path = directory / spilled.name
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"the result lay in {path} and is gone; the task stays completed", hint=_TRY) from None
    except OSError as error:
        raise StoreDamagedError(f"the result in {path} cannot be read ({error.strerror})", hint=_TRY) from error
    if len(content) != spilled.size_bytes or results.digest(content) != spilled.digest:
        raise StoreDamagedError(f"the result in {path} is not what was written there any more", hint=_TRY)
    return content


def given(directory: Path, packed: bytes) -> dict[str, Any]:
    """The outputs that a step is given, by the names of their steps, with those that lie in files.

    Raises:
        NotFoundError: A file is not there.
        StoreDamagedError: A file is not what was written, or cannot be read.
    """
    outputs: dict[str, Any] = msgspec.json.decode(packed) if packed else {}
    for step, reference in outputs.pop(results.IN_FILES, {}).items():
        outputs[step] = msgspec.json.decode(read(directory, reference.encode()))
    return outputs


def sweep(directory: Path, known: Callable[[Iterable[int]], Container[int]]) -> None:
    """Remove the files of tasks that are no more.

    Args:
        directory: Where the files are; that there is none is fine.
        known: Those of some task ids that still exist.
    """
    try:
        names = {path: results.task_of(path.name) for path in directory.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return
    there = known({task_id for task_id in names.values() if task_id is not None})
    for path, task_id in names.items():
        if task_id is not None and task_id not in there:
            path.unlink(missing_ok=True)
