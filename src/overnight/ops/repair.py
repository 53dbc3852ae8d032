"""A damaged store made good: set aside, rebuilt from the newest whole checkpoint and what the journal has since.

Damage is never answered by an empty queue. Whoever holds the home does this before anything else, and says
it on the record and to people. The other store is made ready beside the damaged one and takes its place in one
step, so whoever dies on the way leaves what was there. What the damaged store can still say is taken: its
outbox holds what the journal has not yet. What nobody can know is said by its numbers.

Attempts that were on record stay open, for the engine to learn from marks and spool what became of them. Of one
that has begun and is on no record the marks alone know, or the record of what was handed to nodes; it is put on
record here, or a task that may run only once would begin again.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from overnight.core import events, store_events
from overnight.core.errors import DiskFullError, NotFoundError, OvernightError, StoreDamagedError
from overnight.executors.local.recovery import begun
from overnight.host.home import Home, has_store, past
from overnight.monitor.tail import last_seq
from overnight.ops.evidence import SAFE_DISTANCE, Account, Evidence, Waiting
from overnight.ops.swapping import making_ready, next_aside, swap
from overnight.store.copies.manifest import STORE
from overnight.store.copies.shelf import Entry, Shelf, newest_first, troubles
from overnight.store.sqlite.copying import copy_file
from overnight.store.sqlite.examining import inspect
from overnight.store.sqlite.rebuilding import Rebuilt, give_over, rebuilding
from overnight.store.sqlite.replaying import Replayed, Replayer
from overnight.store.sqlite.salvaging import Salvaged, salvaging

#: Transactions that wait for the journal; a copy is made beside an engine that writes them at once.
_MOST_ROWS = 1_000_000


class Mended(msgspec.Struct, kw_only=True):
    """A store that was rebuilt."""

    #: What was wrong with it.
    wrong: str
    #: Name of the checkpoint; empty: everything comes from the journal.
    checkpoint: str = ""
    #: POSIX seconds; of the checkpoint.
    made_at: float | None = None
    #: The last event in it.
    position: int = 0
    #: Events done again after it.
    replayed: int = 0
    #: What nobody can know, in words.
    lost: list[str] = []
    #: Attempts that were on no record but in the marks.
    begun: int = 0
    epoch: int = 0
    #: Where the damaged store lies.
    aside: Path | None = None
    #: Checkpoints that could not be used, with what is wrong.
    passed_over: list[tuple[str, str]] = []


def damage(home: Home) -> str:
    """What is wrong with the store of a home, in words; empty when nothing is. Reads all of it.

    Raises:
        OvernightError: It cannot be looked at: another version wrote it, or it is not this user's.
    """
    try:
        known = inspect(home.store)
    except NotFoundError:
        return f"{home.store} is gone" if has_store(home) or last_seq(home.journal) else ""
    except StoreDamagedError as error:
        return error.message.partition(";")[0]
    written = last_seq(home.journal)
    if known.position < written:
        return (
            f"{home.store} is older than its journal (it ends with event {known.position}, the journal with {written})"
        )
    return ""


def mend(home: Home, wrong: str, shelves: list[Shelf], *, now: float, by: str) -> Mended:
    """Put a rebuilt store in the place of a damaged one. The caller holds the home and has nothing open in it.

    Args:
        home: The home.
        wrong: What `damage` found.
        shelves: Where its checkpoints lie.
        now: POSIX seconds.
        by: Who does it, for the record.

    Raises:
        StoreDamagedError: There is nothing to rebuild it from; nothing was changed.
        DiskFullError: There is no room for another store; nothing was changed.
    """
    try:
        return _mend(home, Mended(wrong=wrong), shelves, now=now, by=by)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFullError(
            f"{wrong}, and no room is left on the disk to rebuild it; nothing was changed",
            hint="make room and type the same again; a rebuilt store is about as large as the damaged one",
        ) from error


def _mend(home: Home, mended: Mended, shelves: list[Shelf], *, now: float, by: str) -> Mended:
    with salvaging(home.store) as salvaged, making_ready(home) as ready:
        building = _Building(home, salvaged, mended, now=now, by=by)
        for candidate in building.candidates(shelves):
            if building.build(candidate, ready / STORE):
                break
        else:
            raise _nothing_left(mended)
        mended.aside = swap(home, ready)
    return mended


class _Building:
    """One repair: tries what there is to begin with, until a store comes of it."""

    def __init__(self, home: Home, salvaged: Salvaged, mended: Mended, *, now: float, by: str) -> None:
        self._home = home
        self._salvaged = salvaged
        self._evidence = Evidence(home, salvaged)
        self._now = now
        self._by = by
        self.mended = mended

    def candidates(self, shelves: list[Shelf]) -> Iterator[Entry | None]:
        """What a store can be begun with: whole checkpoints, newest first, and at last nothing."""
        every = newest_first(shelves)
        self.mended.passed_over += [(entry.name, entry.trouble) for entry in every if entry.manifest is None]
        for entry in every:
            if entry.manifest is not None and self._evidence.counts(entry.manifest.position):
                found = troubles(entry)
                if found:
                    self.mended.passed_over.append((entry.name, found[0]))
                else:
                    yield entry
        yield None

    def build(self, entry: Entry | None, target: Path) -> bool:
        """Make a store at `target`. False when none comes of this, and then nothing is there.

        Raises:
            DiskFullError: There is no room.
        """
        try:
            self._build(entry, target)
        except DiskFullError:
            raise
        except OvernightError as error:
            name = "the journal alone" if entry is None else entry.name
            self.mended.passed_over.append((name, error.message))
            for part in ("", "-wal", "-shm"):
                Path(f"{target}{part}").unlink(missing_ok=True)
            return False
        return True

    def _build(self, entry: Entry | None, target: Path) -> None:
        manifest = entry.manifest if entry else None
        if entry is not None:
            copy_file(entry.store, target)
        position = manifest.position if manifest else 0
        account = Account(last=position)
        with rebuilding(target) as rebuilt:
            replayer = Replayer(rebuilt)
            replayed = replayer.replay(self._evidence.lines(account))
            if entry is None and (not replayed.done or (account.missing and account.missing[0][0] == 1)):
                raise StoreDamagedError("the journal does not reach back to the beginning")
            self.mended.checkpoint = manifest.name if manifest else ""
            self.mended.made_at = manifest.made_at if manifest else None
            self.mended.position, self.mended.replayed = position, replayed.done
            self._go_on(rebuilt, account)
            self.mended.begun = self._put_on_record(replayer)
            self.mended.lost = [*_lost(account, replayed), *self._unknown(account)]
            self._tell(rebuilt)

    def _go_on(self, rebuilt: Rebuilt, account: Account) -> None:
        number, rows = self._evidence.unwritten(account, _waiting(rebuilt))
        highest = max(self._salvaged.last_task_id, account.last_task_id)
        if not self._evidence.is_whole:
            highest = max(highest, rebuilt.facts().last_task_id) + SAFE_DISTANCE
        fence = max(self._salvaged.fence, account.fence)
        give_over(rebuilt, rows, last=number, fence=fence, last_task_id=highest)

    def _put_on_record(self, replayer: Replayer) -> int:
        """What has begun by the marks, or may have on a node; where nothing is unknown they have nothing to add."""
        if self._evidence.is_whole:
            return 0
        from overnight.executors.nodes import placements  # few homes have nodes, and every engine imports this file

        with suppress(OSError):
            handed = placements.read(self._home.placements).by_key
            return len(replayer.begun([*begun(self._home.marks), *handed], now=self._now))
        return 0

    def _unknown(self, account: Account) -> list[str]:
        if self._evidence.is_whole:
            return []
        return [f"what was recorded after event {account.last} and had not reached the journal, if anything was"]

    def _tell(self, rebuilt: Rebuilt) -> None:
        at, mended = events.stamp(self._now), self.mended
        mended.epoch = past(self._home).epoch + 1
        mended.aside = next_aside(self._home)
        failed = [
            store_events.CheckpointRestoreFailed(at=at, checkpoint=events.printable(name), error=events.printable(why))
            for name, why in mended.passed_over
        ]
        restored = store_events.CheckpointRestored(
            at=at,
            checkpoint=mended.checkpoint,
            position=mended.position,
            epoch=mended.epoch,
            replayed=mended.replayed,
            lost=mended.lost,
            why=events.printable(mended.wrong),
            aside=events.printable(str(mended.aside or "")),
            by=events.printable(self._by),
        )
        rebuilt.store.note([*failed, restored])


def _waiting(rebuilt: Rebuilt) -> Waiting:
    """What a copy has for the journal."""
    return Waiting(rebuilt.store.journal_seq(), rebuilt.store.outbox(_MOST_ROWS))


def _lost(account: Account, replayed: Replayed) -> list[str]:
    """What could not be made good, in words."""
    gaps = [f"event {a}" if a == b else f"events {a} to {b}" for a, b in account.missing]
    words = [f"{' and '.join(gaps)}: missing from the journal"] if gaps else []
    garbled = account.strange + replayed.unreadable
    if garbled:
        words.append(f"{garbled} damaged line{'' if garbled == 1 else 's'} of the journal")
    unfit = {event: count for event, count in replayed.unfit.items() if count}
    if unfit:
        which = ", ".join(f"{count} {event}" for event, count in sorted(unfit.items()))
        words.append(f"events that do not fit what is known: {which}")
    return words


def _nothing_left(mended: Mended) -> StoreDamagedError:
    tried = "; ".join(f"{name}: {why}" for name, why in mended.passed_over)
    return StoreDamagedError(
        f"{mended.wrong}, and there is nothing whole to rebuild it from ({tried}); nothing was changed",
        hint="put back the home, or its folder 'checkpoints', from a backup and type the same again",
    )
