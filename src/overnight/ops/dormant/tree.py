"""The files of a project that could be run, and those that could name them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

#: Files that are looked at in one project.
MOST_FILES = 20_000
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


def files_of(project: Path, patterns: Iterable[str]) -> list[File]:
    """The files that are looked at, by their paths; links are not followed.

    Args:
        project: The directory of the project.
        patterns: What somebody wants looked at besides what lies in the usual places.
    """
    found = {file.path: file for file in _walk(project, "")}
    for pattern in patterns:
        names = glob.iglob(os.path.normpath(pattern), root_dir=project, recursive=True)  # noqa: PTH207 - the root is not told
        for name in names:
            path = Path(project, name)
            if name.isprintable() and path.is_file() and not path.is_symlink():
                found[name] = File(name, path.stat(), is_asked=True)
    return [found[name] for name in sorted(found)][:MOST_FILES]


def _walk(project: Path, below: str) -> Iterator[File]:
    try:
        entries = sorted(os.scandir(project / below), key=lambda one: one.name)
    except OSError:
        return
    if any(entry.name == "pyvenv.cfg" for entry in entries):
        return
    for entry in entries:
        path = f"{below}{entry.name}"
        try:
            if not path.isprintable():
                continue  # no configuration could name it
            if entry.is_dir(follow_symlinks=False):
                if _is_entered(entry.name):
                    yield from _walk(project, f"{path}/")
            elif entry.is_file(follow_symlinks=False) and _is_read(entry):
                yield File(path, entry.stat(follow_symlinks=False))
        except OSError:
            continue  # gone meanwhile


def _is_entered(name: str) -> bool:
    return name in _HIDDEN if name.startswith(".") else name not in _OTHERS and not name.endswith(".egg-info")


def _is_read(entry: os.DirEntry[str]) -> bool:
    name = entry.name
    is_wire = name.endswith(_WIRES) or name.removeprefix(".") in _WIRES_BY_NAME
    # What can be executed and has no ending is a script, or a program.
    is_bare = "." not in name and bool(entry.stat(follow_symlinks=False).st_mode & 0o100)
    return is_wire or name.endswith(_SOURCES) or is_bare
