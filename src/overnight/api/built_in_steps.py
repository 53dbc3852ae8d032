"""The steps of the built-in workflows: what they do with any file, with the standard library alone.

Every step can run a second time and comes to the same: what it writes goes to a name that depends on its
input alone, and appears there whole. Imported by workers, so it takes in next to nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from overnight.api.looking import look
from overnight.core.asks import Permanent, Retry

#: Where results go, below the directory of the task; PUBLISH_DIR (taken along by ``--env``) names another place.
DIRECTORY = "published"
VARIABLE = "PUBLISH_DIR"
#: Bytes read at a time, and lines and characters of a text that are kept as its beginning.
_PIECE = 1024 * 1024
_FIRST_LINES = 3
_LONGEST_LINE = 200
#: Seconds after which a file that was changed while it was read is looked at once more.
_SETTLE = 10.0


class Given(Protocol):
    """What a step is told besides its input."""

    @property
    def outputs(self) -> Mapping[str, Any]:
        """What the steps before it have given, by their names."""


def probe(path: str) -> dict[str, object]:
    """Size, time, type and SHA-256 of a file.

    Raises:
        OSError: It is not there or cannot be read; a retry may find it.
        Permanent: It is something else than a file.
        Retry: Somebody is writing to it.
    """
    about = look(path)
    digest, size = _digest(path)
    now = Path(path).stat()
    if (now.st_size, now.st_mtime) != (about["size_bytes"], about["modified_at"]) or size != now.st_size:
        raise Retry(f"{path!r} was changed while it was read", after=_SETTLE)
    return about | {"sha256": digest}


def extract(path: str) -> dict[str, object]:
    """Of a text: how many lines, words and characters, and its first lines."""
    lines = words = characters = 0
    first: list[str] = []
    is_unfinished = False
    with Path(path).open(encoding="utf-8", errors="replace", newline="") as file:
        for line in _lines(file):
            if len(first) < _FIRST_LINES:
                first.append(line.rstrip("\r\n")[:_LONGEST_LINE])
            is_unfinished = not line.endswith("\n")
            lines += not is_unfinished
            words += len(line.split())
            characters += len(line)
    return {"lines": lines + is_unfinished, "words": words, "characters": characters, "first_lines": first}


def _lines(file: Any) -> Iterator[str]:  # noqa: ANN401 - an open text
    """Lines, and pieces of those that are too long to be held."""
    while line := file.readline(_PIECE):
        yield line


def copy(path: str) -> dict[str, object]:
    """Put a copy beside where it will be published, under a name that says that it is not yet."""
    unfinished = _unfinished(path)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, unfinished)
    return {"size_bytes": unfinished.stat().st_size}


def summarise(path: str, context: Given) -> dict[str, object]:
    """Everything that is known of the file, and in one line."""
    probed, text = context.outputs["probe"], context.outputs.get("extract")
    words = f"{_shown(Path(path).name)}: {probed['type']}, {_count(probed['size_bytes'], 'byte')}"
    if text:
        words += f", {_count(text['lines'], 'line')}, {_count(text['words'], 'word')}"
    return {"file": _shown(path), "summary": words, **probed, "extract": text}


def same_content(path: str, context: Given) -> dict[str, object]:
    """The gate: the copy equals the original, as it was when it was looked at first.

    Raises:
        Permanent: It does not, or the original has changed since.
    """
    wanted = context.outputs["probe"]["sha256"]
    for name, what in ((os.fspath(_unfinished(path)), "the copy"), (path, "the original")):
        found, size = _digest(name)
        if found != wanted:
            said = f"{what} {name!r} has SHA-256 {found[:12]} ({size:,} bytes), and {wanted[:12]} was read first"
            raise Permanent(said)
    return {"sha256": wanted}


def publish(path: str, context: Given) -> dict[str, object]:
    """Give the copy its name, and write what is known of it beside it, as JSON."""
    target, unfinished = _place(path), _unfinished(path)
    if unfinished.exists() or not target.exists():  # else it was interrupted between the two
        unfinished.replace(target)
    sidecar = target.with_name(f"{target.name}.json")
    whole = sidecar.with_name(f".{sidecar.name}.new")
    whole.write_text(json.dumps(context.outputs["summarise"], indent=2) + "\n", "utf-8")
    whole.replace(sidecar)
    return {"path": _shown(os.fspath(target)), "sidecar": _shown(os.fspath(sidecar))}


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _unfinished(path: str) -> Path:
    target = _place(path)
    return target.with_name(f".{target.name}.copy")


def _shown(name: str) -> str:
    """A name as JSON can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _place(path: str) -> Path:
    """Where a file is published: below the directory of results as it lies below the current one."""
    file, here = Path(path).resolve(), Path.cwd()
    inner = file.relative_to(here) if file.is_relative_to(here) else Path(*file.parts[1:])
    return here / os.environ.get(VARIABLE, DIRECTORY) / inner


def _digest(path: str) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with Path(path).open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size
