"""Going back to a checkpoint from outside: whoever works in the home ends first, and nobody else begins meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from overnight.core.errors import AlreadyRunningError
from overnight.host.home import Home
from overnight.host.lock import HomeLock, about_me, read_owner
from overnight.ops.migrations.own_store import keep_old_schema
from overnight.ops.swapping import keep_promise
from overnight.wiring import clock, ending

#: How often one that was started just now is ended, too, before it is left to whoever starts it.
_TRIES = 5


@contextmanager
def taking_over(home: Home, told: Callable[[str], None]) -> Iterator[bool]:
    """Hold the home alone, after ending its engine at once; yields whether there was one.

    What ran goes back into the queue. A restore that somebody has begun and not finished is finished.

    Args:
        home: The home.
        told: What is done meanwhile, for people.

    Raises:
        AlreadyRunningError: An engine is started again and again.
    """
    lock = HomeLock(home.lock)
    stopped = False
    for tries in range(_TRIES):
        holder = read_owner(home.lock)
        if holder is not None:
            told("the engine is ended first; what runs goes back to the queue")
            asked = ending.ask(home, now=True)
            ending.see_ended(home, holder, asked=asked, now=True, told=told)
            stopped = True
        try:
            lock.acquire(about_me(home.path, now=clock.now()))
            break
        except AlreadyRunningError:
            if tries == _TRIES - 1:
                raise
    try:
        keep_promise(home)
        keep_old_schema(home, now=clock.now())
        yield stopped
    finally:
        lock.release()
