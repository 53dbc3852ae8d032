"""The files of a project that could be run, and those that could name them."""

from __future__ import annotations

import contextlib
import glob
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

#: Names of files and folders that are looked at in one project.
MOST_ENTRIES = 200_000
#: Bytes of a file that can be a script, or name one.
MOST_BYTES = 1024 * 1024
#: Folders in which nothing of the project's own is wired: made by tools, or there to be read.
_MADE = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})
_OTHERS = _MADE | {"tests", "test", "examples", "docs"}
#: Hidden folders in which continuous integration stands.
_HIDDEN = frozenset({".github", ".circleci", ".forgejo", ".gitea", ".woodpecker"})
_SOURCES = (".py", ".sh", ".bash", ".zsh", ".pl", ".rb", ".js", ".mjs", ".ts", ".lua", ".php", ".R", ".r", ".jl")
#: Files that can name a script to run it. Prose names things and runs none of them.
_WIRES = (".toml", ".yml", ".yaml", ".cfg", ".ini", ".json", ".mk", ".service", ".timer", ".cron", ".just", ".nix")
_WIRES_BY_NAME = frozenset({"Makefile", "GNUmakefile", "Dockerfile", "Jenkinsfile", "Procfile", "justfile", "crontab"})


class File(msgspec.Struct, frozen=True):
    """A file below the project, by its path with slashes. `is_asked`: somebody's pattern names it."""

    path: str
    stat: os.stat_result
    is_asked: bool = False


class Tree(NamedTuple):
    """Files by their paths, and whether those are all: a home may lie above very much that is no project."""

    files: list[File]
    is_whole: bool


def files_of(project: Path, patterns: Iterable[str], *, most_entries: int = MOST_ENTRIES) -> Tree:
    """The files that are looked at; links are not followed.

    Args:
        project: The directory of the project.
        patterns: What somebody wants looked at besides what lies in the usual places.
        most_entries: So many names are looked at, those that lie highest first.
    """
    found: dict[str, File] = {}
    left = most_entries
    folders = deque([""])
    while folders and left > 0:
        below = folders.popleft()
        entries = _entries(project / below)
        left -= len(entries)
        for entry in entries:
            path = f"{below}{entry.name}"
            if not path.isprintable():
                continue  # no configuration could name it
            with contextlib.suppress(OSError):  # gone meanwhile
                if entry.is_dir(follow_symlinks=False):
                    folders += [f"{path}/"] if _is_entered(entry.name) else []
                elif entry.is_file(follow_symlinks=False) and _is_read(entry):
                    found[path] = File(path, entry.stat(follow_symlinks=False))
    found |= {file.path: file for file in _asked(project, patterns)}
    return Tree([found[name] for name in sorted(found)], not folders)


def _asked(project: Path, patterns: Iterable[str]) -> Iterator[File]:
    """What somebody's patterns name, wherever it lies below the project."""
    for pattern in map(os.path.normpath, patterns):
        for name in glob.iglob(pattern, root_dir=project, recursive=True):  # noqa: PTH207 - Path.glob refuses some of them
            path = project / name
            if name.isprintable() and path.is_file() and not path.is_symlink():
                yield File(name, path.stat(), is_asked=True)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing of an environment, of which all is somebody else's."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return []
    return [] if any(entry.name == "pyvenv.cfg" for entry in found) else found


def _is_entered(name: str) -> bool:
    return name in _HIDDEN if name.startswith(".") else name not in _OTHERS and not name.endswith(".egg-info")


def _is_read(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    is_wire = name.endswith(_WIRES) or name.removeprefix(".") in _WIRES_BY_NAME
    # What can be executed and has no ending is a script, or a program.
    is_bare = "." not in name and bool(entry.stat(follow_symlinks=False).st_mode & 0o100)
    return is_wire or name.endswith(_SOURCES) or is_bare
