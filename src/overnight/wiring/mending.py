"""Damage met by whoever holds a home: found before anything else is done, made good, and told.

Everybody else is refused with exit status 6: two processes must not mend one home.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import datetime

from overnight import wiring
from overnight.core.errors import DiskFullError, MendNeededError, OvernightError, StoreDamagedError
from overnight.core.settings import resolve
from overnight.host.home import Home
from overnight.host.removal import gone, is_gone
from overnight.ops.repair import Mended, damage, mend
from overnight.ops.rescue import Rescued, rescue
from overnight.store.contract import Store
from overnight.wiring.checkpoints import plan_of, shelves
from overnight.wiring.configuration import read
from overnight.wiring.telling import Told


def make_whole(home: Home, told: Told) -> None:
    """Mend the store of a home if it is damaged. The caller holds the home, and has nothing open in it.

    Raises:
        StoreDamagedError: It cannot be mended; nothing was changed.
        DiskFullError: There is no room for another store; nothing was changed.
    """
    wrong = damage(home)
    if not wrong:
        return
    settings = resolve(flags={}, environ=os.environ, configured=read(home).settings)
    now = wiring.clock.now()
    mended = mend(home, wrong, shelves(home, plan_of(settings)), now=now, by=wiring.who())
    told(words_about(mended), "'overnight verify' counts the books, 'overnight status' shows where it stands")


def words_about(mended: Mended) -> str:
    """What was wrong, what was done, and what it means for the tasks."""
    lines = [f"{mended.wrong}; rebuilt from {_source(mended)}"]
    lines += [f"  passed over, since it is not whole: {name} ({why})" for name, why in mended.passed_over]
    if mended.begun:
        lines.append(f"  {mended.begun} attempts had begun of which the journal did not know yet")
    if mended.lost:
        lines += [f"  cannot be known: {words}" for words in mended.lost]
    else:
        lines.append("  nothing is lost; what was running is judged like after any crash")
    if mended.aside is not None:
        lines.append(f"  the damaged store is kept in {mended.aside}")
    return "\n".join(lines)


def _source(mended: Mended) -> str:
    if mended.made_at is None:
        return f"the journal alone ({mended.replayed:,} events)"
    made = datetime.fromtimestamp(mended.made_at)  # noqa: DTZ006 - local time is what is shown
    return (
        f"checkpoint {mended.checkpoint} ({made:%Y-%m-%d %H:%M:%S}) and {mended.replayed:,} later events of the journal"
    )


def rescuer(home: Home, store: Store, told: Told) -> Callable[[StoreDamagedError], None]:
    """What an engine does when the file of its store is not at its place any more.

    For want of room it is left for the next look: what is open must not be let go. The function raises
    MendNeededError when it fails for another reason; then whoever holds the home next rebuilds the store. Of a home
    that is gone as a whole nothing is rescued: HomeUnusableError, for somebody wanted it so.
    """
    full = False

    def save(error: StoreDamagedError) -> None:
        nonlocal full
        why = error.message.partition(";")[0]
        if is_gone(home):
            raise gone(home) from error
        try:
            saved = rescue(home, store, why, now=wiring.clock.now())
        except (OvernightError, OSError) as failed:
            if not _is_full(failed):
                raise mend_needed(error) from failed
            if not full:
                full = True
                told(f"{why}, and no room is left on the disk to put it back; it is tried every second", "make room")
            return
        full = False
        told(words_about_rescued(saved), "find out who removes files from the home; tasks and engine go on")

    return save


def _is_full(error: OvernightError | OSError) -> bool:
    return isinstance(error, DiskFullError) or getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT)


def words_about_rescued(saved: Rescued) -> str:
    """What was wrong and what was done."""
    words = f"{saved.why}; all of it was still open here and is back in its place, nothing is lost"
    return words if saved.aside is None else f"{words}; what lay there instead is kept in {saved.aside}"


def mend_needed(error: StoreDamagedError) -> MendNeededError:
    """Damage in a store that is in use: this process must end, and the next one mends."""
    what = error.message.partition(";")[0]
    return MendNeededError(
        f"{what}; the engine ends, and whoever takes the home next rebuilds the store before anything runs",
        hint="'overnight resume' rebuilds it from a checkpoint and the journal, and goes on",
    )
