"""Repositories of other programs, made for a test. Tests that want a program that is not installed are skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from overnight.ops.backups.programs import PROGRAMS
from overnight.ops.backups.repository import Repository, records_of

#: What each is opened with; in no message, no file and no list of processes of ours.
PASSWORD = "hush-it-is-secret"  # noqa: S105 - of throw-away repositories
ALL = tuple(PROGRAMS)
#: The same for tests that take some seconds of each.
ALL_WITH_TIME = tuple(pytest.param(program, marks=pytest.mark.prove) for program in ALL)


class Depot(NamedTuple):
    """A repository, and the environment in which its program opens it."""

    program: str
    path: Path
    environ: Mapping[str, str]

    def of(self, directory: Path, home: str | None, **others: str) -> Repository:
        """The place of a home's backups in it, with records of its own; `others`: what else is in the environment."""
        program = PROGRAMS[self.program](str(self.path), {**self.environ, **others}, "")
        return Repository(program, records_of(directory, self.program, str(self.path), home), home)

    def call(self, *words: str, cwd: Path | None = None) -> None:
        """The program itself, as its own users call it."""
        named = {"RESTIC_REPOSITORY": str(self.path), "BORG_REPO": str(self.path)}
        argv = [self.program, *words]
        subprocess.run(argv, env={**self.environ, **named}, cwd=cwd, check=True, capture_output=True, timeout=60)

    def largest(self) -> Path:
        """The file of it that has most of what is kept."""
        files = [path for path in (self.path / "data").rglob("*") if path.is_file()]
        return max(files, key=lambda path: path.stat().st_size)


def opening(program: str, base: Path) -> dict[str, str]:
    """The environment in which a program opens what `depot` has made; its caches lie below `base`."""
    of = {
        "restic": {"RESTIC_PASSWORD": PASSWORD, "RESTIC_CACHE_DIR": str(base / "cache")},
        "borg": {"BORG_PASSPHRASE": PASSWORD, "BORG_BASE_DIR": str(base / "borg")},
    }
    return of[program]


def depot(program: str, base: Path) -> Depot:
    """A new repository of a program, below a directory."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed; 'make test' as root installs it where there is apt-get")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RESTIC_", "BORG_"))}
    made = Depot(program, base / f"{program}-depot", {**clean, **opening(program, base)})
    made.call(*(("init",) if program == "restic" else ("init", "-e", "repokey-blake2")))
    return made
