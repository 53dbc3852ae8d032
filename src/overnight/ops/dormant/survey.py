"""The whole look: every part of a project, and which of them are dormant."""

from __future__ import annotations

import contextlib
import os
import sys
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from overnight.core.configuration import Configuration
from overnight.core.dormancy import Found, Kind, Part, judge
from overnight.core.settings import Settings
from overnight.core.source_facts import named_in
from overnight.host.home import Home, has_tasks
from overnight.ops.dormant.defined import Definitions, machine_at, written
from overnight.ops.dormant.keeping import DormantStore, Known, remembered
from overnight.ops.dormant.lying import Lying
from overnight.ops.dormant.reading import Look, read_all
from overnight.ops.dormant.tree import MOST_ENTRIES, files_of
from overnight.store.contract import Store

#: What the records say of a target that a message has reached.
REACHED = "reached"
#: Tables of the configuration that name files without running them.
_ONLY_NAMED = ("dormant", "backup", "logs")
#: Stands for the configuration among the files that name something.
_CONFIGURATION = "/"


class Ground(NamedTuple):
    """What is looked at."""

    #: Beside the home, or where somebody stands.
    project: Path
    home: Home | None
    settings: Settings
    configured: Configuration
    #: Opens the store for reading; called only where there is one, and closed.
    open_store: Callable[[], Store]
    environ: Mapping[str, str]
    #: POSIX seconds.
    now: float


class Effort(NamedTuple):
    """How much may be done for a look.

    Attributes:
        keep: Remember what was read for the next time, where there is a home.
        files: Files that are read anew at the most; None: all of them.
        entries: Names of files and folders that are looked at.
    """

    keep: bool = True
    files: int | None = None
    entries: int = MOST_ENTRIES


class Survey(NamedTuple):
    """All parts, those of the configuration first.

    Attributes:
        found: Each part.
        files: How many files were looked at.
        left: How many were not, for they had to be read.
        is_whole: Whether there are no more files than were looked for.
    """

    found: list[Found]
    files: int
    left: int
    is_whole: bool


def survey(ground: Ground, effort: Effort = Effort()) -> Survey:  # noqa: B008 - it cannot be changed
    """Look at everything; run and import nothing."""
    files, is_whole = files_of(ground.project, ground.settings.dormant_scan, most_entries=effort.entries)
    known, records = remembered(ground.home)
    look = read_all(ground.project, files, known, now=ground.now, most=effort.files)
    if effort.keep:
        _remember(ground, look, known)
    facts = look.facts | {_CONFIGURATION: named_in(_words(ground.project))}
    facts.pop("overnight.toml", None)
    reached = {record.part.removeprefix(f"{Kind.TARGET}:") for record in records if record.what == REACHED}
    defined = list(_defined(ground, reached))
    path = ground.environ.get("PATH", os.defpath)
    lying = Lying(ground.project, facts, path, [*environments(ground.project), *sys.path])
    parts = [*defined, *lying.parts(files, {part.name for part in defined if part.kind is Kind.WORKFLOW})]
    quiet = ground.settings.dormant_quiet
    found = [Found(part, None if part.permanent else judge(part, now=ground.now, quiet=quiet)) for part in parts]
    return Survey(found, len(files) - look.left, look.left, is_whole)


def _defined(ground: Ground, reached: Collection[str]) -> Iterator[Part]:
    home = ground.home
    store = ground.open_store() if home is not None and has_tasks(home) else None
    try:
        definitions = Definitions(
            ground.configured,
            store,
            home.history if home else None,
            written_at=written(ground.project / "overnight.toml"),
            now=ground.now,
        )
        machine = machine_at(ground.project, ground.environ, [*environments(ground.project), *sys.path])
        yield from definitions.workflows(machine)
        yield from definitions.schedules()
        settings = ground.settings
        yield from definitions.telling(reached, is_watched=settings.monitor, reports=settings.report_targets)
        yield from definitions.checks(ground.environ.get("PATH", os.defpath))
        yield from definitions.queues()
    finally:
        if store is not None:
            store.close()


def _remember(ground: Ground, look: Look, known: Mapping[str, Known]) -> None:
    """For the next time; what cannot be kept is read again then."""
    gone = known.keys() - look.facts.keys() if not look.left else ()
    if ground.home is None or not (look.fresh or gone):
        return
    with contextlib.suppress(apsw.Error), closing(DormantStore(ground.home.dormant)) as store:
        store.keep(look.fresh, gone)


def _words(project: Path) -> list[str]:
    """All that the configuration says of what runs."""
    try:
        tables = tomllib.loads((project / "overnight.toml").read_text("utf-8").removeprefix("\ufeff"))
    except (OSError, ValueError, RecursionError):
        return []
    return list(_texts({name: table for name, table in tables.items() if name not in _ONLY_NAMED}))


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever TOML has
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def environments(project: Path) -> list[str]:
    """Where the packages of a project's own environments lie."""
    folders = [folder for name in (".venv", "venv") for folder in (project / name).glob("lib/python*/site-packages")]
    return [os.fspath(folder) for folder in folders]
