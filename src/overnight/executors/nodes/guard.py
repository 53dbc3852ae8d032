"""Ends an agent that does not keep its lease: one that is stopped, or stuck, while its workers go on.

A process of its own that does nothing else. When the agent is killed its workers see the end of their lines and end
everything below them; marks and spool say what became of it to the agent that comes next.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import select
import signal
from struct import Struct

from overnight.host.clock import LeaseClock
from overnight.host.purge import spare

#: Seconds after the end of the lease; less than the margin for which the engine waits.
GRACE = 0.5
#: Seconds between two looks while there is no lease.
IDLE = 1.0

_UNTIL = Struct("<d")


class Guard:
    """The guard of this process, which must have one thread."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self.tell(math.inf)
        ours, theirs = os.pipe()
        agent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            os.close(theirs)
            with contextlib.suppress(BaseException):
                self._stand(ours, agent)
            os._exit(0)
        os.close(ours)
        # Held open for as long as this process lives; its end is how the guard knows.
        self._alive = theirs
        spare(self.pid)

    def tell(self, until: float) -> None:
        """The lease goes until then, monotonic seconds; infinite while nothing runs."""
        _UNTIL.pack_into(self._memory, 0, until)

    def _stand(self, line: int, agent: int) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        os.setsid()
        poll = select.poll()
        poll.register(line, select.POLLIN)
        while True:
            left = _UNTIL.unpack_from(self._memory, 0)[0] + GRACE - LeaseClock().monotonic()
            if left <= 0:
                if os.getppid() == agent:
                    os.kill(agent, signal.SIGKILL)
                return
            if poll.poll(math.ceil(min(left, IDLE) * 1000)):
                return  # the agent is gone
