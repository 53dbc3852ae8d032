"""Giving way: a process whose work is not urgent takes what the others leave of the processors."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

#: A tenth of the weight of a process that has not given way: work goes first, and this still comes to its end.
NICE = 10
#: Where Linux weighs whole sessions against each other, a nice process alone in its session gives way to nobody.
_SESSION = Path("/proc/self/autogroup")


def give_way() -> None:
    """From now on, take the processors as far as others leave them. For good; where that is refused, nothing changes.

    A session that this process leads gives way as a whole.

    Source: sched(7), "The autogroup feature".
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):
            _SESSION.write_text(str(NICE))
