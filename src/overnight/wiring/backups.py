"""Backups of one home: who keeps them, where, what is in them, and how long they are kept."""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from overnight.core.checkpoints import Keeping
from overnight.core.configuration import Configuration
from overnight.core.errors import UsageError
from overnight.core.settings import Settings
from overnight.host.home import Home
from overnight.ops.backups.by_program import ByProgram
from overnight.ops.backups.contract import BackupEngine, Wanted
from overnight.ops.backups.own import OwnEngine, OwnPlace
from overnight.ops.backups.programs import PROGRAMS, VARIABLES, repositories
from overnight.ops.backups.repository import Repository, records_of
from overnight.wiring.checkpoints import plan_of


def engine(home: Home, settings: Settings) -> BackupEngine:
    """Who keeps the backups of a home.

    Raises:
        UsageError: It is a program, and nobody says which repository.
    """
    if settings.backup_engine == "own":
        number = home.id
        second = [Path(os.path.abspath(settings.backup_second)) / number] if settings.backup_second else []  # noqa: PTH100 - links are kept
        return OwnEngine([OwnPlace(place, number) for place in (home.backups, *second)])
    return _by_program(settings, home.config.parent, home.backups, home.id)


@contextmanager
def without_home(settings: Settings) -> Iterator[BackupEngine]:
    """The backups of whatever homes are in a repository: for the day on which the home is lost.

    Raises:
        UsageError: No repository is named.
    """
    with tempfile.TemporaryDirectory(prefix="overnight-") as records:
        yield _by_program(settings, Path.cwd(), Path(records), None)


def _by_program(settings: Settings, project: Path, directory: Path, home: str | None) -> ByProgram:
    program, environ = settings.backup_engine, dict(os.environ)
    _need_repository(settings, environ)
    command = shlex.join(settings.backup_password_command)
    return ByProgram(
        [
            Repository(
                PROGRAMS[program](repository, environ, command),
                records_of(directory, program, repository, home),
                home,
            )
            for repository in repositories(settings, environ, project)
        ]
    )


def _need_repository(settings: Settings, environ: Mapping[str, str]) -> None:
    variable = VARIABLES[settings.backup_engine]
    if not (settings.backup_repository or environ.get(variable)):
        raise UsageError(
            f"backups are kept by {settings.backup_engine} and no repository of it is named; nothing was done",
            hint=f'write repository = "..." into [backup] of overnight.toml, or set {variable}',
        )


def wanted(settings: Settings, configured: Configuration) -> Wanted:
    """What is in a backup besides what must be."""
    return Wanted(settings.backup_include, settings.backup_output, configured.workflows)


def keeping(settings: Settings) -> Keeping:
    """The table by which old ones go: that of checkpoints, with room of its own."""
    return msgspec.structs.replace(plan_of(settings).keeping, room_bytes=settings.backup_room)
