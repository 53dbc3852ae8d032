"""Other programs that keep backups, where somebody has one already: each is handed a directory and gives it back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from overnight.core.settings import Settings
from overnight.ops.backups.programs import borg, restic
from overnight.ops.backups.programs.borg import Borg
from overnight.ops.backups.programs.restic import Restic

#: By the word of the setting. Written by hand: what is not here is not there.
PROGRAMS: dict[str, type[Restic | Borg]] = {"restic": Restic, "borg": Borg}
#: By the same word: the variable that names a repository where no setting does.
VARIABLES = {"restic": restic.REPOSITORY, "borg": borg.REPOSITORY}


def repositories(settings: Settings, environ: Mapping[str, str], project: Path) -> list[str]:
    """The repositories that are in use, as their program has them: the first, then the second if there is one.

    Args:
        settings: With a program as their engine.
        environ: The environment.
        project: Where a directory without a leading slash begins.
    """
    inherited = _located(environ.get(VARIABLES[settings.backup_engine], ""), Path.cwd())
    first, second = (_located(one, project) for one in (settings.backup_repository, settings.backup_second))
    return [one for one in (first or inherited, second) if one]


def is_directory(repository: str) -> bool:
    """Whether a repository lies in a directory of this machine."""
    return os.path.isabs(repository)  # noqa: PTH117 - it may be no path at all


def _located(repository: str, project: Path) -> str:
    """The programs are called from elsewhere, so a directory must be named from the root on."""
    path = repository.removeprefix("local:")
    return repository if ":" in path or not path else os.path.normpath(project / path)
