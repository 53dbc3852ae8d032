"""What a backup takes: of the home what must not be lost, of the project what its tasks need.

Everything of the home is as of one moment: that of the copy of the store. The journal goes on meanwhile,
so it is cut after the last event that the copy knows of; large results are those of tasks in the copy.
Of the project regular files alone are taken. A link would have to be followed on the day of the restore,
when it may lead elsewhere, so it is left out and said.
"""

from __future__ import annotations

import glob
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, NamedTuple

from overnight.core import results
from overnight.core.backups import HOME, PROJECT
from overnight.core.workflow.model import Workflow
from overnight.host.files import NoFileError, last_line, names_in, open_regular
from overnight.host.home import Home
from overnight.monitor.segments import segments_before
from overnight.monitor.tail import SEQ, number_of
from overnight.store.sqlite import SqliteStore


class Source(NamedTuple):
    """A file to be taken. `size_bytes`: how much of it; None for all."""

    name: bytes
    open: Callable[[], BinaryIO]
    size_bytes: int | None = None


def plain(path: Path) -> Callable[[], BinaryIO]:
    """Opens a regular file of this name."""
    return lambda: open_regular(path)


# -- of the home ------------------------------------------------------------------------------


def journal(home: Home, position: int) -> Iterator[Source]:
    """The journal up to the event of this number; an engine may write and set segments aside meanwhile."""
    live = _live(home.journal)
    try:
        for segment in segments_before(live, home.journal):
            if number_of(segment) <= position:
                yield Source(HOME + os.fsencode(segment.name), plain(segment))
                continue
            with segment.open("rb") as file:
                size = _cut(file, position)
            yield Source(HOME + os.fsencode(segment.name), plain(segment), size)
            return
        if live is not None:
            held = live
            yield Source(HOME + b"events.jsonl", lambda: _again(held), _cut(live, position))
    finally:
        if live is not None:
            live.close()


def _live(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _again(file: BinaryIO) -> BinaryIO:
    """The same file from its beginning, whatever has become of its name."""
    copy = os.fdopen(os.dup(file.fileno()), "rb")
    copy.seek(0)
    return copy


def _cut(file: BinaryIO, position: int) -> int:
    """Where the event after this one begins; the end of the last whole line when there is none."""
    line, end = last_line(file.fileno())
    found = SEQ.match(line)
    if not end or (found and int(found[1]) <= position):
        return end
    with mmap.mmap(file.fileno(), end, access=mmap.ACCESS_READ) as content:
        at = content.find(b'\n{"seq":%d,' % (position + 1))
        return at + 1 if at >= 0 else _cut_slowly(iter(content.readline, b""), position)


def _cut_slowly(lines: Iterable[bytes], position: int) -> int:
    """The same in a file with gaps."""
    size = 0
    for line in lines:
        found = SEQ.match(line)
        if found and int(found[1]) > position:
            return size
        size += len(line)
    return size


def large_results(home: Home, copy: Path) -> Iterator[Source]:
    """The results in files of their own, of tasks that a copy of the store has."""
    owners = {
        name: owner for name in names_in(home.results) if not name.startswith(".") and (owner := results.task_of(name))
    }
    with closing(SqliteStore.open(copy, readonly=True)) as store:
        there = store.states(set(owners.values()))
    for name, owner in owners.items():
        if owner in there:
            yield Source(HOME + b"results/" + os.fsencode(name), plain(home.results / name))


def outputs(home: Home) -> Iterator[Source]:
    """What tasks printed."""
    for path in sorted(home.output.glob("slot-*.seg")):
        yield Source(HOME + b"output/" + os.fsencode(path.name), plain(path))


# -- of the project ---------------------------------------------------------------------------


def of_project(home: Home, patterns: Iterable[str], workflows: Mapping[str, Workflow]) -> Iterator[Source]:
    """The configuration, the files that workflows name, and what somebody wants besides, each once."""
    project = home.config.parent
    paths = dict.fromkeys([home.config, *_named(project, workflows), *_matching(home, patterns)])
    for path in paths:
        if os.path.lexists(path):
            yield Source(PROJECT + os.fsencode(path.relative_to(project)), _inside(project, path))


def _inside(project: Path, path: Path) -> Callable[[], BinaryIO]:
    """Opens a file that lies where its name says, with no link on the way to it."""

    def opened() -> BinaryIO:
        if os.path.realpath(path) != os.path.join(os.path.realpath(project), path.relative_to(project)):  # noqa: PTH118 - text
            raise NoFileError(None, "it is a symbolic link, or lies behind one")
        return plain(path)()

    return opened


def _named(project: Path, workflows: Mapping[str, Workflow]) -> Iterator[Path]:
    """Files of the project that steps run or call."""
    nodes = [node for workflow in workflows.values() for node in workflow.nodes]
    words = {word for node in nodes for word in node.run if "{" not in word}
    modules = {node.call.partition(":")[0].replace(".", "/") for node in nodes if node.call}
    names = {*words, *(f"{module}.py" for module in modules), *(f"{module}/__init__.py" for module in modules)}
    for name in sorted(names):
        normal = os.path.normpath(name)
        if name and "\0" not in name and not normal.startswith(("/", "..")) and (project / normal).is_file():
            yield project / normal


def _matching(home: Home, patterns: Iterable[str]) -> Iterator[Path]:
    """Files below the project that match; of a folder that does, all of it. Nothing of the home."""
    project = home.config.parent
    for pattern in map(os.path.normpath, patterns):
        # Path.glob refuses "." and "a**".
        names = glob.iglob(pattern, root_dir=project, recursive=True, include_hidden=True)  # noqa: PTH207
        for path in (project / name for name in sorted(names)):
            inside = _below(path, home.path) if path.is_dir() and not path.is_symlink() else [path]
            yield from (one for one in inside if home.path not in (one, *one.parents))


def _below(directory: Path, home: Path) -> Iterator[Path]:
    """All that is in a folder but folders, links to them included; the home is not looked into."""
    for folder, folders, names in os.walk(directory):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = sorted(name for name in folders if Path(folder, name) != home)
        yield from (Path(folder, name) for name in sorted([*names, *links]))
