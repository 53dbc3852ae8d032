"""Letting old backups go: by the table that says how long checkpoints are kept, never the last one that was proven."""

from __future__ import annotations

from collections.abc import Iterator

from overnight.core.backups import Manifest, piece_sizes
from overnight.core.checkpoints import Keeping, Kept, surplus
from overnight.ops.backups.contract import Pruned
from overnight.ops.backups.place import BackupPlace, Entry


def surplus_of(entries: list[Entry], keeping: Keeping, *, now: float) -> list[str]:
    """The names of those that may go.

    Those that were found not whole count for nobody else: three of them must not be all that is left.

    Args:
        entries: Those with a manifest, newest first.
        keeping: What to keep.
        now: POSIX seconds.
    """
    bad = {entry.name for entry in entries if entry.trial is not None and not entry.trial.whole}
    gone = set(surplus(_copies([entry for entry in entries if entry.name not in bad]), keeping, now=now))
    gone |= bad.intersection(surplus(_copies(entries), keeping, now=now))
    proven = next((entry.name for entry in entries if entry.trial is not None and entry.trial.whole), None)
    return [entry.name for entry in entries if entry.name in gone and entry.name != proven]


def _copies(entries: list[Entry]) -> list[Kept]:
    """Each with its size: that of what it has and newer ones have not."""
    counted: set[str] = set()
    copies = []
    for entry in entries:
        assert entry.manifest is not None  # noqa: S101 - it is whole
        own = {piece: size for piece, size in _pieces(entry.manifest) if piece not in counted}
        counted |= own.keys()
        copies.append(Kept(entry.name, entry.manifest.made_at, sum(own.values())))
    return copies


def _pieces(manifest: Manifest) -> Iterator[tuple[str, int]]:
    for file in manifest.files:
        yield from zip(file.pieces, piece_sizes(file), strict=True)


def plan(place: BackupPlace, keeping: Keeping, *, now: float) -> Pruned:
    """What a prune would let go of. Changes nothing."""
    names = surplus_of(place.whole(), keeping, now=now)
    wanted = place.wanted(without=names)
    return Pruned(names, 0 if wanted is None else place.pieces.unused_bytes(wanted), _trouble(wanted))


def prune(place: BackupPlace, keeping: Keeping, *, now: float) -> Pruned:
    """Let go of backups that are not to be kept any longer, and of all that nobody refers to.

    Where there is no such place nothing is made: its disk is perhaps not there.

    Raises:
        NotNowError: Another process is at work on the backups.
    """
    if not place.is_there:
        return Pruned([], 0)
    with place.alone():
        names = surplus_of(place.whole(), keeping, now=now)
        place.drop([*names, *place.leavings()])
        wanted = place.wanted()
        freed = 0 if wanted is None else place.pieces.sweep(wanted)[1]
        return Pruned(names, freed, _trouble(wanted))


def _trouble(wanted: set[str] | None) -> str:
    return "" if wanted is not None else "a backup cannot be read, so nobody knows which pieces it needs; all stay"
