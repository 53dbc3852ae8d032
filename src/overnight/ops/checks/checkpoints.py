"""Whether there are checkpoints that can be gone back to, as young as they are meant to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from overnight.core.durations import format_duration
from overnight.core.findings import Finding, Fix
from overnight.core.settings import Settings
from overnight.core.states import FINAL
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.ops.checks.contract import Check, Scene, by_hand, fail, ok, warn
from overnight.store.contract import Query
from overnight.store.copies.shelf import Entry, Shelf

_ID = "checkpoints"
_SAVE = Fix("checkpoint-save", "Make a checkpoint", ("overnight", "checkpoint", "save"))
_LOOK = by_hand("checkpoint-damaged", "Look at those that cannot be read", "overnight checkpoint verify")
#: So many times the time between two may pass, and at least so many seconds.
_PATIENCE, _AT_LEAST = 4, 600.0
#: Of the newest tasks, so many are looked at for one that has finished since.
_NEWEST = 100


def _run(scene: Scene) -> Iterator[Finding]:
    home, settings = scene.home, scene.settings
    if home is None or not home.store.exists():
        return
    entries = Shelf(home.checkpoints, home.id).entries()
    whole = [entry for entry in entries if entry.manifest is not None]
    if len(whole) < len(entries):
        yield _torn(entries)
    if overdue := _overdue(whole, home, scene):
        yield warn(_ID, overdue, _SAVE)
    if missing := _not_in_second(whole, home, settings):
        yield missing
    if whole and not overdue:
        age = _age(whole[0], scene.clock.now())
        words = f"{len(whole)} of them, the newest {format_duration(age)} old"
        yield ok(_ID, words, value=age, unit="seconds")


def _torn(entries: Sequence[Entry]) -> Finding:
    torn = [entry for entry in entries if entry.manifest is None]
    words = f"{len(torn)} of {len(entries)} cannot be read: {torn[0].path.name}: {torn[0].trouble}"
    if len(torn) == len(entries):
        return fail(_ID, words, _SAVE, _LOOK, value=len(torn), unit="count")
    return warn(_ID, words, _LOOK, value=len(torn), unit="count")


def _age(entry: Entry, now: float) -> float:
    return max(0.0, now - entry.manifest.made_at) if entry.manifest is not None else 0.0


def _overdue(whole: Sequence[Entry], home: Home, scene: Scene) -> str:
    """That an engine works and has not made one for too long, although something has finished; else nothing."""
    owner, now, every = read_owner(home.lock), scene.clock.now(), scene.settings.checkpoint_interval
    patience = max(_AT_LEAST, _PATIENCE * every)
    if owner is None or owner.started_at is None or now - owner.started_at < patience:
        return ""
    made_at = whole[0].manifest.made_at if whole and whole[0].manifest else 0.0
    with closing(scene.open_store()) as store:
        newest = store.tasks(Query(states=tuple(FINAL), limit=_NEWEST))
    if not any(made_at < (task.finished_at or 0.0) < now - patience for task in newest):
        return ""
    age = f"the newest is {format_duration(now - made_at)} old" if made_at else "there is none"
    return f"{age}, and tasks have finished since; the engine is to make one each {format_duration(every)}"


def _not_in_second(whole: Sequence[Entry], home: Home, settings: Settings) -> Finding | None:
    """That the newest one is not in the second place, where one is wanted."""
    if not settings.checkpoint_second or not whole:
        return None
    place = Path(settings.checkpoint_second) / home.id
    if (place / whole[0].path.name).is_dir():
        return None
    see = by_hand("second", "See whether that place can be written to", f"ls -ld {place}; overnight checkpoint save")
    return warn(_ID, f"the newest is not in the second place ({place})", see)


CHECK = Check(_ID, "checkpoints", _run)
