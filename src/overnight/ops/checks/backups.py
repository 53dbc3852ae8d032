"""Whether there is a backup that is young enough and was proven, where somebody makes backups."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from overnight.core.durations import format_duration
from overnight.core.findings import Finding, Fix
from overnight.host.home import Home
from overnight.ops.backups.place import BackupPlace, Entry
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn

_ID = "backups"
_CREATE = Fix("backup-create", "Make a backup", ("overnight", "backup", "create"))
_VERIFY = Fix("backup-verify", "Prove that the newest one is whole", ("overnight", "backup", "verify"))
_LOOK = by_hand("backup-damaged", "Look at those that cannot be read", "overnight backup list; remove their folders")
#: So many times the longest age may pass until a backup was proven.
_PATIENCE = 4


def _run(scene: Scene) -> Iterator[Finding]:
    home, settings = scene.home, scene.settings
    if home is None or not home.store.exists():
        return
    entries = BackupPlace(home.backups, home.id).entries()
    lost = "" if entries else _lost(home)
    if not entries and not lost and not (settings.backup_include or settings.backup_second):
        return
    whole = [entry for entry in entries if entry.manifest is not None]
    torn = [entry for entry in entries if entry.manifest is None and not entry.is_empty]
    if torn:
        words = f"{len(torn)} of {len(entries)} cannot be read: {torn[0].name}: {torn[0].trouble}"
        yield warn(_ID, words, _LOOK, value=len(torn), unit="count")
    if whole:
        yield from _not_in_second(whole[0], home, settings.backup_second)
        yield _judge(whole, scene)
    elif lost:
        unwanted = by_hand("backup-none", "If none is wanted any more", f"rm {shlex.quote(str(home.last_backup))}")
        yield fail(_ID, f"there is none any more; the last one was {lost}", _CREATE, _VERIFY, unwanted)
    else:
        yield fail(_ID, "there is none", _CREATE, _VERIFY)


def _not_in_second(newest: Entry, home: Home, second: str) -> Iterator[Finding]:
    """That the newest one is not in the second place, where one is wanted."""
    place = Path(second) / home.id
    if second and not (place / newest.name).is_dir():
        words = f"ls -ld {second}; is its disk mounted? then overnight backup create"
        see = by_hand("backup-second", "See whether that place can be written to", words)
        yield warn(_ID, f"the newest is not in the second place ({place})", see)


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
