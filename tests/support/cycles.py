"""Engines one after the other in one process; prints what the process holds after each.

python cycles.py COUNT [careless | leaking BYTES]

`careless` leaves one of everything behind in each cycle, `leaking` so much memory and nothing else: the controls.
Memory is what is left of it when the garbage is collected and the allocator has given back what is free: what
an allocator keeps for later goes up and down by a megabyte, and says nothing. Run with PYTHONMALLOC=malloc, so that
there is only one.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.settings import resolve
from overnight.engine.goal import QueueEmpty
from overnight.engine.observers import Observers
from overnight.host.home import Home
from overnight.wiring.engine import holding, run_engine


def careless(home: Home) -> Callable[[], None]:
    """What leaves one of everything behind; all of it ends with this process."""
    until_the_end = os.pipe()
    never = threading.Event()
    left: list[object] = []

    def leave() -> None:
        left.append(os.open(os.devnull, os.O_RDONLY))
        threading.Thread(target=never.wait, daemon=True).start()
        left.append(subprocess.Popen(["cat"], stdin=until_the_end[0]))
        Path(home.path, f"left-{len(left)}").touch()
        left.append(bytearray(b"x") * (1024 * 1024))

    return leave


def leaking(size: int) -> Callable[[], None]:
    """What leaves so many bytes behind, of which every page is used."""
    left: list[bytes] = []
    return lambda: left.append(os.urandom(size))


def held() -> int:
    """Bytes of memory that this process holds and uses."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)
    return int(psutil.Process().memory_info().rss)


def main() -> None:
    """Start and stop so many."""
    settings = resolve(flags={"slots": 1}, environ={}, configured={})
    home = wiring.make_home()
    me = psutil.Process()
    leave = careless(home) if "careless" in sys.argv else leaking(int(sys.argv[-1]) if "leaking" in sys.argv else 0)
    for _ in range(int(sys.argv[1])):
        with holding(home, settings=settings) as store:
            run_engine(
                home, store, goal=QueueEmpty(), observer=Observers([]), settings=settings, configured=Configuration()
            )
        leave()
        figures = {
            "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - /proc
            "threads": threading.active_count(),
            "children": len(me.children(recursive=True)),
            "files": len([path for path in Path(home.path).rglob("*") if "checkpoints" not in path.parts]),
            "memory": held(),
        }
        print(json.dumps(figures), flush=True)  # noqa: T201 - a program of its own


if __name__ == "__main__":
    main()
