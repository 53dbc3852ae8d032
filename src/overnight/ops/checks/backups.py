"""Whether there is a backup that is young enough and was proven, where somebody makes backups."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from overnight.core.durations import format_duration
from overnight.core.findings import Finding, Fix
from overnight.core.settings import Settings
from overnight.host.home import Home
from overnight.ops.backups.place import BackupPlace, Entry
from overnight.ops.backups.programs import is_directory, repositories
from overnight.ops.backups.programs.running import shown
from overnight.ops.backups.repository import records_of
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

_ID = "backups"
_CREATE = Fix("backup-create", "Make a backup", ("overnight", "backup", "create"))
_VERIFY = Fix("backup-verify", "Prove that the newest one is whole", ("overnight", "backup", "verify"))
_LOOK = by_hand("backup-damaged", "Look at those that cannot be read", "overnight backup list; remove their folders")
_ASK = by_hand("backup-ask", "Read again what the repository has", "overnight backup list")
#: So many times the longest age may pass until a backup was proven.
_PATIENCE = 4


def _run(scene: Scene) -> Iterator[Finding]:
    home, settings = scene.home, scene.settings
    if home is None or not home.store.exists():
        return
    own = settings.backup_engine == "own"
    yield from () if own else _cannot_be_reached(scene)
    records = _own(home, settings) if own else _of_program(home, settings)
    entries = records[0].entries() if records else []
    lost = "" if entries else _lost(home)
    if own and not entries and not lost and not (settings.backup_include or settings.backup_second):
        return
    whole = [entry for entry in entries if entry.manifest is not None]
    torn = [entry for entry in entries if entry.manifest is None and not entry.is_empty]
    if torn:
        words = f"{len(torn)} of {len(entries)} cannot be read: {torn[0].name}: {torn[0].trouble}"
        yield warn(_ID, words, _LOOK, value=len(torn), unit="count")
    if whole:
        yield from _not_in_second(whole[0], records[1:], settings.backup_second)
        yield _judge(whole, scene)
    elif lost:
        unwanted = by_hand("backup-none", "If none is wanted any more", f"rm {shlex.quote(str(home.last_backup))}")
        yield fail(_ID, f"there is none any more; the last one was {lost}", _CREATE, _VERIFY, unwanted)
    else:
        yield fail(
            _ID, "there is none" if own else "none is on record here", _CREATE, _VERIFY, *(() if own else (_ASK,))
        )


def _own(home: Home, settings: Settings) -> list[BackupPlace]:
    second = [Path(settings.backup_second) / home.id] if settings.backup_second else []
    return [BackupPlace(directory, home.id) for directory in (home.backups, *second)]


def _of_program(home: Home, settings: Settings) -> list[BackupPlace]:
    """What is on record of the repositories: no program is started for a question, and no password needed."""
    named = repositories(settings, os.environ, home.config.parent)
    return [records_of(home.backups, settings.backup_engine, one, home.id) for one in named]


def _cannot_be_reached(scene: Scene) -> Iterator[Finding]:
    """That no backup could be made or given back now, as far as that shows without asking the program."""
    program = scene.settings.backup_engine
    if shutil.which(program) is None:
        words = 'install it, or write engine = "own" into [backup]'
        yield fail(_ID, f"{program}, which keeps them, is not installed", by_hand("backup-program", "Get it", words))
    found = repositories(scene.settings, os.environ, scene.home.config.parent if scene.home else scene.project)
    for repository in found:
        if is_directory(repository) and not Path(repository).is_dir():
            see = by_hand("backup-repository", "See whether its disk is mounted", f"ls -ld {shlex.quote(repository)}")
            yield fail(_ID, f"the repository {shown(repository)} is not there", see)


def _not_in_second(newest: Entry, others: list[BackupPlace], second: str) -> Iterator[Finding]:
    """That the newest one is not in the second place, where one is wanted."""
    for place in others:
        if not (place.directory / newest.name).is_dir():
            words = f"ls -ld {shown(second)}; is its disk mounted? then overnight backup create"
            see = by_hand("backup-second", "See whether that place can be written to", words)
            yield warn(_ID, f"the newest is not in the second place ({shown(second)})", see)


def _lost(home: Home) -> str:
    """The backup that was made last, if one ever was."""
    try:
        return home.last_backup.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def _judge(whole: list[Entry], scene: Scene) -> Finding:
    newest, longest, now = whole[0], scene.settings.backup_max_age, scene.clock.now()
    age = max(0.0, now - (newest.manifest.made_at if newest.manifest else 0.0))
    proven = max((entry.trial.at for entry in whole if entry.trial and entry.trial.whole), default=None)
    words = f"the newest is {format_duration(age)} old"
    if newest.trial is not None and not newest.trial.whole:
        words += f" and not whole: {newest.trial.troubles[0]}"
        return fail(_ID, words, _CREATE, _VERIFY, value=age, unit="seconds")
    if longest is not None and age > longest:
        told = f"{words}, and none was ever verified" if proven is None else words
        fixes = (_CREATE, _VERIFY) if proven is None else (_CREATE,)
        return warn(_ID, told, *fixes, value=age, unit="seconds")
    if proven is None:
        return warn(_ID, f"{words}, and none was ever verified", _VERIFY, value=age, unit="seconds")
    since = now - proven
    if longest is not None and since > _PATIENCE * longest:
        return warn(_ID, f"{words}; last verified {format_duration(since)} ago", _VERIFY, value=age, unit="seconds")
    return ok(_ID, f"{words}; last verified {format_duration(max(0.0, since))} ago", value=age, unit="seconds")


CHECK = Check(_ID, "backups", _run, every=900.0)  # it reads the manifest of each
